package queuetest

import (
	"errors"
	"fmt"
	"sync/atomic"
	"time"

	"github.com/plba/plba/queue"
)

func uniqueTests() []test {
	return []test{
		{"while the task lives", 1, uniqueLives},
		{"not when it is done", 2, uniqueDone},
		{"not when it is dead", 2, uniqueDead},
		{"longer, when asked", 2, uniqueLonger},
		{"its time ends", 2, uniqueTimeEnds},
		{"its time ends, but the task lives", 1, uniqueOutlived},
		{"within one publish", 3, uniqueBatch},
		{"other keys and none", 4, uniqueOthers},
		{"many publishers, one task", 1, uniqueRace},
		{"takes no room", 1, uniqueFull},
	}
}

// existing publishes with a key that counts.
func (r *rig) existing(when, id string, edits ...edit) {
	r.Helper()
	receipt := r.publishRecords(r.record(edits...))[0]
	if !receipt.Existing || receipt.ID != id {
		r.Fatalf("%s: publishing with its key gave %+v, expected the existing task %s", when, receipt, id)
	}
}

// fresh publishes with a key that does not count.
func (r *rig) fresh(when string, edits ...edit) string {
	r.Helper()
	receipt := r.publishRecords(r.record(edits...))[0]
	if receipt.Existing {
		r.Fatalf("%s: publishing with its key gave %+v, expected a new task", when, receipt)
	}
	return receipt.ID
}

func uniqueLives(r *rig) {
	id := r.publish(unique("a"), delayed(later))
	r.existing("scheduled", id, unique("a"))
	l := r.task(id, ample)
	r.existing("running", id, unique("a"))
	r.complete(giveBack(l.Token))
	r.existing("ready", id, unique("a"), delayed(soon))
	r.complete(retry(r.task(id, ample).Token, ample, "wait"))
	r.existing("retrying", id, unique("a"))
	r.counts("there is one task", queue.Stats{Retrying: 1})
	if got := r.stats().Published; got != 1 {
		r.Errorf("published are %d tasks; those that existed do not count, so 1", got)
	}
}

func uniqueDone(r *rig) {
	l := r.task(r.publish(unique("a")), ample)
	r.complete(done(l.Token))
	r.task(r.fresh("done", unique("a")), ample)
}

func uniqueDead(r *rig) {
	r.kill("bad", unique("a"))
	r.task(r.fresh("dead", unique("a")), ample)
}

func uniqueLonger(r *rig) {
	completed := r.publish(unique("a"), uniqueFor(time.Hour))
	r.complete(done(r.task(completed, ample).Token))
	r.existing("done, within its time", completed, unique("a"), uniqueFor(time.Hour))
	dead := r.kill("bad", unique("b"), uniqueFor(time.Hour))
	r.existing("dead, within its time", dead, unique("b"), uniqueFor(time.Hour))
	r.nothing("both tasks have ended")
}

func uniqueTimeEnds(r *rig) {
	began := time.Now()
	id := r.publish(unique("a"), uniqueFor(later))
	r.complete(done(r.task(id, ample).Token))
	r.existing("done, within its time", id, unique("a"), uniqueFor(later))
	r.eventually("its time has ended", func() bool {
		return !r.publishRecords(r.record(unique("a"), uniqueFor(later)))[0].Existing
	})
	if took := time.Since(began); took < later-tolerance {
		r.Errorf("the key counted for %s, asked for was %s", took, later)
	}
}

func uniqueOutlived(r *rig) {
	id := r.publish(unique("a"), uniqueFor(brief))
	l := r.task(id, ample)
	r.nothing("it is leased")
	r.nothing("it is leased")
	r.nothing("it is leased") // by now its time has ended
	r.existing("running beyond its time", id, unique("a"))
	r.complete(giveBack(l.Token))
}

func uniqueBatch(r *rig) {
	rs := []queue.Record{r.record(unique("a")), r.record(unique("b")), r.record(unique("a")), r.record()}
	receipts := r.publishRecords(rs...)
	want := []queue.Receipt{{ID: rs[0].Info.ID}, {ID: rs[1].Info.ID}, {ID: rs[0].Info.ID, Existing: true}, {ID: rs[3].Info.ID}}
	for i := range want {
		if receipts[i] != want[i] {
			r.Errorf("receipt %d is %+v, expected %+v", i, receipts[i], want[i])
		}
	}
	r.expect(rs[0].Info.ID, rs[1].Info.ID, rs[3].Info.ID)
}

func uniqueOthers(r *rig) {
	r.fresh("first", unique("a"))
	r.fresh("another key", unique("A"))
	r.fresh("no key")
	r.fresh("no key again", uniqueFor(time.Hour))
	r.counts("four different ones", queue.Stats{Ready: 4})
}

func uniqueRace(r *rig) {
	rs := r.records(16, unique("a"))
	var accepted atomic.Int64
	ids := make([]string, len(rs))
	r.together(len(rs), func(i int) error {
		receipts, err := r.engine.Publish(r.Context(), rs[i:i+1], true)
		if err != nil || len(receipts) != 1 {
			return fmt.Errorf("publish %d: %v, %w", i, receipts, errors.Join(err))
		}
		if !receipts[0].Existing {
			accepted.Add(1)
		}
		ids[i] = receipts[0].ID
		return nil
	})
	for _, id := range ids {
		if id != ids[0] {
			r.Errorf("receipts name different tasks: %s and %s", ids[0], id)
		}
	}
	if accepted.Load() != 1 {
		r.Errorf("%d publishers were told that their task is new", accepted.Load())
	}
	r.counts("one task", queue.Stats{Ready: 1})
}

// uniqueFull publishes what exists into a full queue: there is nothing to wait for.
func uniqueFull(r *rig) {
	r.fill(unique("a"))
	receipts, err := r.engine.Publish(r.Context(), []queue.Record{r.record(unique("a"))}, false)
	if err != nil || len(receipts) != 1 || !receipts[0].Existing {
		r.Errorf("publishing an existing task into a full queue: %+v, %v", receipts, err)
	}
}
