package queuetest

import (
	"context"
	"errors"
	"sync/atomic"
	"time"

	"github.com/plba/plba/queue"
)

var errNothing = errors.New("Receive returned neither a task nor an error")

// meter counts what goes through an engine.
type meter struct {
	queue.Engine
	accepted atomic.Int64 // receipts for new tasks
	claimed  atomic.Int64 // leases
}

func (m *meter) Publish(ctx context.Context, rs []queue.Record, wait bool) ([]queue.Receipt, error) {
	receipts, err := m.Engine.Publish(ctx, rs, wait)
	for _, r := range receipts {
		if !r.Existing {
			m.accepted.Add(1)
		}
	}
	return receipts, err
}

func (m *meter) Receive(ctx context.Context, max int, lease time.Duration) ([]queue.Lease, error) {
	leases, err := m.Engine.Receive(ctx, max, lease)
	if len(leases) == 0 && err == nil {
		err = errNothing // or those who come again at once would go round for ever
	}
	m.claimed.Add(int64(len(leases)))
	return leases, err
}
