package runtime_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/queue/memory"
	"github.com/plba/plba/runtime"
	"github.com/plba/plba/workers"
)

var errAway = errors.New("database is away")

// distant is an engine's driver whose database can be away.
type distant struct {
	queue.Driver
	away atomic.Bool
}

func (d *distant) Open(ctx context.Context, o queue.Opening) (queue.Engine, error) {
	e, err := d.Driver.Open(ctx, o)
	return &distantEngine{e, d}, err
}

type distantEngine struct {
	queue.Engine
	d *distant
}

func (e *distantEngine) Publish(ctx context.Context, rs []queue.Record, wait bool) ([]queue.Receipt, error) {
	if e.d.away.Load() {
		return nil, errAway
	}
	return e.Engine.Publish(ctx, rs, wait)
}

func (e *distantEngine) Receive(ctx context.Context, most int, lease time.Duration) ([]queue.Lease, error) {
	if e.d.away.Load() {
		return nil, errAway
	}
	return e.Engine.Receive(ctx, most, lease)
}

func (e *distantEngine) Renew(ctx context.Context, ts []queue.Token, lease time.Duration) (queue.Renewed, error) {
	if e.d.away.Load() {
		return queue.Renewed{}, errAway
	}
	return e.Engine.Renew(ctx, ts, lease)
}

func (e *distantEngine) Complete(ctx context.Context, cs []queue.Completion) ([]queue.Token, error) {
	if e.d.away.Load() {
		return nil, errAway
	}
	return e.Engine.Complete(ctx, cs)
}

// The database is away for so long that leases end. The application is not ready meanwhile, recovers by itself, and no task is lost.
func TestDatabaseIsAway(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		d := &distant{Driver: memory.Driver()}
		var tasks *queue.Queue[int]
		var mu sync.Mutex
		handled := map[int]int{}
		a := run(t, func(r *runtime.Registry) {
			tasks = runtime.QueueOf[int](r, "tasks")
			r.Worker(workers.Consume("c", tasks, handle(func(_ context.Context, n int) error {
				time.Sleep(5 * time.Second)
				mu.Lock()
				defer mu.Unlock()
				handled[n]++
				return nil
			}), workers.Concurrency(3)), runtime.Critical())
		}, runtime.WithDrivers(d))
		publish(t, tasks, 0, 1, 2, 3, 4, 5, 6, 7)
		pass(7 * time.Second) // three are done, three in hand
		d.away.Store(true)
		expectReady(t, a, "")
		pass(time.Minute)
		expectReady(t, a, "c is unhealthy")
		if err := tasks.Publish(t.Context(), 8); !errors.Is(err, errAway) {
			t.Errorf("publish: %v", err)
		}
		d.away.Store(false)
		pass(15 * time.Second)
		expectReady(t, a, "")
		publish(t, tasks, 8)
		pass(2 * time.Minute) // the leases of the three have ended
		mu.Lock()
		defer mu.Unlock()
		for n := range 9 {
			if handled[n] == 0 || handled[n] > 2 {
				t.Errorf("task %d was handled %d times", n, handled[n])
			}
		}
		if st, err := tasks.Stats(t.Context()); err != nil || st.Completed != 9 || st.Unfinished() != 0 {
			t.Errorf("%+v, %v", st, err)
		}
		stop(t, a)
	})
}
