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

// MissedPolicy says what becomes of instants that passed while no instance ran.
type MissedPolicy uint8

const (
	// Skip leaves them out (default).
	Skip MissedPolicy = iota
	// RunOnce makes one run for all of them: that of the latest; Tick.Missed tells how many others it stands for.
	RunOnce
	// RunAll makes a run for each, the oldest first.
	RunAll
)

// Missed says what becomes of instants that passed while no instance ran (default Skip). It needs Through. RunOnce and RunAll need an engine
// that is durable: that the queue has another is a fault at registration.
func Missed(p MissedPolicy) ScheduleOption {
	return scheduleOption(func(o *scheduleOptions) { o.missed = &p })
}

// Through sends the runs of a schedule through a queue that is the schedule's alone. All instances publish every instant that is due, with
// the unique key "name@instant" (RFC 3339, UTC), so it is in the queue once; and one of them takes it. A failed run is repeated like any other
// task, and what one instance could not finish another takes over: fn is called at least once for every instant. Calls do not overlap within
// an instance; different instants may overlap in different instances.
//
// The key counts for a day after its instant, so clocks that differ by less do no harm. Publishing a Tick to the queue without a key
// makes a run by hand. The queue needs room for three tasks.
//
// The worker counts as a consumer of the queue when the runtime stops.
func Through(q *queue.Queue[Tick]) ScheduleOption {
	return scheduleOption(func(o *scheduleOptions) { o.through, o.queue = true, q })
}

// keyFor is how long the key of an instant counts after it: longer than clocks differ and than a task is usually retried.
const keyFor = 24 * time.Hour

// relay is a schedule that goes through a queue. One part publishes what is due, the other, a consumer, handles it.
//
// With Skip an instant is published when it is due, so nothing is in the queue for a time in which nobody ran. With the other policies it is
// published as soon as the one before is due, to be handed out at its time: what lies in the queue when an instance comes back tells since
// when nobody was there.
type relay struct {
	*life
	*timetable
	policy   MissedPolicy
	consumer *consumer[Tick]

	noticeMu sync.Mutex
	noticed  time.Time // the instant published last, of this life
	since    time.Time // from here on, everything that was due has been published
}

func newRelay(name, expr string, t *timetable) *relay {
	w := &relay{timetable: t}
	w.consumer = Consume(name, t.opts.queue, Func(w.handle), Timeout(max(t.opts.timeout, 0))).(*consumer[Tick])
	w.life = w.consumer.life
	w.kind = "schedule"
	t.define(w.life, expr)
	if p := t.opts.missed; p != nil {
		w.policy = *p
	}
	if w.policy > RunAll {
		w.fault("unknown missed-run policy %d", w.policy)
	}
	if w.policy != Skip && t.opts.queue != nil {
		t.opts.queue.Require(queue.Durable, fmt.Sprintf("worker %q with its missed-run policy", name))
	}
	w.body = w.run
	return w
}

// QueueName is the queue that the runs go through.
func (w *relay) QueueName() string { return w.consumer.QueueName() }

// Equip takes what the runtime lends.
func (w *relay) Equip(env Env) error { return w.equip(env) }

// Health says how the last runs went.
func (w *relay) Health() health.Report { return w.health() }

// Status is the present activity, with what is due next.
func (w *relay) Status() Status { return w.status() }

// Pause implements Pauser: due runs wait in the queue, or other instances take them.
func (w *relay) Pause() { w.consumer.Pause() }

// Resume implements Pauser.
func (w *relay) Resume() { w.consumer.Resume() }

// run is the body: publish what is due, and consume it.
func (w *relay) run(r *run) error {
	w.noticeMu.Lock()
	w.noticed, w.since = time.Time{}, time.Now()
	w.noticeMu.Unlock()
	var publishing sync.WaitGroup
	publishing.Go(func() { w.publishDue(r) })
	defer publishing.Wait()
	return w.consumer.consume(r)
}

// publishDue publishes every instant in time, until the intake ends. While the queue cannot be reached it tries again with backoff.
func (w *relay) publishDue(r *run) {
	due := w.cal.next(time.Now())
	for failures := 0; ; {
		w.setNext(due)
		if w.policy == Skip && !awaitDue(r.intake, due) {
			return
		}
		err := guarded(func() (err error) {
			if w.policy == Skip {
				_, err = w.publish(r.intake, Tick{At: due})
				return err
			}
			due, _, err = w.notice(r.intake)
			return err
		})
		if r.intake.Err() != nil {
			return
		}
		if err != nil {
			w.noteError(err)
			w.setHealth(health.Of(health.Degraded(err)))
			w.env.Logger.Error("cannot publish what is due", "worker", w.name, "queue", w.QueueName(), "instant", due, "error", err)
			awaitDue(r.intake, time.Now().Add(receiveBackoff(failures)))
			failures++
			continue
		}
		if failures > 0 {
			failures = 0
			w.setHealth(health.Report{State: health.StateOK})
		}
		w.setNext(due)
		if w.policy == Skip {
			last, _ := w.cal.passed(due, time.Now())
			due = w.cal.next(last)
		} else if !awaitDue(r.intake, due) {
			return
		}
	}
}

// notice sees to it that the instant which is due next is in the queue. since tells from when on that has been done without a gap: a gap is
// there before this life began, and where the process or its machine slept over an instant.
func (w *relay) notice(ctx context.Context) (next, since time.Time, err error) {
	w.noticeMu.Lock()
	defer w.noticeMu.Unlock()
	now := time.Now()
	if now.Before(w.noticed) {
		return w.noticed, w.since, nil
	}
	from := now
	if w.noticed.After(now) {
		from = w.noticed
	}
	next = w.cal.next(from)
	if next.IsZero() {
		return next, w.since, nil
	}
	if _, err := w.publish(ctx, Tick{At: next}); err != nil {
		return next, w.since, err
	}
	if !w.noticed.IsZero() && !w.cal.next(w.noticed).Equal(next) {
		w.since = now
	}
	w.noticed = next
	return next, w.since, nil
}

func (w *relay) key(at time.Time) string { return w.name + "@" + at.UTC().Format(time.RFC3339) }

// publish adds the tick, to be handed out at its instant; when that has been published already, nothing happens and existing is true. It does
// not wait for room: whoever waits could be the one who makes it.
func (w *relay) publish(ctx context.Context, t Tick) (existing bool, err error) {
	receipt, err := w.opts.queue.TrySend(ctx, t, queue.At(t.At), queue.UniqueKey(w.key(t.At)), queue.UniqueFor(max(time.Until(t.At), 0)+keyFor))
	return receipt.Existing, err
}

// handle makes one run.
func (w *relay) handle(ctx context.Context, t Tick) error {
	info, _ := task.From(ctx)
	t.At = t.At.In(w.cal.zone)
	if info.Unique != "" {
		if info.Unique != w.key(t.At) {
			return fmt.Errorf("%q is no run of schedule %q: a queue carries one schedule alone", info.Unique, w.name)
		}
		if err := w.makeUp(ctx, t, info.Attempt); err != nil {
			return err
		}
	}
	w.begin(t.At)
	err := errGoexit
	defer func() {
		if v := recover(); v != nil {
			w.settle(ctx, NewPanicError(v))
			panic(v) // the consumer counts and logs it
		}
		w.settle(ctx, err)
	}()
	err = w.fn(ctx, t)
	return err
}

// makeUp publishes what was missed after t, if anything was: with RunAll the next one, whose own handling goes on from there; with RunOnce
// the latest, in favour of which t is dropped, unless t has been tried already or the latest is known. A repetition publishes nothing
// new, as the keys count. When the queue does not take it, t waits without using up an attempt.
func (w *relay) makeUp(ctx context.Context, t Tick, attempt int) error {
	if w.policy == Skip || w.policy == RunOnce && attempt > 1 {
		return nil
	}
	_, since, err := w.notice(ctx)
	if err != nil {
		return notYet(err)
	}
	last, n := w.cal.passed(t.At, since)
	if n == 0 {
		return nil
	}
	late := Tick{At: last, Missed: min(t.Missed+n, maxMissed)}
	if w.policy == RunAll {
		late = Tick{At: w.cal.next(t.At)}
	}
	existing, err := w.publish(ctx, late)
	switch {
	case err != nil:
		return notYet(err)
	case existing || w.policy == RunAll:
		return nil
	default:
		return task.Drop("missed; the run of " + last.Format(time.RFC3339) + " stands for it")
	}
}

func notYet(err error) error {
	return task.Snooze(10*time.Second, "what is due cannot be published: "+err.Error())
}

// awaitDue waits for an instant; false when ctx ends first. Between it looks at the clock, which may have been set.
func awaitDue(ctx context.Context, at time.Time) bool {
	for !isDue(at) {
		if !sleep(ctx, lookAgain(at)) {
			return false
		}
	}
	return ctx.Err() == nil
}
