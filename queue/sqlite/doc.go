// Package sqlite is the durable queue engine for one machine, with nothing to install: tasks are in a file, and what was published is still there after the
// process, or the machine's power, is gone. It needs no C compiler.
//
//	platform:
//	  queues:
//	    mails: {backend: sqlite, path: data/plba.db}
//
// and in main, because no engine but memory is linked by itself:
//
//	plba.Main(&module{}, plba.WithDrivers(sqlite.Driver()))
//
// # One file, one process
//
// Queues that name one path share one file, which is opened once: one lock, one writer, one backup. A lock of the operating system keeps other processes out
// ([ErrInUse]); it ends with its process, however that ends.
//
// # One writer
//
// Everything that changes is asked of the store's one writer, a goroutine. It takes all requests that have gathered while the last commit was synced to the disk,
// does them in one transaction, commits it with one sync, and answers only then. So nothing ever waits for a lock in the database, and a hundred publishers
// cost hardly more than one. A batch does, in this order:
//
//  1. what is due by itself: delayed tasks become ready, leases that have ended are taken back;
//  2. what was asked;
//  3. those who wait: for room, then for tasks, first come first served, so that a task can be published and handed out in one commit;
//  4. what has been kept long enough is forgotten.
//
// When a batch fails (the disk is full), it is rolled back, in memory too, and every request in it is done again alone: the error reaches those whom it concerns.
// The writer sleeps until it is asked, or until the next task is due, lease ends or record expires: nothing is polled.
//
// Reading (stats, lists, checkpoints) takes other connections, which see what was committed and wait for nobody.
//
// # Leases
//
// The file says that a task is leased and how often it has been: that is the fence. When the lease ends is known in memory only. Renewing therefore costs no sync
// and is not held up by a slow disk. Whoever has a lease is in this process: when the queue is opened after a crash, all leases of the dead process are over at
// once, and their attempts count. In one process a lease outlives closing and opening the queue again with the same driver.
//
// # Time
//
// Inside is the store's own time, which never goes back: monotonic within a process, and from one to the next it advances by what the wall clock says. Moving the
// wall clock moves no lease and no delay. An instant given with queue.At is measured against the wall clock once, when it is published.
//
// # Groups
//
// A task that its group does not admit leaves the index of those that can be claimed when the writer comes across it, and comes back when something of its group
// has ended: see group. So what a claim costs does not depend on how many tasks wait, nor on how many of those are blocked.
//
// # Damage
//
// Each row has a checksum over all that it says, and the file is read as a whole when it is opened: pages, indexes, checksums, schema, length and write-ahead log.
// What does not fit is refused with [ErrDamaged], and nothing is ever made anew where something was. Rows are checked again when they are read, so a
// bit that is flipped while the file is open is not handed out either: the store then refuses everything that would change it.
package sqlite
