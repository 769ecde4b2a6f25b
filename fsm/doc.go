// Package fsm is the typed state machine behind every lifecycle of the
// platform, and behind those of an application's own entities.
//
// # Table and machine
//
// A [Table] is data: a name, an initial state and the [Edge]s between states.
// [New] checks it whole and reports every fault at once: names that are empty
// or cannot be printed, states that no path from the initial state reaches, an
// event that one state answers in two ways. A table that New returned never
// changes, draws itself ([Table.Mermaid], [Table.DOT]) and may be shared
// freely.
//
// The table is used in two ways:
//
//   - [Table.Next] answers one question and keeps nothing. It is for entities
//     whose state lives elsewhere, in a row of a database for example.
//   - [Table.Machine] makes a [Machine], which holds a state in memory and
//     tells observers of each move. It is for things that live as long as the
//     process. The moves themselves are made by looplab/fsm.
//
// # What a machine promises
//
//   - Fire is atomic. Of several goroutines that fire at once each sees the
//     state that the one before it left behind, and an event that the table
//     does not allow there changes nothing and returns a [*TransitionError].
//   - State and Since take no lock. They may be read from anywhere, at any
//     rate.
//   - A move is always completed: no context, no callback and no panic can stop
//     a machine between two states.
//   - An event that leads back to the state it came from is a move like any
//     other: observers are told, and Since starts anew.
//
// # Observers
//
// Observers run after the move, on the goroutine of a caller of Fire, and hold
// no lock: an observer may read the machine, and may fire it. They are told of
// moves one at a time and in the order in which the moves were made, each move
// to all observers in the order in which they were given.
//
// That order has a price. A Fire that finds observers at work, be it on another
// goroutine or further up its own stack, leaves its move to them and returns
// at once; so its own move may be observed shortly after it returned. The state
// is never late: when Fire returns nil, the machine has moved. Moves that wait
// for a slow observer are kept in memory, without a bound.
//
// # Failure
//
// A panic in an observer is not swallowed. It surfaces from the Fire that ran
// the observer, with its own stack, after the other observers have been told
// of this move and of all that wait behind it. The machine has moved and stays
// usable. Who would rather log such a panic recovers inside the observer.
package fsm
