package postgres

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/plba/plba/queue"
)

// idle is how long a receiver waits that nobody wakes. The keeper wakes it within a poll; this only bounds what a fault there can do.
const idle = time.Minute

// Receive implements queue.Engine.
func (e *engine) Receive(ctx context.Context, max int, lease time.Duration) (leases []queue.Lease, err error) {
	if max < 1 || lease <= 0 {
		return nil, fmt.Errorf("%w: receiving %d tasks for %s; at least one, for a positive time", queue.ErrInvalid, max, lease)
	}
	err = e.call(ctx, func(ctx context.Context) error {
		id, err := e.queueID(ctx)
		if err != nil {
			return err
		}
		for {
			place, err := e.place(&e.receivers)
			if err != nil {
				return err
			}
			var wait time.Duration
			leases, wait, err = e.claim(e.ctx, id, max, lease) // not ctx: what was claimed while that ended would be held by nobody
			if err != nil || len(leases) > 0 {
				e.quit(&e.receivers, place, true)
				return err
			}
			if err := e.stay(ctx, &e.receivers, place, wait); err != nil {
				return err
			}
		}
	})
	return leases, err
}

// claim hands out what can be claimed now. Without anything it says how long to wait at most.
func (e *engine) claim(ctx context.Context, id int32, most int, lease time.Duration) (leases []queue.Lease, wait time.Duration, err error) {
	if !e.limited() {
		leases, grouped, err := e.claimUnlimited(ctx, id, most, lease)
		if err != nil || len(leases) > 0 || !grouped {
			return leases, idle, err
		}
	}
	err = e.tx(ctx, func(ctx context.Context, tx pgx.Tx) (err error) {
		leases, wait, err = e.claimLimited(ctx, tx, id, most, lease)
		return err
	})
	return leases, wait, err
}

// claimUnlimited claims tasks as long as none has a group; grouped says that one has. A claim passes by a task that changes at that moment, which may be open
// all the same: so it takes two that find nothing, if there is something.
func (e *engine) claimUnlimited(ctx context.Context, id int32, most int, lease time.Duration) (leases []queue.Lease, grouped bool, err error) {
	for range 2 {
		leases, err = e.claimFree(ctx, id, most, lease)
		if err != nil || len(leases) > 0 {
			return leases, false, err
		}
		var paused, open bool
		err = e.do(ctx, func(ctx context.Context) error {
			return e.pool.QueryRow(ctx, e.sql(lookSQL), id).Scan(&paused, &open, &grouped)
		})
		if err != nil || paused || !open || grouped {
			return nil, grouped && !paused, err
		}
	}
	return nil, false, nil
}

// claimFree claims tasks that nothing limits, in one statement.
func (e *engine) claimFree(ctx context.Context, id int32, most int, lease time.Duration) (leases []queue.Lease, err error) {
	err = e.do(ctx, func(ctx context.Context) error {
		rows, err := e.pool.Query(ctx, e.sql(claimSQL), id, most, microseconds(lease))
		if err != nil {
			return err
		}
		leases, err = e.handed(rows, lease)
		return err
	})
	return leases, err
}

// handed reads the tasks that were put under a lease, and brings them into their order.
func (e *engine) handed(rows pgx.Rows, lease time.Duration) ([]queue.Lease, error) {
	type claimed struct {
		row
		payload []byte
	}
	defer rows.Close()
	var all []claimed
	for rows.Next() {
		var c claimed
		if err := c.scanLease(rows, &c.payload); err != nil {
			return nil, err
		}
		all = append(all, c)
	}
	if err := rows.Err(); err != nil || len(all) == 0 {
		return nil, err
	}
	slices.SortFunc(all, func(a, b claimed) int {
		return cmp.Or(cmp.Compare(b.priority, a.priority), a.due.Compare(b.due), cmp.Compare(a.seq, b.seq))
	})
	leases := make([]queue.Lease, len(all))
	for i, c := range all {
		info, err := c.info(e.name)
		if err != nil {
			return nil, fmt.Errorf("%w: the metadata of task %s: %w", errInternal, c.id, err)
		}
		leases[i] = queue.Lease{
			Token: queue.Token{ID: c.id, Lease: c.lease}, Info: info, Payload: queue.Payload{Bytes: c.payload}, Until: lease,
		}
	}
	e.expect(time.Now().Add(lease))
	return leases, nil
}

// claimLimited claims tasks that limits and groups let go. Whoever does that, or changes what groups hold, takes turns over all processes.
//
// A task that its group does not admit is parked when it is come across: it leaves the index of those that can be claimed, so that a thousand tasks of one group do
// not stand in the way of the others. Whenever something of a group ends, as many are let back as there is room for.
func (e *engine) claimLimited(ctx context.Context, tx pgx.Tx, id int32, most int, lease time.Duration) ([]queue.Lease, time.Duration, error) {
	if err := e.lockLimits(ctx, tx, id); err != nil {
		return nil, 0, err
	}
	most, wait, tokens, err := e.allowed(ctx, tx, id, most)
	if err != nil || most == 0 {
		return nil, wait, err
	}
	ids, err := e.admitted(ctx, tx, id, most)
	if err != nil || len(ids) == 0 {
		return nil, idle, err
	}
	rows, err := tx.Query(ctx, e.sql(handSQL), id, ids, microseconds(lease))
	if err != nil {
		return nil, 0, err
	}
	leases, err := e.handed(rows, lease)
	if err == nil && e.limits.Rate.PerSecond > 0 {
		_, err = tx.Exec(ctx, e.sql(fillBucketSQL), id, tokens-float64(len(leases)))
	}
	return leases, 0, err
}

func (e *engine) lockLimits(ctx context.Context, tx pgx.Tx, id int32) error {
	_, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1, $2)", lockLimits, id)
	return err
}

// allowed is how many of most tasks pause, the number of running ones and the rate let go. If it is none, wait says when that may change.
func (e *engine) allowed(ctx context.Context, tx pgx.Tx, id int32, most int) (n int, wait time.Duration, tokens float64, err error) {
	var paused, open, grouped bool
	if err := tx.QueryRow(ctx, e.sql(lookSQL), id).Scan(&paused, &open, &grouped); err != nil || paused || !open {
		return 0, idle, 0, err
	}
	if limit := e.limits.MaxRunning; limit > 0 {
		var running int
		if err := tx.QueryRow(ctx, e.sql(runningSQL), id).Scan(&running); err != nil {
			return 0, 0, 0, err
		}
		most = min(most, max(0, limit-running))
	}
	if rate := e.limits.Rate; rate.PerSecond > 0 {
		if err := tx.QueryRow(ctx, e.sql(bucketSQL), id, float64(rate.Tokens()), rate.PerSecond).Scan(&tokens); err != nil {
			return 0, 0, 0, err
		}
		if most = min(most, int(tokens)); tokens < 1 {
			return 0, time.Duration((1 - tokens) / rate.PerSecond * float64(time.Second)), tokens, nil
		}
	}
	return most, idle, tokens, nil
}

// heads is how many tasks are looked at to find those whose groups admit them.
const heads = 256

// head is a task that can be claimed if its group admits it.
type head struct {
	ID    string
	Group *string
	Begun bool
}

// admitted picks tasks, and parks those whose groups are full.
func (e *engine) admitted(ctx context.Context, tx pgx.Tx, id int32, most int) (ids []string, err error) {
	state := map[string]group{}
	for len(ids) < most {
		rows, err := tx.Query(ctx, e.sql(headsSQL), id, len(ids)+heads)
		if err != nil {
			return nil, err
		}
		hs, err := pgx.CollectRows(rows, pgx.RowToStructByPos[head])
		if err != nil {
			return nil, err
		}
		if hs = hs[min(len(ids), len(hs)):]; len(hs) == 0 { // those that were picked are the first still
			break
		}
		if err := e.lookAtGroups(ctx, tx, id, hs, state); err != nil {
			return nil, err
		}
		var full []string
		for _, h := range hs {
			if len(ids) == most {
				break
			}
			if e.admit(h, state) {
				ids = append(ids, h.ID)
			} else {
				full = append(full, h.ID)
			}
		}
		if len(full) == 0 {
			break
		}
		if _, err := tx.Exec(ctx, e.sql(parkSQL), id, full); err != nil {
			return nil, err
		}
	}
	return ids, nil
}

// group is what is known of the tasks with one group key: how many are leased, and how many have been claimed and not ended since.
type group struct{ Leased, Begun int64 }

// lookAtGroups reads the groups of the tasks that are not known yet.
func (e *engine) lookAtGroups(ctx context.Context, tx pgx.Tx, id int32, hs []head, known map[string]group) error {
	var names []string
	for _, h := range hs {
		if h.Group == nil {
			continue
		}
		if _, ok := known[*h.Group]; !ok {
			known[*h.Group] = group{}
			names = append(names, *h.Group)
		}
	}
	if len(names) == 0 {
		return nil
	}
	rows, err := tx.Query(ctx, e.sql(groupsSQL), id, names)
	if err != nil {
		return err
	}
	var name string
	var g group
	_, err = pgx.ForEachRow(rows, []any{&name, &g.Leased, &g.Begun}, func() error {
		known[name] = g
		return nil
	})
	return err
}

// admit says whether the group of a task lets it be claimed now, and counts it if so.
func (e *engine) admit(h head, state map[string]group) bool {
	if h.Group == nil {
		return true
	}
	g := state[*h.Group]
	if e.order == queue.Strict {
		if g.Leased > 0 || g.Begun > 0 && !h.Begun {
			return false
		}
	} else if g.Leased >= int64(e.limits.GroupLimit(e.order)) {
		return false
	}
	g.Leased++
	if !h.Begun {
		g.Begun++
	}
	state[*h.Group] = g
	return true
}

// Renew implements queue.Engine.
func (e *engine) Renew(ctx context.Context, ts []queue.Token, lease time.Duration) (r queue.Renewed, err error) {
	if lease <= 0 {
		return r, fmt.Errorf("%w: renewing for %s, which is not a positive time", queue.ErrInvalid, lease)
	}
	err = e.call(ctx, func(ctx context.Context) error {
		id, err := e.queueID(ctx)
		if err != nil || len(ts) == 0 {
			return err
		}
		held := make(map[queue.Token]bool, len(ts)) // and whether it is to end
		ids, leases := tokens(ts)
		err = e.do(ctx, func(ctx context.Context) error {
			rows, err := e.pool.Query(ctx, e.sql(renewSQL), id, ids, leases, microseconds(lease))
			if err != nil {
				return err
			}
			var t queue.Token
			var cancelling bool
			_, err = pgx.ForEachRow(rows, []any{&t.ID, &t.Lease, &cancelling}, func() error {
				held[t] = cancelling
				return nil
			})
			return err
		})
		if err != nil {
			return err
		}
		for _, t := range ts {
			if cancelling, ok := held[t]; !ok {
				r.Lost = append(r.Lost, t)
			} else if cancelling {
				r.Cancelled = append(r.Cancelled, t)
			}
		}
		e.expect(time.Now().Add(lease))
		return nil
	})
	return r, err
}

// tokens are tokens as the arguments of a statement.
func tokens(ts []queue.Token) (ids []string, leases []int64) {
	ids, leases = make([]string, len(ts)), make([]int64, len(ts))
	for i, t := range ts {
		ids[i], leases[i] = t.ID, t.Lease
	}
	return ids, leases
}
