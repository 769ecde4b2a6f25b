package control_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/plba/plba/control"
	"github.com/plba/plba/pipeline"
	"github.com/plba/plba/queue"
	"github.com/plba/plba/runtime"
	"github.com/plba/plba/task"
	"github.com/plba/plba/workers"
)

// letter is a task whose handling ends as it says: "done", "slow" (after a while), "retry", "dead" (and what was done is undone).
type letter struct{ End string }

const letterQueue = "letters"

// world is an application with everything that operations are about, and the hand that brings it into the state that an operation needs.
type world struct {
	t       testing.TB
	p       *plane
	letters *queue.Queue[letter]
	done    chan struct{} // ends the one who takes what the bot's handlers tell
	tick    int           // how often something was prepared: so it is never the same
}

func newWorld(t testing.TB) *world {
	w := &world{t: t, done: make(chan struct{})}
	b := newBot()
	b.more = w.register
	settings := withTokens()
	settings["platform.control.pprof"] = true
	settings["platform.control.audit.file"] = t.TempDir() + "/audit.jsonl"
	w.p = planeOf(t, b, settings)
	if err := w.p.app.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	over := make(chan struct{})
	go func() {
		defer close(over)
		for {
			select {
			case <-b.handling:
			case <-w.done:
				return
			}
		}
	}()
	t.Cleanup(func() { // before the application stops: its handlers have to tell somebody
		_, _ = w.p.app.Stop(context.Background(), runtime.Force())
		close(w.done)
		<-over
	})
	return w
}

func (w *world) register(r *runtime.Registry) {
	w.letters = runtime.QueueOf[letter](r, letterQueue)
	post := pipeline.New[letter, pipeline.Done]("letters").
		Stage(pipeline.Map("stamp", func(_ context.Context, l letter) (letter, error) { return l, nil }).
			Compensate(func(context.Context, letter, letter, error) error { return nil })).
		Stage(pipeline.Sink("post", func(ctx context.Context, l letter) error {
			switch l.End {
			case "dead":
				return task.Permanent(errors.New("no such street"))
			case "retry":
				return task.RetryAfter(time.Hour, errors.New("nobody there"))
			case "slow":
				soon, cancel := context.WithTimeout(ctx, 5*time.Millisecond)
				defer cancel()
				<-soon.Done()
			}
			return nil
		})).MustBuild()
	r.Extend(runtime.PipelineKey, post)
	r.Worker(workers.Consume("letter-posting", w.letters, post, workers.Concurrency(2)))
	r.Worker(workers.Schedule("nightly", "0 3 * * *", func(context.Context, workers.Tick) error { return nil }))
	r.Worker(workers.Loop("ticking", func(ctx context.Context, s *workers.Session) error {
		s.Ready()
		select {
		case <-s.Stopping():
		case <-ctx.Done():
		}
		return nil
	}))
	control.Operations(r, func(api huma.API) {
		huma.Get(api, "/app/count", count, control.Needs(control.Viewer))
		huma.Post(api, "/app/book", func(_ context.Context, in *bookInput) (*countOutput, error) {
			return &countOutput{Count{Orders: in.Body.Amount}}, nil
		}, control.Needs(control.Operator))
	})
}

// The names that there are, of each kind that a path can name.
var (
	workerNames   = []string{"email-processing", "mail-polling", "letter-posting", "nightly", "ticking"}
	pausableNames = []string{"email-processing", "mail-polling", "letter-posting", "nightly"}
	consumerNames = []string{"email-processing", "letter-posting"}
	queueNames    = []string{"mails", letterQueue}
	pipelineNames = []string{"orders", "letters"}
	profileNames  = []string{"allocs", "block", "goroutine", "heap", "mutex", "threadcreate"} // the others take seconds
)

// one gives each of them in turn.
func (w *world) one(names []string) string {
	w.tick++
	return names[w.tick%len(names)]
}

// prepare brings about what lets the operation succeed, and gives the path parameters that it then succeeds with.
func (w *world) prepare(id string) map[string]string {
	w.t.Helper()
	w.settle()
	named := func(names []string) map[string]string { return map[string]string{"name": w.one(names)} }
	if id != "startRuntime" {
		w.up()
	}
	switch id {
	case "startRuntime":
		w.stopped()
	case "getWorker", "stopWorker", "restartWorker":
		return named(workerNames)
	case "startWorker":
		at := named(workerNames)
		if _, err := w.p.app.StopWorker(w.t.Context(), at["name"]); err != nil && !errors.Is(err, runtime.ErrNotClean) {
			w.t.Fatal(err)
		}
		return at
	case "pauseWorker", "resumeWorker":
		return named(pausableNames)
	case "scaleWorker":
		return named(consumerNames)
	case "getQueue", "listTasks", "pauseQueue", "resumeQueue", "purgeQueue":
		w.post(w.one([]string{"later", "slow", "done"}))
		return named(queueNames)
	case "requeueDeadTasks":
		w.post("dead")
		return map[string]string{"name": letterQueue}
	case "discardTask": // of one that is retrying something would have to be undone
		return w.task(w.post(w.one([]string{"later", "dead"})))
	case "getTask", "getTaskPayload":
		return w.task(w.post(w.one([]string{"later", "dead", "retry"})))
	case "cancelTask":
		return w.task(w.post(w.one([]string{"later", "retry"})))
	case "retryTask":
		return w.task(w.post(w.one([]string{"later", "dead", "retry", "cancelled"})))
	case "getPipeline":
		return named(pipelineNames)
	case "getTrace":
		return map[string]string{"id": w.trace()}
	case "getOperation":
		return map[string]string{"id": w.operation()}
	case "getProfile":
		return map[string]string{"profile": w.one(profileNames)}
	}
	return nil
}

func (w *world) task(id string) map[string]string {
	return map[string]string{"name": letterQueue, "id": id}
}

// settle waits until no operation goes on.
func (w *world) settle() {
	w.t.Helper()
	eventually(w.t, "no operation goes on", func() bool {
		return len(read[control.OperationList](w.t, w.get("/api/v1/operations?state=running"), http.StatusOK).Operations) == 0
	})
}

func (w *world) get(path string) answer {
	w.t.Helper()
	return w.p.get(path, bearer(strings.ToUpper(adminToken)))
}

// up lets the runtime run, with all that can stop or pause in it.
func (w *world) up() {
	w.t.Helper()
	app := w.p.app
	if app.Status().State == workers.Stopped {
		if err := app.Start(w.t.Context()); err != nil {
			w.t.Fatal(err)
		}
	}
	for _, name := range workerNames {
		if info, _ := app.Worker(name); info.State == workers.Stopped {
			if err := app.StartWorker(w.t.Context(), name); err != nil && !errors.As(err, new(*workers.StateError)) {
				w.t.Fatal(err)
			}
		}
		if info, _ := app.Worker(name); info.Paused {
			_ = app.ResumeWorker(name) // those that cannot be paused are not
		}
	}
	for _, name := range queueNames {
		h, _ := app.QueueHandle(name)
		if err := h.Resume(w.t.Context()); err != nil {
			w.t.Fatal(err)
		}
	}
	eventually(w.t, "the application is up", func() bool {
		return app.NotReady() == "" && app.NotStarted() == "" && app.Health().State != "unhealthy"
	})
}

// stopped is the opposite.
func (w *world) stopped() {
	w.t.Helper()
	if w.p.app.Status().State == workers.Stopped {
		return
	}
	if _, err := w.p.app.Stop(w.t.Context(), runtime.KeepChannels()); err != nil && !errors.Is(err, runtime.ErrNotClean) {
		w.t.Fatal(err)
	}
}

// post makes a letter and waits until it is what it is to be.
func (w *world) post(as string) (id string) {
	w.t.Helper()
	var opts []queue.SendOption
	if as == "later" || as == "cancelled" {
		opts = append(opts, queue.After(time.Hour))
	}
	r, err := w.letters.Send(w.t.Context(), letter{as}, opts...)
	if err != nil {
		w.t.Fatal(err)
	}
	want := map[string][]queue.State{
		"later": {queue.StateScheduled}, "cancelled": {queue.StateCancelled}, "retry": {queue.StateRetrying}, "dead": {queue.StateDead},
		"done": {queue.StateDone}, "slow": {queue.StateRunning, queue.StateDone},
	}[as]
	h, _ := w.p.app.QueueHandle(letterQueue)
	if as == "cancelled" {
		if err := h.Cancel(w.t.Context(), r.ID, "test"); err != nil {
			w.t.Fatal(err)
		}
	}
	eventually(w.t, fmt.Sprintf("a letter is %v", want), func() bool {
		found, err := h.Task(w.t.Context(), r.ID)
		forgotten := errors.Is(err, queue.ErrNotFound) && slices.Contains(want, queue.StateDone)
		return forgotten || err == nil && slices.Contains(want, found.State)
	})
	return r.ID
}

// trace is one that is kept.
func (w *world) trace() string {
	w.t.Helper()
	recent := w.p.app.Tracing().Recent()
	if len(recent.List(1)) == 0 {
		w.post("dead")
		eventually(w.t, "there is a trace", func() bool { return len(recent.List(1)) > 0 })
	}
	return recent.List(1)[0].TraceID
}

// operation is one that is remembered.
func (w *world) operation() string {
	w.t.Helper()
	path := "/api/v1/workers/" + w.one(pausableNames) + "/resume"
	o := read[control.Operation](w.t, w.p.do(http.MethodPost, path, "", bearer(operatorToken)), http.StatusOK)
	return o.ID
}
