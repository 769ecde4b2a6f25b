package workers

import (
	"time"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/task"
)

// A queue whose tasks live in this process, and end with it, is told of finished tasks in batches: its answer protects against nothing, as whatever ends
// this process ends the queue. A durable one is told of each at once, so that no more tasks are repeated after a crash than were at hand.
//
// An answer waits for others as long as slots find pending tasks, and no longer than answersWait, however long their next tasks take. One that others may
// wait for (its task has a unique key or belongs to a group), and one that is not a success, does not wait at all.

// answersWait is how long a finished task may wait for its answer, at most.
const answersWait = time.Millisecond

// gathers says whether the answer of a task that was finished may wait for others.
func (k *crew[T]) gathers(info *task.Info) bool {
	return k.c.queue.InProcess() && !info.Undo && info.Unique == "" && info.Group == "" && !k.c.parks.Load()
}

// settleLocked notes that the slot has no task at hand, and adds its answer to those that wait.
func (k *crew[T]) settleLocked(s *slot[T]) {
	if s.finished {
		s.finished = false
		k.answers = append(k.answers, queue.Completion{Token: s.current.Token, Outcome: task.Done})
	}
	s.current = nil
}

// tell tells the queue of all answers that wait, and counts them.
func (k *crew[T]) tell() {
	k.mu.Lock()
	cs := k.answers
	k.answers, k.unused = k.unused, nil
	k.mu.Unlock()
	if len(cs) == 0 {
		return
	}
	k.c.complete(k.r, cs)
	done := 0
	for i := range cs {
		if cs[i].Outcome == task.Done {
			done++
		}
	}
	k.c.done.Add(uint64(done))
	if k.r.stopAsked.Load() {
		k.r.finished.Add(int64(done))
	}
	k.r.giveBack(len(cs) - done)
	k.mu.Lock()
	k.unused = cs[:0]
	k.mu.Unlock()
}

// tellSoonLocked sees to it that answers do not wait for the task that is just begun.
func (k *crew[T]) tellSoonLocked() {
	switch {
	case k.isLate:
	case k.late == nil:
		k.late = time.AfterFunc(answersWait, k.tellLate)
		k.isLate = true
	default:
		k.late.Reset(answersWait)
		k.isLate = true
	}
}

func (k *crew[T]) tellLate() {
	k.tellMu.Lock()
	defer k.tellMu.Unlock()
	k.mu.Lock()
	k.isLate = false
	k.mu.Unlock()
	if !k.ended {
		k.tell()
	}
}
