package queuetest

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync/atomic"
	"time"

	"github.com/plba/plba/queue"
)

// clusterTests have a second engine on the same storage, as another process has.
func clusterTests() []test {
	return []test{
		{"published here, handed out there", 2, clusterHands},
		{"whoever waits elsewhere is woken", 1, clusterWakes},
		{"each task once", 1000, clusterHistory},
		{"the fence holds everywhere", 1, clusterFence},
		{"a pause holds everywhere", 2, clusterPause},
		{"a cancel is heard everywhere", 1, clusterCancel},
		{"limits hold everywhere", 6, clusterLimits},
		{"a rate holds everywhere", 8, clusterRate},
		{"room is seen everywhere", capacity + 1, clusterRoom},
		{"unique everywhere", 1, clusterUnique},
		{"one closes, the other goes on", 2, clusterClose},
	}
}

// peer is a second rig, on the same storage.
func (r *rig) peer() *rig {
	r.Helper()
	p := &rig{tester: r.tester, ctx: r.ctx, caps: r.caps, open: r.open, opening: r.opening, engine: &meter{}}
	p.start()
	r.peers = append(r.peers, p)
	return p
}

func clusterHands(r *rig) {
	p := r.peer()
	first, second := r.publish(), r.publish()
	l := p.task(first, ample)
	r.task(second, ample)
	r.nothing("both are leased")
	r.complete(done(l.Token)) // whoever it was handed out by
	p.counts("one is left", queue.Stats{Running: 1})
}

func clusterWakes(r *rig) {
	p := r.peer()
	got := p.receiving()
	r.pause(quiet)
	p.received(got, r.publish())
}

func clusterHistory(r *rig) {
	const n = 1000
	p := r.peer()
	h := &history{tasks: map[string]*passage{}}
	rs := r.records(n, attempts(0))
	r.together(9, func(i int) error {
		if i == 8 {
			return publishSlowly(r.Context(), r.engine, rs)
		}
		random := rand.New(rand.NewPCG(uint64(i), 2))
		engine := []queue.Engine{r.engine, p.engine}[i%2]
		for h.finished() < n {
			ls, err := r.briefly(engine, 1+random.IntN(20), ample)
			if err != nil {
				return err
			}
			if err := h.work(r.Context(), engine, ls, random); err != nil {
				return err
			}
		}
		return nil
	})
	if err := errors.Join(h.faults...); err != nil {
		r.Fatalf("%v", err)
	}
	p.counts("all are done", queue.Stats{})
}

func clusterFence(r *rig) {
	p := r.peer()
	id := r.publish()
	first := r.task(id, brief)
	second := p.task(id, ample)
	if second.Lease <= first.Lease || second.Info.Attempt != 2 {
		r.Errorf("the second claim is %+v, the first had lease %d", second, first.Lease)
	}
	if lost := r.completeLosing(done(first.Token)); len(lost) != 1 {
		r.Errorf("a late answer: lost is %v, expected its token", lost)
	}
	p.complete(done(second.Token))
}

func clusterPause(r *rig) {
	p := r.peer()
	r.hold()
	if !p.stats().Paused {
		r.Errorf("the other engine does not say that the queue is paused")
	}
	id := p.publish()
	got := p.receiving()
	p.nothing("the queue is paused")
	r.resume()
	p.received(got, id)
	p.hold()
	id = r.publish()
	r.nothing("the queue is paused")
	p.resume()
	r.task(id, ample)
}

func clusterCancel(r *rig) {
	p := r.peer()
	l := r.task(r.publish(), ample)
	p.cancel(l.ID, "enough")
	renewed, err := r.engine.Renew(r.Context(), []queue.Token{l.Token}, ample)
	if err != nil || len(renewed.Cancelled) != 1 {
		r.Errorf("Renew: %+v, %v; expected to hear that the task is to end", renewed, err)
	}
	r.complete(yielded(l.Token, "stopped"))
	p.counts("it is cancelled", queue.Stats{Cancelled: 1})
}

func clusterLimits(r *rig) {
	r.tune(func(_ *queue.Opening, c *queue.Common) { c.MaxRunning = 2 })
	p := r.peer()
	ids := r.publishN(6)
	first, second := r.task(ids[0], ample), p.task(ids[1], ample)
	r.nothing("two are running")
	p.nothing("two are running")
	got := p.receiving()
	r.complete(done(first.Token))
	p.received(got, ids[2])
	r.complete(done(second.Token))
	r.task(ids[3], ample)
	p.nothing("two are running again")
}

func clusterRate(r *rig) {
	rate := queue.Rate{PerSecond: 20, Burst: 2}
	r.tune(func(_ *queue.Opening, c *queue.Common) { c.Rate = rate })
	p := r.peer()
	r.publishN(8)
	began := time.Now()
	var claimed atomic.Int64
	r.together(2, func(i int) error {
		for claimed.Load() < 8 {
			ls, err := r.briefly([]queue.Engine{r.engine, p.engine}[i], 4, ample)
			if err != nil {
				return err
			}
			claimed.Add(int64(len(ls)))
		}
		return nil
	})
	r.paced(began, 8, rate)
}

func clusterRoom(r *rig) {
	p := r.peer()
	r.fill()
	p.full("the other has filled it")
	published := p.publishing(1)
	p.stillWaiting(published, "the queue is full")
	r.complete(done(r.one(ample).Token))
	p.served(published)
}

func clusterUnique(r *rig) {
	p := r.peer()
	rs := r.records(8, unique("a"))
	var accepted atomic.Int64
	r.together(len(rs), func(i int) error {
		receipts, err := []queue.Engine{r.engine, p.engine}[i%2].Publish(r.Context(), rs[i:i+1], true)
		if err != nil || len(receipts) != 1 {
			return fmt.Errorf("publish %d: %v, %w", i, receipts, err)
		}
		if !receipts[0].Existing {
			accepted.Add(1)
		}
		return nil
	})
	if accepted.Load() != 1 {
		r.Errorf("%d publishers were told that their task is new", accepted.Load())
	}
	p.counts("one task", queue.Stats{Ready: 1})
}

func clusterClose(r *rig) {
	p := r.peer()
	l := p.task(r.publish(), ample)
	p.close()
	r.nothing("the one task is running")
	r.complete(done(l.Token))
	r.task(r.publish(), ample)
}
