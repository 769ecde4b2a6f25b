package runtime_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	goruntime "runtime"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plba/plba/config"
	"github.com/plba/plba/queue/memory"
	"github.com/plba/plba/runtime"
	"github.com/plba/plba/workers"
)

// file is a source whose text the test changes.
type file struct {
	mu   sync.Mutex
	text string
	hold chan struct{} // not nil: loading waits for it
}

func (f *file) set(text string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.text = text
}

func (f *file) holdBy(c chan struct{}) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.hold = c
}

func (f *file) Load(variables config.Lookup) (*config.Node, error) {
	f.mu.Lock()
	text, hold := f.text, f.hold
	f.mu.Unlock()
	if hold != nil {
		<-hold
	}
	return config.YAML("cfg.yaml", text).Load(variables)
}

// pricing is the section that the tests follow.
type pricing struct {
	Rate int `koanf:"rate"`
}

func (r *pricing) Validate() error {
	if r.Rate < 0 {
		return errors.New("rate must not be negative")
	}
	return nil
}

// logBuffer is a log that may be read while it is written.
type logBuffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (l *logBuffer) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.b.Write(p)
}

// take gives the lines since the last time, without their times.
func (l *logBuffer) take() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out strings.Builder
	for line := range strings.Lines(l.b.String()) {
		_, rest, _ := strings.Cut(line, " ")
		out.WriteString(rest)
	}
	l.b.Reset()
	return out.String()
}

// following assembles an application that follows the section shop.
func following(t *testing.T, f *file, more func(*runtime.Registry), opts ...runtime.Option) (*runtime.App, *config.Live[pricing]) {
	t.Helper()
	var live *config.Live[pricing]
	m := module{"app", func(r *runtime.Registry) (err error) {
		live, err = runtime.Live[pricing](r, "shop")
		if more != nil {
			more(r)
		}
		return err
	}}
	a, err := runtime.New(m, append([]runtime.Option{runtime.WithSources(f), runtime.WithDrivers(memory.Driver())}, opts...)...)
	if err != nil {
		t.Fatal(err)
	}
	return a, live
}

func texts(changes []config.Change) string {
	var all []string
	for _, c := range changes {
		all = append(all, c.String())
	}
	return strings.Join(all, ", ")
}

func TestReload(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logBuffer
		f := &file{text: "shop: {rate: 1}\nother: {rate: 1}\nlog: {level: warn}"}
		a, live := following(t, f, func(r *runtime.Registry) {
			if _, err := runtime.Section[pricing](r, "other"); err != nil {
				t.Error(err)
			}
			runtime.QueueOf[int](r, "numbers")
			r.Worker(idle("worker"))
		}, runtime.WithOutput(&log))
		var seen []string
		live.OnChange(func(old, new pricing) { seen = append(seen, fmt.Sprint(old.Rate, new.Rate)) })
		start(t, a)
		check := func(text, changed, restart, logged string) {
			t.Helper()
			f.set(text)
			log.take()
			got, err := a.Reload(t.Context())
			if err != nil || texts(got.Changed) != changed || texts(got.Restart) != restart {
				t.Errorf("%v\nchanged %s\nwant    %s\nrestart %s\nwant    %s", err, texts(got.Changed), changed, texts(got.Restart), restart)
			}
			if got := log.take(); got != logged {
				t.Errorf("logged\n%swant\n%s", got, logged)
			}
		}
		check("shop: {rate: 1}\nother: {rate: 1}\nlog: {level: warn}", "", "", "")
		check("shop: {rate: 2}\nother: {rate: 1}\nlog: {level: info}", "log.level (cfg.yaml:3), shop.rate (cfg.yaml:1)", "",
			`level=INFO msg="the configuration has changed" settings="[log.level (cfg.yaml:3) shop.rate (cfg.yaml:1)]"`+"\n")
		check("shop: {rate: 2}\nother: {rate: 1}\nlog: {level: info}", "", "",
			"level=INFO msg=\"the configuration was read again; nothing changes\"\n")
		check("shop: {rate: 2}\nother: {rate: 3}\nlog: {level: warn, format: json}\nplatform: {queues: {numbers: {capacity: 5}}, workers: {worker: {max_restarts: 1}}, shutdown: {timeout: 1h}, tracing: {ratio: 0.5}}",
			"log.level (cfg.yaml:3), platform.shutdown.timeout (cfg.yaml:4)",
			"log.format (cfg.yaml:3), other.rate (cfg.yaml:2), platform.queues.numbers.capacity (cfg.yaml:4), platform.tracing.ratio (cfg.yaml:4), platform.workers.worker.max_restarts (cfg.yaml:4)",
			`level=WARN msg="settings of the configuration need a restart of the program" settings="[log.format (cfg.yaml:3) other.rate (cfg.yaml:2) platform.queues.numbers.capacity (cfg.yaml:4) platform.tracing.ratio (cfg.yaml:4) platform.workers.worker.max_restarts (cfg.yaml:4)]"`+"\n")
		check("shop: {rate: 1}\nother: {rate: 1}", "log.level (no longer set, was cfg.yaml:3), platform.shutdown.timeout (no longer set, was cfg.yaml:4), shop.rate (cfg.yaml:1)", "",
			`level=INFO msg="the configuration has changed" settings="[log.level (no longer set, was cfg.yaml:3) platform.shutdown.timeout (no longer set, was cfg.yaml:4) shop.rate (cfg.yaml:1)]"`+"\n")
		if got := strings.Join(seen, ", "); got != "1 2, 2 1" || live.Get().Rate != 1 {
			t.Errorf("seen %s, now %v", got, live.Get())
		}
		stop(t, a)
		f.set("shop: {rate: 9}")
		if _, err := a.Reload(t.Context()); err != nil || live.Get().Rate != 9 {
			t.Errorf("while stopped: %v, %v", err, live.Get())
		}
	})
}

// A fault anywhere, also in what only a restart would read, and nothing changes.
func TestReloadWithFaults(t *testing.T) {
	var log logBuffer
	f := &file{text: "shop: {rate: 1}"}
	a, live := following(t, f, func(r *runtime.Registry) {
		runtime.QueueOf[int](r, "numbers")
		r.Worker(idle("worker"))
		r.Worker(bare("bare"))
	}, runtime.WithOutput(&log))
	live.OnChange(func(_, _ pricing) { t.Error("told") })
	f.set(`shop: {rate: -1}
shops: {}
log: {level: loud}
platform:
  shutdown: {timeout: -1s}
  queues: {number: {}, numbers: {backend: paper}}
  workers:
    worker: {restart: perhaps, concurrency: 0}
    bare: {concurrency: 3}
`)
	_, err := a.Reload(t.Context())
	var reload *runtime.ReloadError
	if !errors.As(err, &reload) || len(reload.Faults) < 9 {
		t.Fatalf("error %v", err)
	}
	golden(t, "reload.txt", err.Error()+"\n")
	if fault := (*config.Fault)(nil); !errors.As(err, &fault) || fault.Where != "cfg.yaml:1" {
		t.Errorf("first fault %+v", fault)
	}
	if got := log.take(); !strings.HasPrefix(got, `level=ERROR msg="the configuration is not reloaded, everything stays as it was" error="cfg.yaml:1: shop: rate must not be negative`) {
		t.Errorf("logged %s", got)
	}
	f.set("shop: {rate: -5}")
	if _, err := a.Reload(t.Context()); err == nil || live.Get().Rate != 1 {
		t.Errorf("%v; now %v", err, live.Get())
	}
}

// The level follows the file only when the file changes; and not at all when the logger is the application's.
func TestReloadOwnLogger(t *testing.T) {
	f := &file{text: "log: {level: warn}"}
	a, _ := following(t, f, nil, runtime.WithLogger(quiet))
	f.set("log: {level: debug}")
	if got, err := a.Reload(t.Context()); err != nil || len(got.Changed)+len(got.Restart) > 0 {
		t.Errorf("%+v, %v", got, err)
	}
}

// A stop takes the time that the configuration allows now.
func TestReloadShutdownTimeout(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &file{text: "platform: {shutdown: {timeout: 10s}}"}
		a, _ := following(t, f, func(r *runtime.Registry) {
			r.Worker(workers.Loop("slow", func(ctx context.Context, s *workers.Session) error {
				end := s.Begin()
				defer end(nil)
				<-s.Stopping()
				select {
				case <-time.After(time.Minute):
					return nil
				case <-ctx.Done():
					return context.Cause(ctx)
				}
			}))
		}, runtime.WithLogger(quiet))
		start(t, a)
		f.set("platform: {shutdown: {timeout: 10m}}")
		if _, err := a.Reload(t.Context()); err != nil {
			t.Fatal(err)
		}
		stop(t, a)
	})
}

// Whoever panics or ends its goroutine does not keep the others from being told, and two are never told at once.
func TestReloadTellsInTurn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log logBuffer
		f := &file{text: "shop: {rate: 0}"}
		a, live := following(t, f, nil, runtime.WithOutput(&log))
		var mu sync.Mutex
		var seen []string
		tell := func(name string, then func()) {
			live.OnChange(func(old, new pricing) {
				if !mu.TryLock() {
					t.Errorf("%s is told while another is", name)
					return
				}
				seen = append(seen, fmt.Sprint(name, old.Rate, ">", new.Rate))
				time.Sleep(time.Second)
				mu.Unlock()
				then()
			})
		}
		tell("a", func() { panic("no") })
		tell("b", func() { goruntime.Goexit() })
		tell("c", func() { live.Get(); live.OnChange(func(_, _ pricing) {})() })
		for rate := 1; rate <= 3; rate++ {
			f.set(fmt.Sprintf("shop: {rate: %d}", rate))
			var reloads sync.WaitGroup
			for range 3 { // the first to read changes something
				reloads.Go(func() {
					if _, err := a.Reload(t.Context()); err != nil {
						t.Error(err)
					}
				})
			}
			reloads.Wait()
		}
		want := "a0>1 b0>1 c0>1 a1>2 b1>2 c1>2 a2>3 b2>3 c2>3"
		if got := strings.Join(seen, " "); got != want {
			t.Errorf("told %s\nwant %s", got, want)
		}
		logged := log.take()
		for _, want := range []string{
			`msg=panic in="OnChange of section \"shop\"" error="panic: no"`,
			`msg="who follows the configuration has failed" section=shop error="runtime.Goexit was called instead of returning"`,
		} {
			if strings.Count(logged, want) != 3 {
				t.Errorf("want %s three times, logged\n%s", want, logged)
			}
		}
		if err := a.Close(t.Context()); err != nil {
			t.Error(err)
		}
	})
}

// Who is told takes longer than the caller has: the configuration is in effect, the next reload waits for its turn, and Close for the end.
func TestReloadWithinItsTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &file{text: "shop: {rate: 0}"}
		a, live := following(t, f, nil, runtime.WithLogger(quiet))
		release := make(chan struct{})
		stopTelling := live.OnChange(func(_, _ pricing) { <-release })
		f.set("shop: {rate: 1}")
		within := func(d time.Duration) error {
			ctx, cancel := context.WithTimeout(t.Context(), d)
			defer cancel()
			_, err := a.Reload(ctx)
			return err
		}
		if err := within(time.Second); !errors.Is(err, context.DeadlineExceeded) || !strings.HasPrefix(err.Error(), "the new configuration is in effect") || live.Get().Rate != 1 {
			t.Errorf("%v; now %v", err, live.Get())
		}
		f.set("shop: {rate: 2}")
		if err := within(time.Second); !errors.Is(err, context.DeadlineExceeded) || !strings.Contains(err.Error(), "another reload has not ended") || live.Get().Rate != 1 {
			t.Errorf("%v; now %v", err, live.Get())
		}
		stopTelling()
		close(release)
		if err := within(time.Hour); err != nil || live.Get().Rate != 2 {
			t.Errorf("%v; now %v", err, live.Get())
		}

		hold := make(chan struct{})
		f.holdBy(hold)
		f.set("shop: {rate: 3}")
		if err := within(time.Second); !errors.Is(err, context.DeadlineExceeded) || live.Get().Rate != 2 {
			t.Errorf("%v; now %v", err, live.Get())
		}
		f.holdBy(nil)
		if err := within(time.Second); err != nil || live.Get().Rate != 3 {
			t.Errorf("%v; now %v", err, live.Get())
		}
		close(hold) // what was left behind comes to nothing
		synctest.Wait()
		if live.Get().Rate != 3 {
			t.Errorf("now %v", live.Get())
		}

		release = make(chan struct{})
		live.OnChange(func(_, _ pricing) { <-release })
		f.set("shop: {rate: 4}")
		_ = within(time.Second)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if err := a.Close(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Close: %v", err)
		}
		close(release)
	})
}

// A function of an author that panics while the new configuration is checked is a fault of it.
type panicking struct {
	On bool `koanf:"on"`
}

func (p *panicking) Validate() error {
	if p.On {
		panic("boom")
	}
	return nil
}

func TestReloadPanicsInValidate(t *testing.T) {
	f := &file{text: ""}
	a, _ := following(t, f, func(r *runtime.Registry) {
		if _, err := runtime.Section[panicking](r, "p"); err != nil {
			t.Error(err)
		}
	}, runtime.WithLogger(quiet))
	f.set("p: {on: true}")
	if _, err := a.Reload(t.Context()); err == nil || !strings.Contains(err.Error(), "boom") {
		t.Error(err)
	}
}
