// Package queuetest is the conformance suite of queue engines: what package queue promises in its documentation, as tests
// that any [queue.Engine] can be put through.
//
//	func TestConformance(t *testing.T) {
//		queuetest.Run(t, func(t *testing.T) queue.Engine {
//			engine, err := mine.Driver().Open(t.Context(), "tests", settings(t))
//			if err != nil {
//				t.Fatal(err)
//			}
//			return engine
//		}, mine.Driver().Capabilities())
//	}
//
// open is called once per test and returns an engine of its own, empty and open; the suite closes it. Its capacity is to be
// between 100 and 10,000 (or 0, no bound, for which the tests of bounds are skipped); it must keep at least 10 dead letters.
// Capabilities decide how payloads travel (as values with queue.InProcess, otherwise as bytes) and which families run.
//
// # Time
//
// [Run] uses real time, because durable engines cannot run under any other: leases and delays of 50 to 400 ms. It never
// demands that something happens fast, only that it does not happen too early, and that it happens at all within 10
// seconds. [Virtual] runs the same tests in testing/synctest bubbles, for engines that live inside the process.
//
// # What keeps the suite honest
//
// Every test states how many tasks it moves at least, and fails when the engine saw fewer. At the end the suite fails when a
// test did not run at all. The suite runs behind a small part of testing.T, so its own tests can watch it fail: they give
// it engines that are broken, each in one way, and demand that it finds every one of them.
package queuetest
