// Package plbatest runs an application's modules in the author's own tests.
//
// Start assembles and starts modules as a program would, but with nothing from outside: queues in memory whatever the configuration names, no control listener, no
// signals, no environment, no watching of files. Payloads are always encoded, so that a type that a durable engine could not keep, and a handler that shares
// memory with its publisher, show in the test. Batches (pipeline.Batch) run at once, with the tasks that are there. Logs go to the test's log.
//
// Inside testing/synctest time is virtual: polls, retries and backoffs of hours pass in microseconds, and nothing needs a sleep.
//
//	synctest.Test(t, func(t *testing.T) {
//		app := plbatest.Start(t, &module{}, plba.WithConfigYAML("shop: {poll_every: 15s}"))
//		app.WaitState("order-processing", workers.Idle)
//		if res := plbatest.Feed(app, "mails", Mail{ID: 1}); res.Outcome != task.Done {
//			t.Fatal(res.Err)
//		}
//	})
package plbatest
