// Package modeltest holds the property test of package pipeline: random pipelines, of all combinators and policies and with functions that
// fail in all ways, do what a naive sequential interpreter says. It has no code but tests.
//
// A random pipeline is a tree of plans. A plan is a stage twice: build makes the real one, and interpret says what it must do, as a naive program that
// walks through the tree with a clock in its hand, one thing after the other. The interpreter uses nothing of the engine; what the
// engine does runs in a bubble of testing/synctest, where no time passes while something is done.
//
//	plan_test.go       plans, and errors as the interpreter sees them
//	clock_test.go      the interpreter: its clock, contexts that end, notes of side effects
//	beside_test.go     how it interprets what runs at once, one thing after the other
//	policy_test.go     what stands around a stage: retry, timeout, fallback and the conditions
//	admission_test.go  what stands in front of it: breaker, rate, middleware
//	keep_test.go       checkpoints and compensations
//	deed_test.go       what the functions of stages do, and stages of one function
//	nested_test.go     nested pipelines and fan-outs
//	side_test.go       Both and All, Switch, Validate
//	batch_test.go      Batch
//	draw_test.go       random plans
//	world_test.go      what real stages do to their surroundings, and how that is compared
//	property_test.go   the test
//	volume_test.go     what it must have met to have a point
//
// # Two kinds of scenarios
//
// In the one kind tasks come one after the other, and time counts: stages take their time, heed the end of their context or ignore it, time out, wait for a
// rate, meet an open breaker, and are cancelled from outside. Every instant of every side effect is known to the interpreter.
//
// In the other kind several lanes of tasks are under way at once, each with one task after the other as a queue hands out those of one group in strict
// order. They share limits, rates and batches, so instants mean nothing; results and the order on each lane do.
//
// # The order of side effects
//
// Every side effect belongs to a line of execution: the run of a task, a branch of Both or All, an element of a fan-out with several at once. On a line the order is
// total, and must be the interpreter's. Between lines that are under way at once it is partial: their instants order them, and must be the interpreter's too, to the
// millisecond, when instants mean something. Compensations belong to the line of their task. What has no idempotency key, which is only the function of a Batch and
// that of a Pure, is compared as a multiset.
//
// Where two things happen at the same instant of which the first decides (which of two branches fails first, say), the interpreter says that it is open what happens, and
// the test checks only what must hold in any case. How often that may be is bounded.
package modeltest
