package tracing

import "sync"

// counts is how a transport keeps its Counts. The zero value is ready.
type counts struct {
	mu sync.Mutex
	c  Counts
}

func (c *counts) export(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.c.Exported += uint64(n)
}

func (c *counts) drop(n int) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.c.Dropped += uint64(n)
}

func (c *counts) fail(n int, err error) {
	text := cut(err.Error())
	c.mu.Lock()
	defer c.mu.Unlock()
	c.c.Failed += uint64(n)
	c.c.LastError = text
}

func (c *counts) snapshot() Counts {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.c
}
