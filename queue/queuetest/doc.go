// Package queuetest is the conformance suite of queue engines: what package queue promises in its documentation, as tests
// that any [queue.Engine] can be put through.
//
//	func TestConformance(t *testing.T) {
//		queuetest.Run(t, mine.Driver(), func(t *testing.T) queue.Settings {
//			return &mine.Settings{Path: filepath.Join(t.TempDir(), "queue.db")}
//		})
//	}
//
// Every test has settings of its own that lead to an empty storage, and opens an engine with them; some change the limits, or close the engine and open
// another one with the same settings: a durable engine then finds what was there. The driver's capabilities decide how payloads travel (as values with
// queue.InProcess, otherwise as bytes) and which families run.
//
// # Time
//
// [Run] uses real time, because durable engines cannot run under any other: leases and delays of 50 to 400 ms. It never
// demands that something happens fast, only that it does not happen too early, and that it happens at all within 10
// seconds. [Virtual] runs the same tests in testing/synctest bubbles, for engines that live inside the process.
//
// # Concurrency
//
// Besides the tests of single promises there are histories: publishers, consumers and operators work at once, and afterwards each task's calls, with what
// they returned, are put before a judge, who looks for an order in which they can have taken effect, one at a time, each between its beginning and its
// end.
//
// # What keeps the suite honest
//
// Every test states how many tasks it moves at least, and fails when the engine saw fewer. At the end the suite fails when a
// test did not run at all. The suite runs behind a small part of testing.T, so its own tests can watch it fail: they give
// it engines that are broken, each in one way, and demand that it finds every one of them, and that nine tests of ten are seen to fail that way.
package queuetest
