package workers

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/plba/plba/health"
	"github.com/plba/plba/queue"
	"github.com/plba/plba/task"
)

// Tick is one run of a schedule.
type Tick struct {
	// At is the instant that was due, in the schedule's zone; not the time at which the run began.
	At time.Time `json:"at"`
	// Missed is how many due instants this run stands for besides its own, at most 10,000: they passed since the run before without one of
	// their own, as that run still went on, the worker was paused, or, with Missed(RunOnce), nobody was there.
	Missed int `json:"missed,omitempty"`
}

// ScheduleOption tunes Schedule.
type ScheduleOption interface{ schedule(*scheduleOptions) }

type scheduleOptions struct {
	zone    *time.Location
	timeout time.Duration
	through bool
	queue   *queue.Queue[Tick]
	missed  *MissedPolicy
}

type scheduleOption func(*scheduleOptions)

func (f scheduleOption) schedule(o *scheduleOptions) { f(o) }

// Zone is where the clock hangs that the expression means (default UTC, on every machine).
func Zone(z *time.Location) ScheduleOption {
	return scheduleOption(func(o *scheduleOptions) { o.zone = z })
}

// Schedule makes a worker that calls fn at every instant that expr names: five fields (minute, hour, day of month, month, day of week) as
// cron has them, with lists, ranges, steps and English names, or one of @hourly, @daily, @midnight, @weekly, @monthly, @yearly, @annually. If both days
// are restricted, either will do. Zone says whose clock is meant.
//
// Where a clock is moved, an expression for every hour of the day follows real time. Any other counts each of its clock times once: when
// the clock shows it twice, the first time; when the clock is moved past it, at that moment.
//
// Calls never overlap: an instant that passes while a call lasts is left out, and so is one that passes while the worker is paused; the next
// Tick tells how many. Instants that pass while nothing runs are nobody's, unless the schedule goes Through a queue.
//
// ctx carries a trace of its own. It is not cancelled by a graceful stop, only when the stop is forced or after Timeout (default none). A
// panic in fn fails that call alone; a failed call is not repeated. The worker is degraded after a failed call, and unhealthy after three in a
// row or while a call has lasted over three later instants. Status.NextRun tells what is due next. The worker is a Pauser and a Ticker.
func Schedule(name, expr string, fn func(ctx context.Context, t Tick) error, opts ...ScheduleOption) Worker {
	t := &timetable{fn: fn, opts: scheduleOptions{zone: time.UTC}}
	for _, o := range opts {
		o.schedule(&t.opts)
	}
	if t.opts.through {
		return newRelay(name, expr, t)
	}
	s := &scheduler{life: newLife(name, "schedule"), timetable: t, asked: make(chan asked)}
	t.define(s.life, expr)
	if t.opts.missed != nil {
		s.fault("Missed needs Through: only a queue knows which runs were missed")
	}
	s.body = s.loop
	return s
}

// Ticker is implemented by a schedule that does not go through a queue. Tick runs its function for an instant now, as soon as no other call
// runs, and returns when that has ended, with its error. It is a *StateError when the worker does not run. (A schedule that goes through a queue
// runs what is published to that queue.)
type Ticker interface {
	Tick(ctx context.Context, at time.Time) error
}

// timetable is what both forms of a schedule share: what is due, and how the runs went.
type timetable struct {
	life *life
	cal  *calendar
	fn   func(context.Context, Tick) error
	opts scheduleOptions

	mu       sync.Mutex
	next     time.Time // due next; zero before the first start and when nothing is due any more
	running  time.Time // the instant whose run goes on
	began    time.Time // when it began
	failures int       // in a row
}

// define checks the definition.
func (t *timetable) define(l *life, expr string) {
	t.life = l
	if t.fn == nil {
		l.fault("the function is nil")
	}
	if t.opts.timeout < 0 {
		l.fault("the timeout must not be negative, not %s", t.opts.timeout)
	}
	if t.opts.zone == nil {
		l.fault("the zone is nil")
		return
	}
	var err error
	if t.cal, err = parseCalendar(expr, t.opts.zone); err != nil {
		l.fault("schedule %q: %w", expr, err)
	}
}

func (t *timetable) equip(env Env) error {
	if env.Settings.Concurrency != nil {
		t.life.fault("concurrency does not apply: calls of a schedule never overlap")
	}
	return t.life.Equip(env)
}

func (t *timetable) setNext(at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.next = at
}

func (t *timetable) begin(at time.Time) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.running, t.began = at, time.Now()
}

// failing is how many failed calls in a row make a schedule unhealthy, and how many instants a call may last over.
const failing = 3

// settle notes what a run says about the worker's health. A handler's Drop or Snooze is no failure.
func (t *timetable) settle(ctx context.Context, err error) {
	if outcome, _ := task.Classify(err); outcome == task.Dropped || outcome == task.Snoozed {
		err = nil
	}
	t.mu.Lock()
	t.running = time.Time{}
	if t.failures++; err == nil {
		t.failures = 0
	}
	failures := t.failures
	t.mu.Unlock()
	switch {
	case err == nil:
		t.life.setHealth(health.Report{State: health.StateOK})
	case failures < failing:
		t.life.setHealth(health.Of(health.Degraded(err)))
	default:
		t.life.setHealth(health.Of(fmt.Errorf("%d runs in a row failed: %w", failures, err)))
	}
}

// health adds liveness: a run that lasts over several later instants makes the schedule unhealthy.
func (t *timetable) health() health.Report {
	rep := t.life.Health()
	t.mu.Lock()
	running, late := t.running, t.began
	t.mu.Unlock()
	if s := t.life.machine.State(); running.IsZero() || s != Idle && s != Busy {
		return rep
	}
	for range failing {
		if late = t.cal.next(late); late.IsZero() || late.After(time.Now()) {
			return rep
		}
	}
	rep.State, rep.Since = health.StateUnhealthy, late
	rep.Reason = fmt.Sprintf("the run of %s still goes on, %d later ones have been due", running.Format(time.RFC3339), failing)
	return rep
}

// status adds what is due next.
func (t *timetable) status() Status {
	s := t.life.Status()
	if s.State != Stopped {
		t.mu.Lock()
		s.NextRun = t.next
		t.mu.Unlock()
	}
	return s
}

// scheduler is a schedule that lives in this process alone.
type scheduler struct {
	*life
	*timetable
	asked chan asked
}

// asked is a run that Tick asks for.
type asked struct {
	tick Tick
	done chan error // with room for the answer
}

// Equip takes what the runtime lends.
func (s *scheduler) Equip(env Env) error { return s.equip(env) }

// Health says how the last runs went.
func (s *scheduler) Health() health.Report { return s.health() }

// Status is the present activity, with what is due next.
func (s *scheduler) Status() Status { return s.status() }

// Pause implements Pauser.
func (s *scheduler) Pause() { s.pause() }

// Resume implements Pauser.
func (s *scheduler) Resume() { s.resume() }

// Tick implements Ticker.
func (s *scheduler) Tick(ctx context.Context, at time.Time) error {
	a := asked{Tick{At: at.In(s.cal.zone)}, make(chan error, 1)}
	select {
	case s.asked <- a:
	case <-s.Done():
		return &StateError{Worker: s.name, Op: "tick", State: s.machine.State()}
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case err := <-a.done:
		return err
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// loop is the body.
func (s *scheduler) loop(r *run) error {
	r.ready()
	missed := 0
	for due := s.cal.next(time.Now()); ; {
		s.setNext(due)
		a, ok := s.wait(r, due)
		switch {
		case !ok:
			return nil
		case a != nil:
			s.once(r, a.tick, a.done)
			continue // due may have passed; then it is run at once, late
		case s.gate.paused():
			missed = min(missed+1, maxMissed)
		default:
			s.once(r, Tick{At: due, Missed: missed}, nil)
			missed = 0
		}
		last, left := s.cal.passed(due, time.Now())
		missed, due = min(missed+left, maxMissed), s.cal.next(last)
	}
}

// wait waits until due, or until a run is asked for; false when the stop comes first. Between it looks at the clock, which may have been
// set, or have gone on while the machine slept.
func (s *scheduler) wait(r *run, due time.Time) (*asked, bool) {
	for !isDue(due) {
		timer := time.NewTimer(lookAgain(due))
		select {
		case <-r.intake.Done():
			timer.Stop()
			return nil, false
		case a := <-s.asked:
			timer.Stop()
			return &a, true
		case <-timer.C:
		}
	}
	return nil, r.intake.Err() == nil
}

// once makes one call.
func (s *scheduler) once(r *run, tick Tick, done chan<- error) {
	s.begin(tick.At)
	call := func(ctx context.Context) error { return s.fn(ctx, tick) }
	_ = s.callOnce(r, "schedule "+s.name, s.opts.timeout, call, func(ctx context.Context, err error) {
		s.settle(ctx, err)
		if err != nil {
			s.env.Logger.WarnContext(ctx, "scheduled run failed", s.failure(err)...)
		}
		if done != nil {
			done <- err
		}
	})
}

// lookAgain is how long to wait for at before the next look at the clock: until it has come, or a minute.
func lookAgain(at time.Time) time.Duration {
	if at.IsZero() {
		return time.Minute
	}
	return min(time.Until(at), time.Minute)
}

func isDue(at time.Time) bool { return !at.IsZero() && !time.Now().Before(at) }
