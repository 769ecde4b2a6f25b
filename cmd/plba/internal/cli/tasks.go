package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	"github.com/plba/plba/cmd/plba/internal/term"
	"github.com/plba/plba/openapi/client"
	"github.com/spf13/cobra"
)

const taskArguments = "the name of a QUEUE and the ID of a task"

// TaskShown is what `queues task -o json` prints.
type TaskShown struct {
	client.Task

	Payload *client.TaskPayload `json:"payload,omitempty"` // with --payload
}

func (s *session) queuesTask() *cobra.Command {
	payload := false
	c := &cobra.Command{
		Use: "task QUEUE ID", Aliases: []string{"task-show"}, Short: "Show a task with all its failures, and its payload if wanted", Args: arguments(2, taskArguments),
		ValidArgsFunction: s.completion(queueNames),
		RunE: s.do(func(ctx context.Context, args []string) error {
			t, err := s.client.GetTask(ctx, args[0], args[1])
			if err != nil {
				return s.named(ctx, err, args[0], queueNames)
			}
			shown := TaskShown{Task: *t}
			if payload {
				if shown.Payload, err = s.client.GetTaskPayload(ctx, args[0], args[1]); err != nil {
					return err
				}
			}
			if done, err := s.asJSON(shown); done {
				return err
			}
			s.showTask(shown)
			return nil
		}),
	}
	c.Flags().BoolVar(&payload, "payload", false, "show the payload too; that it was read is in the audit")
	return c
}

func (s *session) showTask(t TaskShown) {
	fmt.Fprintf(s.Out, "%s is %s\n", s.Paint(term.Bold, term.Clean(t.ID)), s.Paint(taskStyle(t.State), string(t.State)))
	fact := func(name, text string) {
		if text != "" {
			s.fact(name, "%s", text)
		}
	}
	fact("kind", t.Kind)
	fact("attempt", attempts(t.Task))
	fact("published", s.Clock(t.EnqueuedAt))
	fact("due", s.Clock(t.RunAt))
	fact("leased", s.Clock(t.LeasedUntil))
	fact("ended", s.Clock(t.EndedAt))
	fact("group", t.Group)
	fact("unique", t.Unique)
	if t.Cancelling {
		fact("cancel", "asked for; its handler has not ended yet")
	}
	if t.Undo {
		fact("undo", "its effects are undone, then it is "+string(t.EndsAs))
	}
	for _, key := range slices.Sorted(maps.Keys(t.Metadata)) {
		fact(key, t.Metadata[key])
	}
	if len(t.Failures) > 0 {
		fmt.Fprintln(s.Out)
		table := term.NewTable("AT", ">ATTEMPT", "UNDO", "ERROR")
		for _, f := range t.Failures {
			undo := ""
			if f.Undo {
				undo = "yes"
			}
			table.Row(s.Clock(f.At), f.Attempt, undo, f.Error)
		}
		s.Print(table)
	}
	if t.Payload != nil {
		fmt.Fprintln(s.Out)
		s.showPayload(t.Payload)
	}
}

func (s *session) showPayload(p *client.TaskPayload) {
	if p.Error != "" {
		s.say("the payload cannot be read as the queue's type: %s", p.Error)
	}
	var text bytes.Buffer
	if err := json.Indent(&text, p.JSON, "  ", "  "); err != nil {
		text.Write(p.JSON)
	}
	s.say("  %s", text.String())
	if p.Cut {
		s.say("  … (%d bytes in all)", p.Bytes)
	}
}

// taskCommand asks something of one task, after the question if there is one.
func (s *session) taskCommand(name, short, question string, ask func(ctx context.Context, queue, id string, b client.ReasonBody) (*client.Operation, error)) *cobra.Command {
	var a asking
	return a.flags(&cobra.Command{
		Use: name + " QUEUE ID", Short: short, Args: arguments(2, taskArguments), ValidArgsFunction: s.completion(queueNames),
		RunE: s.do(func(ctx context.Context, args []string) error {
			if question != "" {
				if err := s.confirm(question, args[0], args[1]); err != nil {
					return err
				}
			}
			o, err := ask(ctx, args[0], args[1], client.ReasonBody{Reason: a.reason})
			return s.conclude(ctx, a, o, s.named(ctx, err, args[0], queueNames))
		}),
	}, false)
}

// queuesDiscard takes no reason: the operation has no body.
func (s *session) queuesDiscard() *cobra.Command {
	return &cobra.Command{
		Use: "discard QUEUE ID", Short: "Forget a task (role admin)", Args: arguments(2, taskArguments), ValidArgsFunction: s.completion(queueNames),
		RunE: s.do(func(ctx context.Context, args []string) error {
			if err := s.confirm("Forget the task %s of %s", args[1], args[0]); err != nil {
				return err
			}
			o, err := s.client.DiscardTask(ctx, args[0], args[1])
			return s.conclude(ctx, asking{}, o, s.named(ctx, err, args[0], queueNames))
		}),
	}
}

func (s *session) queueCommand(name, short string, waits bool, ask func(context.Context, string, client.ReasonBody) (*client.Operation, error)) *cobra.Command {
	var a asking
	return a.flags(&cobra.Command{
		Use: name + " QUEUE", Short: short, Args: arguments(1, "the name of a QUEUE"), ValidArgsFunction: s.completion(queueNames),
		RunE: s.do(func(ctx context.Context, args []string) error {
			o, err := ask(ctx, args[0], client.ReasonBody{Reason: a.reason})
			return s.conclude(ctx, a, o, s.named(ctx, err, args[0], queueNames))
		}),
	}, waits)
}

func (s *session) queuesPurge() *cobra.Command {
	var a asking
	var states []string
	c := a.flags(&cobra.Command{
		Use: "purge QUEUE --state STATES", Short: "Forget all tasks in some states (role admin)", Args: arguments(1, "the name of a QUEUE"), ValidArgsFunction: s.completion(queueNames),
		RunE: s.do(func(ctx context.Context, args []string) error {
			if len(states) == 0 {
				return usagef("purge needs --state: which tasks are to be forgotten, such as dead or done,cancelled")
			}
			if err := s.confirm("Forget all tasks of %s in the states %q", args[0], states); err != nil {
				return err
			}
			body := client.PurgeBody{Reason: a.reason}
			for _, state := range states {
				body.States = append(body.States, client.TaskState(state))
			}
			o, err := s.client.PurgeQueue(ctx, args[0], body)
			return s.conclude(ctx, a, o, s.named(ctx, err, args[0], queueNames))
		}),
	}, true)
	c.Flags().StringSliceVar(&states, "state", nil, "tasks in these `STATES`: dead, cancelled, done, scheduled, ready, retrying")
	_ = c.RegisterFlagCompletionFunc("state", cobra.FixedCompletions([]string{"dead", "cancelled", "done", "scheduled", "ready", "retrying"}, cobra.ShellCompDirectiveNoFileComp)) // the flag is there
	return c
}
