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
// A stage is a value that turns an In into an Out. One function makes a stage:
//
//	Map       a function that may fail and may block
//	Pure      one that does neither
//	Tap       looks at the value and hands it on
//	Filter    drops the value, or hands it on
//	Sink      takes the value and gives nothing on
//	Batch     one call for the values of several tasks
//
// and other stages do:
//
//	Validate          hands the value on, or refuses it: then a rejected path runs and the value is dropped
//	Switch, On        the stage of one case, chosen by a key; Otherwise for all other keys
//	Each              a stage for every element of a slice, several at once, results in order
//	Both, All3, All4  several stages at once for the same value, whose results are merged
//	Sub               a built pipeline
//
// Stages are immutable: their methods return a changed copy, so one stage value may stand in several pipelines. A
// built pipeline is immutable, safe for concurrent use, and a stage itself.
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
// Run walks one value through all stages in the caller's goroutine. Only Each, Both and All start goroutines, their
// own, and wait for them: however they are nested, none waits for a place that another one holds. The first error
// cancels the others, which learn of it by the cause of their context.
//
// Before each stage the context is checked. A run that is cancelled there fails with the context's cause
// (context.Cause); errors.Is finds context.Canceled or context.DeadlineExceeded as well. A stage is never interrupted
// from outside: it ends by itself, cancelled or late, and is waited for.
//
// # Policies and middleware
//
// Policies are methods of every stage. They nest like this, whatever order they were called in:
//
//	checkpoint > span > middleware > fallback > retry > (breaker > rate > limit > timeout > panic guard > function)
//
// The bracket is gone through again on every attempt: each one has the whole timeout, counts for the breaker, waits for
// its turn and its place, and holds them no longer than it runs.
//
//	Fallback             stands in when the stage has failed for good
//	Retry, RetryIf       attempts, with pauses, as long as the error might pass
//	Breaker              after failures in a row, answers at once for a while: the queue tries the task again then
//	Rate                 how often attempts begin
//	Limit                how many run at once
//	Timeout              how long one may take
//	PermanentIf          which errors can never pass
//
// Rate, Limit and Breaker are shared by all runs of the built pipeline that the stage was put in.
//
// Builder.Use puts middleware around every stage of a pipeline. It sees that a stage runs, which one, and how it ends;
// it sees no values.
//
// # Errors
//
// Every error of a run is a *StageError. Its Path names the stage ("orders/store", inside a fan-out
// "orders/attachments/invoice.csv/decode"); its message tells what happened further inside relative to that, each part of the
// way once ("orders/attachments: after 3 attempts: invoice.csv/decode: no such table"). It unwraps to the stage's own
// error, so that task.Classify tells what becomes of the task:
//
//	task.Drop        the run ends there; on a queue the task counts as finished, a fan-out leaves the element out
//	task.Permanent   not retried inside the stage; a dead letter on a queue
//	task.Snooze      not retried inside the stage; the queue puts the task away
//	task.RetryAfter  not retried inside the stage: the wait is the queue's, where it occupies no slot
//	a panic          becomes a *PanicError with its stack; not retried inside the stage, the queue tries again
//	an open breaker  as task.RetryAfter
//	anything else    retried as Retry says, then left to the queue
//
// A drop reaches the direct caller of Run as an error, because there is no output to give. Handle returns it too, and
// the worker acknowledges the task.
//
// A stage that calls runtime.Goexit (testing's FailNow does) ends the goroutine it runs on, and Run never returns.
// Whoever owns that goroutine must report it. Each owns the goroutines of its elements, Both and All those of their
// branches: there it is an error, ErrGoexit. The pipeline stays sound either way.
//
// # Checkpoints
//
// A Checkpoint keeps the output of its stage with the task: the next attempt goes on behind the last one, with the output
// as it was, whatever ended the one before. There is no replay, and no rule that a stage be deterministic. The output is
// encoded as JSON (Build refuses types that would not come back) and kept under the path of the place where the stage
// stands, so an Each around it must name its elements with KeyedBy, and no name may come twice (ErrRepeatedKey).
//
// A record belongs to its stage, behind the stages with records before it. When one of these has been renamed or moved, or has
// other types now, the run begins at the front again; the span of the task gets an event "restarted". An event "resumed" says
// behind which stage a run went on. What cannot be written fails the run, and the queue tries again.
//
// A pipeline that keeps something runs as the handler of a task, alone, or as a stage: not from inside of a stage's function, where
// its paths would not be its own, and once for each task.
//
// # Compensation
//
// A Compensate says how to undo what its stage did. It is a checkpoint too, of input and output. When the task is given up (it
// cannot succeed, has no attempt left, or was cancelled) the queue hands it out once more, and the pipeline undoes what is on
// record, last in first out, whichever process did it:
//
//	attempt fails, is snoozed, or is stopped by force    nothing is undone: the next one goes on
//	lease lost, process killed                           nothing is undone: the next one goes on
//	task given up                                        compensations, under a lease of their own
//	a compensation fails                                 its lease is tried again, and goes on there
//	it fails permanently, or for the last time           a dead letter that names what is not undone
//	the pipeline has changed, with effects on record     the same (*ChangedError); nothing is undone in part because of it
//
// What was done and could not be written down is not undone: a stage has done nothing before its record stands. So an
// effect and its compensation both need the idempotency key (task.Key).
//
// Outside of a queue a run that fails undoes what it did before it returns, unless it was snoozed or dropped; with a context
// that lives. A CompensationError says what is left.
//
// Undoing gives no new keys. A stage that runs again after its effect was undone (an operator requeues a dead letter that was undone, wholly or in part;
// a retry comes back to stages that a Fallback had undone) has the key that it had before, and so has its compensation. Someone who remembers keys would
// answer "done already", and the effect would be missing. So a compensation must make its receiver forget the stage's key, task.Key without
// "#undo", together with the effect: delete both in one transaction, cancel the very booking that the key stands for. Where the receiver
// never forgets a key, as payment providers do, a task that was undone must not be requeued: publish its payload as a new task, whose ID makes new keys.
//
// What is inside of a nested pipeline is undone with the rest, wherever it stands. Two things make a scope of it: a Compensate on Sub,
// which takes the place of those inside when the pipeline has succeeded as a whole; and a Fallback, which is asked only
// when what it stands in for has been undone.
//
// # Batches
//
// Batch gathers the values of several tasks, each of which waits in its slot. It does not wait in vain: when no slot of the worker
// can bring another item, it goes on with those that are there.
//
// # Stream mode
//
// Streamed gives each top-level stage goroutines of its own, with bounded belts between them, for stages that need very different
// numbers. A task's slot waits until its task comes out, so the worker's concurrency bounds how many are under way, and the order
// that a queue keeps within a group stays. A stage that ends its goroutine is an error of its task there, ErrGoexit.
//
// # Idempotency
//
// task.Key inside a stage is the task's ID and the stage's path. It is the same on every attempt, also after what the stage did was undone
// (see Compensation), and differs between stages and elements. Elements are named by their index unless KeyedBy names them. A context that is kept longer
// than its stage runs keeps its key.
//
// # Traces
//
// When the context's span is recording, every stage has a child span named after it, from that span's provider;
// otherwise none is started.
//
//	pipeline.name         the pipeline that the stage stands in
//	pipeline.stage        the stage's name
//	pipeline.stage.kind   map, pure, tap, filter, sink, batch, validate, switch, each, both, all, pipeline
//	                      undo for a compensation, whose span is called as the stage with "#undo" behind it
//	pipeline.element      key or index, on the outermost span of a fan-out's element
//	pipeline.dropped      the reason of a drop; the span's status stays unset
//
// An error sets the status, and where it happened it is recorded as an exception event, a panic with its stack. An
// event "retry" (attempt, pause_seconds, error) tells that the stage ran again, an event "fallback" (error) that
// its fallback stands in. No value is put into a trace, unless the stage has a Trace that says what to show of it.
//
// # Graph and counters
//
// Graph describes a pipeline, with Go types, policies, descriptions and the place in the source, as JSON and as a Mermaid drawing.
// Counters says for every node of it how many runs are inside, how many were done, failed, dropped or retried, and
// how long they took. What a nested pipeline does is counted at the nodes of the one around it.
//
// # Tests
//
// A stage runs alone, with its policies (Stage.Run). Replace puts a fake in the place of a stage, wherever it is
// nested; Collected keeps what arrives at a place, Drops what is dropped. Waits of all policies pass at once under
// testing/synctest.
//
// # Speed
//
// Run is a flat loop over a pooled frame that has one typed place per seam, so that no value is boxed. The only
// allocation of its own is the small course that tells each stage where it is (one for eight stages). Places are zeroed
// when a frame goes back: the pool keeps no value alive. A stage with nothing around it, in a run that no span records, is a
// call of its function; everything else goes through all layers. Counting takes one atomic addition for a stage; the clock is read for
// every run of a stage that takes more than 10 µs, and for one of 64 when it is quicker.
package pipeline
