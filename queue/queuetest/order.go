package queuetest

import (
	"time"

	"github.com/plba/plba/queue"
)

func orderTests() []test {
	return []test{
		{"first come, first served", 20, orderArrival},
		{"higher priority first", 9, orderPriority},
		{"by priority also in a batch", 6, orderBatch},
		{"in the order of becoming due", 3, orderDue},
		{"a returned task keeps its place", 3, orderReturned},
		{"a retried task goes to the end", 3, orderRetried},
	}
}

// expect demands that the tasks come in this order, one by one.
func (r *rig) expect(ids ...string) []queue.Lease {
	r.Helper()
	var ls []queue.Lease
	for n, id := range ids {
		l := r.one(ample)
		if l.ID != id {
			r.Fatalf("task number %d is %s (priority %d), expected %s", n, l.ID, l.Info.Priority, id)
		}
		ls = append(ls, l)
	}
	return ls
}

func orderArrival(r *rig) {
	var ids []string
	for range 10 {
		ids = append(ids, r.publish())
	}
	r.expect(append(ids, r.publishN(10)...)...)
}

func orderPriority(r *rig) {
	low := r.publishN(2, priority(-queue.MaxPriority))
	normal := r.publishN(2)
	high := r.publishN(2, priority(1))
	highest := r.publish(priority(queue.MaxPriority))
	r.expect(highest, high[0])
	late := r.publish(priority(1))
	r.expect(high[1], late)
	other := r.publish()
	r.expect(normal[0], normal[1], other, low[0], low[1])
}

func orderBatch(r *rig) {
	a, b, c := r.publishN(2), r.publishN(2, priority(5)), r.publishN(2, priority(3))
	want := []string{b[0], b[1], c[0], c[1], a[0], a[1]}
	for got := 0; got < len(want); {
		for _, l := range r.receive(6, ample) {
			if l.ID != want[got] {
				r.Fatalf("task number %d of the batch is %s (priority %d), expected %s", got, l.ID, l.Info.Priority, want[got])
			}
			got++
		}
	}
}

// orderDue publishes the later one first.
func orderDue(r *rig) {
	base := time.Now().Add(later)
	second := r.publish(at(base.Add(soon)))
	first := r.publish(at(base))
	r.eventually("both are due", func() bool { return r.stats().Ready == 2 })
	third := r.publish()
	r.expect(first, second, third)
}

func orderReturned(r *rig) {
	ids := r.publishN(3)
	ls := r.expect(ids[0], ids[1])
	r.complete(giveBack(ls[1].Token))
	r.complete(giveBack(ls[0].Token))
	r.expect(ids...)
}

func orderRetried(r *rig) {
	ids := r.publishN(3)
	ls := r.expect(ids[0], ids[1])
	r.complete(retry(ls[0].Token, 0, "again"), snooze(ls[1].Token, 0))
	r.eventually("all are ready", func() bool { return r.stats().Ready == 3 })
	r.expect(ids[2], ids[0], ids[1])
}
