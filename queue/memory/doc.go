// Package memory is the queue engine that needs nothing: tasks live in this process and end with it. It is the default, and
// what tests use.
//
// # Design
//
// One mutex guards everything, and every operation holds it for a few hundred nanoseconds: enter locks and brings the
// engine up to the present (what is due becomes ready, what expired is rescued), the operation does its work, leave restores the
// invariants and unlocks. The invariants between operations:
//
//   - whoever waits for room waits because there is none, and whoever comes later waits behind;
//   - if tasks can be claimed and receivers wait, one receiver has been woken. It wakes the next one if it leaves tasks behind, so
//     a burst of publishing costs one wake-up and comes out in batches;
//   - if anyone waits, the alarm is set for the next instant at which a task becomes due, a lease ends or a token of the rate comes, or earlier;
//   - of each group, the task whose turn it is, and no other, stands among those that can be claimed.
//
// There is no goroutine of the engine's own. The alarm is one timer, armed only while someone waits; whoever does not wait brings
// the engine up to the present himself. So what is kept for a time (keep_done, keep_dead) is forgotten by whoever comes next.
//
// # Order
//
// All tasks are found by their ID; listing them looks at all of them. Those that can be claimed stand in line: per priority, a row in the order in
// which they became due, which is the order in which they arrive there, so adding and taking cost the same with ten tasks and with a million. Only what
// comes back out of turn (returned tasks, expired leases) goes through a heap beside it. Tasks that are due but wait for their group stand in such a line
// of the group's own, so however many they are, they are in nobody's way. Leases stand in a line too, by when they end.
//
// # Cost
//
// A task that needs nothing special costs some 350 bytes, in blocks for many tasks: what its handler may keep (its lease, which is part of the handler's context, and its
// ID). All else is used again: an entry is written over with the next task, and only where that differs, because in a small heap what troubles the garbage collector
// is most of what a task costs. The publisher's look at the clock serves for its ID and for the engine.
//
// # Time
//
// All time inside is the monotonic time since the engine was opened; moving the wall clock moves no lease and no
// delay. An instant given with queue.At is measured against the wall clock once, when it is published. Inside a
// testing/synctest bubble time is virtual, if the engine was opened there.
//
// # Bounds
//
// The capacity bounds the living tasks, the setting dead_letters those that are dead or cancelled: beyond it the oldest are forgotten. Unique
// keys that outlive their tasks (UniqueFor) are kept beside that until they end.
package memory
