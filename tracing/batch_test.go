package tracing

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
)

// exporter notes the size of each batch, and does what the test says.
type exporter struct {
	export func(context.Context) error // nil: success
	close  error

	mu     sync.Mutex
	sizes  []int
	closed int
}

func (e *exporter) ExportSpans(ctx context.Context, spans []sdktrace.ReadOnlySpan) error {
	e.mu.Lock()
	e.sizes = append(e.sizes, len(spans))
	e.mu.Unlock()
	if e.export != nil {
		return e.export(ctx)
	}
	return nil
}

func (e *exporter) Shutdown(context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.closed++
	return e.close
}

func (e *exporter) batches() []int {
	e.mu.Lock()
	defer e.mu.Unlock()
	return append([]int(nil), e.sizes...)
}

func batched(t *testing.T, e *exporter, cfg BatchConfig) *Service {
	t.Helper()
	s, err := NewWith(Batch("otlp", e, cfg), 1, "shop")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func emit(s *Service, n int) {
	for range n {
		_, end := s.Create(context.Background(), "work")
		end(nil)
	}
}

func TestBatchExportsInTimeAndBySize(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &exporter{}
		s := batched(t, e, BatchConfig{Size: 10, Buffer: 100, Every: time.Second})
		emit(s, 3)
		time.Sleep(time.Second - 1)
		synctest.Wait()
		if got := e.batches(); len(got) != 0 {
			t.Errorf("exported too early: %v", got)
		}
		time.Sleep(time.Nanosecond)
		synctest.Wait()
		if got, want := e.batches(), []int{3}; !reflect.DeepEqual(got, want) {
			t.Errorf("after a second: %v, want %v", got, want)
		}
		emit(s, 25)
		synctest.Wait()
		if got, want := e.batches(), []int{3, 10, 10}; !reflect.DeepEqual(got, want) {
			t.Errorf("full batches go at once: %v, want %v", got, want)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		if got, want := e.batches(), []int{3, 10, 10, 5}; !reflect.DeepEqual(got, want) {
			t.Errorf("a second later: %v, want %v", got, want)
		}
		emit(s, 4)
		shutdown(t, s)
		if got, want := e.batches(), []int{3, 10, 10, 5, 4}; !reflect.DeepEqual(got, want) {
			t.Errorf("after Shutdown: %v, want %v", got, want)
		}
		if got, want := s.Counts(), (Counts{Exported: 32}); got != want || e.closed != 1 {
			t.Errorf("counts %+v, want %+v; closed %d times", got, want, e.closed)
		}
	})
}

// A span that comes after a quiet time waits no longer than others, and the one that fills a batch sends it off.
func TestBatchAfterAQuietTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &exporter{}
		s := batched(t, e, BatchConfig{Size: 4, Every: time.Second})
		emit(s, 1)
		time.Sleep(time.Hour)
		emit(s, 1)
		time.Sleep(time.Second)
		synctest.Wait()
		if got, want := e.batches(), []int{1, 1}; !reflect.DeepEqual(got, want) {
			t.Errorf("batches %v, want %v", got, want)
		}
		emit(s, 1)
		synctest.Wait()
		emit(s, 3)
		synctest.Wait()
		if got, want := e.batches(), []int{1, 1, 4}; !reflect.DeepEqual(got, want) {
			t.Errorf("batches %v, want %v", got, want)
		}
		shutdown(t, s)
	})
}

func TestBatchCountsWhatDoesNotFit(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		e := &exporter{export: func(context.Context) error { <-release; return nil }}
		s := batched(t, e, BatchConfig{Size: 2, Buffer: 4})
		emit(s, 2)
		synctest.Wait() // the exporter has these two and hangs
		emit(s, 10)     // four fit
		if got, want := s.Counts(), (Counts{Dropped: 6}); got != want {
			t.Errorf("counts %+v, want %+v", got, want)
		}
		close(release)
		shutdown(t, s)
		if got, want := s.Counts(), (Counts{Exported: 6, Dropped: 6}); got != want {
			t.Errorf("counts %+v, want %+v", got, want)
		}
	})
}

func TestBatchCountsFailuresAndSurvivesPanics(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		results := []func() error{
			func() error { return errBoom },
			func() error { panic("no good") },
			func() error { return nil },
		}
		e := &exporter{}
		e.export = func(context.Context) error { return results[len(e.batches())-1]() }
		s := batched(t, e, BatchConfig{Size: 2})
		emit(s, 2)
		synctest.Wait()
		if got, want := s.Counts(), (Counts{Failed: 2, LastError: "boom"}); got != want {
			t.Errorf("counts %+v, want %+v", got, want)
		}
		emit(s, 2)
		synctest.Wait()
		emit(s, 2)
		shutdown(t, s)
		if got, want := s.Counts(), (Counts{Exported: 2, Failed: 4, LastError: "the exporter panicked: no good"}); got != want {
			t.Errorf("counts %+v, want %+v", got, want)
		}
	})
}

func TestBatchBoundsOneExport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &exporter{export: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }}
		s := batched(t, e, BatchConfig{Size: 1, Timeout: 5 * time.Second})
		emit(s, 1)
		time.Sleep(5 * time.Second)
		synctest.Wait()
		if got, want := s.Counts(), (Counts{Failed: 1, LastError: "context deadline exceeded"}); got != want {
			t.Errorf("counts %+v, want %+v", got, want)
		}
		shutdown(t, s)
	})
}

func TestBatchShutdownCancelsTheExport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &exporter{export: func(ctx context.Context) error { <-ctx.Done(); return ctx.Err() }}
		s := batched(t, e, BatchConfig{Size: 1, Buffer: 10, Timeout: time.Hour})
		emit(s, 1)
		synctest.Wait()
		emit(s, 4)
		ctx, cancel := context.WithTimeout(context.Background(), 2*time.Second)
		defer cancel()
		begun := time.Now()
		err := s.Shutdown(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(begun) != 2*time.Second {
			t.Errorf("Shutdown took %s: %v", time.Since(begun), err)
		}
		synctest.Wait() // and no goroutine is left in the bubble
		if got, want := s.Counts(), (Counts{Dropped: 4, Failed: 1, LastError: "context canceled"}); got != want {
			t.Errorf("counts %+v, want %+v", got, want)
		}
		if e.closed != 1 {
			t.Errorf("the exporter was closed %d times", e.closed)
		}
	})
}

// The transport by itself keeps to its word too: closed, it counts what still comes.
func TestBatchAfterShutdown(t *testing.T) {
	e := &exporter{close: errBoom}
	tr := Batch("otlp", e, BatchConfig{})
	if err := tr.ForceFlush(context.Background()); err != nil {
		t.Errorf("ForceFlush before the first span: %v", err)
	}
	if err := tr.Shutdown(context.Background()); !errors.Is(err, errBoom) {
		t.Errorf("Shutdown: %v, want the exporter's error", err)
	}
	tr.OnEnd(span(true))
	tr.OnEnd(span(false))
	if got, want := tr.(Counter).Counts(), (Counts{Dropped: 1}); got != want || len(e.batches()) != 0 {
		t.Errorf("counts %+v, want %+v", got, want)
	}
}

func span(sampled bool) sdktrace.ReadOnlySpan {
	parent := "00-0102030405060708090a0b0c0d0e0f10-0102030405060708-00"
	if sampled {
		parent = goodParent
	}
	return tracetest.SpanStub{Name: "x", SpanContext: remote(map[string]string{"traceparent": parent})}.Snapshot()
}

func TestBatchForceFlush(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &exporter{}
		tr := Batch("otlp", e, BatchConfig{Every: time.Hour})
		for range 3 {
			tr.OnEnd(span(true))
		}
		if err := tr.ForceFlush(context.Background()); err != nil || !reflect.DeepEqual(e.batches(), []int{3}) {
			t.Errorf("flushed %v: %v", e.batches(), err)
		}
		hang := make(chan struct{})
		e.export = func(context.Context) error { <-hang; return nil }
		tr.OnEnd(span(true))
		ctx, cancel := context.WithTimeout(context.Background(), time.Second)
		defer cancel()
		for _, when := range []string{"while it exports", "before its turn"} {
			if err := tr.ForceFlush(ctx); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("ForceFlush %s: %v", when, err)
			}
		}
		close(hang)
		if err := tr.Shutdown(context.Background()); err != nil {
			t.Error(err)
		}
		if err := tr.ForceFlush(context.Background()); err != nil {
			t.Errorf("ForceFlush after Shutdown: %v", err)
		}
	})
}

func TestBatchLosesNothingUnderConcurrentUse(t *testing.T) {
	e := &exporter{}
	s := batched(t, e, BatchConfig{Size: 16, Buffer: 64, Every: time.Millisecond})
	const goroutines, each = 6, 200
	var wg sync.WaitGroup
	for range goroutines {
		wg.Go(func() { emit(s, each) })
	}
	wg.Wait()
	shutdown(t, s)
	sum := 0
	for _, n := range e.batches() {
		sum += n
	}
	if c := s.Counts(); int(c.Exported) != sum || c.Exported+c.Dropped != goroutines*each || c.Failed != 0 {
		t.Errorf("counts %+v, %d came out, %d went in", c, sum, goroutines*each)
	}
}

func TestBatchDefaults(t *testing.T) {
	want := BatchConfig{Buffer: 8192, Size: 512, Every: time.Second, Timeout: 10 * time.Second}
	if got := (BatchConfig{Size: -1}).withDefaults(); got != want {
		t.Errorf("defaults %+v, want %+v", got, want)
	}
	if got := (BatchConfig{Buffer: 10}).withDefaults().Size; got != 10 {
		t.Errorf("a batch of %d from a buffer of 10", got)
	}
}

// In-memory exporters of OpenTelemetry's test kit work as transports.
func TestBatchTakesAnyExporter(t *testing.T) {
	mem := &remembering{InMemoryExporter: tracetest.NewInMemoryExporter()}
	s, err := NewWith(Batch("test kit", mem, BatchConfig{}), 1, "shop")
	if err != nil {
		t.Fatal(err)
	}
	emit(s, 5)
	shutdown(t, s)
	if got := fmt.Sprint(len(mem.names), " ", s.Transport()); got != "5 test kit" {
		t.Errorf("got %s", got)
	}
}

// remembering notes the names, since the exporter forgets its spans when it is shut down.
type remembering struct {
	*tracetest.InMemoryExporter
	names []string
}

func (k *remembering) Shutdown(ctx context.Context) error {
	for _, s := range k.GetSpans() {
		k.names = append(k.names, s.Name)
	}
	return k.InMemoryExporter.Shutdown(ctx)
}
