package postgres

import (
	"context"
	"time"

	"github.com/jackc/pgx/v5"
)

// portion is how many tasks are moved at once for nobody in particular: others wait meanwhile.
const portion = 256

// keep does, until the engine is closed, what happens to the queue by itself: tasks become due, leases expire, what was kept long enough goes. It also wakes a
// receiver when there is something to claim, in case that nobody told.
func (e *engine) keep() {
	for e.ctx.Err() == nil {
		wait := e.poll
		e.mu.Lock()
		e.next = time.Now().Add(longest) // whatever is expected from now on lets it look once more
		e.mu.Unlock()
		if id, err := e.queueID(e.ctx); err == nil {
			wait = e.keepOnce(id)
		}
		e.mu.Lock()
		e.next = time.Now().Add(wait)
		e.mu.Unlock()
		timer := time.NewTimer(max(wait, time.Millisecond))
		select {
		case <-e.ctx.Done():
		case <-timer.C:
		case <-e.kicked:
		}
		timer.Stop()
	}
}

// keepOnce does what is due, and says how long there is nothing to do by itself, a poll at most. Errors are left to the operations that somebody waits for:
// this is done again soon.
func (e *engine) keepOnce(id int32) (wait time.Duration) {
	ctx := e.ctx
	more := false
	for _, step := range []func(context.Context, int32) (bool, error){e.promote, e.rescueExpired, e.sweep} {
		rest, err := step(ctx, id)
		if err != nil {
			return e.poll
		}
		more = more || rest
	}
	if more {
		return 0
	}
	var paused, open, grouped bool
	var seconds *float64
	err := e.do(ctx, func(ctx context.Context) error {
		if err := e.pool.QueryRow(ctx, e.sql(lookSQL), id).Scan(&paused, &open, &grouped); err != nil {
			return err
		}
		return e.pool.QueryRow(ctx, e.sql(alarmSQL), id).Scan(&seconds)
	})
	if err != nil {
		return e.poll
	}
	if open && !paused {
		e.wakeReceivers(1)
	}
	if wait = e.poll; seconds != nil {
		wait = min(wait, max(0, time.Duration(*seconds*float64(time.Second))))
	}
	return wait
}

// promote lets tasks be claimed whose time has come. more says that there may be others.
func (e *engine) promote(ctx context.Context, id int32) (more bool, err error) {
	err = e.do(ctx, func(ctx context.Context) error {
		tag, err := e.pool.Exec(ctx, e.sql(promoteSQL), id, portion)
		n := int(tag.RowsAffected())
		more = n == portion
		e.wakeReceivers(n)
		return err
	})
	return more, err
}

// rescueExpired takes back tasks whose leases have expired.
func (e *engine) rescueExpired(ctx context.Context, id int32) (more bool, err error) {
	over := func(ctx context.Context, tx pgx.Tx) ([]string, error) {
		return collect[string](tx.Query(ctx, e.sql(expiredSQL), id, portion))
	}
	err = e.change(ctx, id, over, func(c *change) error {
		more = len(c.rows) == portion
		for _, t := range c.rows {
			c.rescue(t)
		}
		return nil
	})
	return more, err
}

// sweep forgets what has been kept long enough.
func (e *engine) sweep(ctx context.Context, id int32) (more bool, err error) {
	l := &e.limits
	if l.KeepDone > 0 {
		more, err = e.forgetEnded(ctx, id, endedDoneSQL, l.KeepDone, portion)
	}
	if err == nil && l.KeepDead > 0 {
		rest, fault := e.forgetEnded(ctx, id, endedDeadSQL, l.KeepDead, portion)
		more, err = more || rest, fault
	}
	if err == nil && l.DeadLetters > 0 {
		rest, fault := e.forgetExcess(ctx, id)
		more, err = more || rest, fault
	}
	if err != nil {
		return false, err
	}
	err = e.do(ctx, func(ctx context.Context) error {
		_, err := e.pool.Exec(ctx, e.sql(sweepKeysSQL), id, portion)
		return err
	})
	return more, err
}

// forgetExcess forgets dead letters beyond their bound.
func (e *engine) forgetExcess(ctx context.Context, id int32) (more bool, err error) {
	var n int
	err = e.do(ctx, func(ctx context.Context) error { return e.pool.QueryRow(ctx, e.sql(excessSQL), id).Scan(&n) })
	if n -= e.limits.DeadLetters; err != nil || n <= 0 {
		return false, err
	}
	return e.forgetEnded(ctx, id, endedDeadSQL, 0, min(n, portion))
}

// forgetEnded forgets the first tasks that ended, as far as they have been kept for so long.
func (e *engine) forgetEnded(ctx context.Context, id int32, query string, kept time.Duration, most int) (more bool, err error) {
	over := func(ctx context.Context, tx pgx.Tx) ([]string, error) {
		return collect[string](tx.Query(ctx, e.sql(query), id, microseconds(kept), most))
	}
	err = e.change(ctx, id, over, func(c *change) error {
		more = len(c.rows) == portion
		for _, t := range c.rows {
			c.forget(t)
		}
		return nil
	})
	return more, err
}

// forget removes a task and all that belongs to it.
func (c *change) forget(t *locked) {
	t.touched, t.gone = true, true
}
