package queuetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/plba/plba/queue"
)

func receiveTests() []test {
	return []test{
		{"waits for a task", 1, receiveWaits},
		{"takes up to max", 10, receiveMax},
		{"a claimed task is not handed out again", 3, receiveExclusive},
		{"ends with its context", 1, receiveContext},
		{"refuses what makes no sense", 1, receiveInvalid},
		{"everyone who waits is served", 16, receiveEveryone},
		{"whoever leaves takes nothing along", 51, receiveLeaving},
		{"a burst reaches all who wait", 40, receiveBurst},
	}
}

func receiveWaits(r *rig) {
	r.nothing("nothing was published")
	var got []queue.Lease
	var err error
	received := make(chan struct{})
	go func() {
		defer close(received)
		got, err = r.tryReceive(5, ample)
	}()
	r.pause(quiet)
	id := r.publish()
	<-received
	if err != nil || len(got) != 1 || got[0].ID != id {
		r.Fatalf("the receiver who waited got %v, %v; expected task %s", got, err, id)
	}
}

func receiveMax(r *rig) {
	r.publishN(10)
	seen := map[string]bool{}
	for len(seen) < 10 {
		for _, l := range r.receive(4, ample) {
			if seen[l.ID] {
				r.Fatalf("task %s came twice", l.ID)
			}
			seen[l.ID] = true
		}
	}
	r.counts("all are claimed", queue.Stats{Running: 10})
}

func receiveExclusive(r *rig) {
	r.publishN(3)
	for n := 0; n < 3; {
		n += len(r.receive(3, ample))
	}
	r.nothing("all three tasks are under leases")
}

func receiveContext(r *rig) {
	ctx, cancel := context.WithCancel(r.Context())
	cancel()
	if ls, err := r.engine.Receive(ctx, 1, ample); len(ls) > 0 || !errors.Is(err, context.Canceled) {
		r.Errorf("Receive with a cancelled context: %v, %v", ls, err)
	}
	r.nothing("nothing was published") // ends by a deadline
	r.task(r.publish(), ample)
}

func receiveInvalid(r *rig) {
	r.publish()
	for _, c := range []struct {
		max   int
		lease time.Duration
	}{{0, ample}, {-1, ample}, {1, 0}, {1, -time.Second}} {
		if ls, err := r.engine.Receive(r.Context(), c.max, c.lease); len(ls) > 0 || !errors.Is(err, queue.ErrInvalid) {
			r.Errorf("Receive of %d for %s: %v, %v; expected ErrInvalid", c.max, c.lease, ls, err)
		}
	}
	if _, err := r.engine.Renew(r.Context(), nil, 0); !errors.Is(err, queue.ErrInvalid) {
		r.Errorf("Renew for 0: %v; expected ErrInvalid", err)
	}
	r.counts("after refusals", queue.Stats{Ready: 1})
}

// receiveEveryone lets many wait at once, and publishes one task for each, one after the other.
func receiveEveryone(r *rig) {
	const n = 16
	var mu sync.Mutex
	seen := map[string]bool{}
	finished := make(chan []error, 1)
	go func() {
		finished <- concurrently(n, func(int) error {
			ls, err := r.tryReceive(1, ample)
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			if seen[ls[0].ID] {
				return fmt.Errorf("task %s came twice", ls[0].ID)
			}
			seen[ls[0].ID] = true
			return nil
		})
	}()
	r.pause(quiet)
	for range n {
		r.publish()
	}
	if err := errors.Join(<-finished...); err != nil {
		r.Fatalf("%d receivers, %d tasks: %v", n, n, err)
	}
}

// receiveLeaving lets a receiver who waits leave at the moment at which a task comes. Either it has the task, or the next one
// gets it.
func receiveLeaving(r *rig) {
	for n := range 50 {
		ctx, cancel := context.WithCancel(r.Context())
		var got []queue.Lease
		left := make(chan struct{})
		go func() {
			defer close(left)
			got, _ = r.engine.Receive(ctx, 1, ample)
		}()
		r.pause(time.Millisecond)
		if n%2 == 0 {
			cancel()
		}
		id := r.publish()
		cancel()
		<-left
		if len(got) == 0 {
			got = r.receive(1, ample)
		}
		if got[0].ID != id {
			r.Fatalf("received %s, expected %s", got[0].ID, id)
		}
		r.complete(done(got[0].Token))
	}
	receiveWaits(r) // and whoever waits now is woken as before
}

// receiveBurst publishes at once what many wait for, who each take a few and then wait again.
func receiveBurst(r *rig) {
	const n = 40
	ctx, cancel := context.WithCancel(r.Context())
	defer cancel()
	var mu sync.Mutex
	seen := map[string]bool{}
	finished := make(chan []error, 1)
	go func() {
		finished <- concurrently(4, func(int) error {
			for {
				ls, err := r.engine.Receive(ctx, 3, ample)
				if err != nil {
					return nil
				}
				mu.Lock()
				for _, l := range ls {
					seen[l.ID] = true
				}
				if len(seen) == n {
					cancel()
				}
				mu.Unlock()
			}
		})
	}()
	r.pause(quiet)
	r.publishN(n)
	r.eventually("every task of the burst is claimed", func() bool {
		mu.Lock()
		defer mu.Unlock()
		return len(seen) == n
	})
	<-finished
}
