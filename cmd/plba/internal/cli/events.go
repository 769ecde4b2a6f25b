package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/plba/plba/cmd/plba/internal/term"
	"github.com/plba/plba/openapi/client"
	"github.com/spf13/cobra"
)

var eventTypes = []string{"runtime", "worker", "health", "operation", "failure"}

func (s *session) events() *cobra.Command {
	var types []string
	w := client.Watch{}
	follow, all := false, false
	limit := int64(0)
	c := &cobra.Command{
		Use: "events", Short: "Show what has happened lately; --follow shows what happens",
		Long: "Moves of the runtime and of workers, changes of health, operations and failed attempts; that workers go from idle to busy and back only with --all.\n" +
			"With --follow it goes on until Ctrl-C; a stream that breaks is resumed where it was. With -o json each event is a line of its own.",
		Args: arguments(0, ""),
		RunE: s.do(func(ctx context.Context, _ []string) error {
			for _, t := range types {
				w.Types = append(w.Types, client.EventType(t))
			}
			wanted := func(e *client.Event) bool { return all || !isRoutine(e) }
			last, err := s.recentEvents(ctx, w, limit, wanted)
			if err != nil || !follow {
				return err
			}
			w.After = last
			return s.follow(ctx, w, wanted)
		}),
	}
	f := c.Flags()
	f.BoolVarP(&follow, "follow", "f", false, "go on with what happens, until Ctrl-C")
	f.BoolVar(&all, "all", false, "also show that workers go from idle to busy and back")
	f.StringSliceVar(&types, "type", nil, "only events of these `TYPES`: "+strings.Join(eventTypes, ", "))
	f.StringVar(&w.Name, "name", "", "only events about the worker, component or queue `NAME`")
	f.StringVar(&w.After, "after", "", "go on after the event with this `ID`")
	f.Int64Var(&limit, "limit", 20, "show the last `N` of what has happened")
	_ = c.RegisterFlagCompletionFunc("type", cobra.FixedCompletions(eventTypes, cobra.ShellCompDirectiveNoFileComp)) // the flag is there
	return c
}

// recentEvents shows the last ones, and gives the ID after which to go on.
func (s *session) recentEvents(ctx context.Context, w client.Watch, limit int64, wanted func(*client.Event) bool) (last string, err error) {
	if limit < 0 {
		return "", usagef("--limit %d: give 0 or more", limit)
	}
	var recent []client.Event
	for last = w.After; ; {
		list, err := s.client.ListEvents(ctx, client.ListEventsParams{Type: w.Types, Name: w.Name, After: last, Limit: 1000})
		if err != nil {
			return "", err
		}
		if list.Missed && last != "" {
			fmt.Fprintln(s.Err, "Not all events since then are kept.")
		}
		for i := range list.Events {
			if wanted(&list.Events[i]) {
				recent = append(recent, list.Events[i])
			}
		}
		if list.Last != "" {
			last = list.Last
		}
		if len(list.Events) < 1000 {
			break
		}
	}
	if len(recent) == 0 {
		fmt.Fprintln(s.Err, s.Paint(term.Faint, "No such events so far."))
	}
	for _, e := range recent[max(0, int64(len(recent))-limit):] {
		if err := s.showEvent(e); err != nil {
			return "", err
		}
	}
	return last, nil
}

func (s *session) follow(ctx context.Context, w client.Watch, wanted func(*client.Event) bool) error {
	w.Broken = func(err error) {
		fmt.Fprintln(s.Err, s.Paint(term.Faint, "The stream broke ("+term.Clean(err.Error())+"); resuming it …"))
	}
	for e, err := range s.client.Watch(ctx, w) {
		switch {
		case err != nil && ctx.Err() != nil: // that is how it ends
			return nil
		case err != nil:
			return err
		case !wanted(&e):
			continue
		}
		if err := s.showEvent(e); err != nil {
			return err
		}
	}
	return nil
}

// isRoutine tells the moves of a worker at work: there can be several in a second.
func isRoutine(e *client.Event) bool {
	return e.Worker != nil && (e.Worker.Event == client.WorkerEventWork || e.Worker.Event == client.WorkerEventRest)
}

func (s *session) showEvent(e client.Event) error {
	if s.output == "json" {
		enc := json.NewEncoder(s.Out)
		enc.SetEscapeHTML(false)
		return enc.Encode(e)
	}
	text, style := tellEvent(e)
	if e.Skipped > 0 {
		text += fmt.Sprintf(" (%s before it not told)", counted(e.Skipped, "failure"))
	}
	_, err := fmt.Fprintf(s.Out, "%s  %-9s  %s\n", s.Paint(term.Faint, s.Clock(e.At)), e.Type, s.Paint(style, term.Clean(text)))
	return err
}

// tellEvent is an event in a sentence.
func tellEvent(e client.Event) (text string, style term.Style) {
	switch {
	case e.Runtime != nil:
		return fmt.Sprintf("%s → %s%s", e.Runtime.From, e.Runtime.To, because(e.Runtime.Reason)), term.Bold
	case e.Worker != nil:
		if e.Worker.Event == client.WorkerEventFail {
			style = term.Bad
		}
		return fmt.Sprintf("%s %s → %s%s", e.Name, e.Worker.From, e.Worker.To, because(e.Worker.Reason)), style
	case e.Health != nil:
		return fmt.Sprintf("%s %s → %s%s", orAll(e.Health.Name), e.Health.From, e.Health.To, because(e.Health.Reason)), healthStyle(e.Health.To)
	case e.Operation != nil:
		o := e.Operation
		text = strings.Join(strings.Fields(fmt.Sprintf("%s %s %s by %s %s", o.Asked, o.Target, o.Task, o.By, o.State)), " ")
		if o.Error != "" {
			return text + ": " + o.Error, term.Bad
		}
		return text + because(o.Reason), operationStyle(o.State)
	case e.Failure != nil:
		f := e.Failure
		next := "given up"
		if !f.Final {
			next = "again in " + term.Seconds(f.RetrySeconds)
		}
		return fmt.Sprintf("%s task %s of %s, attempt %d, %s: %s", e.Name, f.Task, f.Queue, f.Attempt, next, f.Error), term.Bad
	case e.Type == client.EventTypeMissed:
		return "events before this are not kept any more", term.Warn
	}
	return e.Name, term.Plain
}
