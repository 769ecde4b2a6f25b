// Package health tells how an application is: ok, degraded or unhealthy, since
// when, and why.
//
// # Components
//
// A [Registry] knows components by unique names. A component is either
//
//   - a check ([Registry.Add]): a function that goes and looks, at an interval
//     of its own, in the background; or
//   - a source ([Registry.Source]): a function that knows the answer already
//     and is asked each time a report is made. Workers are sources.
//
// # States
//
//	ok         works
//	degraded   works, but there is a problem
//	unhealthy  should not be considered operational
//
// A check says so with its error: nil is ok, an error is unhealthy, and one
// marked by [Degraded] is degraded. Some components are critical. Together:
//
//	any critical component unhealthy                        -> unhealthy
//	any critical component degraded, or any other not ok    -> degraded
//	otherwise                                               -> ok
//
// # Groups
//
// A probe that decides about traffic or restarts should not ask about
// everything. A component can belong to groups ([Check].Groups):
//
//	readiness   no while a member is unhealthy; every critical component is one
//	startup     no until every member has been ok once; checks only
//
// A degraded member holds nothing up. There is no group for liveness: a probe
// whose no ends the process must not ask about what a new process cannot mend.
//
// # What a registry promises
//
//   - [Registry.Report] never waits for a check. It combines the last results
//     and asks the sources, which must not block.
//   - A check runs alone: it is not started again before it returned. Different
//     checks run in parallel, each with its own interval and timeout.
//   - Until its first result a check counts as ok, with the reason "not checked
//     yet". That lasts no longer than its timeout after Start.
//   - After Stop the last results stand, with the time at which each was last
//     ok. They stand until the first round after another Start.
//
// # Changes
//
// A change of state, of a component or of the whole, is logged and handed to
// the registry's callback. Changes come one at a time and in order, from one
// goroutine that lives between Start and Stop: at once for a check, within a
// second for a source. States that come and go while the callback is busy are
// not told.
//
// # Failure
//
//   - A check that exceeds its timeout has its context cancelled and is
//     unhealthy with the reason "no answer in 5s". If it ignores its context,
//     it stays so until it returns; what it returns then is ignored, and its
//     next round comes after its interval.
//   - A check that panics is unhealthy with the reason "panic: …". The stack is
//     logged. The same holds for a source.
//   - [Registry.Stop] cancels the checks that are running and waits for them. One
//     that has not returned when the context of Stop ends is abandoned and named
//     in the error. It is still not started again before it returned, not even
//     by another Start.
package health
