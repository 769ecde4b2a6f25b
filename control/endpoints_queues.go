package control

import (
	"context"
	"net/http"

	"github.com/plba/plba/control/internal/input"
	"github.com/plba/plba/queue"
)

// QueueList is what GET /api/v1/queues answers.
type QueueList struct {
	Queues []QueueDetail `json:"queues"`
	Next   string        `json:"next,omitempty"`
}

// TaskList is what GET /api/v1/queues/{name}/tasks answers.
type TaskList struct {
	Tasks []Task `json:"tasks"`
	Next  string `json:"next,omitempty"`
}

type queuesInput struct {
	input.Page
	State QueueState `query:"state" doc:"Only those in this state."`
}

type tasksInput struct {
	input.Queue
	State []queue.State `query:"state" maxItems:"8" nullable:"false" doc:"Only those in these states, separated by commas."`
	After string        `query:"after" maxLength:"200" doc:"Go on after this ID: the next of the page before."`
	Limit int           `query:"limit" minimum:"1" default:"100" doc:"How many at most. More than 500 counts as 500."`
}

// oneTaskInput is for what is recorded in the audit.
type oneTaskInput struct{ input.Task }

type queueReasonInput struct {
	input.Queue
	Body *ReasonBody
}

type taskReasonInput struct {
	input.Task
	Body *ReasonBody
}

type purgeInput struct {
	input.Queue
	Body PurgeBody
}

// PurgeBody says what to forget.
type PurgeBody struct {
	States []queue.State `json:"states" minItems:"1" maxItems:"8" nullable:"false" doc:"Tasks in these states: dead, cancelled, done, scheduled, ready or retrying."`
	Reason string        `json:"reason,omitempty" maxLength:"200" example:"test data" doc:"Why, for the log and the audit. Printable text."`
}

func queueEndpoints() []entry {
	missing := []int{http.StatusNotFound}
	asleep := []int{http.StatusNotFound, http.StatusConflict, http.StatusServiceUnavailable}
	look := func(id, path, summary, detail, answer string, example any, problems []int) endpoint {
		return endpoint{id: id, method: http.MethodGet, path: "/api/v1/queues" + path, access: accessRead, polled: true, tag: tagQueues,
			summary: summary, detail: detail, answer: answer, example: example, problems: problems}
	}
	tasks := look("listTasks", "/{name}/tasks", "List the tasks of a queue", "Those published last first, without payloads, and each with its last failure only.",
		"The tasks.", TaskList{Tasks: []Task{exampleTask()}, Next: exampleTask().ID}, asleep)
	task := look("getTask", "/{name}/tasks/{id}", "Show a task", "The task with every failure, without its payload.", "The task.", exampleTask(), asleep)
	payload := look("getTaskPayload", "/{name}/tasks/{id}/payload", "Show the payload of a task", "The payload as JSON, at most 64 KiB of it. That it was read goes into the audit.",
		"The payload.", exampleShown(), asleep)
	tasks.access, task.access, payload.access = accessPrivate, accessPrivate, accessCommand
	payload.polled, payload.audited = false, true
	return append([]entry{
		read(look("listQueues", "", "List the queues", "Each queue with its engine and how many tasks are in which state, in the order of registration.",
			"The queues.", QueueList{Queues: []QueueDetail{exampleQueue()}}, nil),
			func(ctx context.Context, s *Service, in *queuesInput) (QueueList, error) {
				list, next, err := s.Queues(ctx, QueueFilter{State: in.State, After: in.After, Limit: in.Limit})
				return QueueList{list, next}, err
			}),
		read(look("getQueue", "/{name}", "Show a queue", "The queue with its engine and how many tasks are in which state.", "The queue.", exampleQueue(), missing),
			func(ctx context.Context, s *Service, in *input.Queue) (QueueDetail, error) {
				return s.Queue(ctx, in.Name)
			}),
		read(tasks, func(ctx context.Context, s *Service, in *tasksInput) (TaskList, error) {
			list, next, err := s.Tasks(ctx, in.Name, queue.Query{States: in.State, After: in.After, Limit: in.Limit})
			return TaskList{list, next}, err
		}),
		read(task, func(ctx context.Context, s *Service, in *input.Task) (Task, error) {
			return s.Task(ctx, in.Name, in.ID)
		}),
		read(payload, func(ctx context.Context, s *Service, in *oneTaskInput) (queue.Shown, error) {
			return s.TaskPayload(ctx, in.Name, in.ID)
		}),
	}, queueCommands()...)
}

// queueCommand declares one of the commands to a queue or a task.
func queueCommand(id, path, summary, detail, answer string, example Operation) endpoint {
	e := endpoint{
		id: id, method: http.MethodPost, path: "/api/v1/queues/{name}" + path, access: accessCommand, tag: tagQueues, summary: summary, detail: detail,
		answer: answer, example: example, body: ReasonBody{Reason: example.Reason},
		problems: []int{http.StatusNotFound, http.StatusConflict, http.StatusServiceUnavailable},
	}
	if example.State == OperationRunning {
		e.status = http.StatusAccepted
	}
	return e
}

func queueCommands() []entry {
	done := func(asked, task, reason string) Operation {
		return Operation{ID: exampleID, Asked: asked, Target: "mails", Task: task, By: "ops", Reason: reason, State: OperationSucceeded, At: exampleTime(5), EndedAt: exampleTime(5)}
	}
	begun := func(asked, reason string) Operation {
		return Operation{ID: exampleID, Asked: asked, Target: "mails", By: "ops", Reason: reason, State: OperationRunning, At: exampleTime(5)}
	}
	task := exampleTask().ID
	discard := queueCommand(askedDiscardTask, "/tasks/{id}", "Discard a task", "Forgets a task without a trace and without undoing anything. It applies to tasks that have ended, and to those that wait and "+
		"have done nothing that would have to be undone.", "It is forgotten.", done(askedDiscardTask, task, ""))
	discard.method, discard.access, discard.body = http.MethodDelete, accessAdmin, nil
	purge := queueCommand(askedPurgeQueue, "/purge", "Purge a queue", "Forgets all tasks in the given states as discarding each would, in the background.", "It has begun.", begun(askedPurgeQueue, "test data"))
	purge.access, purge.body = accessAdmin, PurgeBody{States: []queue.State{queue.StateDead}, Reason: "test data"}
	return []entry{
		command(queueCommand(askedPauseQueue, "/pause", "Pause a queue", "Hands out no more tasks until it is resumed, over restarts too if the engine is durable; publishing goes on. Pausing a paused one changes nothing.",
			"It is paused.", done(askedPauseQueue, "", "the shop is closed")),
			func(ctx context.Context, s *Service, in *queueReasonInput) (Operation, error) {
				return s.PauseQueue(ctx, asker(ctx).Name, in.Name, in.Body.reason())
			}),
		command(queueCommand(askedResumeQueue, "/resume", "Resume a queue", "Ends a pause. Without one it changes nothing.", "It goes on.", done(askedResumeQueue, "", "the shop is open")),
			func(ctx context.Context, s *Service, in *queueReasonInput) (Operation, error) {
				return s.ResumeQueue(ctx, asker(ctx).Name, in.Name, in.Body.reason())
			}),
		command(queueCommand(askedRetryTask, "/tasks/{id}/retry", "Retry a task", "Makes it ready at once: one that waits for its time or its next attempt, and, with all attempts before it, one that is dead or cancelled.",
			"It is ready.", done(askedRetryTask, task, "the price list is there")),
			func(ctx context.Context, s *Service, in *taskReasonInput) (Operation, error) {
				return s.RetryTask(ctx, asker(ctx).Name, in.Name, in.ID, in.Body.reason())
			}),
		command(queueCommand(askedCancelTask, "/tasks/{id}/cancel", "Cancel a task", "One that waits ends at once; of one that runs the handler is told to end. What it did is undone where the application knows how. "+
			"It applies to tasks that are scheduled, ready, running or retrying.", "It is cancelled, or about to be.", done(askedCancelTask, task, "the customer called")),
			func(ctx context.Context, s *Service, in *taskReasonInput) (Operation, error) {
				return s.CancelTask(ctx, asker(ctx).Name, in.Name, in.ID, in.Body.reason())
			}),
		command(discard, func(ctx context.Context, s *Service, in *oneTaskInput) (Operation, error) {
			return s.DiscardTask(ctx, asker(ctx).Name, in.Name, in.ID)
		}),
		command(queueCommand(askedRequeueDead, "/dead/requeue", "Requeue dead tasks", "Makes all dead tasks of the queue ready, with all attempts before them and their history kept, in the background.",
			"It has begun.", begun(askedRequeueDead, "the price list is there")),
			func(ctx context.Context, s *Service, in *queueReasonInput) (Operation, error) {
				return s.RequeueDead(asker(ctx).Name, in.Name, in.Body.reason())
			}),
		command(purge, func(ctx context.Context, s *Service, in *purgeInput) (Operation, error) {
			return s.PurgeQueue(asker(ctx).Name, in.Name, in.Body.Reason, in.Body.States...)
		}),
	}
}
