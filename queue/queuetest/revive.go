package queuetest

import (
	"errors"
	"slices"
	"time"

	"github.com/plba/plba/queue"
)

func requeueTests() []test {
	return []test{
		{"a dead one begins anew", 1, requeueDead},
		{"a cancelled one begins anew", 1, requeueCancelled},
		{"history is kept", 1, requeueHistory},
		{"history has a bound", 1, requeueLongHistory},
		{"twice", 1, requeueTwice},
		{"all that are dead", 5, requeueAll},
		{"only what has ended", 4, requeueOthers},
		{"some IDs in some states", 3, requeueSome},
		{"into a full queue", capacity + 2, requeueFull},
		{"its unique key counts again", 1, requeueUnique},
		{"a unique key that is taken", 3, requeueTaken},
		{"wakes those who wait", 1, requeueWakes},
	}
}

func requeueDead(r *rig) {
	rec := r.record(attempts(2), priority(3))
	rec.Info.Metadata = map[string]string{"kept": "yes"}
	id := r.publishRecords(rec)[0].ID
	r.complete(retry(r.task(id, ample).Token, 0, "first"))
	last := r.task(id, ample)
	r.complete(retry(last.Token, 0, "second"))
	r.requeued(1, queue.ByID(id))
	r.counts("it is ready", queue.Stats{Ready: 1})
	if t := r.look(id); t.State != queue.StateReady || !t.EndedAt.IsZero() {
		r.Errorf("the requeued task is %+v", t)
	}
	l := r.task(id, ample)
	if l.Info.Attempt != 1 || l.Lease <= last.Lease || l.Info.Priority != 3 || l.Info.Metadata["kept"] != "yes" ||
		textOf(l.Payload) != textOf(rec.Payload) {
		r.Errorf("it came back as %+v; expected attempt 1, a higher lease, and everything else as it was", l)
	}
	r.complete(retry(l.Token, 0, "third"))
	if l := r.task(id, ample); l.Info.Attempt != 2 || !l.Info.LastAttempt() {
		r.Errorf("attempt %d of %d, expected the second of two", l.Info.Attempt, l.Info.MaxAttempts)
	}
}

func requeueCancelled(r *rig) {
	id := r.publish(delayed(ample))
	r.cancel(id, "enough")
	r.requeued(1, queue.ByID(id))
	if l := r.task(id, ample); l.Info.Attempt != 1 || time.Since(l.Info.RunAt) < -tolerance {
		r.Errorf("it came back as %+v, expected to be due at once", l)
	}
}

func requeueHistory(r *rig) {
	id := r.publish(attempts(1))
	for _, cause := range []string{"first", "second", "third"} {
		r.complete(retry(r.task(id, ample).Token, 0, cause))
		r.requeued(1, queue.ByID(id))
	}
	r.cancel(id, "enough")
	var got []string
	for _, f := range r.look(id).Failures {
		got = append(got, f.Error)
	}
	if want := []string{"first", "second", "third", "cancelled: enough"}; !slices.Equal(got, want) {
		r.Errorf("the history is %q, expected %q", got, want)
	}
}

// requeueLongHistory fails more often than is remembered.
func requeueLongHistory(r *rig) {
	id := r.publish(attempts(0))
	for n := range queue.MaxFailures + 2 {
		r.complete(retry(r.task(id, ample).Token, 0, string(rune('a'+n%26))))
	}
	fs := r.look(id).Failures
	if len(fs) != queue.MaxFailures || fs[0].Attempt != 3 || fs[len(fs)-1].Attempt != queue.MaxFailures+2 {
		r.Errorf("the history has %d failures, expected the last %d", len(fs), queue.MaxFailures)
	}
}

func requeueTwice(r *rig) {
	id := r.kill("bad")
	r.requeued(1, queue.ByID(id, id))
	r.requeued(0, queue.ByID(id))
	r.requeued(0, queue.InState(queue.StateDead))
	r.counts("there is one task", queue.Stats{Ready: 1})
	r.task(id, ample)
	r.requeued(0, queue.ByID(id))
	r.counts("it is running", queue.Stats{Running: 1})
}

func requeueAll(r *rig) {
	var ids []string
	for range 3 {
		ids = append(ids, r.kill("bad"))
	}
	other := r.publish()
	r.cancel(other, "enough")
	waiting := r.publish(delayed(ample))
	r.requeued(0, queue.Selection{})
	r.requeued(3, queue.InState(queue.StateDead))
	r.counts("the dead ones are ready", queue.Stats{Ready: 3, Cancelled: 1, Scheduled: 1})
	r.expect(ids...)
	r.requeued(1, queue.InState(queue.StateDead, queue.StateCancelled, queue.StateScheduled))
	r.task(other, ample)
	r.look(waiting)
}

func requeueOthers(r *rig) {
	running := r.task(r.publish(), ample)
	ended := r.task(r.publish(), ample)
	r.complete(done(ended.Token))
	ready, scheduled := r.publish(), r.publish(delayed(ample))
	r.requeued(0, queue.ByID(running.ID, ended.ID, ready, scheduled, "no such task"))
	r.counts("nothing has changed", queue.Stats{Running: 1, Ready: 1, Scheduled: 1})
}

func requeueSome(r *rig) {
	dead, other := r.kill("bad"), r.kill("bad")
	cancelled := r.publish()
	r.cancel(cancelled, "enough")
	r.requeued(1, queue.Selection{IDs: []string{dead, cancelled}, States: []queue.State{queue.StateDead}})
	r.task(dead, ample)
	if t := r.look(other); t.State != queue.StateDead {
		r.Errorf("the task that was not selected is %s", t.State)
	}
}

func requeueFull(r *rig) {
	first, second := r.kill("bad"), r.kill("bad")
	r.fill()
	n, err := r.engine.Requeue(r.Context(), queue.InState(queue.StateDead))
	if n != 0 || !errors.Is(err, queue.ErrFull) {
		r.Errorf("Requeue into a full queue: %d, %v; expected ErrFull", n, err)
	}
	r.complete(done(r.one(ample).Token))
	n, err = r.engine.Requeue(r.Context(), queue.ByID(second, first))
	if n != 1 || !errors.Is(err, queue.ErrFull) {
		r.Errorf("Requeue of two with room for one: %d, %v; expected 1 and ErrFull", n, err)
	}
	if t := r.look(first); t.State != queue.StateReady {
		r.Errorf("the one that was published first is %s, it is to be requeued first", t.State)
	}
}

func requeueUnique(r *rig) {
	id := r.kill("bad", unique("a"))
	r.requeued(1, queue.ByID(id))
	r.existing("requeued", id, unique("a"))
	r.complete(bury(r.task(id, ample).Token, "bad"))
	r.requeued(1, queue.ByID(id))
	r.complete(done(r.task(id, ample).Token))
	r.fresh("done", unique("a"))
}

func requeueTaken(r *rig) {
	id := r.kill("bad", unique("a"))
	other := r.kill("bad")
	holder := r.fresh("dead", unique("a"))
	n, err := r.engine.Requeue(r.Context(), queue.ByID(id, other))
	if n != 1 || !errors.Is(err, queue.ErrKeyTaken) {
		r.Errorf("Requeue of two, the key of one is taken: %d, %v; expected 1 and ErrKeyTaken", n, err)
	}
	if t := r.look(id); t.State != queue.StateDead {
		r.Errorf("the task whose key is taken is %s", t.State)
	}
	r.complete(done(r.task(holder, ample).Token))
	r.task(other, ample)
	r.requeued(1, queue.ByID(id))
	r.existing("requeued", id, unique("a"))
}

func requeueWakes(r *rig) {
	id := r.kill("bad")
	got := r.receiving()
	r.pause(quiet)
	r.requeued(1, queue.ByID(id))
	r.received(got, id)
}

// receiving receives one task from a goroutine of its own.
func (r *rig) receiving() <-chan any {
	got := make(chan any, 1)
	go func() {
		ls, err := r.tryReceive(1, ample)
		if err != nil {
			got <- err
			return
		}
		got <- ls[0].ID
	}()
	return got
}

// received demands that the receiver has got that task.
func (r *rig) received(got <-chan any, id string) {
	r.Helper()
	if result := <-got; result != any(id) {
		r.Fatalf("the receiver who waited got %v, expected task %s", result, id)
	}
}

func runNowTests() []test {
	return []test{
		{"scheduled, snoozed and retrying", 3, runNowAll},
		{"by ID, and only what waits", 3, runNowSome},
		{"wakes those who wait", 1, runNowWakes},
	}
}

func (r *rig) runNow(want int, sel queue.Selection) {
	r.Helper()
	if n, err := r.engine.RunNow(r.Context(), sel); n != want || err != nil {
		r.Fatalf("RunNow of %+v: %d, %v; expected %d", sel, n, err, want)
	}
}

func runNowAll(r *rig) {
	first, second := r.task(r.publish(), ample), r.task(r.publish(), ample)
	r.complete(snooze(first.Token, ample))
	r.complete(retry(second.Token, ample, "again"))
	third := r.publish(delayed(ample))
	r.runNow(0, queue.Selection{})
	r.runNow(3, queue.InState(queue.StateScheduled, queue.StateRetrying))
	r.counts("all are ready", queue.Stats{Ready: 3})
	r.runNow(0, queue.InState(queue.StateScheduled, queue.StateRetrying, queue.StateReady))
	for _, l := range r.expect(first.ID, second.ID, third) {
		if want := map[string]int{first.ID: 1, second.ID: 2, third: 1}[l.ID]; l.Info.Attempt != want {
			r.Errorf("task %s has attempt %d, expected %d", l.ID, l.Info.Attempt, want)
		}
	}
}

func runNowSome(r *rig) {
	dead := r.kill("bad")
	running := r.task(r.publish(), ample)
	waiting := r.publish(delayed(ample))
	r.runNow(1, queue.ByID(dead, running.ID, waiting, waiting, "no such task"))
	r.counts("one is ready", queue.Stats{Ready: 1, Running: 1, Dead: 1})
	r.task(waiting, ample)
}

func runNowWakes(r *rig) {
	id := r.publish(delayed(ample))
	got := r.receiving()
	r.pause(quiet)
	r.runNow(1, queue.ByID(id))
	r.received(got, id)
}
