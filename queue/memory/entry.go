package memory

import (
	"time"

	"github.com/plba/plba/queue"
)

// state is queue.State as a small number, for counting.
type state uint8

const (
	scheduled state = iota
	ready
	running
	retrying
	dead
	done // and gone
	stateCount
)

// unfinished says whether a task in this state counts against the capacity, and keeps its unique key.
func (s state) unfinished() bool { return s < dead }

// entry is one task.
type entry struct {
	link[entry]     // in a ready level, or among the dead
	index       int // in the heap that its state stands for

	state  state
	place  place // among the ready ones; its instant is when the task became due
	lease  int64 // the fence: the number of the last claim
	failed int   // attempts used up

	record      queue.Record
	key         *key
	failures    []queue.Failure
	checkpoints map[string][]byte
	diedAt      time.Time
}

func (t *entry) links() *link[entry] { return &t.link }

func (t *entry) moved(index int) { t.index = index }
