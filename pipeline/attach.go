package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/plba/plba/task"
)

var (
	_ task.Attacher     = (*Pipeline[int, int])(nil)
	_ task.SlotsChecker = (*Pipeline[int, int])(nil)
)

// Attach implements task.Attacher: the worker calls it before its first task, and detach after its last. Without it a Batch
// does not know when no slot can bring another item, and waits for its time.
func (p *Pipeline[In, Out]) Attach(slots task.Slots) (detach func(context.Context) error, err error) {
	if slots == nil {
		return nil, errors.New("pipeline: Attach(nil): slots are needed")
	}
	p.whole.attach(slots)
	leave := sync.OnceFunc(func() { p.whole.detach(slots) })
	return func(context.Context) error {
		leave()
		return nil
	}, nil
}

// Compensates implements task.Attacher: it says whether a stage has a Compensate.
func (p *Pipeline[In, Out]) Compensates() bool {
	return slices.ContainsFunc(p.whole.kept, func(k keptStage) bool { return k.undo != nil })
}

// NeedsCheckpoints implements task.Attacher: it says whether a stage has a Checkpoint or a Compensate.
func (p *Pipeline[In, Out]) NeedsCheckpoints() bool { return len(p.whole.kept) > 0 }

// CheckSlots implements task.SlotsChecker: it names every Batch that is larger than all that the slots can bring at once, elements
// of fan-outs counted one by one.
func (p *Pipeline[In, Out]) CheckSlots(size int) error {
	var faults []error
	for _, b := range p.whole.batches {
		if need := (b.size-1)/b.each + 1; size < need {
			faults = append(faults, fmt.Errorf(
				"batch %q gathers %d items, and %d slots never bring so many at once: it takes %d, or a smaller batch", b.id, b.size, size, need))
		}
	}
	return errors.Join(faults...)
}

// batchStage is a Batch in a pipeline.
type batchStage struct {
	id   string
	size int
	each int // how many items one task can bring at once
}

func batchStages(root *node) []batchStage { return root.batchStages(root.name, 1) }

func (n *node) batchStages(id string, each int) (found []batchStage) {
	if n.batch > 0 {
		found = append(found, batchStage{id, n.batch, each})
	}
	const enough = 1 << 15 // for any batch, and small enough for a product
	inside := min(each, enough) * min(max(n.atOnce, 1), enough)
	for _, c := range n.children {
		found = append(found, c.batchStages(id+"/"+c.name, inside)...)
	}
	return found
}

// crews are those of the workers that have the pipeline now.
func (w *whole) crews() []task.Slots {
	if all := w.attached.Load(); all != nil {
		return *all
	}
	return nil
}

func (w *whole) attach(crew task.Slots) {
	w.change(func(all []task.Slots) []task.Slots { return append(all, crew) })
}

// detach takes the crew out once: it may be attached several times.
func (w *whole) detach(crew task.Slots) {
	w.change(func(all []task.Slots) []task.Slots {
		i := slices.Index(all, crew)
		return slices.Delete(all, i, i+1)
	})
}

func (w *whole) change(f func(all []task.Slots) []task.Slots) {
	for {
		before := w.attached.Load()
		var all []task.Slots
		if before != nil {
			all = slices.Clone(*before)
		}
		all = f(all)
		if w.attached.CompareAndSwap(before, &all) {
			return
		}
	}
}
