// Package tracing is PLBA's trace service over OpenTelemetry: it begins traces, carries them through task metadata, lets
// business code write down what it does, shows the lives of workers, and takes finished spans to a transport.
//
// # Business code
//
// Business code needs a context and three functions, and no service:
//
//	ctx, end := tracing.Step(ctx, "check prices")           // a child span
//	defer func() { end(err) }()
//	tracing.Record(ctx, slog.String("order", order.Number)) // a fact about the span
//	tracing.Message(ctx, slog.LevelInfo, "3 lines skipped") // something that happened
//
// They act on the span in ctx. Where that one is not recording (no span, tracing off, trace not sampled) they do nothing,
// quickly.
//
// # Traces across queues
//
// Service.Create begins a trace, Inject writes it into a task's metadata, and Service.Resume goes on with it wherever the
// task is handled: the same trace ID, the resumed span a child of the one that published. The format is W3C Trace
// Context (traceparent, tracestate). Metadata is not trusted: what is too long, holds control characters or is malformed
// counts as absent, and the task's trace simply begins anew.
//
// # Transitions
//
// A span as long as a worker would show nothing before the worker ends. So each move of a worker's state machine is one
// span of no length in a trace of its own, linked to the span of the worker's start (Service.Transition). The sampler keeps
// transitions at every ratio: with ratio 0 they are all there is.
//
//	name                  worker.transition
//	worker.name           the worker
//	worker.kind           what sort of worker it is
//	worker.from           the state it left
//	worker.to             the state it is in now
//	worker.event          what moved it
//	worker.reason         why, if there is something to say
//	worker.held_seconds   how long it was in the state it left
//
// # Transports
//
// A Transport is a named OpenTelemetry span processor. Nothing it is given gets lost without being counted
// (Service.Counts):
//
//	none      No spans are made at all.
//	stdout    Each span is written at once, as one line of JSON in one Write. Nothing is buffered or dropped; a failed
//	          write is counted. For development and for collectors that read lines.
//	memory    The latest traces stay in the process, for the control plane: see Recent. Bounded in traces and in spans
//	          per trace; transitions have places of their own beside business traces.
//	Batch     Makes a transport of any OpenTelemetry exporter: a bounded buffer and one goroutine; what does not fit
//	          is dropped and counted, business code never waits.
//
// An application that has a provider of its own hands it over with Wrap; its sampling, transport and shutdown stay its
// own business.
//
// # Limits
//
// Texts are cut at 4 KiB, and a span keeps at most 128 attributes, 128 events (the latest) and 128 links; what went over shows in
// Span.Dropped. OpenTelemetry's own variables for these limits (OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT, …) and OTEL_RESOURCE_ATTRIBUTES
// are heeded; the sampler is always the one described here. Global OpenTelemetry state is neither used nor changed.
//
// # Shutdown
//
// Service.Shutdown first closes the provider, then lets the transport hand over what it holds, and returns at the latest
// when its context ends. Spans that end afterwards go nowhere. After it no goroutine of this package is left, unless an
// application's exporter does not heed its context: that one is named in the error.
package tracing
