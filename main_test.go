package plba

import (
	"bytes"
	"context"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plba/plba/pipeline"
	"github.com/plba/plba/workers"
	"go.uber.org/goleak"
)

func TestMain(m *testing.M) {
	if becomeProgram() {
		return
	}
	goleak.VerifyTestMain(m)
}

// testModule registers what a test says.
type testModule func(*Registry) error

func (testModule) Name() string                 { return "test" }
func (m testModule) Register(r *Registry) error { return m(r) }

type syncBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (s *syncBuffer) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.Write(p)
}

func (s *syncBuffer) String() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.b.String()
}

type started struct {
	program
	out, err syncBuffer
	signals  chan os.Signal
	exited   int
}

func newProgram(args ...string) *started {
	s := &started{signals: make(chan os.Signal, 3), exited: -1}
	s.program = program{args: append([]string{"test"}, args...), stdout: &s.out, stderr: &s.err, signals: s.signals, exit: func(code int) { s.exited = code }}
	return s
}

// stubborn has one piece of work in flight that takes so long, and heeds its context or not.
func stubborn(length time.Duration, heeds bool) testModule {
	return func(r *Registry) error {
		r.Worker(workers.Loop("stubborn", func(ctx context.Context, s *workers.Session) error {
			end := s.Begin()
			defer end(nil)
			if !heeds {
				time.Sleep(length)
				return nil
			}
			select {
			case <-time.After(length):
			case <-ctx.Done():
			}
			return context.Cause(ctx)
		}))
		return nil
	}
}

func TestSignals(t *testing.T) {
	for name, c := range map[string]struct {
		module  testModule
		signals []time.Duration // when each SIGTERM comes
		code    int
		exited  int
		receipt string
	}{
		"one, the work ends":            {stubborn(5*time.Second, true), []time.Duration{time.Second}, ExitClean, -1, "drained"},
		"two force":                     {stubborn(time.Hour, true), []time.Duration{time.Second, 2 * time.Second}, 143, -1, "forced"},
		"one, the budget is used up":    {stubborn(time.Hour, true), []time.Duration{time.Second}, ExitFailed, -1, "forced"},
		"two, and the call ignores all": {stubborn(time.Minute, false), []time.Duration{time.Second, 2 * time.Second}, 143, -1, "abandoned"},
		"three leave at once":           {stubborn(time.Minute, false), []time.Duration{time.Second, 2 * time.Second, 3 * time.Second}, 143, 143, "abandoned"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				p := newProgram()
				go func() {
					began := time.Now()
					for _, at := range c.signals {
						time.Sleep(at - time.Since(began))
						p.signals <- syscall.SIGTERM
					}
				}()
				code := p.run(c.module, []Option{WithoutControlListener()})
				if code != c.code || p.exited != c.exited {
					t.Errorf("code %d, exit(%d); want %d, %d\n%s", code, p.exited, c.code, c.exited, p.err.String())
				}
				if !strings.Contains(p.err.String(), c.receipt) {
					t.Errorf("no %q in the receipt:\n%s", c.receipt, p.err.String())
				}
				time.Sleep(2 * time.Minute) // what was abandoned ends
			})
		})
	}
}

func TestRequestStopAndFailedStart(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProgram()
		code := p.run(testModule(func(r *Registry) error {
			r.Worker(workers.Poll("p", time.Second, func(context.Context) (int, error) { r.RequestStop("done"); return 0, nil }))
			return nil
		}), []Option{WithoutControlListener()})
		if code != ExitClean || !strings.Contains(p.err.String(), "clean (done)") {
			t.Errorf("code %d\n%s", code, p.err.String())
		}
		p = newProgram()
		code = p.run(testModule(func(r *Registry) error {
			r.Resource("database", func(context.Context) error { return errors.New("no route") }, nil)
			return nil
		}), []Option{WithoutControlListener()})
		if code != ExitFailed || !strings.Contains(p.err.String(), `resource "database": no route`) {
			t.Errorf("code %d\n%s", code, p.err.String())
		}
	})
}

func TestUsage(t *testing.T) {
	good := filepath.Join(t.TempDir(), "good.yaml")
	bad := filepath.Join(t.TempDir(), "bad.yaml")
	write(t, good, "platform: {shutdown: {timeout: 10s}}\n")
	write(t, bad, "platform:\n  shutdown: {timeout: 10}\n  contrl: {}\n")
	for name, c := range map[string]struct {
		args     []string
		code     int
		out, err string
	}{
		"help":             {[]string{"-help"}, ExitClean, "", "-config FILE"},
		"unknown flag":     {[]string{"-nope"}, ExitUsage, "", "-nope"},
		"argument":         {[]string{"start"}, ExitUsage, "", `unexpected argument "start"`},
		"check":            {[]string{"-config", good, "-check"}, ExitClean, "the configuration is fine (1 workers, 1 queues)", ""},
		"missing file":     {[]string{"-config", good, "-config", "nowhere.yaml"}, ExitUsage, "", "nowhere.yaml"},
		"bad file":         {[]string{"-config", bad}, ExitUsage, "", "bad.yaml:2"},
		"both faults":      {[]string{"-config", bad}, ExitUsage, "", `unknown key "platform.contrl" (did you mean "control"?)`},
		"graph":            {[]string{"-print-graph"}, ExitClean, "flowchart", ""},
		"openapi":          {[]string{"-print-openapi"}, ExitClean, `"openapi": "3.1`, ""},
		"version":          {[]string{"-version"}, ExitClean, "test ", ""},
		"setup refuses":    {[]string{"-extra", "bad"}, ExitUsage, "", "extra: bad"},
		"setup gives more": {[]string{"-extra", "0s", "-check"}, ExitClean, "fine", ""},
	} {
		t.Run(name, func(t *testing.T) {
			var extra string
			p := newProgram(c.args...)
			code := p.run(testModule(func(r *Registry) error {
				q := Queue[string](r, "q")
				pl := Pipeline(r, pipeline.New[string, pipeline.Done]("p").Stage(pipeline.Sink("s", func(context.Context, string) error { return nil })))
				r.Worker(workers.Consume("c", q, pl))
				return nil
			}), []Option{
				WithFlags(func(fs *flag.FlagSet) { fs.StringVar(&extra, "extra", "", "shutdown `TIMEOUT`") }),
				WithSetup(func() ([]Option, error) {
					switch extra {
					case "":
						return nil, nil
					case "bad":
						return nil, errors.New("extra: bad")
					}
					return []Option{WithSetting("platform.shutdown.timeout", extra)}, nil
				}),
			})
			if code != c.code || !strings.Contains(p.out.String(), c.out) || !strings.Contains(p.err.String(), c.err) {
				t.Errorf("code %d\nout: %s\nerr: %s", code, p.out.String(), p.err.String())
			}
		})
	}
}

func TestPipelineFaultsAreCollected(t *testing.T) {
	_, err := New(testModule(func(r *Registry) error {
		same := func() *pipeline.Builder[int, int] {
			return pipeline.New[int, int]("same").Stage(pipeline.Pure("x", func(i int) int { return i }))
		}
		Pipeline(r, same())
		Pipeline(r, same())
		broken := Pipeline(r, pipeline.New[int, string]("broken").Stage(pipeline.Pure("x", func(i int) int { return i })))
		r.Worker(workers.Consume("c", Queue[int](r, "q"), broken))
		return nil
	}), WithoutControlListener())
	var fe *FaultError
	if !errors.As(err, &fe) {
		t.Fatal(err)
	}
	for _, want := range []string{`pipeline "same": the name is already taken`, `pipeline "broken"`, "main_test.go:", `worker "c": the handler is nil`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("no %q in:\n%v", want, err)
		}
	}
}

func write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestExitCodeOfACriticalFailure(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		p := newProgram()
		code := p.run(testModule(func(r *Registry) error {
			r.Worker(workers.Loop("feed", func(_ context.Context, s *workers.Session) error { s.Ready(); return errors.New("no feed") }), Critical())
			return nil
		}), []Option{WithoutControlListener(), WithSetting("platform.exit_on_critical_failure", true)})
		const why = `critical worker "feed" was given up after 5 restarts within 1m0s: no feed`
		if code != ExitFailed || strings.Count(p.err.String(), "clean ("+why+")") != 1 || !strings.HasSuffix(p.err.String(), "\n"+why+"\n") {
			t.Errorf("code %d\n%s", code, p.err.String())
		}
	})
}
