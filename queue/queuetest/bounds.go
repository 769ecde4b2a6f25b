package queuetest

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/plba/plba/queue"
)

func boundsTests() []test {
	return []test{
		{"full", 100, boundsFull},
		{"an accepted prefix", 100, boundsPrefix},
		{"waits for room", 100, boundsWait},
		{"waits until its context ends", 100, boundsContext},
		{"leaves when there is room", 120, boundsLeaving},
		{"many wait, all get room", 100, boundsMany},
		{"every unfinished state counts", 100, boundsStates},
		{"going back needs no room", 100, boundsBack},
		{"a lease that ends for good makes room", 100, boundsExpiry},
		{"more at once than there is room for", 200, boundsMore},
	}
}

// fill publishes until the queue is full, the first task with the edits.
func (r *rig) fill(first ...edit) {
	r.Helper()
	r.publish(first...)
	for left := capacity - 1; left > 0; left -= 100 {
		r.publishN(min(left, 100))
	}
}

// full demands that there is no room.
func (r *rig) full(when string) {
	r.Helper()
	receipts, err := r.engine.Publish(r.Context(), r.records(1), false)
	if len(receipts) != 0 || !errors.Is(err, queue.ErrFull) {
		r.Fatalf("%s: publishing without waiting gave %v, %v; expected ErrFull", when, receipts, err)
	}
}

// room demands that there is room for one task, and takes it.
func (r *rig) room(when string) {
	r.Helper()
	receipts, err := r.engine.Publish(r.Context(), r.records(1), false)
	if len(receipts) != 1 || err != nil {
		r.Fatalf("%s: publishing without waiting gave %v, %v; expected room for one", when, receipts, err)
	}
}

func boundsFull(r *rig) {
	r.fill()
	r.full("at capacity")
	r.counts("at capacity", queue.Stats{Ready: capacity})
	r.complete(done(r.one(ample).Token))
	r.room("after one is done")
	r.full("after that room was taken")
	r.complete(bury(r.one(ample).Token, "bad"))
	r.room("after one is dead")
	r.full("after that room was taken too")
}

func boundsPrefix(r *rig) {
	r.fill()
	var ls []queue.Lease
	for len(ls) < 3 {
		ls = append(ls, r.receive(3-len(ls), ample)...)
	}
	r.complete(done(ls[0].Token), done(ls[1].Token), done(ls[2].Token))
	rs := r.records(5)
	receipts, err := r.engine.Publish(r.Context(), rs, false)
	if len(receipts) != 3 || !errors.Is(err, queue.ErrFull) {
		r.Fatalf("five tasks, room for three: %d receipts, %v; expected 3 and ErrFull", len(receipts), err)
	}
	for i, receipt := range receipts {
		if receipt.ID != rs[i].Info.ID {
			r.Errorf("receipt %d is for %s, expected %s", i, receipt.ID, rs[i].Info.ID)
		}
	}
}

func boundsWait(r *rig) {
	r.fill()
	published := r.publishing(1)
	r.stillWaiting(published, "the queue is full")
	r.complete(done(r.one(ample).Token))
	r.served(published)
	r.counts("full again", queue.Stats{Ready: capacity})
}

func boundsContext(r *rig) {
	r.fill()
	ctx, cancel := context.WithTimeout(r.Context(), quiet)
	defer cancel()
	receipts, err := r.engine.Publish(ctx, r.records(2), true)
	if len(receipts) != 0 || !errors.Is(err, context.DeadlineExceeded) {
		r.Errorf("publishing into a full queue: %v, %v; expected the context's error", receipts, err)
	}
	l := r.one(ample)
	r.complete(done(l.Token))
	r.counts("whoever gave up left nothing behind", queue.Stats{Ready: capacity - 1})
	r.room("after one is done")
}

// boundsLeaving lets a publisher who waits leave at the moment at which there is room. Either its task is published, or not.
func boundsLeaving(r *rig) {
	r.fill()
	for n := range min(capacity, 40) {
		rs := r.records(1)
		ctx, cancel := context.WithCancel(r.Context())
		var receipts []queue.Receipt
		var err error
		left := make(chan struct{})
		go func() {
			defer close(left)
			receipts, err = r.engine.Publish(ctx, rs, true)
		}()
		r.pause(time.Millisecond)
		l := r.one(ample)
		before := r.stats().Published
		if n%2 == 0 {
			cancel()
		}
		r.complete(done(l.Token))
		cancel()
		<-left
		published := r.stats().Published - before
		if (err == nil) != (len(receipts) == 1) || published != int64(len(receipts)) {
			r.Fatalf("Publish gave %v, %v; published were %d tasks", receipts, err, published)
		}
		if err != nil {
			r.room("a publisher left")
		}
	}
}

func boundsMany(r *rig) {
	r.fill()
	const n = 8
	published := r.publishing(n)
	r.stillWaiting(published, "the queue is full")
	for range n {
		r.complete(done(r.one(ample).Token))
	}
	r.served(published)
	r.counts("full again", queue.Stats{Ready: capacity})
}

// publishing publishes n tasks, each from a goroutine of its own.
func (r *rig) publishing(n int) <-chan error {
	rs := r.records(n)
	finished := make(chan error, 1)
	go func() {
		finished <- errors.Join(concurrently(n, func(i int) error {
			ctx, cancel := r.patient()
			defer cancel()
			receipts, err := r.engine.Publish(ctx, rs[i:i+1], true)
			if err == nil && (len(receipts) != 1 || receipts[0].ID != rs[i].Info.ID) {
				return fmt.Errorf("publisher %d: receipts %v for task %s", i, receipts, rs[i].Info.ID)
			}
			return err
		})...)
	}()
	return finished
}

func (r *rig) stillWaiting(published <-chan error, why string) {
	r.Helper()
	ctx, cancel := context.WithTimeout(r.Context(), quiet)
	defer cancel()
	select {
	case err := <-published:
		r.Fatalf("Publish returned (error: %v), but %s", err, why)
	case <-ctx.Done():
	}
}

func (r *rig) served(published <-chan error) {
	r.Helper()
	if err := <-published; err != nil {
		r.Fatalf("there is room, but Publish failed: %v", err)
	}
}

// boundsStates has a task in each unfinished state, and one dead and one done, which do not count.
func boundsStates(r *rig) {
	r.fill(delayed(ample))
	r.complete(retry(r.one(ample).Token, ample, "wait"))
	r.one(ample)
	r.counts("one in each state", queue.Stats{Scheduled: 1, Retrying: 1, Running: 1, Ready: capacity - 3})
	r.full("with tasks in all states")
}

func boundsBack(r *rig) {
	r.fill()
	published := r.publishing(1) // waits in front of those who go back
	r.stillWaiting(published, "the queue is full")
	for _, answer := range []queue.Completion{
		retry(r.one(ample).Token, 0, "again"), snooze(r.one(ample).Token, 0), giveBack(r.one(ample).Token),
		retry(r.one(ample).Token, ample, "wait"), snooze(r.one(ample).Token, ample),
	} {
		r.complete(answer)
	}
	r.stillWaiting(published, "nothing has ended")
	r.counts("all went back", queue.Stats{Ready: capacity - 2, Scheduled: 1, Retrying: 1})
	r.complete(done(r.one(ample).Token))
	r.served(published)
}

// boundsExpiry makes room by nothing but time.
func boundsExpiry(r *rig) {
	r.fill(attempts(1), priority(1))
	r.one(brief)
	r.served(r.publishing(1))
	if s := r.stats(); s.Dead != 1 {
		r.Errorf("dead are %d tasks, expected the one whose last lease expired", s.Dead)
	}
}

// boundsMore publishes twice the capacity at once, while others work.
func boundsMore(r *rig) {
	rs := r.records(2 * capacity)
	finished := make(chan error, 1)
	go func() {
		ctx, cancel := r.patient()
		defer cancel()
		receipts, err := r.engine.Publish(ctx, rs, true)
		if err == nil && len(receipts) != len(rs) {
			err = fmt.Errorf("%d receipts for %d tasks", len(receipts), len(rs))
		}
		finished <- err
	}()
	for got := 0; got < len(rs); {
		var cs []queue.Completion
		for _, l := range r.receive(50, ample) {
			if l.ID != rs[got].Info.ID {
				r.Fatalf("task number %d is %s, expected %s", got, l.ID, rs[got].Info.ID)
			}
			got++
			cs = append(cs, done(l.Token))
		}
		if s := r.stats(); s.Unfinished() > capacity {
			r.Fatalf("%d unfinished tasks, the capacity is %d", s.Unfinished(), capacity)
		}
		r.complete(cs...)
	}
	if err := <-finished; err != nil {
		r.Fatalf("publishing twice the capacity: %v", err)
	}
}
