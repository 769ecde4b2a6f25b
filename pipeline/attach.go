package pipeline

import (
	"context"

	"github.com/plba/plba/task"
)

var _ task.Attacher = (*Pipeline[int, int])(nil)

// Attach implements task.Attacher: a worker calls it before its first task.
func (p *Pipeline[In, Out]) Attach(slots task.Slots) (detach func(context.Context) error, err error) {
	return func(context.Context) error { return nil }, nil
}

// Compensates implements task.Attacher: it says whether a stage has a Compensate.
func (p *Pipeline[In, Out]) Compensates() bool {
	for i := range p.whole.kept {
		if p.whole.kept[i].undo != nil {
			return true
		}
	}
	return false
}

// NeedsCheckpoints implements task.Attacher: it says whether a stage has a Checkpoint or a Compensate.
func (p *Pipeline[In, Out]) NeedsCheckpoints() bool { return len(p.whole.kept) > 0 }
