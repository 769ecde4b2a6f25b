package runtime_test

import (
	"context"
	"sync"

	"github.com/plba/plba/health"
	"github.com/plba/plba/workers"
)

// custom is a worker that an author wrote from scratch.
type custom struct {
	name        string
	start       func(context.Context) error // may be nil
	stop        func(soft, hard context.Context) workers.Receipt
	mu          sync.Mutex
	over        chan struct{}
	startsSoFar int
}

func (c *custom) Name() string { return c.name }

func (c *custom) Start(ctx context.Context) error {
	if c.start != nil {
		if err := c.start(ctx); err != nil {
			return err
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.over = make(chan struct{})
	c.startsSoFar++
	return nil
}

func (c *custom) Stop(soft, hard context.Context) (rec workers.Receipt) {
	if c.stop != nil {
		rec = c.stop(soft, hard)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over != nil {
		close(c.over)
		c.over = nil
	}
	return rec
}

func (c *custom) Done() <-chan struct{} {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.over == nil {
		over := make(chan struct{})
		close(over)
		return over
	}
	return c.over
}

func (c *custom) Err() error            { return nil }
func (c *custom) Health() health.Report { return health.Report{State: health.StateOK} }
func (c *custom) Status() workers.Status {
	return workers.Status{Name: c.name, Kind: "custom", State: workers.Idle}
}
