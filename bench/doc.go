// Package bench measures queues in PostgreSQL beside River (github.com/riverqueue/river), in the same run and on the same server. It is a module of its own, so that
// nobody who uses PLBA gets to see River.
//
//	go test -run Compare -v -timeout 15m . -compare
//
// starts a private server that syncs its files, prints its settings, lets both sides do each thing in turns, and prints the medians. Without -compare the same
// code runs once, with few tasks, and shows that both sides do all of the work. docs/benchmarks.md has the results.
package bench
