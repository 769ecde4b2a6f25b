package logging_test

import (
	"context"
	"fmt"
	"os"
	"strings"

	"github.com/plba/plba/logging"

	"go.opentelemetry.io/otel/trace"
)

func Example() {
	m, err := logging.New(logging.Config{Level: "info", Format: logging.FormatText}, withoutTime{})
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := trace.ContextWithSpanContext(context.Background(), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: trace.TraceID{1}, SpanID: trace.SpanID{2},
	}))
	log := m.Logger().With("worker", "mail-polling")
	log.InfoContext(ctx, "found", "mails", 3)
	log.Info("sender says", "subject", "hello\nlevel=ERROR msg=forged")
	log.Debug("not shown")
	m.SetLevel(-4)
	log.Debug("shown")
	// Output:
	// level=INFO msg=found worker=mail-polling mails=3 trace_id=01000000000000000000000000000000 span_id=0200000000000000
	// level=INFO msg="sender says" worker=mail-polling subject="hello\nlevel=ERROR msg=forged"
	// level=DEBUG msg=shown worker=mail-polling
}

// withoutTime writes lines to the standard output without their time, which differs at each run.
type withoutTime struct{}

func (withoutTime) Write(p []byte) (int, error) {
	_, line, _ := strings.Cut(string(p), " ")
	_, err := os.Stdout.WriteString(line)
	return len(p), err
}
