package sqlite

import (
	"context"
	"fmt"
	"time"

	"github.com/plba/plba/queue"
)

// receiving is what one call of Receive asks.
type receiving struct {
	e      *engine
	most   int
	lease  time.Duration
	leases []queue.Lease
}

// Receive implements queue.Engine.
func (e *engine) Receive(ctx context.Context, max int, lease time.Duration) ([]queue.Lease, error) {
	if max < 1 || lease <= 0 {
		return nil, fmt.Errorf("%w: receiving %d tasks for %s; at least one, for a positive time", queue.ErrInvalid, max, lease)
	}
	r := &receiving{e: e, most: max, lease: lease}
	if err := e.ask(ctx, &request{engine: e, do: r.do, line: &e.receivers}); err != nil {
		return nil, err
	}
	return r.leases, nil
}

func (r *receiving) do(b *batch) (finished bool, err error) {
	r.leases = r.e.claim(b, r.most, r.lease)
	return len(r.leases) > 0, nil
}

const openRows = "SELECT " + rowColumns + " FROM tasks INDEXED BY tasks_open WHERE queue = ? AND stand = 2 ORDER BY priority DESC, due, seq LIMIT ?"

// claim hands out up to most tasks, as far as pause, limits and groups allow.
func (e *engine) claim(b *batch, most int, lease time.Duration) (ls []queue.Lease) {
	most = min(most, e.claimable(b))
	parking := 0
	for len(ls) < most && b.err == nil {
		heads := b.rows(openRows, e.id, int64(min(most-len(ls), atOnce)))
		if len(heads) == 0 {
			break
		}
		for _, t := range heads {
			if t.group == "" || e.admits(&t) {
				ls = append(ls, e.hand(b, t, lease))
			} else {
				e.park(b, t)
				parking++
			}
		}
		if parking >= atOnce {
			e.touch(b)
			e.more = true // the next batch goes on
			break
		}
	}
	e.take(b, len(ls))
	return ls
}

// claimable is how many tasks pause and limits let go now, if there are so many.
func (e *engine) claimable(b *batch) int {
	n := e.stands[open]
	if e.paused {
		return 0
	}
	if most := int64(e.limits.MaxRunning); most > 0 {
		n = min(n, max(0, most-e.leased))
	}
	return int(min(n, e.tokens(b)))
}

func (e *engine) park(b *batch, t row) {
	old := t
	t.stand = parked
	e.put(b, &old, &t)
}

// hand puts a task under a new lease. That begins when it is safe, and then ends after its time.
func (e *engine) hand(b *batch, t row, lease time.Duration) queue.Lease {
	old := t
	if t.undo = t.state == undoing; !t.undo {
		t.state = running
	}
	t.stand, t.begun = nowhere, true
	t.lease++
	t.attempt = t.failed + 1
	e.put(b, &old, &t)
	b.onCommit(func() { e.leases.add(&held{task: t, until: in(e.clock.now(), lease)}) })
	content := e.body(b, &t)
	l := queue.Lease{
		Token: queue.Token{ID: t.id, Lease: t.lease}, Info: t.info(e.name, e.clock), Payload: queue.Payload{Bytes: content.payload}, Until: lease,
	}
	l.Info.Metadata = content.metadata
	return l
}

// body reads what a task carries.
func (e *engine) body(b *batch, t *row) (content body) {
	found := false
	b.each(func(c columns) (err error) {
		found = true
		content, err = readBody(c)
		return err
	}, selectBody, t.n)
	if !found {
		b.fail(fmt.Errorf("%w: task %q has lost its body", ErrDamaged, t.id))
	}
	return content
}

// Renew implements queue.Engine. It touches memory only, so it waits for no disk.
func (e *engine) Renew(ctx context.Context, ts []queue.Token, lease time.Duration) (queue.Renewed, error) {
	if lease <= 0 {
		return queue.Renewed{}, fmt.Errorf("%w: renewing for %s, which is not a positive time", queue.ErrInvalid, lease)
	}
	if err := e.usable(ctx); err != nil {
		return queue.Renewed{}, err
	}
	now := e.clock.now()
	renewed, sooner := e.leases.renew(ts, now, in(now, lease))
	if sooner {
		e.signal()
	}
	return renewed, nil
}

// usable says why a method that asks nothing of the writer cannot do its work.
func (e *engine) usable(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.closed {
		return queue.ErrClosed
	}
	return ctx.Err()
}
