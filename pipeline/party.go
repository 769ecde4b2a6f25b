package pipeline

import (
	"context"
	"sync"

	"github.com/plba/plba/task"
)

// party is what is known of the goroutines that work on one task: how many may still come to a batch, and how
// many wait in one. When none is left to come, the task itself waits, and its slots are told. A nil party belongs to a
// run without slots; nobody is told.
type party struct {
	mu      sync.Mutex
	places  []task.Slots
	active  int
	waiting int
	unparks []func() // while the task waits
}

// partyOf is the party for a run that ctx begins.
func partyOf(ctx context.Context) *party {
	slots, ok := task.SlotsFrom(ctx)
	if !ok {
		return nil
	}
	return &party{places: []task.Slots{slots}, active: 1}
}

// slots are those that the task occupies.
func (p *party) slots() []task.Slots {
	if p == nil {
		return nil
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.places
}

// park says that one of the goroutines waits in a batch.
func (p *party) park() { p.change(-1, 1) }

// unpark says that it does not any more.
func (p *party) unpark() { p.change(1, -1) }

func (p *party) change(active, waiting int) {
	if p == nil {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.active += active
	p.waiting += waiting
	switch waits := p.active == 0 && p.waiting > 0; {
	case waits && p.unparks == nil:
		for _, s := range p.places {
			p.unparks = append(p.unparks, s.Park())
		}
	case !waits && p.unparks != nil:
		for _, unpark := range p.unparks {
			unpark()
		}
		p.unparks = nil
	}
}

// branches are goroutines that work on a task in place of the one that started and waits for them.
type branches struct {
	party *party
	mu    sync.Mutex
	left  int
}

// fork says that n goroutines go on in place of the caller.
func (p *party) fork(n int) *branches {
	if p == nil || n < 1 {
		return nil
	}
	p.change(n-1, 0)
	return &branches{party: p, left: n}
}

// join says that one of them has ended. The last one leaves its place to the goroutine that forked.
func (b *branches) join() {
	if b == nil {
		return
	}
	b.mu.Lock()
	b.left--
	last := b.left == 0
	b.mu.Unlock()
	if !last {
		b.party.change(-1, 0)
	}
}
