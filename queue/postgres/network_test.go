package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"
	"time"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/queue/postgres"
	"github.com/plba/plba/queue/postgres/pgtest"
	"github.com/plba/plba/task"
)

// patience is how long something may take that is bound to happen.
const patience = 60 * time.Second

// TestHalfOpenConnections lets all connections to the server fall silent, which nobody tells anyone. Every operation ends within its timeout, with the cause; once there is a way
// again, the very next one succeeds, however many dead connections the pool has, and nothing that was acknowledged is lost.
func TestHalfOpenConnections(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t)
	p, url := newProxy(t, s, s.Database(t))
	q := opened(t, postgres.Driver(), queue.Spec[payment]{}, func(set *postgres.Settings) { set.URL, set.Timeout, set.Connections = url, 2*time.Second, 8 })
	t.Cleanup(p.close)
	acknowledged := map[string]bool{}
	add := func(event string) error {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		defer cancel()
		r, err := q.Send(ctx, payment{event})
		if err == nil {
			acknowledged[r.ID] = true
		}
		return err
	}
	for round := range 2 {
		warm(t, q)
		if err := add(fmt.Sprint("before ", round)); err != nil {
			t.Fatal(err)
		}
		p.cut()
		if round == 0 { // in the second round nobody notices
			operations(t, q, func(what string, err error) {
				if !errors.Is(err, postgres.ErrUnavailable) {
					t.Errorf("%s on silent connections: %v, expected ErrUnavailable", what, err)
				}
			})
		}
		p.mend()
		if err := add(fmt.Sprint("after ", round)); err != nil {
			t.Errorf("publish when there is a way again: %v", err)
		}
		operations(t, q, func(what string, err error) {
			if err != nil {
				t.Errorf("%s when there is a way again: %v", what, err)
			}
		})
	}
	got := map[string]bool{}
	for len(got) < len(acknowledged) {
		ctx, cancel := context.WithTimeout(t.Context(), patience)
		ds, err := q.Receive(ctx, 100, time.Minute)
		cancel()
		if err != nil {
			t.Fatalf("%d of %d tasks came: %v", len(got), len(acknowledged), err)
		}
		for _, d := range ds {
			if got[d.ID] = true; acknowledged[d.ID] && d.Info.Attempt != 1 {
				t.Errorf("%s came with attempt %d", d.ID, d.Info.Attempt)
			}
		}
	}
}

// warm makes the pool open many connections.
func warm(t *testing.T, q *queue.Queue[payment]) {
	t.Helper()
	var calls sync.WaitGroup
	for range 8 {
		calls.Go(func() {
			if _, err := q.Stats(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	calls.Wait()
}

// operations does one of each, at once, and tells how it went.
func operations(t *testing.T, q *queue.Queue[payment], tell func(what string, err error)) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	token := queue.Token{ID: "nobody", Lease: 1}
	var calls sync.WaitGroup
	var mu sync.Mutex
	for what, do := range map[string]func() error{
		"stats": func() error { _, err := q.Stats(ctx); return err },
		"tasks": func() error { _, err := q.Tasks(ctx, queue.Query{}); return err },
		"renew": func() error { _, err := q.Renew(ctx, []queue.Token{token}, time.Minute); return err },
		"answer": func() error {
			_, err := q.Complete(ctx, []queue.Completion{{Token: token, Outcome: task.Done}})
			return err
		},
		"pause": func() error { return q.Resume(ctx) },
	} {
		calls.Go(func() {
			err := do()
			mu.Lock()
			defer mu.Unlock()
			tell(what, err)
		})
	}
	calls.Wait()
}

// TestListeningConnectionIsHalfOpen lets only the connection fall silent on which notifications come. Tasks are found by polling; the silence is noticed, the
// connection replaced, and notifications come again.
func TestListeningConnectionIsHalfOpen(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t)
	direct := s.Database(t)
	p, url := newProxy(t, s, direct)
	d := postgres.Driver()
	near, far := map[string]queue.Engine{}, map[string]queue.Engine{}
	for name, poll := range map[string]time.Duration{"polled": 100 * time.Millisecond, "told": time.Hour} {
		near[name] = openWith(t, d, name, url, poll)
		far[name] = openWith(t, postgres.Driver(), name, direct, poll)
	}
	t.Cleanup(p.close)
	until(t, "a connection listens", func() bool { return p.listening() == 1 })
	told := make(chan error, 1)
	come := func(name string) {
		ctx, cancel := context.WithTimeout(t.Context(), patience-10*time.Second) // less than a receiver waits by itself
		defer cancel()
		_, err := near[name].Receive(ctx, 1, time.Minute)
		told <- err
	}
	publishOne := func(name string) {
		if _, err := far[name].Publish(t.Context(), []queue.Record{newRecord()}, true); err != nil {
			t.Fatal(err)
		}
	}
	p.deaf.Store(true)
	go come("polled")
	publishOne("polled")
	if err := <-told; err != nil {
		t.Errorf("nothing came by polling: %v", err)
	}
	until(t, "the silence is noticed", func() bool { return p.listening() == 0 })
	go come("told")
	publishOne("told")
	p.deaf.Store(false)
	if err := <-told; err != nil {
		t.Errorf("what was missed in the silence was not found: %v", err)
	}
	until(t, "a connection listens again", func() bool { return p.listening() == 1 })
	go come("told")
	publishOne("told")
	if err := <-told; err != nil {
		t.Errorf("no notification comes on the new connection: %v", err)
	}
}

// openWith opens a queue that is looked at so often.
func openWith(t *testing.T, d queue.Driver, name, url string, poll time.Duration) queue.Engine {
	t.Helper()
	set := d.Settings().(*postgres.Settings)
	set.URL, set.Poll, set.Timeout = url, poll, 2*time.Second
	e, err := d.Open(t.Context(), queue.Opening{Queue: name, Settings: set})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := e.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return e
}

// until waits for something that is bound to happen.
func until(t *testing.T, what string, is func() bool) {
	t.Helper()
	look := time.NewTicker(10 * time.Millisecond)
	defer look.Stop()
	for begin := time.Now(); !is(); <-look.C {
		if time.Since(begin) > patience {
			t.Fatalf("never: %s", what)
		}
	}
}

// TestCloseOnSilentConnections closes queues while all connections are silent and operations are under way: it waits for these, and for no connection.
func TestCloseOnSilentConnections(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t)
	p, url := newProxy(t, s, s.Database(t))
	set := postgres.Driver().Settings().(*postgres.Settings)
	set.URL, set.Timeout = url, 2*time.Second
	e, err := postgres.Driver().Open(t.Context(), queue.Opening{Queue: "tests", Settings: set})
	if err != nil {
		t.Fatal(err)
	}
	p.cut()
	ended := make(chan error, 4)
	for range cap(ended) {
		go func() {
			_, err := e.Stats(t.Context())
			ended <- err
		}()
	}
	for range cap(ended) {
		if err := <-ended; !errors.Is(err, postgres.ErrUnavailable) {
			t.Errorf("stats: %v", err)
		}
	}
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second) // a connection that is waited for takes 15 s
	defer cancel()
	if err := e.Close(ctx); err != nil {
		t.Errorf("close: %v", err)
	}
}
