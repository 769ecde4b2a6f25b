package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/plba/plba/cmd/plba/internal/term"
	"github.com/plba/plba/openapi/client"
	"github.com/spf13/cobra"
)

// Overview is what `status -o json` prints.
type Overview struct {
	Runtime *client.RuntimeInfo  `json:"runtime"`
	Health  *client.HealthReport `json:"health"`
	Queues  []client.QueueDetail `json:"queues"`
}

func (s *session) status() *cobra.Command {
	check := false
	c := &cobra.Command{
		Use: "status", Short: "Show on one page what the application does, and how it is",
		Long: "The state of the runtime, what is not well, the workers and the queues. --check ends with the code 5 unless the application is ready.",
		Args: arguments(0, ""),
		RunE: s.do(func(ctx context.Context, _ []string) error {
			o, err := s.overview(ctx)
			if err != nil {
				return err
			}
			if done, err := s.asJSON(o); err != nil {
				return err
			} else if !done {
				s.showOverview(o)
			}
			if check && !o.Runtime.Ready {
				return errNo
			}
			return nil
		}),
	}
	c.Flags().BoolVar(&check, "check", false, "end with the code 5 unless the application is ready")
	return c
}

func (s *session) overview(ctx context.Context) (*Overview, error) {
	run, err := s.client.GetRuntime(ctx)
	if err != nil {
		return nil, err
	}
	h, err := s.client.GetHealth(ctx)
	if err != nil {
		return nil, err
	}
	q, err := s.client.ListQueues(ctx, client.ListQueuesParams{Limit: allNames})
	if err != nil {
		return nil, err
	}
	return &Overview{run, h, q.Queues}, nil
}

func (s *session) showOverview(o *Overview) {
	run := o.Runtime
	ready := s.Paint(term.Good, "ready")
	if !run.Ready {
		ready = s.Paint(term.Bad, "not ready") + ": " + term.Clean(run.NotReady)
	}
	state := s.Paint(stateStyle(string(run.State)), string(run.State))
	since := ""
	if !run.StartedAt.IsZero() && run.State != client.WorkerStateStopped {
		since = ", up " + term.Duration(s.Now().Sub(run.StartedAt))
	}
	fmt.Fprintf(s.Out, "%s is %s%s, %s\n", s.Paint(term.Bold, term.Clean(run.Name)), state, since, ready)
	fmt.Fprintf(s.Out, "health is %s\n", s.Paint(healthStyle(o.Health.State), string(o.Health.State)))
	s.Print(s.components(o.Health.Components, true))
	if l := run.LastOperation; l != nil {
		fmt.Fprintf(s.Out, "last operation: %s\n", term.Clean(strings.Join(strings.Fields(fmt.Sprintf("%s %s %s by %s %s", l.Asked, l.Target, l.State, l.By, s.Ago(l.At))), " ")))
	}
	if l := run.LastStop; l != nil && !l.Clean {
		fmt.Fprintln(s.Out, s.Paint(term.Warn, "the last stop was not clean"))
	}
	fmt.Fprintln(s.Out)
	s.Print(s.workerTable(run.Workers))
	if len(o.Queues) > 0 {
		fmt.Fprintln(s.Out)
		s.Print(s.queueTable(o.Queues))
	}
}

func (s *session) health() *cobra.Command {
	strict := false
	c := &cobra.Command{
		Use: "health", Short: "Show how the application and each of its components is",
		Long: "It ends with the code 5 when the application is unhealthy, with --strict also when it is degraded.",
		Args: arguments(0, ""),
		RunE: s.do(func(ctx context.Context, _ []string) error {
			h, err := s.client.GetHealth(ctx)
			if err != nil {
				return err
			}
			if done, err := s.asJSON(h); err != nil {
				return err
			} else if !done {
				text := s.Paint(healthStyle(h.State), string(h.State))
				if h.Reason != "" {
					text += ": " + term.Clean(h.Reason)
				}
				fmt.Fprintln(s.Out, text)
				s.Print(s.components(h.Components, false))
			}
			if h.State == client.HealthStateUnhealthy || strict && h.State != client.HealthStateOk {
				return errNo
			}
			return nil
		}),
	}
	c.Flags().BoolVar(&strict, "strict", false, "end with the code 5 when the application is degraded, too")
	name := ""
	changes := &cobra.Command{
		Use: "changes", Short: "List the last changes of health, the latest first", Args: arguments(0, ""),
		RunE: s.do(func(ctx context.Context, _ []string) error {
			list, err := s.client.ListHealthChanges(ctx, client.ListHealthChangesParams{Name: name})
			if err != nil {
				return err
			}
			if done, err := s.asJSON(list); done {
				return err
			}
			t := term.NewTable("AT", "COMPONENT", "FROM", "TO", "REASON")
			for _, ch := range list.Changes {
				t.Row(s.Clock(ch.At), orAll(ch.Name), ch.From, term.Cell{Text: string(ch.To), Style: healthStyle(ch.To)}, ch.Reason)
			}
			s.printOr(t, len(list.Changes), "no changes")
			return nil
		}),
	}
	changes.Flags().StringVar(&name, "name", "", "only of the component `NAME`")
	c.AddCommand(changes)
	return c
}

// components lists them, or only those that are not well.
func (s *session) components(list []client.HealthComponent, unwell bool) *term.Table {
	t := term.NewTable("COMPONENT", "HEALTH", "FOR", "CRITICAL", "REASON")
	var add func(list []client.HealthComponent, indent string)
	add = func(list []client.HealthComponent, indent string) {
		for _, c := range list {
			if !unwell || c.State != client.HealthStateOk {
				critical := ""
				if c.Critical {
					critical = "yes"
				}
				t.Row(indent+c.Name, term.Cell{Text: string(c.State), Style: healthStyle(c.State)}, s.since(c.Since), critical, c.Reason)
			}
			add(c.Components, indent+"  ")
		}
	}
	add(list, "")
	return t
}

func orAll(name string) string {
	if name == "" {
		return "(the application)"
	}
	return name
}

// printOr prints the table, or says that there is nothing.
func (s *session) printOr(t *term.Table, rows int, nothing string) {
	if rows == 0 {
		s.say("%s", nothing)
		return
	}
	s.Print(t)
}

func healthStyle(h client.HealthState) term.Style {
	switch h {
	case client.HealthStateOk:
		return term.Good
	case client.HealthStateDegraded:
		return term.Warn
	case client.HealthStateUnhealthy:
		return term.Bad
	}
	return term.Plain
}

// stateStyle is for the states of workers and of the runtime.
func stateStyle(state string) term.Style {
	switch state {
	case "busy", "idle":
		return term.Good
	case "starting", "stopping":
		return term.Warn
	case "stopped":
		return term.Bad
	}
	return term.Plain
}
