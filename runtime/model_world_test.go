package runtime_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plba/plba/config"
	"github.com/plba/plba/fsm"
	"github.com/plba/plba/queue"
	"github.com/plba/plba/runtime"
	"github.com/plba/plba/task"
	"github.com/plba/plba/workers"
)

// The workers of the world.
const (
	steady   = "steady"
	vital    = "vital" // critical
	consumer = "consumer"
)

// world is the application under test, the switches of its parts, and what happened in it.
type world struct {
	app                 *runtime.App
	loops               map[string]*looper
	failOpen, failClose atomic.Bool // of the resource
	opens, closes       atomic.Int64
	channelUp           atomic.Bool

	tasks    *queue.Queue[string]
	working  atomic.Int64 // handlers right now
	finished atomic.Int64 // tasks that a handler was done with
	release  chan struct{}
	stopped  chan stopResult // by the handler that stops the application

	mu    sync.Mutex
	moves map[string][]workers.Transition
	own   []fsm.Transition[runtime.State, runtime.Event] // without times
}

type stopResult struct {
	receipt runtime.Receipt
	err     error
}

// looper is a worker that begins, and ends, as it is told.
type looper struct {
	lives                 atomic.Int64
	fails, hangs, crashes atomic.Bool // at its start, before or after it is ready
	end                   chan func() error
}

func (l *looper) live(ctx context.Context, s *workers.Session) error {
	l.lives.Add(1)
	switch {
	case l.fails.Load():
		return errBoom
	case l.hangs.Load():
		<-ctx.Done()
		return ctx.Err()
	}
	s.Ready()
	if l.crashes.Load() {
		return errBoom
	}
	select {
	case <-s.Stopping():
		return nil
	case end := <-l.end:
		return end()
	}
}

// with sets a switch while f runs.
func with(on *atomic.Bool, f func()) {
	on.Store(true)
	defer on.Store(false)
	f()
}

func newWorld(t testing.TB) *world {
	w := &world{
		loops:   map[string]*looper{steady: {end: make(chan func() error)}, vital: {end: make(chan func() error)}},
		release: make(chan struct{}), stopped: make(chan stopResult), moves: map[string][]workers.Transition{},
	}
	w.app = assemble(t, func(r *runtime.Registry) {
		r.Resource("store", func(context.Context) error {
			if w.failOpen.Load() {
				return errBoom
			}
			w.opens.Add(1)
			return nil
		}, func(context.Context) error {
			w.closes.Add(1)
			if w.failClose.Load() {
				return errBoom
			}
			return nil
		})
		w.tasks = runtime.QueueOf[string](r, "tasks")
		r.Worker(workers.Loop(steady, w.loops[steady].live))
		r.Worker(workers.Loop(vital, w.loops[vital].live), runtime.Critical())
		r.Worker(workers.Consume(consumer, w.tasks, handle(w.handle)))
	}, (&switched{w}).option(), yaml("platform: {shutdown: {timeout: 10s}}"),
		runtime.WithObserver(w.observe), runtime.WithLogger(slog.New(ownMoves{slog.DiscardHandler, w})))
	return w
}

// The kinds of tasks, by what their handler does.
const (
	succeeds = "succeeds"
	fails    = "fails"  // the first time
	panics   = "panics" // the first time
	exits    = "exits"  // its goroutine, the first time
	refuses  = "refuses"
	slow     = "slow"
	deaf     = "deaf"  // to its context, until it is released
	stops    = "stops" // the application, and waits for that
	asks     = "asks"  // for a stop
)

func (w *world) handle(ctx context.Context, kind string) (err error) {
	w.working.Add(1)
	defer w.working.Add(-1)
	info, _ := task.From(ctx)
	first := info.Attempt == 1
	switch {
	case kind == fails && first:
		return errBoom
	case kind == panics && first:
		panic("at the first attempt")
	case kind == exits && first:
		goexit()
	case kind == refuses:
		return task.Permanent(errBoom)
	case kind == slow:
		select {
		case <-time.After(time.Second):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	case kind == deaf:
		<-w.release
		return nil
	case kind == stops:
		rec, err := w.app.Stop(ctx)
		w.stopped <- stopResult{rec, err}
		return nil
	case kind == asks:
		w.app.RequestStop("enough")
	}
	w.finished.Add(1)
	return nil
}

// settle lets time pass until the queue holds nothing but what waits for its consumer, and everybody is idle.
func (w *world) settle() error {
	for range 100 {
		time.Sleep(500 * time.Millisecond)
		synctest.Wait()
		st, err := w.app.QueueStats(context.Background(), "tasks")
		rests := err != nil || st.Running+st.Retrying+st.Scheduled == 0 && (st.Ready == 0 || w.consumerWaits())
		if rests && w.app.Status().State != workers.Busy {
			return nil
		}
	}
	return errors.New("the queue does not come to rest")
}

func (w *world) consumerWaits() bool {
	c, _ := w.app.Worker(consumer)
	return c.Paused || c.State == workers.Stopped
}

func (w *world) observe(worker string, tr workers.Transition) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.moves[worker] = append(w.moves[worker], tr)
}

// ownMoves takes the runtime's own transitions from the log.
type ownMoves struct {
	slog.Handler
	w *world
}

func (ownMoves) Enabled(context.Context, slog.Level) bool { return true }
func (h ownMoves) WithAttrs([]slog.Attr) slog.Handler     { return h }
func (h ownMoves) WithGroup(string) slog.Handler          { return h }

func (h ownMoves) Handle(_ context.Context, r slog.Record) error {
	if r.Message != "runtime transition" {
		return nil
	}
	var tr fsm.Transition[runtime.State, runtime.Event]
	r.Attrs(func(a slog.Attr) bool {
		switch a.Key {
		case "from":
			tr.From = runtime.State(a.Value.String())
		case "to":
			tr.To = runtime.State(a.Value.String())
		case "event":
			tr.Event = runtime.Event(a.Value.String())
		}
		return true
	})
	h.w.mu.Lock()
	defer h.w.mu.Unlock()
	h.w.own = append(h.w.own, tr)
	return nil
}

// obeyed says whether every machine moved as its table says, and how often they moved.
func (w *world) obeyed() (moves int, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	for name, trs := range w.moves {
		state := workers.Stopped
		for i, tr := range trs {
			if next, err := workers.Lifecycle().Next(state, tr.Event); err != nil || tr.From != state || tr.To != next {
				return 0, fmt.Errorf("%s: transition %d: %+v from %s: %w", name, i, tr, state, err)
			}
			state = tr.To
		}
		moves += len(trs)
	}
	state := runtime.Stopped
	for i, tr := range w.own {
		if next, err := runtime.Lifecycle().Next(state, tr.Event); err != nil || tr.From != state || tr.To != next {
			return 0, fmt.Errorf("runtime: transition %d: %+v from %s: %w", i, tr, state, err)
		}
		state = tr.To
	}
	return moves + len(w.own), nil
}

// switched is a control channel that remembers whether it is up.
type switched struct{ w *world }

func (c *switched) Name() string { return "channel" }

func (c *switched) Start(context.Context, *runtime.App) error {
	if c.w.channelUp.Load() {
		return errors.New("started twice")
	}
	c.w.channelUp.Store(true)
	return nil
}

func (c *switched) Stop(context.Context) error {
	if !c.w.channelUp.Load() {
		return errors.New("stopped twice")
	}
	c.w.channelUp.Store(false)
	return nil
}

func (c *switched) option() runtime.Option {
	return runtime.WithChannel(func(*config.Config) (runtime.Channel, error) { return c, nil })
}
