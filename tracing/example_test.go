package tracing_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"time"

	"github.com/plba/plba/tracing"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/trace"
)

// parse is business code: it needs a context and nothing else of the platform's.
func parse(ctx context.Context, mail string) (err error) {
	ctx, end := tracing.Step(ctx, "parse")
	defer func() { end(err) }()
	tracing.Record(ctx, slog.String("mail", mail))
	tracing.Message(ctx, slog.LevelWarn, "line skipped", slog.Int("line", 3))
	return errors.New("no quantity")
}

// One trace leads from the worker that finds a mail, over the queue, to the code that handles it.
func Example() {
	var cfg tracing.Config
	cfg.SetDefaults()
	cfg.Transport = tracing.TransportMemory
	traces, err := tracing.New(cfg, "shop", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = traces.Shutdown(context.Background()) }()

	// The polling worker begins a trace and sends it along with the task.
	metadata := map[string]string{}
	ctx, end := traces.Create(context.Background(), "poll")
	tracing.Inject(ctx, metadata)
	end(nil)

	// The consuming worker resumes it.
	ctx, span := traces.Resume(context.Background(), metadata, "process mails", trace.WithSpanKind(trace.SpanKindConsumer))
	_ = parse(ctx, "mail-7")
	span.End()

	for _, summary := range traces.Recent().List(10) {
		found, _ := traces.Recent().Get(summary.TraceID)
		depth := map[string]int{}
		for _, s := range found.Spans {
			depth[s.SpanID] = depth[s.ParentID] + 1
			fmt.Printf("%s%s (%s, %s)\n", strings.Repeat("  ", depth[s.SpanID]-1), s.Name, s.Kind, s.Status)
			for _, e := range s.Events {
				fmt.Printf("%s* %s\n", strings.Repeat("  ", depth[s.SpanID]), e.Name)
			}
		}
	}
	// Output:
	// poll (internal, unset)
	//   process mails (consumer, unset)
	//     parse (internal, error)
	//       * line skipped
	//       * exception
}

// A worker's life shows as one short span a move, also when no business trace is sampled.
func ExampleService_Transition() {
	traces, err := tracing.New(tracing.Config{Transport: tracing.TransportMemory, Ratio: 0, Recent: 50}, "shop", nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = traces.Shutdown(context.Background()) }()

	noon := time.Date(2026, 2, 3, 12, 0, 0, 0, time.UTC)
	start := traces.Transition("mails", "consume", "stopped", "starting", "start", nil, noon, 0, trace.SpanContext{})
	traces.Transition("mails", "consume", "starting", "stopped", "fail", errors.New("no mail server"), noon.Add(time.Second), time.Second, start)
	_, end := traces.Create(context.Background(), "not sampled")
	end(nil)

	for _, s := range traces.Recent().List(0, tracing.KindTransition) {
		fmt.Println(s.Name, s.Detail)
	}
	// Output:
	// worker.transition mails: starting → stopped (fail)
	// worker.transition mails: stopped → starting (start)
}

// printing is a transport of the application's own.
type printing struct{ tracing.NoOpTransport }

func (printing) Name() string { return "printing" }

func (printing) OnEnd(s sdktrace.ReadOnlySpan) { fmt.Println("ended:", s.Name()) }

func ExampleNewWith() {
	traces, err := tracing.NewWith(printing{}, 1, "shop")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = traces.Shutdown(context.Background()) }()
	_, end := traces.Create(context.Background(), "poll")
	end(nil)
	fmt.Println("transport:", traces.Transport())
	// Output:
	// ended: poll
	// transport: printing
}
