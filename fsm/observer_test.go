package fsm_test

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
)

func TestObserversAreToldInOrderGiven(t *testing.T) {
	var got []string
	note := func(name string) func(transition) {
		return func(tr transition) { got = append(got, name+" "+string(tr.To)) }
	}
	m := lifecycle().Machine(note("first"), nil, note("second"))
	fire(t, m, start, ready)
	want := []string{"first starting", "second starting", "first idle", "second idle"}
	if !slices.Equal(got, want) {
		t.Errorf("observed %v, want %v", got, want)
	}
}

func TestObserverMayReadAndFire(t *testing.T) {
	var m machine
	var got []string
	m = lifecycle().Machine(
		func(tr transition) {
			got = append(got, fmt.Sprintf("a: %s, now %s", tr.To, m.State()))
			if tr.To == starting {
				fire(t, m, ready, work) // told of after this one, not inside it
			}
		},
		func(tr transition) { got = append(got, fmt.Sprintf("b: %s, now %s", tr.To, m.State())) },
	)
	fire(t, m, start)
	want := []string{
		"a: starting, now starting", "b: starting, now busy",
		"a: idle, now busy", "b: idle, now busy",
		"a: busy, now busy", "b: busy, now busy",
	}
	if !slices.Equal(got, want) {
		t.Errorf("observed %q\nwant %q", got, want)
	}
}

// A Fire that meets an observer at work returns with its move made, and leaves
// the telling to whoever runs that observer.
func TestSlowObserverHoldsNobodyUp(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var got []state
		m := lifecycle().Machine(func(tr transition) {
			<-release
			got = append(got, tr.To)
		})
		done := make(chan struct{})
		go func() {
			defer close(done)
			fire(t, m, start)
		}()
		synctest.Wait() // the observer hangs in start
		fire(t, m, ready, work)
		if m.State() != busy {
			t.Errorf("state %q, want busy", m.State())
		}
		close(release)
		<-done
		if want := from(starting, idle, busy); !slices.Equal(got, want) {
			t.Errorf("observed %v, want %v", got, want)
		}
	})
}

func TestObserverPanicDoesNotWedge(t *testing.T) {
	var before, after []state
	m := lifecycle().Machine(
		func(tr transition) { before = append(before, tr.To) },
		func(tr transition) {
			if tr.To == starting {
				panic("observer is broken")
			}
		},
		func(tr transition) { after = append(after, tr.To) },
	)
	if got := panicOf(func() { fire(t, m, start) }); got != "observer is broken" {
		t.Errorf("Fire panicked with %v, want the observer's panic", got)
	}
	if m.State() != starting {
		t.Errorf("state %q, want starting: the move was made", m.State())
	}
	fire(t, m, ready)
	if want := from(starting, idle); !slices.Equal(before, want) || !slices.Equal(after, want) {
		t.Errorf("other observers saw %v and %v, want %v", before, after, want)
	}
}

// What waits behind a transition whose observer panics is still told of, even
// if the observer panics each time.
func TestObserverPanicLosesNoTransition(t *testing.T) {
	var m machine
	var got []state
	m = lifecycle().Machine(
		func(tr transition) {
			if tr.To == starting {
				fire(t, m, ready, work)
			}
			panic(tr.To)
		},
		func(tr transition) { got = append(got, tr.To) },
	)
	if panicOf(func() { fire(t, m, start) }) == nil {
		t.Error("the panic was swallowed")
	}
	if want := from(starting, idle, busy); !slices.Equal(got, want) {
		t.Errorf("observed %v, want %v", got, want)
	}
	if panicOf(func() { fire(t, m, rest) }) != idle || m.State() != idle {
		t.Errorf("state %q, want the machine to work on", m.State())
	}
}

func TestGoexitInObserverDoesNotWedge(t *testing.T) {
	var got []state
	m := lifecycle().Machine(
		func(tr transition) {
			if tr.To == starting {
				runtime.Goexit()
			}
		},
		func(tr transition) { got = append(got, tr.To) },
	)
	var wg sync.WaitGroup
	wg.Go(func() { fire(t, m, start) })
	wg.Wait()
	fire(t, m, ready)
	if want := from(starting, idle); !slices.Equal(got, want) {
		t.Errorf("observed %v, want %v", got, want)
	}
}

// Many goroutines fire whatever comes to mind. The observers must see one
// unbroken chain of moves, one at a time, with none lost or told twice.
func TestStress(t *testing.T) {
	const goroutines, rounds = 10, 2000
	var (
		inside  atomic.Int32
		chain   []transition // unguarded on purpose: one machine's observers never overlap
		made    atomic.Int64
		refused atomic.Int64
	)
	m := lifecycle().Machine(func(tr transition) {
		if inside.Add(1) != 1 {
			t.Error("two observers at once")
		}
		chain = append(chain, tr)
		inside.Add(-1)
	})
	events := []event{start, ready, work, rest, stop, halt, fail, start, ready, work, rest}
	var wg sync.WaitGroup
	for g := range goroutines {
		wg.Go(func() {
			random := rand.New(rand.NewPCG(1, uint64(g)))
			for range rounds {
				if m.Fire(events[random.IntN(len(events))], nil) == nil {
					made.Add(1)
				} else {
					refused.Add(1)
				}
				_, _ = m.State(), m.Since()
			}
		})
	}
	wg.Wait()

	if made.Load() < rounds || refused.Load() < rounds {
		t.Fatalf("%d moves made and %d refused: too few of either to prove anything", made.Load(), refused.Load())
	}
	if int64(len(chain)) != made.Load() {
		t.Fatalf("%d transitions observed, %d made", len(chain), made.Load())
	}
	last := transition{To: stopped, At: chain[0].At}
	for i, tr := range chain {
		to, err := lifecycle().Next(tr.From, tr.Event)
		if tr.From != last.To || to != tr.To || err != nil || tr.At.Before(last.At) {
			t.Fatalf("transition %d, %+v, does not follow %+v", i, tr, last)
		}
		last = tr
	}
	if m.State() != last.To || m.Since() != last.At {
		t.Errorf("state %q since %v, last observed %+v", m.State(), m.Since(), last)
	}
}
