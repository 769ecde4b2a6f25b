// Package pipeline composes business functions into typed pipelines.
//
//	orders := pipeline.New[domain.MailRef, pipeline.Done]("orders").
//		Stage(pipeline.Map("load", shop.Load)).
//		Stage(pipeline.Map("parse", shop.Parse).Timeout(30 * time.Second)).
//		Stage(pipeline.Each("attachments", pipeline.Map("decode", shop.Decode)).KeyedBy(domain.FileName)).
//		Stage(pipeline.Map("store", shop.Store).Retry(3)).
//		Stage(pipeline.Sink("move", shop.Move)).
//		MustBuild()
//
// # Stages
//
// A stage is a value that turns an In into an Out: Map, Pure, Tap, Filter and Sink make one of a function, Each of a
// stage for one element, Sub of a built pipeline. Stages are immutable: a policy method (Retry, Timeout) returns a
// changed copy, so one stage value may stand in several pipelines. A built pipeline is immutable, safe for
// concurrent use, and a stage itself.
//
// # Building
//
// Inside a combinator the compiler infers and checks the types. The seams between the Stage calls of a builder are
// checked by Build, which reports all faults at once as a *BuildError: each with the file:line of its Stage call, the
// types that do not meet, and a hint. Nil functions, absurd settings and unusable names are such faults too; nothing
// panics while a pipeline is put together, except MustBuild.
//
// # A run
//
// Run walks one value through all stages in the caller's goroutine; only Each starts goroutines, and waits for them.
// Policies nest like this, whatever order they were called in:
//
//	span > retry > timeout > panic guard > function
//
// so every attempt has the whole timeout.
//
// Before each stage the context is checked. A run that is cancelled there fails with the context's cause
// (context.Cause); errors.Is finds context.Canceled or context.DeadlineExceeded as well. A stage is never interrupted
// from outside: it ends by itself, cancelled or late, and is waited for.
//
// # Errors
//
// Every error of a run is a *StageError. Its Path names the stage ("orders/store", inside a fan-out
// "orders/attachments/invoice.csv/decode") and it unwraps to the stage's own error, so that task.Classify tells what
// becomes of the task:
//
//	task.Drop        the run ends there; on a queue the task counts as finished, a fan-out leaves the element out
//	task.Permanent   not retried inside the stage; a dead letter on a queue
//	task.Snooze      not retried inside the stage; the queue puts the task away
//	task.RetryAfter  not retried inside the stage: the wait is the queue's, where it occupies no slot
//	a panic          becomes a *PanicError with its stack; not retried inside the stage, the queue tries again
//	anything else    retried as Retry says, then left to the queue
//
// A drop reaches the direct caller of Run as an error, because there is no output to give. Handle returns it too, and
// the worker acknowledges the task.
//
// A stage that calls runtime.Goexit (testing's FailNow does) ends the goroutine it runs on, and Run never returns.
// Whoever owns that goroutine must report it. Each owns the goroutines of its elements: there it is the element's
// error, ErrGoexit. The pipeline stays sound either way.
//
// # Idempotency
//
// task.Key inside a stage is the task's ID and the stage's path. It is the same on every attempt and differs between
// stages and elements. Elements are named by their index unless KeyedBy names them. A context that is kept longer
// than its stage runs keeps its key.
//
// # Traces
//
// When the context's span is recording, every stage has a child span named after it, from that span's provider;
// otherwise none is started.
//
//	pipeline.name         the pipeline that the stage stands in
//	pipeline.stage        the stage's name
//	pipeline.stage.kind   map, pure, tap, filter, sink, each, pipeline
//	pipeline.element      key or index, on the outermost span of a fan-out's element
//	pipeline.dropped      the reason of a drop; the span's status stays unset
//
// An error sets the status, and where it happened it is recorded as an exception event, a panic with its stack. An
// event "retry" (attempt, pause_seconds, error) tells that the stage ran again.
//
// # Speed
//
// Run is a flat loop over a pooled frame that has one typed cell per seam, so that no value is boxed. The only
// allocation of its own is the block of contexts that tells each stage where it is. Cells are zeroed when a frame
// goes back: the pool keeps no value alive.
package pipeline
