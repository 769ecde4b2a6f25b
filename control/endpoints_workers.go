package control

import (
	"context"
	"net/http"

	"github.com/plba/plba/control/internal/input"
	"github.com/plba/plba/workers"
)

// WorkerList is what GET /api/v1/workers answers.
type WorkerList struct {
	Workers []workers.Status `json:"workers"`
	Next    string           `json:"next,omitempty"`
}

type workersInput struct {
	input.Page
	State workers.State `query:"state" doc:"Only those in this state."`
	Kind  string        `query:"kind" maxLength:"100" example:"consume" doc:"Only those of this kind."`
}

// WorkerStopBody says how to stop or restart a worker.
type WorkerStopBody struct {
	Mode    StopMode `json:"mode,omitempty" default:"graceful" doc:"graceful waits for the work in flight, within the budget; force cancels it at once."`
	Timeout string   `json:"timeout,omitempty" maxLength:"40" pattern:"^([0-9]+([.][0-9]+)?(ms|s|m|h))+$" example:"30s" doc:"The budget of the stop, at most 24h. Without it platform.shutdown.timeout holds."`
	Reason  string   `json:"reason,omitempty" maxLength:"200" example:"new release" doc:"Why, for the log and the receipt. Printable text."`
}

// WorkerChangeBody is what PATCH can change of a worker.
type WorkerChangeBody struct {
	Concurrency int    `json:"concurrency" minimum:"1" maximum:"10000" example:"5" doc:"How much it works on at once, until the process ends. More takes effect at once, less as work ends."`
	Reason      string `json:"reason,omitempty" maxLength:"200" example:"many mails" doc:"Why, for the log and the audit. Printable text."`
}

type workerReasonInput struct {
	input.Worker
	Body *ReasonBody
}

func (in *workerReasonInput) request() WorkerRequest {
	return WorkerRequest{Name: in.Name, Reason: in.Body.reason()}
}

type workerStopInput struct {
	input.Worker
	Body *WorkerStopBody
}

func (in *workerStopInput) request() (WorkerRequest, error) {
	req := WorkerRequest{Name: in.Name}
	if in.Body == nil {
		return req, nil
	}
	var err error
	req.Mode, req.Reason = in.Body.Mode, in.Body.Reason
	req.Timeout, err = parseTimeout(in.Body.Timeout)
	return req, err
}

type workerChangeInput struct {
	input.Worker
	Body WorkerChangeBody
}

func workerEndpoints() []entry {
	missing := []int{http.StatusNotFound}
	return append([]entry{
		read(endpoint{
			id: "listWorkers", method: http.MethodGet, path: "/api/v1/workers", access: accessRead, polled: true, tag: tagWorkers, summary: "List the workers",
			detail: "What each worker is doing, in the order of registration.",
			answer: "The workers.", example: WorkerList{Workers: exampleRuntime().Workers},
		}, func(_ context.Context, s *Service, in *workersInput) (WorkerList, error) {
			list, next, err := s.Workers(WorkerFilter{State: in.State, Kind: in.Kind, After: in.After, Limit: in.Limit})
			return WorkerList{list, next}, err
		}),
		read(endpoint{
			id: "getWorker", method: http.MethodGet, path: "/api/v1/workers/{name}", access: accessRead, polled: true, tag: tagWorkers, summary: "Show a worker",
			detail: "Its state, the table and the drawing of its state machine, its last transitions, how it is restarted, its health.",
			answer: "The worker.", example: exampleWorker(), problems: missing,
		}, func(_ context.Context, s *Service, in *input.Worker) (WorkerDetail, error) { return s.Worker(in.Name) }),
	}, workerCommands()...)
}

// workerCommand declares one of the commands to a worker.
func workerCommand(id, verb, summary, detail, answer string, example Operation, body any) endpoint {
	e := endpoint{
		id: id, method: http.MethodPost, path: "/api/v1/workers/{name}/" + verb, access: accessCommand, tag: tagWorkers, summary: summary, detail: detail,
		answer: answer, example: example, body: body, problems: []int{http.StatusNotFound, http.StatusConflict},
	}
	if example.State == OperationRunning {
		e.status = http.StatusAccepted
	}
	return e
}

func workerCommands() []entry {
	onWorker := func(asked string, state OperationState) Operation {
		o := Operation{ID: exampleID, Asked: asked, Target: "email-processing", By: "ops", Reason: "too many mails", State: state, At: exampleTime(5)}
		if state != OperationRunning {
			o.EndedAt = o.At
		}
		return o
	}
	stop := onWorker(askedStopWorker, OperationRunning)
	stop.Mode = Graceful
	restart := onWorker(askedRestartWorker, OperationRunning)
	restart.Mode = Graceful
	scale := onWorker(askedScaleWorker, OperationSucceeded)
	scale.Concurrency = 5
	reason := ReasonBody{Reason: "too many mails"}
	change := workerCommand(askedScaleWorker, "", "Change the concurrency of a worker",
		"Takes effect at once and lasts until the process ends. It applies to consumers.", "It is changed.", scale, WorkerChangeBody{Concurrency: 5, Reason: "many mails"})
	change.method, change.path = http.MethodPatch, "/api/v1/workers/{name}"
	return []entry{
		command(workerCommand(askedStartWorker, "start", "Start a worker", "In the background. It applies to a worker that is stopped, whatever stopped it, while the runtime runs.",
			"The start has begun.", onWorker(askedStartWorker, OperationRunning), reason),
			func(ctx context.Context, s *Service, in *workerReasonInput) (Operation, error) {
				return s.StartWorker(asker(ctx).Name, in.request())
			}),
		command(workerCommand(askedStopWorker, "stop", "Stop a worker", "In the background. The worker stays stopped, whatever its restart policy says, until it or the runtime is started. "+
			"It applies while the runtime runs and the worker does, or waits for its restart; mode `force` also while the worker stops.",
			"The stop has begun.", stop, WorkerStopBody{Timeout: "30s", Reason: "too many mails"}),
			func(ctx context.Context, s *Service, in *workerStopInput) (Operation, error) {
				req, err := in.request()
				if err != nil {
					return Operation{}, err
				}
				return s.StopWorker(asker(ctx).Name, req)
			}),
		command(workerCommand(askedRestartWorker, "restart", "Restart a worker", "Stops it, if it is not stopped, and starts it, in the background. It applies while the runtime runs and the worker neither starts nor stops.",
			"The stop has begun.", restart, WorkerStopBody{Timeout: "30s", Reason: "too many mails"}),
			func(ctx context.Context, s *Service, in *workerStopInput) (Operation, error) {
				req, err := in.request()
				if err != nil {
					return Operation{}, err
				}
				return s.RestartWorker(asker(ctx).Name, req)
			}),
		command(workerCommand(askedPauseWorker, "pause", "Pause a worker", "Holds back its intake until it is resumed or the process ends; what is in flight finishes. It applies to consumers, polls and schedules. "+
			"Pausing a paused one changes nothing.", "It is paused.", onWorker(askedPauseWorker, OperationSucceeded), reason),
			func(ctx context.Context, s *Service, in *workerReasonInput) (Operation, error) {
				return s.PauseWorker(asker(ctx).Name, in.request())
			}),
		command(workerCommand(askedResumeWorker, "resume", "Resume a worker", "Ends a pause. Without one it changes nothing.",
			"It goes on.", onWorker(askedResumeWorker, OperationSucceeded), reason),
			func(ctx context.Context, s *Service, in *workerReasonInput) (Operation, error) {
				return s.ResumeWorker(asker(ctx).Name, in.request())
			}),
		command(change, func(ctx context.Context, s *Service, in *workerChangeInput) (Operation, error) {
			return s.ScaleWorker(asker(ctx).Name, WorkerRequest{Name: in.Name, Reason: in.Body.Reason}, in.Body.Concurrency)
		}),
	}
}
