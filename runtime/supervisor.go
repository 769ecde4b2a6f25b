package runtime

import (
	"context"
	"fmt"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/plba/plba/health"
	"github.com/plba/plba/workers"
)

// The numbers of the wait before a restart.
const (
	firstBackoff = time.Second
	lastBackoff  = time.Minute
	quietPeriod  = time.Minute // a life that lasts so long starts the backoff anew
)

// supervised is a worker with its supervisor, the seed's WorkerSupervisor for one worker.
type supervised struct {
	app      *App
	w        workers.Worker
	critical bool
	groups   []health.Group
	restart  restart
	after    []string // workers that start before and stop after this one

	mu       sync.Mutex
	quit     context.CancelFunc // ends the watch; nil while nobody watches
	gone     chan struct{}      // closed when the watch has returned
	restarts uint64
	next     time.Time // of the restart that is waited for
	failed   error     // the failure that is waited out, or given up at
	gaveUp   bool
	held     string   // why an operator's stop keeps it stopped; "" unless it does
	cmd      *command // an operator's start or stop under way

	overruled time.Time // when health last said something else than the worker
}

func newSupervised(a *App, w workers.Worker) *supervised {
	return &supervised{app: a, w: w, restart: defaultRestart()}
}

// begin starts the worker and then watches it. A worker that is not critical may fail here: the watch goes on trying.
func (s *supervised) begin(ctx context.Context) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	s.setHeld("")
	err := s.start(ctx)
	if err != nil && (s.critical || ctx.Err() != nil) {
		return err
	}
	s.supervise(ctx, err)
	return nil
}

// supervise watches the worker from now on; failed is why its start failed, if it did. ctx lends its values only.
func (s *supervised) supervise(ctx context.Context, failed error) {
	s.note(time.Time{}, failed, false)
	wctx, cancel := context.WithCancel(context.WithoutCancel(ctx))
	gone := make(chan struct{})
	s.mu.Lock()
	s.quit, s.gone = cancel, gone
	s.mu.Unlock()
	s.setHeld("")
	go s.watch(wctx, gone, failed)
}

func (s *supervised) start(ctx context.Context) error {
	limit := s.app.platform.Load().Start.Timeout
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("start timeout of %s", limit))
	defer cancel()
	return do(ctx, s.app.log, fmt.Sprintf("Start of worker %q", s.w.Name()), s.w.Start)
}

// watch waits for the end of the worker's life, and starts it again as the policy says.
func (s *supervised) watch(ctx context.Context, gone chan<- struct{}, failed error) {
	defer close(gone)
	var recent []time.Time // restarts within the window
	streak := 0
	for {
		if failed == nil {
			began := time.Now()
			select {
			case <-ctx.Done():
				return
			case <-s.w.Done():
			}
			failed = s.w.Err()
			if time.Since(began) >= quietPeriod {
				streak = 0
			}
		}
		if ctx.Err() != nil || !s.wanted(failed) {
			return
		}
		now := time.Now()
		for len(recent) > 0 && now.Sub(recent[0]) >= s.restart.Window {
			recent = recent[1:]
		}
		if len(recent) == s.restart.Max {
			s.giveUp(fmt.Sprintf("after %d restarts within %s", s.restart.Max, s.restart.Window), failed)
			return
		}
		if !s.pause(ctx, backoff(streak), failed) {
			return
		}
		streak++
		recent = append(recent, time.Now())
		if failed = s.startAgain(ctx); ctx.Err() != nil {
			return
		}
	}
}

// wanted says whether the worker is to be started again after its life, or an attempt to start it, ended.
func (s *supervised) wanted(failed error) bool {
	switch {
	case s.restart.Policy == Always:
		return true
	case failed == nil:
		s.app.log.Info("worker has ended", "worker", s.w.Name())
		return false
	case s.restart.Policy == Never:
		s.giveUp("since it is never restarted", failed)
		return false
	default:
		return true
	}
}

// giveUp leaves the worker stopped until the next start of the application.
func (s *supervised) giveUp(why string, failed error) {
	s.note(time.Time{}, failed, true)
	s.app.log.Error("worker given up", "worker", s.w.Name(), "why", why, "critical", s.critical, "error", failed)
	if s.critical && s.app.platform.Load().ExitOnCriticalFailure {
		s.app.fail(&CriticalError{Worker: s.w.Name(), Why: why, Err: failed})
	}
}

// pause waits before a restart; false when the stop came first.
func (s *supervised) pause(ctx context.Context, wait time.Duration, failed error) bool {
	s.note(time.Now().Add(wait), failed, false)
	s.app.log.Warn("worker will be restarted", "worker", s.w.Name(), "in", wait.Round(time.Millisecond), "error", failed)
	timer := time.NewTimer(wait)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-ctx.Done():
		return false
	}
}

func (s *supervised) startAgain(ctx context.Context) error {
	s.mu.Lock()
	s.restarts++
	s.next = time.Time{} // it is now
	s.mu.Unlock()
	err := s.start(ctx)
	if err == nil {
		s.note(time.Time{}, nil, false)
	}
	return err
}

// backoff is 1 s doubled with each failure in a row, at most a minute, ± 20 %.
func backoff(streak int) time.Duration {
	d := min(firstBackoff<<min(streak, 10), lastBackoff)
	return time.Duration(float64(d) * (0.8 + 0.4*rand.Float64()))
}

func (s *supervised) note(next time.Time, failed error, gaveUp bool) {
	s.mu.Lock()
	changed := (failed == nil) != (s.failed == nil) || gaveUp != s.gaveUp
	s.next, s.failed, s.gaveUp = next, failed, gaveUp
	s.mu.Unlock()
	if changed {
		s.app.health.Look()
	}
}

// stop is the application's. It ends the watch first, so that nothing starts the worker again, then the worker.
func (s *supervised) stop(b *budget) WorkerReceipt {
	began := time.Now()
	before := s.displace(b)
	s.endWatch()
	s.note(time.Time{}, nil, false)
	rec := s.stopWorker(b.soft, b.hard)
	if before != nil && before.budget != nil && s.isHeld() {
		rec = before.receipt // it was being stopped when we came
	}
	s.setHeld("")
	rec.TookSeconds = time.Since(began).Seconds()
	return rec
}

// endWatch lets nothing start the worker again.
func (s *supervised) endWatch() {
	s.mu.Lock()
	quit, gone := s.quit, s.gone
	s.quit, s.gone = nil, nil
	s.mu.Unlock()
	if quit != nil {
		quit()
		<-gone
	}
}

func (s *supervised) stopWorker(soft, hard context.Context) WorkerReceipt {
	rec := WorkerReceipt{Name: s.w.Name(), Outcome: Drained}
	if isOver(s.w) {
		if n := s.w.Status().Abandoned; n > 0 { // of an earlier stop or start
			rec.Outcome, rec.Receipt.Abandoned = Abandoned, int(n)
		}
		return rec // there is nothing to stop
	}
	stop := func(context.Context) (workers.Receipt, error) { return s.w.Stop(soft, hard), nil }
	a := call(hard, s.app.log, fmt.Sprintf("Stop of worker %q", s.w.Name()), stop, nil)
	rec.Receipt = a.value
	switch {
	case a.err != nil:
		rec.Outcome, rec.Error, rec.Abandoned = Abandoned, a.err.Error(), 1
		return rec
	case rec.Abandoned > 0:
		rec.Outcome = Abandoned
		return rec
	case soft.Err() != nil:
		rec.Outcome = Forced
	}
	if err := s.w.Err(); err != nil {
		rec.Error = err.Error()
	}
	return rec
}

// health is the worker's own, unless the supervisor knows worse, or better: a failure that is about to be followed by a restart is only that.
func (s *supervised) health() health.Report {
	rep := s.w.Health()
	s.mu.Lock()
	defer s.mu.Unlock()
	own := rep.State
	about := s.quit != nil && s.restart.Policy != Never && rep.State == health.StateUnhealthy && s.w.Status().State == workers.Stopped
	switch {
	case s.held != "":
		rep.State, rep.Reason = health.StateDegraded, s.held
	case s.gaveUp:
		rep.State, rep.Reason = health.StateUnhealthy, "stopped for good: "+reason(s.failed)
	case s.failed != nil:
		rep.State, rep.Reason = health.StateDegraded, "waits for its restart: "+s.failed.Error()
	case about: // it has failed this very moment, and the watch is about to learn of it
		rep.State, rep.Reason = health.StateDegraded, "waits for its restart: "+rep.Reason
	}
	if rep.State != own {
		s.overruled = time.Now()
	}
	if !rep.Since.After(s.overruled) {
		rep.Since = time.Time{} // it began when the supervisor's word became, or ceased to be, another than the worker's: the registry notes that
	}
	return rep
}

func isOver(w workers.Worker) bool {
	select {
	case <-w.Done():
		return true
	default:
		return false
	}
}

// reason tells the end of a life; with Restart(Always) that may be a clean one.
func reason(failed error) string {
	if failed == nil {
		return "it ended, too often"
	}
	return failed.Error()
}

func (s *supervised) status() workers.Status {
	st := s.w.Status()
	s.mu.Lock()
	defer s.mu.Unlock()
	st.Restarts, st.NextRestart = s.restarts, s.next
	return st
}
