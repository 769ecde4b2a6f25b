package control

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plba/plba/runtime"
	"github.com/plba/plba/workers"
	"pgregory.net/rapid"
)

type nothing struct{}

func (nothing) Name() string                       { return "nothing" }
func (nothing) Register(r *runtime.Registry) error { return nil }

func emptyService(t testing.TB) *Service {
	t.Helper()
	a, err := runtime.New(nothing{}, runtime.WithLogger(quiet()))
	if err != nil {
		t.Fatal(err)
	}
	return NewService(a)
}

func happen(s *Service, n int) {
	for i := range n {
		s.hub.publish(Event{Type: EventWorker, Name: fmt.Sprint(i), At: time.Now()})
	}
}

func subscribe(t testing.TB, s *Service, after string) *Subscription {
	t.Helper()
	sub, err := s.Subscribe(EventFilter{}, after)
	if err != nil {
		t.Fatal(err)
	}
	return sub
}

// Whoever is overtaken by the ring is cut off, whoever resumes too late is told so.
func TestSlowReader(t *testing.T) {
	s := emptyService(t)
	slow, quick := subscribe(t, s, ""), subscribe(t, s, "")
	happen(s, keptEvents)
	seen := 0
	for seen < keptEvents {
		batch, err := quick.Next(t.Context())
		if err != nil || len(batch) > maxEventsAtOnce {
			t.Fatal(len(batch), err)
		}
		seen += len(batch)
	}
	happen(s, 1)
	if batch, err := slow.Next(t.Context()); !errors.Is(err, ErrSlow) {
		t.Errorf("%d events, %v", len(batch), err)
	}
	if batch, err := quick.Next(t.Context()); err != nil || len(batch) != 1 {
		t.Errorf("%d events, %v", len(batch), err)
	}
	late := subscribe(t, s, s.hub.id(0))
	batch, err := late.Next(t.Context())
	if err != nil || batch[0].Type != EventMissed || batch[0].ID != s.hub.id(1) || batch[1].ID != s.hub.id(2) {
		t.Errorf("%+v, %v", batch[:2], err)
	}
	// What the word of the gap is called can be resumed from as well.
	again := subscribe(t, s, batch[0].ID)
	if batch, err := again.Next(t.Context()); err != nil || batch[0].ID != s.hub.id(2) {
		t.Errorf("%+v, %v", batch[0], err)
	}
}

// However events come and readers read, a reader gets every event once and in order, until it is too slow.
func TestReadersGetEverythingInOrder(t *testing.T) {
	delivered, slow, outer := 0, 0, t
	rapid.Check(t, func(t *rapid.T) {
		s := emptyService(outer)
		var subs []*Subscription
		var want []uint64
		published := uint64(0)
		for range rapid.IntRange(1, 40).Draw(t, "steps") {
			switch rapid.IntRange(0, 3).Draw(t, "step") {
			case 0:
				n := rapid.IntRange(1, 900).Draw(t, "events")
				happen(s, n)
				published += uint64(n)
			case 1:
				from := published
				after := ""
				if rapid.Bool().Draw(t, "resume") {
					oldest := uint64(0)
					if published > keptEvents {
						oldest = published - keptEvents
					}
					from = rapid.Uint64Range(oldest, published).Draw(t, "from")
					after = s.hub.id(from)
				}
				sub, err := s.Subscribe(EventFilter{}, after)
				if err != nil {
					t.Fatal(err)
				}
				subs, want = append(subs, sub), append(want, from+1)
			default:
				if len(subs) == 0 {
					continue
				}
				i := rapid.IntRange(0, len(subs)-1).Draw(t, "reader")
				if want[i] > published {
					continue // it would wait
				}
				tooLate := published-want[i]+1 > keptEvents
				tooLate = tooLate && !subs[i].resume // who resumes is told instead
				batch, err := subs[i].next(context.Background())
				if tooLate != errors.Is(err, ErrSlow) {
					t.Fatalf("reader at %d of %d: %v", want[i], published, err)
				}
				if err != nil {
					slow++
					subs, want = append(subs[:i], subs[i+1:]...), append(want[:i], want[i+1:]...)
					continue
				}
				for _, e := range batch {
					if e.Type == EventMissed {
						want[i] = published - keptEvents + 1
						continue
					}
					if e.number != want[i] {
						t.Fatalf("event %d, want %d", e.number, want[i])
					}
					want[i]++
					delivered++
				}
			}
		}
	})
	if delivered < 1000 || slow == 0 {
		t.Errorf("only %d events were delivered, %d readers were slow", delivered, slow)
	}
}

// Many failures do not push out everything else, and are counted.
func TestFailuresAreRationed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := emptyService(t)
		for range 3 {
			for range 1000 {
				s.hub.tellFailure("w", workers.Failure{At: time.Now()})
			}
			time.Sleep(time.Second)
		}
		list, _, _, err := s.Events(EventFilter{}, "", 1000)
		if err != nil || len(list) != 3*toldFailures {
			t.Fatalf("%d events, %v", len(list), err)
		}
		for i, want := range map[int]uint64{0: 0, toldFailures: 900, toldFailures + 1: 0, 2 * toldFailures: 900} {
			if list[i].Skipped != want {
				t.Errorf("event %d skipped %d, want %d", i, list[i].Skipped, want)
			}
		}
	})
}

// Readers are woken together, soon after the first event, and not by each.
func TestReadersAreWokenTogether(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := emptyService(t)
		began := time.Now()
		got := make(chan int)
		for range 3 {
			sub := subscribe(t, s, "")
			go func() {
				for _, due := range []time.Duration{time.Second + wakeAfter, time.Second + wakeAfter + wakeEvery} {
					batch, err := sub.Next(context.Background())
					if err != nil || time.Since(began) != due {
						t.Errorf("after %s, not %s: %v", time.Since(began), due, err)
					}
					got <- len(batch)
				}
			}()
		}
		time.Sleep(time.Second)
		for _, events := range []int{50, 7} {
			synctest.Wait() // all readers wait
			happen(s, events)
			for range 3 {
				if n := <-got; n != events {
					t.Errorf("%d events", n)
				}
			}
		}
		ctx, cancel := context.WithTimeout(t.Context(), time.Hour)
		defer cancel()
		if _, err := subscribe(t, s, "").Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Error(err)
		}
	})
}

// pipe serves the events over a connection in memory; what the server does with it can be seen from outside.
func pipe(t *testing.T, s *Service) (client net.Conn, end func()) {
	g, a := testGate(t, quiet())
	ctx, cancel := context.WithCancel(context.Background())
	g.ending, a.svc = ctx, s
	e := watchEndpoint()
	e.access = accessProbe
	a.bindWatch(e.endpoint)
	client, server := net.Pipe()
	l := &oneListener{conn: server, closed: make(chan struct{})}
	srv := newServer(g, quiet())
	served := make(chan struct{})
	go serve(srv, l, served, quiet())
	return client, func() {
		cancel()
		_ = srv.Shutdown(context.Background())
		<-served
		_ = client.Close()
	}
}

const listenRequest = "GET /api/v1/events HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"

// A stream outlives the limits that hold for other answers, and says now and then that it lives.
func TestStreamLives(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := emptyService(t)
		client, end := pipe(t, s)
		var text strings.Builder
		over := make(chan struct{})
		go func() {
			defer close(over)
			_, _ = io.WriteString(client, listenRequest)
			_, _ = io.Copy(&text, client)
		}()
		time.Sleep(10*time.Minute + time.Second)
		happen(s, 1)
		time.Sleep(time.Second)
		end()
		<-over
		if beats := strings.Count(text.String(), "\n:\n"); beats != 40 {
			t.Errorf("%d signs of life in ten minutes, want 40", beats)
		}
		if !strings.Contains(text.String(), "event: worker\n") || !strings.HasPrefix(text.String(), "HTTP/1.1 200 OK\r\n") {
			t.Errorf("%s", text.String())
		}
		if s.hub.listeners != 0 {
			t.Errorf("%d listeners are left", s.hub.listeners)
		}
	})
}

// A client that reads nothing is cut off in time, whatever happens meanwhile.
func TestStreamOfAClientThatReadsNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := emptyService(t)
		client, end := pipe(t, s)
		if _, err := io.WriteString(client, listenRequest); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if s.hub.listeners != 1 {
			t.Fatalf("%d listeners", s.hub.listeners)
		}
		began := time.Now()
		happen(s, 3*keptEvents) // nobody is held up
		if time.Since(began) != 0 {
			t.Errorf("events were held up for %s", time.Since(began))
		}
		time.Sleep(sendTimeout + time.Second)
		synctest.Wait()
		if s.hub.listeners != 0 {
			t.Error("it is still there")
		}
		end()
	})
}
