package health

import (
	"context"
	"errors"
	"slices"
	"sync"
	"time"
)

// sourcesEvery is how often sources are looked at for changes. It does not
// make a report older: a report asks them itself.
const sourcesEvery = time.Second

// run is the time between a Start and a Stop.
type run struct {
	ctx       context.Context // ends with Stop
	cancel    context.CancelFunc
	loops     sync.WaitGroup // one loop for each check; grows only while ctx lives
	loopsDone chan struct{}  // closed when all loops have ended
	watchDone chan struct{}  // closed when the observing goroutine has ended
}

func newRun(ctx context.Context) *run {
	run := &run{loopsDone: make(chan struct{}), watchDone: make(chan struct{})}
	run.ctx, run.cancel = context.WithCancel(context.WithoutCancel(ctx))
	return run
}

// endedRun is what a registry begins with: not yet started is the same as
// stopped.
func endedRun() *run {
	run := newRun(context.Background())
	run.cancel()
	close(run.loopsDone)
	close(run.watchDone)
	return run
}

func (r *run) active() bool { return r.ctx.Err() == nil }

// Start begins to run the checks, each at once and from then on at its
// interval. It does not wait for results. The context bounds only the call: the
// checks run until Stop. Start does nothing if the registry runs already, and
// may follow Stop. The error is that of a context that has ended before.
func (r *Registry) Start(ctx context.Context) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.run.active() {
		return nil
	}
	before, run := r.run, newRun(ctx)
	r.run = run
	for _, e := range r.entries {
		if e.check != nil {
			run.loops.Go(func() {
				<-before.loopsDone // a check has one loop at a time
				r.loop(run.ctx, e)
			})
		}
	}
	go func() {
		defer close(run.watchDone)
		<-before.watchDone // changes are told by one goroutine at a time
		r.watch(run.ctx)
	}()
	go func() {
		defer close(run.loopsDone)
		<-run.ctx.Done() // from here on no loop is added
		run.loops.Wait()
	}()
	return nil
}

// Stop ends what Start began: it cancels the checks that are running and waits
// for them. If ctx ends first, what has not returned is abandoned and named in
// an [*AbandonedError]. Before the first Start, Stop does nothing; called
// again, it waits again for what was abandoned. A check or a change callback
// that calls Stop waits for itself.
func (r *Registry) Stop(ctx context.Context) error {
	r.mu.Lock()
	run := r.run
	run.cancel() // under mu: from here on no loop and no call begins
	entries := slices.Clone(r.entries)
	calls := make([]*call, len(entries))
	for i, e := range entries {
		calls[i] = e.call
	}
	r.mu.Unlock()

	<-run.loopsDone // soon: a loop that is cancelled does not wait for its check
	abandoned := &AbandonedError{}
	for i, c := range calls {
		if c != nil && !closedBefore(ctx, c.done) {
			abandoned.Checks = append(abandoned.Checks, entries[i].name)
		}
	}
	abandoned.Callback = !closedBefore(ctx, run.watchDone)
	if len(abandoned.Checks) == 0 && !abandoned.Callback {
		return nil
	}
	abandoned.Err = ctx.Err()
	return abandoned
}

// closedBefore waits for done, but not longer than ctx. A done that is closed
// already counts, even if ctx has ended too.
func closedBefore(ctx context.Context, done <-chan struct{}) bool {
	select {
	case <-done:
		return true
	case <-ctx.Done():
	}
	select {
	case <-done:
		return true
	default:
		return false
	}
}

// watch observes whenever there is a new result, and every second for the
// sources.
func (r *Registry) watch(ctx context.Context) {
	tick := time.NewTicker(sourcesEvery)
	defer tick.Stop()
	for {
		r.observe(ctx)
		select {
		case <-ctx.Done():
			return
		case <-r.wake:
		case <-tick.C:
		}
	}
}

// loop runs one check until ctx ends. A call that an earlier run abandoned is
// waited for first.
func (r *Registry) loop(ctx context.Context, e *entry) {
	if c := r.leftover(e); c != nil {
		r.await(ctx, e, c)
	}
	for {
		c, ok := r.call(ctx, e)
		if !ok {
			return
		}
		r.await(ctx, e, c)
		select {
		case <-ctx.Done():
			return
		case <-time.After(e.check.Every):
		}
	}
}

// leftover returns the call of an earlier run that has not returned.
func (r *Registry) leftover(e *entry) *call {
	r.mu.Lock()
	defer r.mu.Unlock()
	if e.call == nil {
		return nil
	}
	select {
	case <-e.call.done:
		return nil
	default:
		return e.call
	}
}

// call begins a call, unless the run has ended.
func (r *Registry) call(ctx context.Context, e *entry) (*call, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if ctx.Err() != nil {
		return nil, false
	}
	e.call = begin(ctx, e.check, r.log)
	return e.call, true
}

// await records what becomes of a call. It returns when the call has returned
// or the run has ended, and not before: this is what keeps a check that hangs
// from being started again.
func (r *Registry) await(ctx context.Context, e *entry, c *call) {
	timeout := time.NewTimer(e.check.Timeout)
	defer timeout.Stop()
	select {
	case <-c.done:
		switch {
		case c.ended == nil:
			r.record(e, c.report)
		case errors.Is(c.ended, context.DeadlineExceeded):
			r.record(e, e.check.noAnswer())
		}
	case <-timeout.C:
		r.record(e, e.check.noAnswer())
		select {
		case <-c.done:
		case <-ctx.Done():
		}
	case <-ctx.Done():
	}
}
