package main

import (
	"context"
	"fmt"
	"io"
	"sync/atomic"
	"testing"
	"testing/synctest"

	"github.com/plba/plba"
	"github.com/plba/plba/queue"
	"github.com/plba/plba/queue/memory"
	"github.com/plba/plba/queue/queuetest"
)

// counting is an engine that is not PLBA's: it counts what is published and leaves the rest to another one.
type counting struct {
	queue.Driver
	published *atomic.Int64
}

func (counting) Name() string { return "counting" }

func (c counting) Open(ctx context.Context, o queue.Opening) (queue.Engine, error) {
	e, err := c.Driver.Open(ctx, o)
	return countingEngine{e, c.published}, err
}

type countingEngine struct {
	queue.Engine
	published *atomic.Int64
}

func (e countingEngine) Publish(ctx context.Context, rs []queue.Record, wait bool) ([]queue.Receipt, error) {
	receipts, err := e.Engine.Publish(ctx, rs, wait)
	for _, r := range receipts {
		if !r.Existing {
			e.published.Add(1)
		}
	}
	return receipts, err
}

// An engine from outside is held to the same contract as ours, by the same suite.
func TestOwnEngineKeepsTheContract(t *testing.T) {
	d := counting{memory.Driver(memory.Encoded()), new(atomic.Int64)}
	queuetest.Run(t, d, nil)
	if d.published.Load() == 0 {
		t.Error("the suite published nothing")
	}
}

// One option in main and one word of configuration choose it; the module stays as it is.
func TestOwnEngineByConfiguration(t *testing.T) {
	config := folder(t, map[string]string{"may.csv": "hall;10\n", "june.csv": "hall;2\n"})
	synctest.Test(t, func(t *testing.T) {
		m, d := &module{}, counting{memory.Driver(), new(atomic.Int64)}
		app, err := plba.New(m, plba.WithDrivers(d), plba.WithoutControlListener(), plba.WithOutput(io.Discard),
			plba.WithConfigYAML(config+"platform: {queues: {files: {backend: counting, capacity: 10}}}\n"))
		if err != nil {
			t.Fatal(err)
		}
		if err := app.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait() // the first scan is over, and what it found is booked
		receipt, err := app.Stop(t.Context())
		if err != nil || !receipt.Clean {
			t.Errorf("stop: %v\n%s", err, receipt)
		}
		if got := fmt.Sprint(m.office.Totals(), d.published.Load()); got != "map[hall:12] 2" {
			t.Errorf("totals and published files: %s, want map[hall:12] 2", got)
		}
	})
}
