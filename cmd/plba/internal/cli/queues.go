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

func (s *session) queues() *cobra.Command {
	return parent(&cobra.Command{Use: "queues", Aliases: []string{"queue", "q"}, Short: "List the queues and their tasks, retry, requeue, cancel, pause, purge …"},
		s.queuesList(), s.queuesShow(), s.queuesTasks(), s.queuesDead(), s.queuesTask(),
		s.taskCommand("retry", "Try a task again now", "", func(ctx context.Context, queue, id string, b client.ReasonBody) (*client.Operation, error) {
			return s.client.RetryTask(ctx, queue, id, b)
		}),
		s.taskCommand("cancel", "Cancel a task, also a running one", "Cancel the task %[2]s of %[1]s", func(ctx context.Context, queue, id string, b client.ReasonBody) (*client.Operation, error) {
			return s.client.CancelTask(ctx, queue, id, b)
		}),
		s.queuesDiscard(),
		s.queueCommand("requeue", "Try all dead tasks again", true, func(ctx context.Context, queue string, b client.ReasonBody) (*client.Operation, error) {
			return s.client.RequeueDeadTasks(ctx, queue, b)
		}),
		s.queueCommand("pause", "Let a queue give out no tasks", false, func(ctx context.Context, queue string, b client.ReasonBody) (*client.Operation, error) {
			return s.client.PauseQueue(ctx, queue, b)
		}),
		s.queueCommand("resume", "Let a paused queue give out tasks again", false, func(ctx context.Context, queue string, b client.ReasonBody) (*client.Operation, error) {
			return s.client.ResumeQueue(ctx, queue, b)
		}),
		s.queuesPurge(),
	)
}

func (s *session) queuesList() *cobra.Command {
	var state, after string
	c := &cobra.Command{
		Use: "list", Short: "List the queues", Args: arguments(0, ""),
		RunE: s.do(func(ctx context.Context, _ []string) error {
			list, err := s.client.ListQueues(ctx, client.ListQueuesParams{State: client.QueueState(state), After: after})
			if err != nil {
				return err
			}
			if done, err := s.asJSON(list); done {
				return err
			}
			s.printOr(s.queueTable(list.Queues), len(list.Queues), "no queues")
			s.more("--after", list.Next)
			return nil
		}),
	}
	c.Flags().StringVar(&state, "state", "", "only queues in this `STATE`: open, paused, closed or unavailable")
	c.Flags().StringVar(&after, "after", "", "go on after this `NAME`")
	return c
}

func (s *session) queueTable(list []client.QueueDetail) *term.Table {
	t := term.NewTable("QUEUE", "ENGINE", "STATE", ">READY", ">RUNNING", ">RETRYING", ">SCHEDULED", ">UNDOING", ">DEAD", ">DONE", ">OLDEST READY")
	for _, q := range list {
		style := term.Good
		if q.State != client.QueueStateOpen {
			style = term.Warn
		}
		row := []any{q.Name, q.Backend, term.Cell{Text: string(q.State), Style: style}}
		if st := q.Stats; st != nil {
			dead := term.Cell{Text: strconv.FormatInt(st.Dead, 10)}
			if st.Dead > 0 {
				dead.Style = term.Bad
			}
			oldest := ""
			if st.OldestReadyNs > 0 {
				oldest = term.Duration(time.Duration(st.OldestReadyNs))
			}
			row = append(row, st.Ready, st.Running, st.Retrying, st.Scheduled, st.Undoing, dead, st.Completed, oldest)
		}
		t.Row(row...)
	}
	return t
}

func (s *session) queuesShow() *cobra.Command {
	return &cobra.Command{
		Use: "show NAME", Short: "Show a queue", Args: arguments(1, "the NAME of a queue"), ValidArgsFunction: s.completion(queueNames),
		RunE: s.do(func(ctx context.Context, args []string) error {
			q, err := s.client.GetQueue(ctx, args[0])
			if err != nil {
				return s.named(ctx, err, args[0], queueNames)
			}
			if done, err := s.asJSON(q); done {
				return err
			}
			durable := "volatile: a stop loses what it holds"
			if q.Durable {
				durable = "durable"
			}
			s.say("%s holds %s, %s", q.Name, q.Type, durable)
			s.Print(s.queueTable([]client.QueueDetail{*q}))
			return nil
		}),
	}
}

func (s *session) queuesTasks() *cobra.Command {
	var states []string
	var p client.ListTasksParams
	c := &cobra.Command{
		Use: "tasks QUEUE", Short: "List the tasks of a queue, those published last first", Args: arguments(1, "the name of a QUEUE"), ValidArgsFunction: s.completion(queueNames),
		RunE: s.do(func(ctx context.Context, args []string) error {
			for _, state := range states {
				p.State = append(p.State, client.TaskState(state))
			}
			return s.listTasks(ctx, args[0], p)
		}),
	}
	c.Flags().StringSliceVar(&states, "state", nil, "only tasks in these `STATES`: "+strings.Join(taskStates, ", "))
	pages(c, &p)
	_ = c.RegisterFlagCompletionFunc("state", cobra.FixedCompletions(taskStates, cobra.ShellCompDirectiveNoFileComp)) // the flag is there
	return c
}

var taskStates = []string{"scheduled", "retrying", "ready", "running", "done", "undoing", "dead", "cancelled"}

func pages(c *cobra.Command, p *client.ListTasksParams) {
	c.Flags().Int64Var(&p.Limit, "limit", 50, "show `N` at most")
	c.Flags().StringVar(&p.After, "after", "", "go on after this `ID`")
}

func (s *session) queuesDead() *cobra.Command {
	p := client.ListTasksParams{State: []client.TaskState{client.TaskStateDead}}
	c := &cobra.Command{
		Use: "dead QUEUE", Short: "List the dead tasks of a queue, with their last errors", Args: arguments(1, "the name of a QUEUE"), ValidArgsFunction: s.completion(queueNames),
		RunE: s.do(func(ctx context.Context, args []string) error { return s.listTasks(ctx, args[0], p) }),
	}
	pages(c, &p)
	return c
}

func (s *session) listTasks(ctx context.Context, queue string, p client.ListTasksParams) error {
	list, err := s.client.ListTasks(ctx, queue, p)
	if err != nil {
		return s.named(ctx, err, queue, queueNames)
	}
	if done, err := s.asJSON(list); done {
		return err
	}
	t := term.NewTable("ID", "STATE", ">ATTEMPT", "PUBLISHED", "DUE", "GROUP", "UNIQUE", "LAST ERROR")
	for _, task := range list.Tasks {
		last, due := "", ""
		if n := len(task.Failures); n > 0 {
			last = task.Failures[n-1].Error
		}
		if task.RunAt.After(s.Now()) {
			due = s.Ago(task.RunAt)
		}
		t.Row(task.ID, term.Cell{Text: string(task.State), Style: taskStyle(task.State)}, attempts(task), s.Ago(task.EnqueuedAt), due, task.Group, task.Unique, last)
	}
	s.printOr(t, len(list.Tasks), "no such tasks")
	s.more("--after", list.Next)
	return nil
}

func attempts(t client.Task) string {
	if t.MaxAttempts == 0 {
		return strconv.FormatInt(t.Attempt, 10)
	}
	return fmt.Sprintf("%d/%d", t.Attempt, t.MaxAttempts)
}

func taskStyle(state client.TaskState) term.Style {
	switch state {
	case client.TaskStateDead:
		return term.Bad
	case client.TaskStateRetrying, client.TaskStateUndoing, client.TaskStateCancelled:
		return term.Warn
	case client.TaskStateDone, client.TaskStateRunning:
		return term.Good
	case client.TaskStateReady, client.TaskStateScheduled:
	}
	return term.Plain
}
