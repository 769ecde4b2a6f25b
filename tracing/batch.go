package tracing

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	sdktrace "go.opentelemetry.io/otel/sdk/trace"
)

// BatchConfig bounds a batching transport. A field of 0 or less means its default.
type BatchConfig struct {
	Buffer  int           // spans that may wait; further ones are dropped and counted (default 8192)
	Size    int           // most spans in one export (default 512, at most Buffer)
	Every   time.Duration // longest wait of a span before its export begins (default 1 s)
	Timeout time.Duration // longest time for one export (default 10 s)
}

// Batch makes a transport of an OpenTelemetry exporter, for receivers that are slow or far away. Spans wait in a bounded
// buffer and go out in batches from one goroutine, so business code never waits for the receiver. What does not fit or
// fails is counted (see Counts), and a failed batch is not tried again: exporters have their own retries. A panic of the
// exporter counts as a failed batch. The goroutine starts with the first span and ends in Shutdown, which exports what waits.
func Batch(name string, exporter sdktrace.SpanExporter, cfg BatchConfig) Transport {
	base, cancel := context.WithCancel(context.Background())
	return &batch{
		name: name, exporter: exporter, cfg: cfg.withDefaults(),
		base: base, cancel: cancel,
		wake:    make(chan struct{}, 1),
		flushes: make(chan chan struct{}),
		closing: make(chan struct{}),
		done:    make(chan struct{}),
	}
}

func (c BatchConfig) withDefaults() BatchConfig {
	if c.Buffer <= 0 {
		c.Buffer = 8192
	}
	if c.Size <= 0 {
		c.Size = 512
	}
	if c.Every <= 0 {
		c.Every = time.Second
	}
	if c.Timeout <= 0 {
		c.Timeout = 10 * time.Second
	}
	c.Size = min(c.Size, c.Buffer)
	return c
}

type batch struct {
	name     string
	exporter sdktrace.SpanExporter
	cfg      BatchConfig
	counts   counts

	base   context.Context // of every export
	cancel context.CancelFunc

	wake    chan struct{}      // the buffer got its first span, or a full batch
	flushes chan chan struct{} // a request to export everything; closed when done
	closing chan struct{}      // closed by Shutdown
	done    chan struct{}      // closed when the goroutine has ended

	mu      sync.Mutex
	buffer  []sdktrace.ReadOnlySpan
	started bool
	closed  bool
}

func (b *batch) Name() string { return b.name }

func (b *batch) OnStart(context.Context, sdktrace.ReadWriteSpan) {}

func (b *batch) OnEnd(s sdktrace.ReadOnlySpan) {
	if !s.SpanContext().IsSampled() {
		return
	}
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.closed || len(b.buffer) >= b.cfg.Buffer {
		b.counts.drop(1)
		return
	}
	b.buffer = append(b.buffer, s)
	if !b.started {
		b.started = true
		go b.run()
	}
	if n := len(b.buffer); n == 1 || n == b.cfg.Size {
		select {
		case b.wake <- struct{}{}:
		default:
		}
	}
}

// run exports until Shutdown: full batches as they come, the rest when the timer says that it waited long enough.
func (b *batch) run() {
	defer close(b.done)
	timer := time.NewTimer(b.cfg.Every)
	defer timer.Stop()
	for {
		select {
		case <-b.wake:
			b.export(b.cfg.Size)
			timer.Reset(b.cfg.Every) // for what is left, which came just now
		case <-timer.C:
			b.export(1)
		case reply := <-b.flushes:
			b.export(1)
			close(reply)
		case <-b.closing:
			b.export(1)
			return
		}
	}
}

// export hands over what waits, batch by batch, as long as there are at least so many spans.
func (b *batch) export(least int) {
	for {
		spans := b.take(least)
		if len(spans) == 0 {
			return
		}
		if err := b.hand(spans); err != nil {
			b.counts.fail(len(spans), err)
		} else {
			b.counts.export(len(spans))
		}
	}
}

func (b *batch) take(least int) []sdktrace.ReadOnlySpan {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.buffer) < least {
		return nil
	}
	n := min(len(b.buffer), b.cfg.Size)
	spans := b.buffer[:n:n]
	if b.buffer = b.buffer[n:]; len(b.buffer) == 0 {
		b.buffer = nil // let go of the array
	}
	return spans
}

func (b *batch) hand(spans []sdktrace.ReadOnlySpan) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("the exporter panicked: %v", p)
		}
	}()
	ctx, cancel := context.WithTimeout(b.base, b.cfg.Timeout)
	defer cancel()
	return b.exporter.ExportSpans(ctx, spans)
}

// ForceFlush exports what waits; it returns when that is done, when ctx ends or when the transport is shut down.
func (b *batch) ForceFlush(ctx context.Context) error {
	b.mu.Lock()
	started := b.started
	b.mu.Unlock()
	if !started {
		return nil
	}
	reply := make(chan struct{})
	select {
	case b.flushes <- reply:
	case <-b.done:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
	select {
	case <-reply:
		return nil
	case <-ctx.Done():
		return context.Cause(ctx)
	}
}

// Shutdown exports what waits and closes the exporter. When ctx ends first the running export is cancelled, and what
// still waits is dropped.
func (b *batch) Shutdown(ctx context.Context) error {
	defer b.cancel()
	if b.close() {
		select {
		case <-b.done:
		case <-ctx.Done():
			return b.abandon(ctx)
		}
	}
	return b.exporter.Shutdown(ctx)
}

// close refuses spans from here on and sends the goroutine, if there is one, home.
func (b *batch) close() (running bool) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if !b.closed {
		b.closed = true
		close(b.closing)
	}
	return b.started
}

// abandon gives up what waits, and then the running export, so that the goroutine finds nothing more to do.
func (b *batch) abandon(ctx context.Context) error {
	b.mu.Lock()
	lost := len(b.buffer)
	b.buffer = nil
	b.mu.Unlock()
	b.counts.drop(lost)
	b.cancel()
	return errors.Join(fmt.Errorf("%d spans were not exported: %w", lost, context.Cause(ctx)), b.exporter.Shutdown(ctx))
}

func (b *batch) Counts() Counts { return b.counts.snapshot() }
