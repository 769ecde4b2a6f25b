package postgres

import (
	"context"
	"time"

	"github.com/plba/plba/queue"
)

// Counting looks at every task of the queue. So that whoever asks often does not keep the database busy, what was counted of many tasks is good for a while: a
// second for each manyTasks of them, half a minute at most.
const (
	manyTasks  = 100_000
	perMany    = time.Second
	longestFor = 30 * time.Second
)

// census is what was counted last, and when.
type census struct {
	at    time.Time
	stats queue.Stats
}

// good says whether it can be used now.
func (c *census) good(now time.Time) bool {
	s := &c.stats
	tasks := s.Unfinished() + s.Done + s.Dead + s.Cancelled
	return now.Sub(c.at) < min(time.Duration(tasks/manyTasks)*perMany, longestFor)
}

// Stats implements queue.Admin. It counts the tasks of the queue. From 100,000 on the counts may be a second old, with 1,000,000 ten, and never more than thirty;
// Paused and what was published and completed here are never old.
func (e *engine) Stats(ctx context.Context) (s queue.Stats, err error) {
	err = e.with(ctx, func(ctx context.Context, id int32) error {
		select { // one counts, the others use it if they may
		case e.counting <- struct{}{}:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
		defer func() { <-e.counting }()
		now := time.Now()
		if e.census.good(now) {
			s = e.census.stats
			s.OldestReady += now.Sub(e.census.at)
			return e.do(ctx, func(ctx context.Context) error { return e.pool.QueryRow(ctx, e.sql(pausedSQL), id).Scan(&s.Paused) })
		}
		counted, err := e.count(ctx, id)
		if err == nil {
			s, e.census = counted, census{now, counted}
		}
		return err
	})
	if err != nil {
		return queue.Stats{}, err
	}
	e.mu.Lock()
	defer e.mu.Unlock()
	s.Published, s.Completed, s.Capacity = e.tally.published, e.tally.completed, int64(e.limits.Capacity)
	return s, nil
}

// count counts the tasks.
func (e *engine) count(ctx context.Context, id int32) (s queue.Stats, err error) {
	var oldest float64
	var states []int16
	var counts []int64
	err = e.do(ctx, func(ctx context.Context) error {
		return e.pool.QueryRow(ctx, e.sql(statsSQL), id).Scan(&s.Paused, &oldest, &states, &counts)
	})
	if err != nil {
		return s, err
	}
	if oldest > 0 {
		s.OldestReady = time.Duration(oldest * float64(time.Second))
	}
	fields := map[state]*int64{
		scheduled: &s.Scheduled, ready: &s.Ready, running: &s.Running, retrying: &s.Retrying, undoing: &s.Undoing,
		done: &s.Done, dead: &s.Dead, cancelled: &s.Cancelled,
	}
	for i, n := range counts {
		*fields[state(states[i])] = n
	}
	return s, nil
}
