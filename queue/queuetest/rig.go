package queuetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/google/uuid"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/task"
)

// The suite's times. Nothing has to be fast: patience bounds what must happen, quiet is how long it is watched that something does
// not happen.
const (
	patience  = 10 * time.Second
	limit     = time.Minute // for a whole test, whatever the engine does
	quiet     = 40 * time.Millisecond
	soon      = 60 * time.Millisecond  // a delay that is waited for
	later     = 400 * time.Millisecond // a delay that is looked at before it ends, and then waited for
	brief     = 80 * time.Millisecond  // a lease that is left to expire
	ample     = time.Minute            // a lease that does not expire
	tolerance = 5 * time.Millisecond   // between the clocks of a store and of the test
)

// capacity is that of the engines.
const capacity = 200

// rig is what a test works with: an engine and short ways to use it. Its methods end the test when the engine
// answers with an error that was not asked for; those that take or return an error are for other goroutines.
type rig struct {
	tester
	ctx     context.Context
	engine  *meter
	caps    queue.Capabilities
	open    func(context.Context, queue.Opening) (queue.Engine, error)
	opening queue.Opening
	peers   []*rig // other engines on the same storage
	made    int    // records
}

// start opens the engine.
func (r *rig) start() {
	r.Helper()
	ctx, cancel := r.patient()
	defer cancel()
	e, err := r.open(ctx, r.opening)
	if err != nil {
		r.Fatalf("Open: %v", err)
	}
	r.engine.Engine = e
}

// restart closes the engine and opens it again, with the same storage.
func (r *rig) restart() {
	r.Helper()
	r.close()
	r.start()
}

// tune opens the engine again, with other settings; a test does it before it publishes.
func (r *rig) tune(change func(*queue.Opening, *queue.Common)) {
	r.Helper()
	change(&r.opening, r.opening.Settings.Limits())
	r.restart()
}

// Context is the test's; nothing in it waits longer than limit.
func (r *rig) Context() context.Context { return r.ctx }

// end closes everything.
func (r *rig) end() {
	for _, p := range r.peers {
		p.close()
	}
	r.close()
}

// close closes the engine; a test may have done so.
func (r *rig) close() {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(r.Context()), patience)
	defer cancel()
	if err := r.engine.Close(ctx); err != nil {
		r.Errorf("Close: %v", err)
	}
}

// patient is a context for what must happen.
func (r *rig) patient() (context.Context, context.CancelFunc) {
	return context.WithTimeout(r.Context(), patience)
}

// ---- records ----

type edit func(*queue.Record)

func delayed(d time.Duration) edit   { return func(r *queue.Record) { r.Delay = d } }
func at(t time.Time) edit            { return func(r *queue.Record) { r.Info.RunAt = t } }
func priority(p int) edit            { return func(r *queue.Record) { r.Info.Priority = p } }
func attempts(n int) edit            { return func(r *queue.Record) { r.Info.MaxAttempts = n } }
func unique(key string) edit         { return func(r *queue.Record) { r.Info.Unique = key } }
func uniqueFor(d time.Duration) edit { return func(r *queue.Record) { r.UniqueFor = d } }

// record makes a record as queue.Queue does.
func (r *rig) record(edits ...edit) queue.Record {
	r.made++
	id := uuid.Must(uuid.NewV7()).String()
	rec := queue.Record{
		Info:    task.Info{ID: id, Queue: "tests", Kind: "test", MaxAttempts: queue.MaxAttempts},
		Payload: r.payload(fmt.Sprintf(`{"number":%d}`, r.made)),
	}
	for _, e := range edits {
		e(&rec)
	}
	return rec
}

func (r *rig) records(n int, edits ...edit) []queue.Record {
	rs := make([]queue.Record, n)
	for i := range rs {
		rs[i] = r.record(edits...)
	}
	return rs
}

// payload carries text in the way that the engine takes.
func (r *rig) payload(text string) queue.Payload {
	if r.caps.Missing(queue.InProcess) == 0 {
		return queue.Payload{Value: text}
	}
	return queue.Payload{Bytes: []byte(text)}
}

func textOf(p queue.Payload) string {
	if text, ok := p.Value.(string); ok {
		return text
	}
	return string(p.Bytes)
}

// ---- publishing ----

// publish publishes one task and returns its ID.
func (r *rig) publish(edits ...edit) string {
	r.Helper()
	return r.publishRecords(r.record(edits...))[0].ID
}

// publishN publishes n tasks at once and returns their IDs.
func (r *rig) publishN(n int, edits ...edit) []string {
	r.Helper()
	var ids []string
	for _, receipt := range r.publishRecords(r.records(n, edits...)...) {
		ids = append(ids, receipt.ID)
	}
	return ids
}

func (r *rig) publishRecords(rs ...queue.Record) []queue.Receipt {
	r.Helper()
	ctx, cancel := r.patient()
	defer cancel()
	receipts, err := r.engine.Publish(ctx, rs, true)
	if err != nil {
		r.Fatalf("Publish of %d tasks: %v", len(rs), err)
	}
	if len(receipts) != len(rs) {
		r.Fatalf("Publish of %d tasks gave %d receipts", len(rs), len(receipts))
	}
	for i, receipt := range receipts {
		if !receipt.Existing && receipt.ID != rs[i].Info.ID {
			r.Fatalf("receipt %d is for task %q, published was %q", i, receipt.ID, rs[i].Info.ID)
		}
	}
	return receipts
}

// ---- receiving ----

// receive claims up to n tasks; there must be one.
func (r *rig) receive(n int, lease time.Duration) []queue.Lease {
	r.Helper()
	ls, err := r.tryReceive(n, lease)
	if err != nil {
		r.Fatalf("Receive: %v", err)
	}
	return ls
}

// one claims one task; there must be one.
func (r *rig) one(lease time.Duration) queue.Lease {
	r.Helper()
	return r.receive(1, lease)[0]
}

// task claims one task, which must be the one with that ID.
func (r *rig) task(id string, lease time.Duration) queue.Lease {
	r.Helper()
	l := r.one(lease)
	if l.ID != id {
		r.Fatalf("received task %s, expected %s", l.ID, id)
	}
	return l
}

func (r *rig) tryReceive(n int, lease time.Duration) ([]queue.Lease, error) {
	ctx, cancel := r.patient()
	defer cancel()
	ls, err := r.engine.Receive(ctx, n, lease)
	switch {
	case err != nil && len(ls) > 0:
		return nil, fmt.Errorf("%d leases and an error: %w", len(ls), err)
	case err != nil:
		return nil, err
	case len(ls) == 0 || len(ls) > n:
		return nil, fmt.Errorf("%d leases, asked for were 1 to %d", len(ls), n)
	}
	for _, l := range ls {
		if l.ID == "" || l.ID != l.Info.ID || l.Lease < 1 || l.Until <= 0 || l.Until > lease {
			return nil, fmt.Errorf("lease %+v of task %q for %s, asked for was %s", l.Token, l.Info.ID, l.Until, lease)
		}
	}
	return ls, nil
}

// briefly claims what there is within a short time, which may be nothing.
func (r *rig) briefly(e queue.Engine, n int, lease time.Duration) ([]queue.Lease, error) {
	ctx, cancel := context.WithTimeout(r.Context(), quiet)
	defer cancel()
	ls, err := e.Receive(ctx, n, lease)
	if ctx.Err() != nil && r.Context().Err() == nil && errors.Is(err, ctx.Err()) {
		err = nil
	}
	return ls, err
}

// pause lets time pass.
func (r *rig) pause(d time.Duration) {
	ctx, cancel := context.WithTimeout(r.Context(), d)
	defer cancel()
	<-ctx.Done()
}

// nothing demands that no task can be claimed for a while.
func (r *rig) nothing(why string) {
	r.Helper()
	ctx, cancel := context.WithTimeout(r.Context(), quiet)
	defer cancel()
	ls, err := r.engine.Receive(ctx, 1, ample)
	if len(ls) > 0 {
		r.Fatalf("received task %s (attempt %d), but %s", ls[0].ID, ls[0].Info.Attempt, why)
	}
	if !errors.Is(err, context.DeadlineExceeded) {
		r.Fatalf("Receive without a ready task: %v, expected the context's error", err)
	}
}

// ---- completing ----

func done(t queue.Token) queue.Completion {
	return queue.Completion{Token: t, Outcome: task.Done}
}

func retry(t queue.Token, after time.Duration, cause string) queue.Completion {
	return queue.Completion{Token: t, Outcome: task.Retry, After: after, Counted: true, Cause: cause}
}

func snooze(t queue.Token, after time.Duration) queue.Completion {
	return queue.Completion{Token: t, Outcome: task.Snoozed, After: after, Cause: "not yet"}
}

func giveBack(t queue.Token) queue.Completion {
	return queue.Completion{Token: t, Outcome: task.Retry}
}

func bury(t queue.Token, cause string) queue.Completion {
	return queue.Completion{Token: t, Outcome: task.Dead, Cause: cause}
}

func yielded(t queue.Token, cause string) queue.Completion {
	return queue.Completion{Token: t, Outcome: task.Cancelled, Cause: cause}
}

// complete ends leases that must be held.
func (r *rig) complete(cs ...queue.Completion) {
	r.Helper()
	if lost := r.completeLosing(cs...); len(lost) > 0 {
		r.Fatalf("Complete says that leases %v are lost; they are held", lost)
	}
}

// completeLosing ends leases and returns those that were lost.
func (r *rig) completeLosing(cs ...queue.Completion) []queue.Token {
	r.Helper()
	ctx, cancel := r.patient()
	defer cancel()
	lost, err := r.engine.Complete(ctx, cs)
	if err != nil {
		r.Fatalf("Complete: %v", err)
	}
	return lost
}

// renew renews leases and returns those that were lost; no task is to be cancelled.
func (r *rig) renew(lease time.Duration, ts ...queue.Token) []queue.Token {
	r.Helper()
	ctx, cancel := r.patient()
	defer cancel()
	renewed, err := r.engine.Renew(ctx, ts, lease)
	if err != nil {
		r.Fatalf("Renew: %v", err)
	}
	if len(renewed.Cancelled) > 0 {
		r.Fatalf("Renew says that %v are cancelled; nobody did that", renewed.Cancelled)
	}
	return renewed.Lost
}

// ---- several goroutines ----

// together runs f n times at once, and ends the test when one of them returns an error.
func (r *rig) together(n int, f func(i int) error) {
	r.Helper()
	if err := errors.Join(concurrently(n, f)...); err != nil {
		r.Fatalf("%v", err)
	}
}

func concurrently(n int, f func(i int) error) []error {
	errs := make([]error, n)
	var wg sync.WaitGroup
	for i := range n {
		wg.Go(func() { errs[i] = f(i) })
	}
	wg.Wait()
	return errs
}
