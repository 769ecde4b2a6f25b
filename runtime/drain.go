package runtime

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/plba/plba/workers"
)

// stopWorkers stops workers in three groups. Sources come first. Consumers of durable queues then finish what they have in flight and leave the rest where
// it is. Consumers of volatile queues go on all the while, because whatever the others still publish would be lost without them; they stop when their queues
// are empty. Within a group workers stop at once, or in turn, the last one first.
//
// Nobody waits for his turn any longer when soft ends: from then on all are forced, and all have the same grace.
func (a *App) stopWorkers(up []*supervised, b *budget, inTurn bool) []WorkerReceipt {
	receipts := make([]WorkerReceipt, len(up))
	var all sync.WaitGroup
	stop := func(s *supervised) (done chan struct{}) {
		done = make(chan struct{})
		all.Go(func() {
			defer close(done)
			receipts[slices.Index(up, s)] = s.stop(b.soft, b.hard)
		})
		return done
	}
	stopGroup := func(group []*supervised) {
		var stops []chan struct{}
		for _, s := range slices.Backward(group) {
			if stops = append(stops, stop(s)); inTurn {
				b.await(stops...)
			}
		}
		b.await(stops...)
	}
	sources, durable, volatile := a.byRole(up)
	stopGroup(sources)
	stopGroup(durable)
	a.drain(b.soft, volatile)
	stopGroup(volatile)
	all.Wait()
	return receipts
}

// byRole parts the workers: sources find work, consumers of durable queues leave work where it is, consumers of volatile queues must finish it.
func (a *App) byRole(up []*supervised) (sources, durable, volatile []*supervised) {
	for _, s := range up {
		c, ok := s.w.(workers.Consumer)
		switch {
		case !ok:
			sources = append(sources, s)
		case a.queue(c.QueueName()) != nil && a.queue(c.QueueName()).volatile():
			volatile = append(volatile, s)
		default:
			durable = append(durable, s)
		}
	}
	return sources, durable, volatile
}

const drainInterval = 5 * time.Millisecond

// drain waits until the volatile queues that have a live consumer hold nothing ready and nothing running, twice in a row with nothing published
// between: so that a task which a handler passes on between two looks is not missed. Tasks whose time has not come (scheduled, retrying) are not waited for.
func (a *App) drain(soft context.Context, consumers []*supervised) {
	if len(consumers) == 0 {
		return
	}
	ticker := time.NewTicker(drainInterval)
	defer ticker.Stop()
	quietAt := int64(-1)
	for {
		published, quiet := a.volatileActivity(soft, consumers)
		if quiet && published == quietAt {
			return
		}
		if quietAt = -1; quiet {
			quietAt = published
		}
		select {
		case <-soft.Done():
			return
		case <-ticker.C:
		}
	}
}

func (a *App) volatileActivity(ctx context.Context, consumers []*supervised) (published int64, quiet bool) {
	quiet = true
	for _, s := range consumers {
		if s.w.Status().State == workers.Stopped {
			continue // nobody would handle what is there
		}
		st, err := a.QueueStats(ctx, s.w.(workers.Consumer).QueueName())
		if err != nil {
			continue
		}
		published += st.Published
		quiet = quiet && st.Ready == 0 && st.Running == 0
	}
	return published, quiet
}
