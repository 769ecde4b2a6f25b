package runtime

import (
	"context"
	"slices"
	"sync"
	"time"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/workers"
)

// stopWorkers stops workers in three groups. Sources come first. Consumers of durable queues then finish what they have in flight and leave the rest where
// it is. Consumers of volatile queues go on all the while, because whatever the others still publish would be lost without them; they stop when their queues
// are empty. Within a group workers stop at once, or in turn, the last one first. A worker that others come after stops when they have stopped.
//
// Nobody waits for his turn any longer when soft ends: from then on all are forced, and all have the same grace.
func (a *App) stopWorkers(up []*supervised, b *budget, inTurn bool) []WorkerReceipt {
	receipts := make([]WorkerReceipt, len(up))
	stopped := make(map[string]chan struct{}, len(up))
	followers := followersOf(up)
	var all sync.WaitGroup
	stop := func(s *supervised) (done chan struct{}) {
		var first []chan struct{} // all of them are on their way: a follower starts later and is in no later group
		for _, f := range followers[s.w.Name()] {
			first = append(first, stopped[f.w.Name()])
		}
		done = make(chan struct{})
		stopped[s.w.Name()] = done
		all.Go(func() {
			defer close(done)
			b.await(first...)
			receipts[slices.Index(up, s)] = s.stop(b)
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
	groups, volatile := a.stopGroups(up, followers)
	stopGroup(groups[sources])
	stopGroup(groups[durableConsumers])
	a.drain(b.soft, volatile)
	stopGroup(groups[volatileConsumers])
	all.Wait()
	return receipts
}

// followersOf gives for each name the workers that come after it.
func followersOf(up []*supervised) map[string][]*supervised {
	followers := map[string][]*supervised{}
	for _, s := range up {
		for _, name := range s.after {
			followers[name] = append(followers[name], s)
		}
	}
	return followers
}

// role is the group in which a worker stops: sources find work, consumers of durable queues leave work where it is, consumers of volatile queues must
// finish it.
type role int

const (
	sources role = iota
	durableConsumers
	volatileConsumers
	roles // how many there are
)

// stopGroups parts the workers by their roles, and keeps a worker that others come after as long as the last of them. volatile are the consumers that have
// something to finish. Groups keep the order of the start.
func (a *App) stopGroups(up []*supervised, followers map[string][]*supervised) (groups [roles][]*supervised, volatile []*supervised) {
	in := make(map[*supervised]role, len(up))
	for _, s := range slices.Backward(up) { // followers are later in up
		in[s] = a.role(s)
		if in[s] == volatileConsumers {
			volatile = append(volatile, s)
		}
		for _, f := range followers[s.w.Name()] {
			in[s] = max(in[s], in[f])
		}
	}
	for _, s := range up {
		groups[in[s]] = append(groups[in[s]], s)
	}
	return groups, volatile
}

func (a *App) role(s *supervised) role {
	c, ok := s.w.(workers.Consumer)
	switch {
	case !ok:
		return sources
	case a.queue(c.QueueName()) != nil && a.queue(c.QueueName()).volatile():
		return volatileConsumers
	default:
		return durableConsumers
	}
}

const drainInterval = 5 * time.Millisecond

// drain waits until the volatile queues that have a live consumer hold nothing that is due (ready or to be undone) and nothing running, twice in a row with
// nothing published between: so that a task which a handler passes on between two looks is not missed. Tasks whose time has not come (scheduled, retrying,
// waiting for the next attempt to undo) are not waited for, nor those that are held up by one of them in a strict group, nor those that only a paused
// consumer or a paused queue would let through.
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
		ws := s.w.Status()
		if ws.State == workers.Stopped {
			continue // nobody would handle what is there
		}
		q, _ := a.QueueHandle(s.w.(workers.Consumer).QueueName())
		st, err := q.Stats(ctx)
		if err != nil {
			continue
		}
		published += st.Published
		leased, due := int64(0), st.Ready
		if due > 0 && st.Running == 0 && q.Order() == queue.Strict {
			due -= held(ctx, q)
		}
		if st.Undoing > 0 {
			running, waiting := undoing(ctx, q)
			leased, due = running, due+waiting
		}
		quiet = quiet && (due == 0 || ws.Paused || st.Paused) && st.Running+leased == 0
	}
	return published, quiet
}

// undoing counts the tasks that are being undone, and those that could be.
func undoing(ctx context.Context, q queue.Handle) (leased, due int64) {
	now := time.Now()
	eachTask(ctx, q, func(t queue.Task) {
		switch {
		case !t.LeasedUntil.IsZero():
			leased++
		case !t.Info.RunAt.After(now):
			due++
		}
	}, queue.StateUndoing)
	return leased, due
}

// held counts the ready tasks of a queue with strict order that wait for one of their group whose own time has not come: for that nobody waits either.
func held(ctx context.Context, q queue.Handle) (n int64) {
	now, groups := time.Now(), map[string]bool{}
	eachTask(ctx, q, func(t queue.Task) {
		begun := t.Info.Attempt > 0 // from then on it holds its group
		if begun && t.Info.Group != "" && t.LeasedUntil.IsZero() && t.Info.RunAt.After(now) {
			groups[t.Info.Group] = true
		}
	}, queue.StateScheduled, queue.StateRetrying, queue.StateUndoing)
	if len(groups) == 0 {
		return 0
	}
	eachTask(ctx, q, func(t queue.Task) {
		if groups[t.Info.Group] {
			n++
		}
	}, queue.StateReady)
	return n
}

// eachTask looks at the tasks in these states, as far as the queue answers.
func eachTask(ctx context.Context, q queue.Handle, look func(queue.Task), states ...queue.State) {
	for query := (queue.Query{States: states}); ; {
		page, err := q.Tasks(ctx, query)
		for _, t := range page.Tasks {
			look(t)
		}
		if query.After = page.Next; err != nil || page.Next == "" {
			return
		}
	}
}
