package workers

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/plba/plba/fsm"
	"github.com/plba/plba/health"
	"github.com/plba/plba/task"
	"go.opentelemetry.io/otel/trace"
)

// life is what all kinds of workers share: the machine, starting and stopping, counting, status. A kind brings its body: the function
// that runs from start to stop in a goroutine of its own.
type life struct {
	name, kind string
	body       func(*run) error
	env        Env
	faults     []error // of the definition; Equip reports them
	machine    *fsm.Machine[State, Event]
	history    history
	gate       gate // closed while the worker is paused; only kinds that are a Pauser close it
	done       atomic.Uint64
	failed     atomic.Uint64
	cancelled  atomic.Uint64
	abandoned  atomic.Int64

	mu  sync.Mutex          // orders starts, stops and ends; held while observers are told, so what they may call does not take it
	cur atomic.Pointer[run] // the present or last run; nil before the first start; written under mu

	noteMu sync.Mutex // guards what follows; never held while calling out
	lastEr string
	lastAt time.Time
	stack  string
	report health.Report
	link   trace.SpanContext // the start's span, which later transitions link to
}

// run is one life from start to stop.
type run struct {
	act       activity
	ctx       context.Context // of handlers: ends with the cause when a stop becomes forced
	cancel    context.CancelCauseFunc
	answers   context.Context // of what must still be told when handlers are cancelled: ends with the life
	endAnswer context.CancelFunc
	intake    context.Context // ends when nothing new may be taken
	endIntake context.CancelFunc
	isReady   chan struct{}
	ready     func() // moves starting → idle, once
	over      chan struct{}
	left      chan struct{}    // the body has returned, and its rest
	rest      func(*run) error // left by a body that returns early: done when the intake has ended, so that no goroutine waits for that
	err       error            // valid once over is closed
	stopAsked atomic.Bool
	forced    atomic.Bool  // the stop is forced
	finished  atomic.Int64 // ended by itself after the stop began
	returned  atomic.Int64 // given back to the queue
	abandoned atomic.Int64
}

func newLife(name, kind string) *life {
	l := &life{name: name, kind: kind, env: Env{}.withDefaults()}
	l.report = health.Report{State: health.StateOK}
	l.machine = Lifecycle().Machine(l.observe)
	return l
}

// Equip takes what the runtime lends and reports the faults of the definition.
func (l *life) Equip(env Env) error {
	l.env = env.withDefaults()
	return errors.Join(l.faults...)
}

func (l *life) fault(format string, args ...any) {
	l.faults = append(l.faults, fmt.Errorf("worker %q: "+format, append([]any{l.name}, args...)...))
}

// Name is the worker's name.
func (l *life) Name() string { return l.name }

// observe tells everybody of a move. What is told is foreign code (an application's log handler, tracer, observer): a panic in it must not break
// the move that it is told of.
func (l *life) observe(t fsm.Transition[State, Event]) {
	defer func() {
		if v := recover(); v != nil {
			l.env.Logger.Error("an observer of transitions panicked", "worker", l.name, "error", v, "stack", NewPanicError(v).Stack())
		}
	}()
	reason := ""
	if t.Cause != nil {
		reason = t.Cause.Error()
	}
	rec := Transition{From: t.From, To: t.To, Event: t.Event, Reason: reason, At: t.At, HeldSeconds: t.Held.Seconds()}
	l.history.add(rec)
	l.noteMu.Lock()
	link := l.link
	l.noteMu.Unlock()
	sc := l.env.Tracing.Transition(l.name, l.kind, string(t.From), string(t.To), string(t.Event), t.Cause, t.At, t.Held, link)
	if t.Event == EventStart {
		l.noteMu.Lock()
		l.link = sc
		l.noteMu.Unlock()
	}
	l.logTransition(rec)
	if l.env.Observe != nil {
		l.env.Observe(l.name, rec)
	}
}

func (l *life) logTransition(t Transition) {
	args := []any{"worker", l.name, "from", string(t.From), "to", string(t.To), "event", string(t.Event)}
	if t.Reason != "" {
		args = append(args, "reason", t.Reason)
	}
	if t.Event == EventFail {
		l.env.Logger.Error("worker failed", args...)
		return
	}
	l.env.Logger.Debug("worker transition", args...)
}

// Start begins a life and returns when the worker is ready.
func (l *life) Start(ctx context.Context) error {
	l.mu.Lock()
	r := l.cur.Load()
	if r != nil && !isClosed(r.over) {
		l.mu.Unlock()
		if r.stopAsked.Load() {
			return &StateError{Worker: l.name, Op: "start", State: l.machine.State()}
		}
		return l.awaitReady(ctx, r)
	}
	if r != nil && !isClosed(r.left) {
		l.mu.Unlock()
		return &StateError{Worker: l.name, Op: "start", State: Stopped, Why: "a call of its last life was abandoned and has not returned"}
	}
	r = l.newRun(ctx)
	l.cur.Store(r)
	l.setHealth(health.Report{State: health.StateOK})
	l.mustFire(EventStart, nil)
	l.mu.Unlock()
	go l.drive(r, l.body)
	return l.awaitReady(ctx, r)
}

func (l *life) newRun(start context.Context) *run {
	r := &run{isReady: make(chan struct{}), over: make(chan struct{}), left: make(chan struct{})}
	base := context.WithoutCancel(start)
	r.ctx, r.cancel = context.WithCancelCause(base)
	r.answers, r.endAnswer = context.WithCancel(base)
	r.intake, r.endIntake = context.WithCancel(base)
	r.act.fire = func(ev Event) { _ = l.machine.Fire(ev, nil) } // refused once stopping: then the counter alone counts
	r.ready = sync.OnceFunc(func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if !isClosed(r.over) && !r.stopAsked.Load() {
			l.mustFire(EventReady, nil)
			close(r.isReady)
		}
	})
	return r
}

func (l *life) awaitReady(ctx context.Context, r *run) error {
	select {
	case <-r.isReady:
		return nil
	case <-r.over:
		if isClosed(r.isReady) {
			return nil // it was ready, and its end is a matter of Done
		}
		if r.err != nil {
			return fmt.Errorf("worker %q did not start: %w", l.name, r.err)
		}
		return &StateError{Worker: l.name, Op: "start", State: l.machine.State(), Why: "it was stopped before it was ready"}
	case <-ctx.Done():
		if isClosed(r.isReady) {
			return nil
		}
		err := fmt.Errorf("worker %q is not ready in time: %w", l.name, context.Cause(ctx))
		r.cancel(err)
		l.finish(r, err, true)
		return err
	}
}

// drive runs the body, and when the intake has ended the rest that it left. A panic or runtime.Goexit in them ends the life with an error, never the process.
func (l *life) drive(r *run, body func(*run) error) {
	err := errGoexit
	defer func() {
		if v := recover(); v != nil {
			pe := NewPanicError(v)
			err = pe
			l.env.Logger.Error("worker panicked", "worker", l.name, "error", err, "stack", pe.Stack())
		}
		if rest := r.rest; err == nil && rest != nil {
			r.rest = nil
			context.AfterFunc(r.intake, func() { l.drive(r, rest) })
			return
		}
		close(r.left)
		l.finish(r, err, false)
	}()
	err = body(r)
}

// finish ends a life: by its body's return, or without it (abandon), when the body ignores its context.
func (l *life) finish(r *run, err error, abandon bool) {
	l.mu.Lock()
	defer l.mu.Unlock()
	r.act.close()
	if isClosed(r.over) {
		if n := r.abandoned.Swap(0); n > 0 { // the abandoned calls have returned after all
			l.abandoned.Add(-n)
			l.env.Logger.Info("abandoned calls have returned", "worker", l.name, "calls", n)
		}
		return
	}
	if abandon && !isClosed(r.left) {
		n := max(r.act.inFlight(), 1)
		r.abandoned.Store(n)
		l.abandoned.Add(n)
	}
	if r.stopAsked.Load() && r.ctx.Err() != nil && (errors.Is(err, task.ErrForced) || errors.Is(err, context.Canceled)) {
		err = nil // it ended because it was told to
	}
	r.err = err
	switch {
	case err != nil:
		l.noteError(err)
		l.mustFire(EventFail, err)
		l.setHealth(health.Of(err)) // not before: whoever sees a live worker unhealthy takes it for one that nobody will restart
	case r.stopAsked.Load():
		l.mustFire(EventHalt, nil)
	default:
		l.mustFire(EventStop, errReturned)
		l.mustFire(EventHalt, nil)
	}
	r.endIntake()
	r.cancel(nil)
	r.endAnswer()
	close(r.over)
}

var (
	errReturned  = errors.New("the function returned")
	errAbandoned = errors.New("abandoned: a call ignored its context to the end of the stop")
)

// Stop ends the present life.
func (l *life) Stop(soft, hard context.Context) Receipt {
	l.mu.Lock()
	r := l.cur.Load()
	if r == nil || isClosed(r.over) {
		l.mu.Unlock()
		return Receipt{}
	}
	if !r.stopAsked.Swap(true) {
		l.mustFire(EventStop, nil)
		r.act.close()
	}
	l.mu.Unlock()
	if soft.Err() != nil {
		r.forced.Store(true) // before anybody sees the end of the intake. Contexts end after it, lest what comes back be taken again
	}
	r.endIntake()
	select {
	case <-r.over:
	case <-soft.Done():
		r.forced.Store(true)
		r.cancel(task.ErrForced)
		select {
		case <-r.over:
		case <-hard.Done():
			l.finish(r, errAbandoned, true)
		}
	}
	return Receipt{Finished: int(r.finished.Load()), Returned: int(r.returned.Load()), Abandoned: int(r.abandoned.Load())}
}

// Done is closed at the end of the present life.
func (l *life) Done() <-chan struct{} {
	if r := l.cur.Load(); r != nil {
		return r.over
	}
	return closedChan
}

// Err says why the last life ended.
func (l *life) Err() error {
	r := l.cur.Load()
	if r == nil || !isClosed(r.over) {
		return nil
	}
	return r.err
}

// Health is what the kind reported last; a failed life is unhealthy.
func (l *life) Health() health.Report {
	l.noteMu.Lock()
	defer l.noteMu.Unlock()
	return l.report
}

// Status is the present activity.
func (l *life) Status() Status {
	s := Status{
		Name: l.name, Kind: l.kind, State: l.machine.State(), Since: l.machine.Since(),
		Done: l.done.Load(), Failed: l.failed.Load(), Cancelled: l.cancelled.Load(), Abandoned: l.abandoned.Load(), Paused: l.gate.paused(),
	}
	if r := l.cur.Load(); r != nil {
		s.InFlight = r.act.inFlight()
	}
	l.noteMu.Lock()
	s.LastError, s.LastErrorAt, s.LastStack = l.lastEr, l.lastAt, l.stack
	l.noteMu.Unlock()
	return s
}

// History gives the last transitions.
func (l *life) History() (lifecycle, activity []Transition) { return l.history.list() }

// maxStack is how much of a stack is kept for the status.
const maxStack = 8 << 10

func (l *life) noteError(err error) {
	l.noteMu.Lock()
	defer l.noteMu.Unlock()
	l.lastEr, l.lastAt = err.Error(), time.Now()
	l.stack = stackOf(err)
	l.stack = strings.Clone(l.stack[:min(len(l.stack), maxStack)])
}

func (l *life) setHealth(r health.Report) {
	l.noteMu.Lock()
	defer l.noteMu.Unlock()
	if r.State != l.report.State || l.report.Since.IsZero() {
		r.Since = time.Now()
	} else {
		r.Since = l.report.Since
	}
	if r.LastOK = l.report.LastOK; r.State == health.StateOK {
		r.LastOK = time.Now()
	}
	l.report = r
}

// count books one piece of work that ended.
func (l *life) count(r *run, err error) {
	if err != nil {
		l.failed.Add(1)
		l.noteError(err)
	} else {
		l.done.Add(1)
	}
	r.act.end()
	if r.stopAsked.Load() {
		r.finished.Add(1)
	}
}

// giveBack counts tasks that go back to their queue unworked, for the receipt of the stop.
func (r *run) giveBack(tasks int) {
	if r.stopAsked.Load() {
		r.returned.Add(int64(tasks))
	}
}

// mustFire is for moves that the lock makes valid; a refusal is a fault of this package and must be seen.
func (l *life) mustFire(ev Event, cause error) {
	if err := l.machine.Fire(ev, cause); err != nil {
		l.env.Logger.Error("worker machine", "worker", l.name, "error", err)
	}
}

var closedChan = func() chan struct{} { c := make(chan struct{}); close(c); return c }()

func isClosed(c <-chan struct{}) bool {
	select {
	case <-c:
		return true
	default:
		return false
	}
}
