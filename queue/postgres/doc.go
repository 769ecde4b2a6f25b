// Package postgres keeps queues in PostgreSQL 13 or newer: for many processes on many machines, with a database that the business has already. It has every
// capability of the contract, also publishing inside a transaction of the application ([PublishTx]).
//
//	plba.Main(&module{}, plba.WithDrivers(postgres.Driver()))
//
//	platform:
//	  queues:
//	    mails: {backend: postgres, url: "${DATABASE_URL}"}
//
// # Tables
//
// All queues of a schema are in the same few tables, which the package makes and migrates itself when it opens the first queue. Migrations run under a lock, and only
// add, so versions of an application may overlap while it is rolled out. A program that is too old for the tables is refused with [ErrNewer].
//
// # Promises
//
// Publish, Complete, Save and what operators do return after the commit of a transaction, which waits for the server's disk: connections of this package never have
// synchronous_commit off, and a borrowed pool that has is refused with [ErrUnsafe]. [PublishTx] is as safe as the application's transaction.
//
// Every lease has a token that grows with each claim, and each statement that answers for a task compares it: an answer that comes late changes nothing. A lease
// ends by the clock of the database, and only by that. Whoever is alive takes back what others left: all processes look for expired leases,
// each poll.
//
// When the database is away, operations fail with [ErrUnavailable] within the timeout, workers pause and try again, and the first that succeeds goes on. A
// publish that was cut off is sent once more; the task's ID keeps it from being there twice. An operation whose answer was lost may have happened. When nobody
// gets an answer any more, connections have died silently, most likely: all of them are replaced at once.
//
// # How it is fast
//
// Rounds to the server are what time goes into, so calls that come at the same time share one: publishes, and answers, gather while a few batches are on their
// way. A claim takes many tasks in one statement and skips those that another process is just claiming. A task on which nothing hangs, no unique key, no group,
// no checkpoint, costs an insert, an update and a delete.
//
// Claims and the usual ends of tasks are planned alike whatever the server's statistics say, which are never right for a queue: rows are reached by an ID, by an
// order that an index has, or by where they are.
//
// Groups and limits (max_running, rate) hold over all processes: those who claim from such a queue take turns, under an advisory lock.
//
// # Waking
//
// Processes tell each other of new tasks by NOTIFY, at most once in a few milliseconds, in the transaction that publishes where that can be, and listen on a
// connection of its own. Behind a pooler that gives connections out per transaction, notifications do not arrive, and each queue is looked at once in a poll.
package postgres
