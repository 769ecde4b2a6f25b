package workers

import (
	"context"
	"fmt"
	"math/bits"
	"math/rand/v2"
	"sync"
	"time"

	"github.com/plba/plba/health"
	"github.com/plba/plba/tracing"
)

// Poll makes a worker that calls fn when it starts and then at the interval every (± 10 %, so that many instances do not beat in time),
// and again at once after a call that found something. Calls never overlap. fn says how many things it found.
//
// ctx carries a trace of its own, so that what fn publishes belongs to it. It is not cancelled by a graceful stop, only when the stop is
// forced or after Timeout (default one minute). A panic in fn fails that call alone. The worker is degraded after a failed call and
// unhealthy when there was no success within three intervals (at least 10 s).
//
// The worker is a Pauser: no call begins while it is paused, and one that fell due meanwhile is made on Resume.
func Poll(name string, every time.Duration, fn func(ctx context.Context) (found int, err error), opts ...PollOption) Worker {
	p := &poller{life: newLife(name, "poll"), every: every, fn: fn, opts: pollOptions{timeout: time.Minute}}
	for _, o := range opts {
		o.poll(&p.opts)
	}
	if fn == nil {
		p.fault("the function is nil")
	}
	if every <= 0 {
		p.fault("the interval must be more than 0, not %s", every)
	}
	if p.opts.timeout < 0 {
		p.fault("the timeout must not be negative, not %s", p.opts.timeout)
	}
	p.body = p.loop
	return p
}

type poller struct {
	*life
	every time.Duration
	fn    func(context.Context) (int, error)
	opts  pollOptions

	okMu   sync.Mutex
	lastOK time.Time // of this life; its start counts
}

// Equip takes what the runtime lends.
func (p *poller) Equip(env Env) error {
	if env.Settings.Concurrency != nil {
		p.fault("concurrency does not apply: calls of a poll never overlap")
	}
	return p.life.Equip(env)
}

// Pause implements Pauser.
func (p *poller) Pause() { p.pause() }

// Resume implements Pauser. The time of the pause does not count as time without success.
func (p *poller) Resume() {
	if p.gate.paused() {
		p.noteOK()
		p.resume()
	}
}

func (p *poller) loop(r *run) error {
	p.noteOK()
	r.ready()
	for wait := time.Duration(0); ; {
		if !sleep(r.intake, wait) || !p.gate.pass(r.intake.Done()) {
			return nil
		}
		found, err := p.once(r)
		if wait = 0; err != nil || found == 0 {
			wait = p.wait(time.Now())
		}
		if wait >= quiet {
			r.act.rest()
		}
	}
}

// wait is how long to wait for the next call: the interval ± 8 %, moved by 2 % at most to an instant at which other polls of this process may be due too. Waking
// an idle process costs far more than a call that finds nothing, so a hundred polls should not wake it a hundred times.
func (p *poller) wait(now time.Time) time.Duration {
	wait := p.every + time.Duration((rand.Float64()-0.5)*0.16*float64(p.every))
	if p.every < 25 {
		return wait
	}
	grid := int64(1) << (bits.Len64(uint64(p.every)/25) - 1) // a power of 2, so that longer intervals meet shorter ones
	late := (now.UnixNano() + meeting + int64(wait) + grid/2) & (grid - 1)
	return wait + time.Duration(grid/2-late)
}

// meeting shifts the instants at which polls meet, so that those of different processes do not.
var meeting = rand.Int64N(int64(time.Hour))

// sleep waits; false when ctx ends first.
func sleep(ctx context.Context, d time.Duration) bool {
	if d <= 0 {
		return ctx.Err() == nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return ctx.Err() == nil
	}
}

// once makes one call. runtime.Goexit in fn ends the worker's life with an error (life.drive).
func (p *poller) once(r *run) (found int, err error) {
	call := func(ctx context.Context) (err error) {
		found, err = p.fn(ctx)
		return err
	}
	settle := func(ctx context.Context, err error) {
		if err == nil && found == 0 {
			tracing.Idle(ctx)
		}
		p.settle(ctx, err)
	}
	err = p.callOnce(r, "poll "+p.name, p.opts.timeout, call, settle)
	return found, err
}

// settle notes what a call says about the worker's health.
func (p *poller) settle(ctx context.Context, err error) {
	if err == nil {
		p.noteOK()
		p.setHealth(health.Report{State: health.StateOK})
		return
	}
	p.env.Logger.WarnContext(ctx, "poll failed", p.failure(err)...)
	p.setHealth(health.Of(health.Degraded(err)))
}

func (p *poller) noteOK() {
	p.okMu.Lock()
	defer p.okMu.Unlock()
	p.lastOK = time.Now()
}

// Health adds liveness: a poll that has not succeeded for three intervals is unhealthy, even if it hangs.
func (p *poller) Health() health.Report {
	rep := p.life.Health()
	s := p.Status()
	if s.State != Idle && s.State != Busy || s.Paused && s.InFlight == 0 {
		return rep
	}
	p.okMu.Lock()
	last := p.lastOK
	p.okMu.Unlock()
	window := max(3*p.every, 10*time.Second)
	if silent := time.Since(last); silent > window {
		reason := fmt.Sprintf("no successful poll for %s (every %s)", silent.Round(time.Second), p.every)
		if rep.State != health.StateOK {
			reason += ": " + rep.Reason
		}
		rep.State, rep.Reason, rep.Since = health.StateUnhealthy, reason, last.Add(window)
	}
	return rep
}
