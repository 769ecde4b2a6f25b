package pipeline

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"

	"github.com/plba/plba/task"
)

var (
	_ task.Attacher     = (*Pipeline[int, int])(nil)
	_ task.SlotsChecker = (*Pipeline[int, int])(nil)
)

// Attach implements task.Attacher: the worker calls it before its first task, and detach after its last. Without it a Batch
// does not know when no slot can bring another item, and waits for its time; and a pipeline in stream mode does not run.
func (p *Pipeline[In, Out]) Attach(slots task.Slots) (detach func(context.Context) error, err error) {
	if slots == nil {
		return nil, errors.New("pipeline: Attach(nil): slots are needed")
	}
	if p.stream != nil {
		if err := p.stream.attach(); err != nil {
			return nil, err
		}
	}
	p.whole.attach(slots)
	var once sync.Once
	return func(ctx context.Context) (err error) {
		once.Do(func() {
			p.whole.detach(slots)
			if p.stream != nil {
				err = p.stream.detach(ctx)
			}
		})
		return err
	}, nil
}

// Compensates implements task.Attacher: it says whether a stage has a Compensate.
func (p *Pipeline[In, Out]) Compensates() bool {
	return slices.ContainsFunc(p.whole.kept, func(k keptStage) bool { return k.undo != nil })
}

// NeedsCheckpoints implements task.Attacher: it says whether a stage has a Checkpoint or a Compensate.
func (p *Pipeline[In, Out]) NeedsCheckpoints() bool { return len(p.whole.kept) > 0 }

// CheckSlots implements task.SlotsChecker: it names every Batch that is larger than all that the slots can bring at once, elements
// of fan-outs counted one by one; in stream mode also one that is larger than what the workers of its stage can bring, and what was
// wrong with the call of Streamed.
func (p *Pipeline[In, Out]) CheckSlots(size int) error {
	var faults []error
	if p.stream != nil && p.stream.fault != nil {
		faults = append(faults, p.stream.fault)
	}
	for _, b := range p.whole.batches {
		need := (b.size-1)/b.each + 1
		if size < need {
			faults = append(faults, tooLarge(b, size, "slots", need))
		}
		if b.hands > 0 && b.hands < need {
			faults = append(faults, tooLarge(b, b.hands, "workers of its stage", need))
		}
	}
	return errors.Join(faults...)
}

func tooLarge(b batchStage, have int, what string, need int) error {
	return fmt.Errorf("batch %q gathers %d items, and %d %s never bring so many at once: it takes %d, or a smaller batch", b.id, b.size, have, what, need)
}

// batchStage is a Batch in a pipeline.
type batchStage struct {
	id    string
	size  int
	each  int // how many items one task can bring at once
	hands int // how many tasks its stage can have at once in stream mode; 0 in run mode
}

func batchStages(root *node) []batchStage { return root.batchStages(root.name, 1) }

func (n *node) batchStages(id string, each int) (found []batchStage) {
	if n.batch > 0 {
		found = append(found, batchStage{id: id, size: n.batch, each: each})
	}
	const enough = 1 << 15 // for any batch, and small enough for a product
	inside := min(each, enough) * min(max(n.atOnce, 1), enough)
	for _, c := range n.children {
		found = append(found, c.batchStages(id+"/"+c.name, inside)...)
	}
	return found
}

// spread says how many hands there are for each top-level stage.
func (w *whole) spread(names []string, hands []int) {
	for i := range w.batches {
		b := &w.batches[i]
		stage, _, _ := strings.Cut(strings.TrimPrefix(b.id, w.name+"/"), "/")
		b.hands = hands[slices.Index(names, stage)]
	}
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
