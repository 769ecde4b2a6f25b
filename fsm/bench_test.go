package fsm_test

import (
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
)

// handWritten is what an author would write for one machine without a table.
type handWritten struct {
	mu    sync.Mutex
	state state
}

func (h *handWritten) fire(ev event) error {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case ev == start && h.state == stopped:
		h.state = starting
	case ev == ready && h.state == starting, ev == rest && h.state == busy:
		h.state = idle
	case ev == work && h.state == idle:
		h.state = busy
	case ev == stop && (h.state == starting || h.state == idle || h.state == busy):
		h.state = stopping
	case ev == halt && h.state == stopping, ev == fail && h.state != stopped:
		h.state = stopped
	default:
		return fmt.Errorf("%s is not allowed in %s", ev, h.state)
	}
	return nil
}

// BenchmarkFire measures one move: by hand, by a machine nobody observes, and
// by one with an observer.
func BenchmarkFire(b *testing.B) {
	b.Run("by hand", func(b *testing.B) {
		h := &handWritten{state: idle}
		b.ReportAllocs()
		pingPong(b, h.fire)
	})
	b.Run("machine", func(b *testing.B) {
		m := lifecycle().Machine()
		fire(b, m, start, ready)
		b.ReportAllocs()
		pingPong(b, func(ev event) error { return m.Fire(ev, nil) })
	})
	b.Run("machine observed", func(b *testing.B) {
		observed := 0
		m := lifecycle().Machine(func(transition) { observed++ })
		fire(b, m, start, ready)
		b.ReportAllocs()
		pingPong(b, func(ev event) error { return m.Fire(ev, nil) })
	})
}

func pingPong(b *testing.B, fire func(event) error) {
	ev, other := work, rest
	for b.Loop() {
		if err := fire(ev); err != nil {
			b.Fatal(err)
		}
		ev, other = other, ev
	}
}

func BenchmarkRefusal(b *testing.B) {
	m := lifecycle().Machine()
	b.ReportAllocs()
	for b.Loop() {
		if m.Fire(work, nil) == nil {
			b.Fatal("allowed")
		}
	}
}

// BenchmarkState measures a read against the plain atomic load that it cannot
// beat.
func BenchmarkState(b *testing.B) {
	b.Run("atomic load", func(b *testing.B) {
		var p atomic.Pointer[state]
		s := idle
		p.Store(&s)
		for b.Loop() {
			if *p.Load() != idle {
				b.Fatal("wrong state")
			}
		}
	})
	b.Run("machine", func(b *testing.B) {
		m := lifecycle().Machine()
		fire(b, m, start, ready)
		for b.Loop() {
			if m.State() != idle {
				b.Fatal("wrong state")
			}
		}
	})
	b.Run("machine, all processors", func(b *testing.B) {
		m := lifecycle().Machine()
		fire(b, m, start, ready)
		b.RunParallel(func(pb *testing.PB) {
			for pb.Next() {
				if m.State() != idle {
					b.Error("wrong state")
				}
			}
		})
	})
}

func BenchmarkNext(b *testing.B) {
	table := lifecycle()
	for b.Loop() {
		if _, err := table.Next(idle, work); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkNewMachine(b *testing.B) {
	table := lifecycle()
	b.ReportAllocs()
	for b.Loop() {
		table.Machine()
	}
}
