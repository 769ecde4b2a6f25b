package workers

import (
	"context"
	"errors"
	"log/slog"
	"sync"

	"github.com/plba/plba/health"
)

// Loop makes a worker of a function that keeps its own loop. fn must return soon after Session.Stopping is closed; ctx is cancelled only
// when the stop is forced. It is ready when it first calls Session.Ready or Session.Begin. When fn returns nil the worker has ended; an
// error or a panic is a failure, and the supervisor decides on a restart.
func Loop(name string, fn func(ctx context.Context, s *Session) error) Worker {
	return newLooper(name, "loop", fn)
}

// Listen makes a worker of a function that serves until it is told to stop: that holds a connection open, or waits for others to call. It
// has the same Session as Loop and the same rules, but one: its work has no end, so a return before the stop is a failure also without an
// error (ErrEnded), and the supervisor decides on a restart.
func Listen(name string, fn func(ctx context.Context, s *Session) error) Worker {
	w := newLooper(name, "listen", fn)
	w.body = untilStopped(w.body)
	return w
}

// ErrEnded is the failure of what should serve until it is told to stop and ended before, without an error of its own.
var ErrEnded = errors.New("it ended before it was told to stop")

func untilStopped(body func(*run) error) func(*run) error {
	return func(r *run) error {
		err := body(r)
		if err == nil && r.intake.Err() == nil {
			return ErrEnded
		}
		return err
	}
}

func newLooper(name, kind string, fn func(context.Context, *Session) error) *looper {
	w := &looper{newLife(name, kind)}
	if fn == nil {
		w.fault("the function is nil")
	}
	w.body = func(r *run) error { return fn(r.ctx, &Session{l: w.life, r: r}) }
	return w
}

type looper struct{ *life }

// Equip takes what the runtime lends.
func (w *looper) Equip(env Env) error {
	if env.Settings.Concurrency != nil {
		w.fault("concurrency does not apply: the function runs once")
	}
	return w.life.Equip(env)
}

// Session is how a loop or a listener tells the runtime about itself. Its methods are safe for concurrent use.
type Session struct {
	l *life
	r *run
}

// Ready says that the start has succeeded; further calls do nothing. Until then the worker is starting, and a start that takes too long fails.
func (s *Session) Ready() { s.r.ready() }

// Stopping is closed when nothing new may be begun.
func (s *Session) Stopping() <-chan struct{} { return s.r.intake.Done() }

// Begin marks a piece of work in flight: the worker is busy and a stop waits for it. end is called once with the work's error; further
// calls do nothing. Begin implies Ready.
func (s *Session) Begin() (end func(error)) {
	s.r.ready()
	s.r.act.begin()
	var once sync.Once
	return func(err error) { once.Do(func() { s.l.count(s.r, err) }) }
}

// Do is Begin and its end around a function, whose error it returns; it ends also when the function panics or leaves by runtime.Goexit. It costs less than
// Begin, which allocates.
func (s *Session) Do(work func() error) (err error) {
	s.r.ready()
	s.r.act.begin()
	err = errGoexit // or a panic, which passes through
	defer func() { s.l.count(s.r, err) }()
	err = work()
	return err
}

// Report sets the worker's health: nil is ok, health.Degraded(err) degraded, any other error unhealthy.
func (s *Session) Report(err error) { s.l.setHealth(health.Of(err)) }

// Logger carries the worker's name.
func (s *Session) Logger() *slog.Logger { return s.l.env.Logger.With("worker", s.l.name) }
