package postgres_test

import (
	"context"
	"errors"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/plba/plba"
	"github.com/plba/plba/queue"
	"github.com/plba/plba/queue/postgres"
	"github.com/plba/plba/queue/postgres/pgtest"
	"github.com/plba/plba/workers"
)

// busy is an application that publishes and handles as fast as it can.
type busy struct {
	app   *plba.App
	queue *queue.Queue[order]

	mu           sync.Mutex
	acknowledged map[int]bool
	unsure       map[int]bool // publishing them failed
	handled      map[int]int
}

const busySlots = 4

func newBusy(t *testing.T, url string) *busy {
	t.Helper()
	b := &busy{acknowledged: map[int]bool{}, unsure: map[int]bool{}, handled: map[int]int{}}
	app, err := application(func(r *plba.Registry) error {
		b.queue = plba.Queue[order](r, "tests")
		r.Worker(workers.Consume("handler", b.queue, workers.Func(func(_ context.Context, o order) error {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.handled[o.Order]++
			return nil
		}), workers.Concurrency(busySlots), workers.Lease(shortLease)), plba.Critical())
		return nil
	}, url, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	if err := app.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	b.app = app
	t.Cleanup(func() {
		budget, cancel := context.WithTimeout(context.Background(), patience)
		defer cancel()
		if receipt, err := app.Stop(budget); err != nil || !receipt.Clean {
			t.Errorf("stop: %v\n%s", err, receipt)
		}
	})
	return b
}

// publish publishes until ctx ends; every call has to end by itself.
func (b *busy) publish(t *testing.T, ctx context.Context, from, step int) {
	for n := from; ctx.Err() == nil; n += step {
		if acknowledged, _, handled, _ := b.counts(); acknowledged-handled > 100 { // it need not run ahead
			<-time.After(10 * time.Millisecond)
		}
		inTime, cancel := context.WithTimeout(context.WithoutCancel(ctx), patience)
		err := b.queue.Publish(inTime, order{n})
		cancel()
		b.mu.Lock()
		if err == nil {
			b.acknowledged[n] = true
		} else {
			b.unsure[n] = true
		}
		b.mu.Unlock()
		if err != nil && !errors.Is(err, postgres.ErrUnavailable) {
			t.Errorf("publish: %v, expected ErrUnavailable", err)
			return
		}
		if err != nil {
			<-time.After(10 * time.Millisecond)
		}
	}
}

func (b *busy) counts() (acknowledged, unsure, handled, repeated int) {
	b.mu.Lock()
	defer b.mu.Unlock()
	for n, times := range b.handled {
		if repeated += times - 1; b.acknowledged[n] {
			handled++
		}
	}
	return len(b.acknowledged), len(b.unsure), handled, repeated
}

// TestServerIsAwayUnderLoad stops the server under an application that publishes and handles, and lets it crash. Meanwhile publishing fails with the cause, and after 30 s the
// application is not ready; when the server is back all goes on by itself, and what was acknowledged is handled.
func TestServerIsAwayUnderLoad(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t)
	b := newBusy(t, s.Database(t))
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var publishing sync.WaitGroup
	const publishers = 4
	for p := range publishers {
		publishing.Go(func() { b.publish(t, ctx, p, publishers) })
	}
	flowing := func() {
		t.Helper()
		before, _, _, _ := b.counts()
		until(t, "it publishes and handles", func() bool {
			acknowledged, _, handled, _ := b.counts()
			return acknowledged > before+50 && handled > before+50
		})
	}
	away := time.Duration(volume(1, 60)) * time.Second
	for _, end := range []func(){s.Stop, s.Crash} {
		flowing()
		end()
		<-time.After(away)
		if _, unsure, _, _ := b.counts(); unsure == 0 {
			t.Error("nobody noticed that the server is away")
		}
		if why := b.app.NotReady(); away > 45*time.Second && why != "handler is unhealthy" {
			t.Errorf("after %s without the server it is not ready because of %q", away, why)
		}
		s.Restart()
	}
	flowing()
	until(t, "it is ready", b.app.Ready)
	cancel()
	publishing.Wait()
	until(t, "all is handled", func() bool {
		acknowledged, _, handled, _ := b.counts()
		return handled == acknowledged
	})
	acknowledged, unsure, _, repeated := b.counts()
	t.Logf("away twice for %s: %d tasks acknowledged and handled, %d publishes failed, %d tasks were repeated", away, acknowledged, unsure, repeated)
	if most := 2 * (busySlots + busySlots); repeated > most { // in hand, and on the way to or from the server
		t.Errorf("%d tasks were repeated, at most %d can have been in flight", repeated, most)
	}
}

// TestApplicationWithoutItsDatabase starts an application whose database cannot be reached: it says so and does not start, or, when it is told to, starts and
// works as soon as it can.
func TestApplicationWithoutItsDatabase(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t)
	url := s.Database(t)
	s.Stop()
	began := make(chan struct{})
	var q *queue.Queue[order]
	register := func(r *plba.Registry) error {
		q = plba.Queue[order](r, "tests")
		r.Worker(workers.Consume("handler", q, workers.Func(func(context.Context, order) error { close(began); return nil })))
		return nil
	}
	app, err := application(register, url, t.Output())
	if err != nil {
		t.Fatal(err)
	}
	var failed *plba.StartError
	if err := app.Start(t.Context()); !errors.As(err, &failed) || !errors.Is(err, postgres.ErrUnavailable) || !strings.Contains(err.Error(), s.Addr()) {
		t.Errorf("start without the database: %v, expected ErrUnavailable and the address", err)
	}
	app, err = application(register, url, t.Output(), plba.WithSetting("platform.queues.tests.start_without", true))
	if err != nil {
		t.Fatal(err)
	}
	if err := app.Start(t.Context()); err != nil {
		t.Fatalf("start without the database, with start_without: %v", err)
	}
	if err := q.Publish(t.Context(), order{1}); !errors.Is(err, postgres.ErrUnavailable) {
		t.Errorf("publish without the database: %v", err)
	}
	s.Restart()
	if err := q.Publish(t.Context(), order{2}); err != nil {
		t.Errorf("publish with the database: %v", err)
	}
	select {
	case <-began:
	case <-time.After(patience):
		t.Error("nothing was handled")
	}
	budget, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	if receipt, err := app.Stop(budget); err != nil || !receipt.Clean {
		t.Errorf("stop: %v\n%s", err, receipt)
	}
}
