package tracing

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime/debug"
	"sync"

	"go.opentelemetry.io/otel/sdk/resource"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	semconv "go.opentelemetry.io/otel/semconv/v1.43.0"
	"go.opentelemetry.io/otel/trace"
	"go.opentelemetry.io/otel/trace/noop"
)

// Scope is the instrumentation scope of the spans that this package makes.
const Scope = "github.com/plba/plba/tracing"

// Service makes the spans of one application and owns the transport that takes them away. All methods may be called
// from any goroutine, also after Shutdown: then they make spans that go nowhere.
type Service struct {
	provider  trace.TracerProvider
	tracer    trace.Tracer
	transport Transport                // nil: the provider is the application's own
	sdk       *sdktrace.TracerProvider // nil: nothing is recorded, or the provider is the application's own

	stop    sync.Once
	stopped chan struct{}
	stopErr error // readable once stopped is closed
}

// New makes a service with the built-in transport that cfg names. The spans carry service as service.name; w is where
// the transport stdout writes, with one Write a span, and may be nil for the others. A fault in cfg, an empty service or a
// missing w is an error.
func New(cfg Config, service string, w io.Writer) (*Service, error) {
	if err := cfg.Validate(); err != nil {
		return nil, fmt.Errorf("tracing: %w", err)
	}
	switch cfg.Transport {
	case TransportStdout:
		if w == nil {
			return nil, errors.New("tracing: transport stdout: the writer is nil")
		}
		return NewWith(newStdout(w), cfg.Ratio, service)
	case TransportMemory:
		return NewWith(newRecent(cfg.Recent), cfg.Ratio, service)
	default:
		return NewWith(NoOpTransport{}, cfg.Ratio, service)
	}
}

// NewWith makes a service on the application's own transport. ratio is as Config.Ratio. The service owns t from here on
// and shuts it down in Shutdown; when NewWith fails, t stays the caller's.
func NewWith(t Transport, ratio float64, service string) (*Service, error) {
	if t == nil {
		return nil, errors.New("tracing: the transport is nil (use NoOpTransport to record nothing)")
	}
	if service == "" {
		return nil, fmt.Errorf("tracing: transport %s: the service name is empty", t.Name())
	}
	if !(ratio >= 0 && ratio <= 1) {
		return nil, fmt.Errorf("tracing: transport %s: ratio %v is not between 0 and 1", t.Name(), ratio)
	}
	s := &Service{transport: t, stopped: make(chan struct{})}
	switch t.(type) {
	case NoOpTransport, *NoOpTransport:
		s.provider = noop.NewTracerProvider()
	default:
		s.sdk = newProvider(t, ratio, service)
		s.provider = s.sdk
	}
	s.tracer = s.provider.Tracer(Scope)
	return s, nil
}

// records is false when every span would be thrown away.
func (s *Service) records() bool { return s.sdk != nil || s.transport == nil }

// Wrap makes a service on the application's own provider (nil: one that records nothing). Its sampler decides about
// transition spans too, and its owner shuts it down: Shutdown does nothing.
func Wrap(tp trace.TracerProvider) *Service {
	if tp == nil {
		tp = noop.NewTracerProvider()
	}
	return &Service{provider: tp, tracer: tp.Tracer(Scope)}
}

func newProvider(t Transport, ratio float64, service string, more ...sdktrace.TracerProviderOption) *sdktrace.TracerProvider {
	limits := sdktrace.NewSpanLimits()
	if limits.AttributeValueLengthLimit < 0 {
		limits.AttributeValueLengthLimit = maxText
	}
	return sdktrace.NewTracerProvider(append([]sdktrace.TracerProviderOption{
		sdktrace.WithSpanProcessor(owned{t}),
		sdktrace.WithSampler(sampler{sdktrace.ParentBased(sdktrace.TraceIDRatioBased(ratio))}),
		sdktrace.WithRawSpanLimits(limits),
		sdktrace.WithResource(resource.NewSchemaless(semconv.ServiceName(service))),
	}, more...)...)
}

// owned keeps the provider from shutting the transport down: the service does, bounded by its own context, which the
// provider would not reach when that has already ended.
type owned struct{ Transport }

func (owned) Shutdown(context.Context) error { return nil }

// TracerProvider is the provider to hand to instrumented libraries.
func (s *Service) TracerProvider() trace.TracerProvider { return s.provider }

// Tracer is the tracer with the scope of this package.
func (s *Service) Tracer() trace.Tracer { return s.tracer }

// Transport is the transport's name, "application" when the provider is the application's own.
func (s *Service) Transport() string {
	if s.transport == nil {
		return "application"
	}
	return s.transport.Name()
}

// Counts tells what became of the spans; all zero for a transport that does not count (see Counter).
func (s *Service) Counts() Counts {
	if c, ok := s.transport.(Counter); ok {
		return c.Counts()
	}
	return Counts{}
}

// Recent is the store of recent traces, nil unless the transport is memory.
func (s *Service) Recent() *Recent {
	r, _ := s.transport.(*Recent)
	return r
}

// Shutdown ends recording, hands over what is buffered and closes the transport. It returns when that is done or when
// ctx ends, then with an error that says so; a transport that does not heed its context is left behind. Spans that end later
// are discarded. Later calls wait for the first one.
func (s *Service) Shutdown(ctx context.Context) error {
	if s.sdk == nil {
		return nil
	}
	s.stop.Do(func() { go s.shutdown(ctx) })
	select {
	case <-s.stopped:
		return s.stopErr
	default:
	}
	select {
	case <-s.stopped:
		return s.stopErr
	case <-ctx.Done():
		return fmt.Errorf("tracing: transport %s was still busy when shutdown had to end: %w", s.Transport(), context.Cause(ctx))
	}
}

// shutdown closes the provider first, which cannot block, so that the transport sees no span after its Shutdown began.
func (s *Service) shutdown(ctx context.Context) {
	defer close(s.stopped)
	err := s.sdk.Shutdown(context.WithoutCancel(ctx))
	if err = errors.Join(err, closeTransport(ctx, s.transport)); err != nil {
		s.stopErr = fmt.Errorf("tracing: shutdown of transport %s: %w", s.Transport(), err)
	}
}

// closeTransport keeps a panic of the application's transport from ending the process.
func closeTransport(ctx context.Context, t Transport) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("panic: %v\n%s", p, debug.Stack())
		}
	}()
	return t.Shutdown(ctx)
}
