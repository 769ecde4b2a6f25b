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
	slot  task.Slots   // of the task
	crews []task.Slots // of which one has that slot
	hands *hands       // of the stage that has the task in stream mode; nil in run mode

	mu      sync.Mutex
	active  int
	waiting int
	leave   func() // its slot is parked: ends that
}

// partyOf is the party for a run that ctx begins.
func (w *whole) partyOf(ctx context.Context) *party {
	crews := w.crews()
	if len(crews) == 0 || len(w.batches) == 0 {
		return nil
	}
	slot, ok := task.SlotsFrom(ctx)
	if !ok {
		return nil
	}
	return &party{slot: slot, crews: crews, active: 1}
}

// crewsToAsk tell when none of them can bring more.
func (p *party) crewsToAsk() []task.Slots {
	switch {
	case p == nil:
		return nil
	case p.hands == nil:
		return p.crews
	}
	return append(p.crews[:len(p.crews):len(p.crews)], p.hands)
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
	case waits && p.leave == nil:
		p.leave = p.parkSlot()
	case !waits && p.leave != nil:
		p.leave()
		p.leave = nil
	}
}

// parkSlot parks what the task occupies: its slot, and in stream mode one of the hands of its stage.
func (p *party) parkSlot() (leave func()) {
	slot := p.slot.Park()
	if p.hands == nil {
		return slot
	}
	hand := p.hands.Park()
	return func() { slot(); hand() }
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
