package runtime_test

import (
	"context"
	"errors"
	"flag"
	"log/slog"
	"os"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plba/plba/config"
	"github.com/plba/plba/queue"
	"github.com/plba/plba/queue/memory"
	"github.com/plba/plba/runtime"
	"github.com/plba/plba/workers"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var (
	update = flag.Bool("update", false, "rewrite golden files")
	long   = os.Getenv("PLBA_TEST_LONG") == "1"
)

// volume is how much of something a test does: more of it with PLBA_TEST_LONG=1.
func volume(quick, thorough int) int {
	if long {
		return thorough
	}
	return quick
}

func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", "golden", name)
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(want) != got {
		t.Errorf("%s differs; see with -update and git diff. Got:\n%s", path, got)
	}
}

// module is a module made of a function.
type module struct {
	name     string
	register func(*runtime.Registry) error
}

func (m module) Name() string                       { return m.name }
func (m module) Register(r *runtime.Registry) error { return m.register(r) }

var quiet = slog.New(slog.DiscardHandler)

// assemble makes an application named "app" with memory queues and a silent log; options come later and win.
func assemble(t testing.TB, register func(*runtime.Registry), opts ...runtime.Option) *runtime.App {
	t.Helper()
	m := module{"app", func(r *runtime.Registry) error { register(r); return nil }}
	a, err := runtime.New(m, append([]runtime.Option{runtime.WithDrivers(memory.Driver()), runtime.WithLogger(quiet)}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// run assembles and starts an application.
func run(t testing.TB, register func(*runtime.Registry), opts ...runtime.Option) *runtime.App {
	t.Helper()
	a := assemble(t, register, opts...)
	start(t, a)
	return a
}

func start(t testing.TB, a *runtime.App) {
	t.Helper()
	if err := a.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
}

// stop expects a clean stop.
func stop(t testing.TB, a *runtime.App, opts ...runtime.StopOption) runtime.Receipt {
	t.Helper()
	rec, err := a.Stop(context.Background(), opts...)
	if err != nil {
		t.Errorf("stop: %v\n%s", err, rec)
	}
	return rec
}

func yaml(text string) runtime.Option { return runtime.WithSources(config.YAML("cfg.yaml", text)) }

// journal keeps what happened, in order.
type journal struct {
	mu    sync.Mutex
	lines []string
}

func (j *journal) note(line string) {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.lines = append(j.lines, line)
}

// take gives what happened since the last time.
func (j *journal) take() []string {
	j.mu.Lock()
	defer j.mu.Unlock()
	lines := j.lines
	j.lines = nil
	return lines
}

func (j *journal) expect(t testing.TB, want ...string) {
	t.Helper()
	if got := j.take(); !slices.Equal(got, want) {
		t.Errorf("happened:\n\t%q\nwant:\n\t%q", got, want)
	}
}

// resource registers a resource that notes its start and stop.
func (j *journal) resource(r *runtime.Registry, name string) {
	r.Resource(name,
		func(context.Context) error { j.note("start " + name); return nil },
		func(context.Context) error { j.note("stop " + name); return nil })
}

// loop is a worker that notes its start and stop.
func (j *journal) loop(name string) workers.Worker {
	return workers.Loop(name, func(_ context.Context, s *workers.Session) error {
		j.note("start " + name)
		s.Ready()
		<-s.Stopping()
		j.note("stop " + name)
		return nil
	})
}

// channel is a control channel that notes its start and stop.
type channel struct {
	*journal
	name        string
	start, stop func(context.Context) error // may be nil
}

func (c *channel) Name() string { return c.name }

func (c *channel) Start(ctx context.Context, _ *runtime.App) error {
	synctest.Wait() // let the first health checks run, so that the order is the same each time
	c.note("start " + c.name)
	if c.start == nil {
		return nil
	}
	return c.start(ctx)
}

func (c *channel) Stop(ctx context.Context) error {
	c.note("stop " + c.name)
	if c.stop == nil {
		return nil
	}
	return c.stop(ctx)
}

func (c *channel) option() runtime.Option {
	return runtime.WithChannel(func(*config.Config) (runtime.Channel, error) { return c, nil })
}

// driver is the memory engine under another name, with other capabilities and hooks.
type driver struct {
	queue.Driver
	name         string
	capabilities queue.Capabilities
	open, close  func(ctx context.Context, queue string) error // may be nil
}

func (d *driver) Name() string                     { return d.name }
func (d *driver) Capabilities() queue.Capabilities { return d.capabilities }

func (d *driver) Open(ctx context.Context, o queue.Opening) (queue.Engine, error) {
	if d.open != nil {
		if err := d.open(ctx, o.Queue); err != nil {
			return nil, err
		}
	}
	e, err := d.Driver.Open(ctx, o)
	return &engine{Engine: e, name: o.Queue, d: d}, err
}

type engine struct {
	queue.Engine
	name string
	d    *driver
}

func (e *engine) Close(ctx context.Context) error {
	err := e.Engine.Close(ctx)
	if e.d.close != nil {
		return errors.Join(err, e.d.close(ctx, e.name))
	}
	return err
}

// durable stands in for an engine that keeps its tasks. (They are gone with the process; the tests do not look.)
func durable() *driver {
	return &driver{Driver: memory.Driver(), name: "durable", capabilities: queue.Durable | queue.InProcess}
}

// open is a start that hangs until release is closed, whatever its context says.
func hang(release <-chan struct{}) func(context.Context) error {
	return func(context.Context) error { <-release; return nil }
}

// within is a context with a deadline.
func within(t testing.TB, d time.Duration) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), d)
	t.Cleanup(cancel)
	return ctx
}

// pass lets virtual time go by and everybody else settle.
func pass(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// logged is a log to look at.
type logged struct {
	mu   sync.Mutex
	text strings.Builder
}

func (l *logged) logger() *slog.Logger {
	return slog.New(slog.NewTextHandler(l, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func (l *logged) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.Write(p)
}

func (l *logged) String() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.text.String()
}

func goexit() { goruntime.Goexit() }

func goroutines() int { return goruntime.NumGoroutine() }

func errorText(err error, part string) bool { return strings.Contains(err.Error(), part) }
