package bench

import (
	"context"
	"time"
)

// A job is what both sides carry: the arguments of River's own benchmark, and when it was published.
type job struct {
	Num int       `json:"num"`
	At  time.Time `json:"at,omitzero"`
}

// Kind implements river.JobArgs.
func (job) Kind() string { return "benchmark" }

// A side is a queue, its publishers and its worker. Publishing and working have connections of their own, as processes of their own would have.
type side interface {
	name() string
	// publish adds one job.
	publish(ctx context.Context, j job) error
	// publishAll adds jobs in one call.
	publishAll(ctx context.Context, js []job) error
	// work starts a worker, which calls handle for each job. stop waits for what it has in hand.
	work(ctx context.Context, handle func(job)) (stop func() error, err error)
	// finished is how many jobs the worker has worked and the database knows of.
	finished() int64
	// left is how many jobs the database has that were not worked.
	left(ctx context.Context) (int64, error)
	// reset removes all jobs, while no worker runs.
	reset(ctx context.Context) error
}
