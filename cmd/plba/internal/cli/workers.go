package cli

import (
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/plba/plba/cmd/plba/internal/term"
	"github.com/plba/plba/openapi/client"
	"github.com/spf13/cobra"
)

func (s *session) workers() *cobra.Command {
	return parent(&cobra.Command{Use: "workers", Aliases: []string{"worker", "w"}, Short: "List the workers, look at one, start, stop, pause, scale …"},
		s.workersList(), s.workersShow(), s.workersStart(), s.workersStop(), s.workersRestart(),
		s.workerCommand("pause", "Let a worker take no more work; what it has goes on", func(ctx context.Context, name string, b client.ReasonBody) (*client.Operation, error) {
			return s.client.PauseWorker(ctx, name, b)
		}),
		s.workerCommand("resume", "Let a paused worker take work again", func(ctx context.Context, name string, b client.ReasonBody) (*client.Operation, error) {
			return s.client.ResumeWorker(ctx, name, b)
		}),
		s.workersScale(),
	)
}

func (s *session) workersList() *cobra.Command {
	var state, kind, after string
	c := &cobra.Command{
		Use: "list", Short: "List the workers", Args: arguments(0, ""),
		RunE: s.do(func(ctx context.Context, _ []string) error {
			list, err := s.client.ListWorkers(ctx, client.ListWorkersParams{State: client.WorkerState(state), Kind: kind, After: after})
			if err != nil {
				return err
			}
			if done, err := s.asJSON(list); done {
				return err
			}
			s.printOr(s.workerTable(list.Workers), len(list.Workers), "no workers")
			s.more("--after", list.Next)
			return nil
		}),
	}
	c.Flags().StringVar(&state, "state", "", "only workers in this `STATE`")
	c.Flags().StringVar(&kind, "kind", "", "only workers of this `KIND`")
	c.Flags().StringVar(&after, "after", "", "go on after this `NAME`")
	return c
}

func (s *session) workerTable(list []client.WorkerStatus) *term.Table {
	t := term.NewTable("WORKER", "KIND", "STATE", "FOR", ">AT WORK", ">DONE", ">FAILED", ">RESTARTS", "NOTE")
	for _, w := range list {
		atWork := strconv.FormatInt(w.InFlight, 10)
		if w.Concurrency > 0 {
			atWork += "/" + strconv.FormatInt(w.Concurrency, 10)
		}
		state := term.Cell{Text: string(w.State), Style: stateStyle(string(w.State))}
		if w.Paused {
			state = term.Cell{Text: state.Text + ", paused", Style: term.Warn}
		}
		note := term.Cell{}
		switch {
		case !w.NextRestart.IsZero() && s.Now().Before(w.NextRestart):
			note = term.Cell{Text: "restarts " + s.Ago(w.NextRestart) + ": " + w.LastError, Style: term.Bad}
		case w.LastError != "":
			note = term.Cell{Text: s.Ago(w.LastErrorAt) + ": " + w.LastError, Style: term.Warn}
		case !w.NextRun.IsZero():
			note = term.Cell{Text: "next run " + s.Ago(w.NextRun)}
		}
		t.Row(w.Name, w.Kind, state, s.since(w.Since), atWork, w.Done, w.Failed, w.Restarts, note)
	}
	return t
}

func (s *session) since(at time.Time) string {
	if at.IsZero() {
		return ""
	}
	return term.Duration(s.Now().Sub(at))
}

func (s *session) workersShow() *cobra.Command {
	mermaid := false
	c := &cobra.Command{
		Use: "show NAME", Short: "Show a worker: where it is in its state machine, its health, its last moves", Args: arguments(1, "the NAME of a worker"),
		ValidArgsFunction: s.completion(workerNames),
		RunE: s.do(func(ctx context.Context, args []string) error {
			w, err := s.client.GetWorker(ctx, args[0])
			if err != nil {
				return s.named(ctx, err, args[0], workerNames)
			}
			if mermaid {
				s.say("%s", strings.TrimSuffix(w.Lifecycle.Mermaid, "\n"))
				return nil
			}
			if done, err := s.asJSON(w); done {
				return err
			}
			s.showWorker(w)
			return nil
		}),
	}
	c.Flags().BoolVar(&mermaid, "mermaid", false, "print the drawing of its state machine as Mermaid")
	return c
}

// fact prints one thing that is known of what is shown.
func (s *session) fact(name, format string, args ...any) {
	fmt.Fprintf(s.Out, "  %s  %s\n", s.Paint(term.Faint, fmt.Sprintf("%-11s", term.Clean(name))), term.Clean(fmt.Sprintf(format, args...)))
}

func (s *session) showWorker(w *client.WorkerDetail) {
	traits := w.Kind
	if w.Critical {
		traits += ", critical"
	}
	if w.Paused {
		traits += ", paused"
	}
	fmt.Fprintf(s.Out, "%s (%s) is %s\n", s.Paint(term.Bold, term.Clean(w.Name)), term.Clean(traits), s.Paint(stateStyle(string(w.State)), string(w.State)))
	s.fact("work", "%d at once, %d at work, %d done, %d failed, %d cancelled, %d abandoned", max(w.Concurrency, 1), w.InFlight, w.Done, w.Failed, w.Cancelled, w.Abandoned)
	s.fact("health", "%s%s", w.Health.State, because(w.Health.Reason))
	s.fact("restart", "%s, %d restarts so far, at most %d in %s", w.Restart.Policy, w.Restarts, w.Restart.MaxRestarts, term.Seconds(w.Restart.WindowSeconds))
	if len(w.After) > 0 {
		s.fact("after", "%s", strings.Join(w.After, ", "))
	}
	if !w.NextRestart.IsZero() {
		s.fact("restarts", "%s", s.Ago(w.NextRestart))
	}
	if !w.NextRun.IsZero() {
		s.fact("next run", "%s", s.Ago(w.NextRun))
	}
	if w.LastError != "" {
		s.fact("last error", "%s: %s", s.Ago(w.LastErrorAt), w.LastError)
	}
	if w.LastStack != "" {
		fmt.Fprintln(s.Out, s.Paint(term.Faint, term.CleanLines(indent(w.LastStack))))
	}
	fmt.Fprintln(s.Out)
	s.drawMachine(&w.Lifecycle)
	if len(w.History) > 0 {
		fmt.Fprintln(s.Out)
		s.Print(s.moves(w.History))
	}
}

// drawMachine draws the state machine as its states, one a line, with the ways out of each. Where the worker is stands out, and so do the ways out of there.
func (s *session) drawMachine(l *client.WorkerLifecycle) {
	width := 0
	for _, state := range l.States {
		width = max(width, len(state))
	}
	for _, state := range l.States {
		mark, style := " ", term.Plain
		if state == l.Current {
			mark, style = "▸", term.Bold
		}
		line := fmt.Sprintf("  %s %-*s", mark, width, state)
		for _, m := range l.Moves {
			for _, from := range m.From {
				if from == state {
					line += fmt.Sprintf("   —%s→ %s", m.Event, m.To)
				}
			}
		}
		fmt.Fprintln(s.Out, s.Paint(style, term.Clean(line)))
	}
}

// moves lists the last of them, the latest at the end, where the eye is.
func (s *session) moves(list []client.WorkerTransition) *term.Table {
	const most = 10
	t := term.NewTable("AT", "MOVE", "BY", ">HELD", "REASON")
	for _, m := range list[max(0, len(list)-most):] {
		t.Row(s.Clock(m.At), fmt.Sprintf("%s → %s", m.From, m.To), m.Event, term.Seconds(m.HeldSeconds), m.Reason)
	}
	return t
}

func indent(text string) string {
	return "    " + strings.ReplaceAll(strings.TrimRight(text, "\n"), "\n", "\n    ")
}

func (s *session) workersStart() *cobra.Command {
	var a asking
	return a.flags(&cobra.Command{
		Use: "start NAME", Short: "Start a stopped worker", Args: arguments(1, "the NAME of a worker"), ValidArgsFunction: s.completion(workerNames),
		RunE: s.do(func(ctx context.Context, args []string) error {
			o, err := s.client.StartWorker(ctx, args[0], client.ReasonBody{Reason: a.reason})
			return s.conclude(ctx, a, o, s.named(ctx, err, args[0], workerNames))
		}),
	}, true)
}

// stopping is what stops and restarts take.
type stopping struct {
	asking
	force   bool
	timeout time.Duration
}

func (a *stopping) flags(c *cobra.Command) *cobra.Command {
	c.Flags().BoolVar(&a.force, "force", false, "cancel the work in flight at once, instead of waiting for it")
	c.Flags().DurationVar(&a.timeout, "timeout", 0, "wait at most this `DURATION` for the work in flight (default: that of the application)")
	return a.asking.flags(c, true)
}

func (a *stopping) mode() client.StopMode {
	if a.force {
		return client.StopModeForce
	}
	return client.StopModeGraceful
}

func (a *stopping) budget() string {
	if a.timeout == 0 {
		return ""
	}
	return strconv.FormatFloat(a.timeout.Seconds(), 'f', -1, 64) + "s"
}

func (a *stopping) body() client.WorkerStopBody {
	return client.WorkerStopBody{Mode: a.mode(), Timeout: a.budget(), Reason: a.reason}
}

func (s *session) workersStop() *cobra.Command {
	var a stopping
	return a.flags(&cobra.Command{
		Use: "stop NAME", Short: "Stop a worker, until it or the runtime is started", Args: arguments(1, "the NAME of a worker"), ValidArgsFunction: s.completion(workerNames),
		RunE: s.do(func(ctx context.Context, args []string) error {
			if a.force {
				if err := s.confirm("Stop the worker %s and cancel its work in flight", args[0]); err != nil {
					return err
				}
			}
			o, err := s.client.StopWorker(ctx, args[0], a.body())
			return s.conclude(ctx, a.asking, o, s.named(ctx, err, args[0], workerNames))
		}),
	})
}

func (s *session) workersRestart() *cobra.Command {
	var a stopping
	return a.flags(&cobra.Command{
		Use: "restart NAME", Short: "Stop a worker and start it again", Args: arguments(1, "the NAME of a worker"), ValidArgsFunction: s.completion(workerNames),
		RunE: s.do(func(ctx context.Context, args []string) error {
			if a.force {
				if err := s.confirm("Restart the worker %s and cancel its work in flight", args[0]); err != nil {
					return err
				}
			}
			o, err := s.client.RestartWorker(ctx, args[0], a.body())
			return s.conclude(ctx, a.asking, o, s.named(ctx, err, args[0], workerNames))
		}),
	})
}

func (s *session) workerCommand(name, short string, ask func(context.Context, string, client.ReasonBody) (*client.Operation, error)) *cobra.Command {
	var a asking
	return a.flags(&cobra.Command{
		Use: name + " NAME", Short: short, Args: arguments(1, "the NAME of a worker"), ValidArgsFunction: s.completion(workerNames),
		RunE: s.do(func(ctx context.Context, args []string) error {
			o, err := ask(ctx, args[0], client.ReasonBody{Reason: a.reason})
			return s.conclude(ctx, a, o, s.named(ctx, err, args[0], workerNames))
		}),
	}, false)
}

func (s *session) workersScale() *cobra.Command {
	var a asking
	return a.flags(&cobra.Command{
		Use: "scale NAME N", Short: "Let a worker handle N tasks at once, until it is started anew", Args: arguments(2, "the NAME of a worker and a number"),
		ValidArgsFunction: s.completion(workerNames),
		RunE: s.do(func(ctx context.Context, args []string) error {
			n, err := strconv.ParseInt(args[1], 10, 64)
			if err != nil || n < 1 {
				return usagef("%q is no number of tasks at once: give a whole number, 1 or more", args[1])
			}
			o, err := s.client.ScaleWorker(ctx, args[0], client.WorkerChangeBody{Concurrency: n, Reason: a.reason})
			return s.conclude(ctx, a, o, s.named(ctx, err, args[0], workerNames))
		}),
	}, false)
}
