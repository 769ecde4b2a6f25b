package runtime_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/plba/plba/config"
	"github.com/plba/plba/queue"
	"github.com/plba/plba/queue/memory"
	"github.com/plba/plba/runtime"
	"github.com/plba/plba/workers"
)

func nothing(context.Context) error { return nil }

func idle(name string) workers.Worker { return (&journal{}).loop(name) }

// plain is a worker that takes nothing from the runtime.
type plain struct{ workers.Worker }

func bare(name string) workers.Worker { return plain{idle(name)} }

type botConfig struct {
	Account string `koanf:"account"`
}

// newFaults expects New to fail and gives its faults, one a line.
func newFaults(t *testing.T, m runtime.Module, opts ...runtime.Option) string {
	t.Helper()
	opts = append([]runtime.Option{runtime.WithDrivers(memory.Driver()), runtime.WithLogger(quiet)}, opts...)
	a, err := runtime.New(m, opts...)
	var fe *runtime.FaultError
	if !errors.As(err, &fe) || a != nil {
		t.Fatalf("New gave %v, %v; want a *FaultError alone", a, err)
	}
	return err.Error() + "\n"
}

// Whatever is wrong is told at once: files, settings, registration.
func TestAllFaultsTogether(t *testing.T) {
	m := module{"bot", func(r *runtime.Registry) error {
		if _, err := runtime.Section[botConfig](r, "mail_order_bot"); err != nil {
			return err
		}
		r.Resource("store", nothing, nothing)
		r.Resource("store", nothing, nothing)
		r.Resource("Store!", nothing, nothing)
		r.Health("store", nothing)
		r.Health("", nothing)
		r.Health("catalogue", nil)
		r.Worker(nil)
		r.Worker(idle("reader"))
		r.Worker(idle("reader"))
		r.Worker((*plain)(nil))
		r.Worker(idle("a b"))
		r.Worker(bare("bare"))
		r.Worker(workers.Poll("poller", 0, nil))
		mails := runtime.QueueOf[string](r, "mails")
		runtime.QueueOf[int](r, "mails")
		runtime.QueueOf(r, "bills", queue.Spec[string]{Kind: "bill"})
		runtime.QueueOf(r, "bills", queue.Spec[string]{Kind: "invoice"})
		runtime.QueueOf[string](r, "letters")
		runtime.QueueOf(r, "letters", queue.Spec[string]{})
		runtime.QueueOf(r, "ledger", queue.Spec[string]{Requires: queue.Durable | queue.Transactional})
		runtime.QueueOf[string](r, "No Queue")
		runtime.QueueOf[chan int](r, "channels")
		r.Worker(workers.Consume[string]("consumer", mails, nil, workers.Concurrency(0)))
		r.Worker(workers.Consume("orphan", nil, workers.Func(func(context.Context, string) error { return nil })))
		r.Fault(errors.New("pipeline \"orders\": stage \"parse\" gives int, \"store\" takes string"))
		return nil
	}}
	text := newFaults(t, m, runtime.WithLogger(nil), yaml(`platform:
  start: {timeout: 10}
  shutdown: {timeout: -1s}
  tracing: {transport: pigeon}
  queues:
    mails: {backend: postgres}
    bills: {capacity: 0}
    letters:
      capcity: 5
    mials: {backend: memory}
    channels: {}
  workers:
    reader:
      concurrency: 2
    consumer:
      concurrency: 0
    bare:
      concurrency: 1
    reeder: {concurrency: 3}
log: {level: loud}
mail_ordr_bot: {account: a@example.org}
`))
	golden(t, "faults.txt", text)
}

// A Register that gives up may have used what the configuration names, so that is not called unknown.
func TestFaultsOfModules(t *testing.T) {
	twice := module{"twice", func(r *runtime.Registry) error { r.Worker(idle("once")); return nil }}
	m := runtime.Modules(
		module{"first", func(r *runtime.Registry) error {
			return errors.Join(errors.New("no licence"), errors.New("no stamp"))
		}},
		module{"second", func(r *runtime.Registry) error {
			_, err := runtime.Section[botConfig](r, "bot")
			return err
		}},
		module{"third", func(r *runtime.Registry) error { panic("lost the plan") }},
		twice, runtime.Modules(twice), nil, module{"", nil},
		module{"fourth", func(r *runtime.Registry) error { r.Worker(idle("once")); return nil }},
	)
	text := newFaults(t, m, yaml(`platform: {queues: {mails: {backend: memory}}, workers: {reader: {}}}
bot: {acount: x}
other: {}
`))
	golden(t, "faults-modules.txt", text)
}

func TestFaultsOfSources(t *testing.T) {
	m := module{"app", func(r *runtime.Registry) error { r.Worker(idle("Bad Name")); return nil }}
	text := newFaults(t, m, runtime.WithSources(config.YAML("base.yaml", "platform: {start: {timeout: 5}}\n"), config.YAML("site.yaml", "platform: [\n")))
	golden(t, "faults-sources.txt", text)
}

func TestNilModule(t *testing.T) {
	if text := newFaults(t, nil); !strings.Contains(text, "the module is nil") {
		t.Error(text)
	}
}

// errors.As finds each fault through the FaultError.
func TestFaultErrorUnwraps(t *testing.T) {
	_, err := runtime.New(module{"app", func(r *runtime.Registry) error { r.Worker(nil); return nil }},
		runtime.WithLogger(quiet), yaml("platform: {start: {timeout: 5}}"))
	var fault *config.Fault
	if !errors.As(err, &fault) || fault.Where != "cfg.yaml:1" || fault.Key != "platform.start.timeout" {
		t.Errorf("the fault in %v is %+v", err, fault)
	}
}

func TestNoDrivers(t *testing.T) {
	_, err := runtime.New(module{"app", func(r *runtime.Registry) error { runtime.QueueOf[int](r, "q"); return nil }}, runtime.WithLogger(quiet))
	if err == nil || !strings.Contains(err.Error(), "platform.queues.q: no queue engine is linked") {
		t.Errorf("a queue without any engine: %v", err)
	}
}

// The same name and type is the same queue, from whichever module.
func TestOneQueueForAll(t *testing.T) {
	var first, second *queue.Queue[int]
	a := assemble(t, func(r *runtime.Registry) {
		first = runtime.QueueOf[int](r, "q")
		second = runtime.QueueOf[int](r, "q")
	}, yaml("platform: {queues: {q: {capacity: 7}}}"))
	if first == nil || first != second {
		t.Errorf("two queues: %p and %p", first, second)
	}
	if info, ok := a.Queue("q"); !ok || info.Backend != "memory" || info.Type != "int" || info.Durable {
		t.Errorf("info %+v, %t", info, ok)
	}
	start(t, a)
	if s, err := a.QueueStats(t.Context(), "q"); err != nil || s.Capacity != 7 {
		t.Errorf("stats %+v, %v", s, err)
	}
	stop(t, a)
	if _, err := a.QueueStats(t.Context(), "q"); !errors.Is(err, queue.ErrNotOpen) {
		t.Errorf("stats of a stopped application: %v", err)
	}
}

// Settings come from the environment too, where names have no dashes.
func TestWorkerSettings(t *testing.T) {
	register := func(r *runtime.Registry) {
		q := runtime.QueueOf[int](r, "q")
		h := workers.Func(func(context.Context, int) error { return nil })
		r.Worker(workers.Consume("by-file", q, h, workers.Concurrency(2)))
		r.Worker(workers.Consume("by-environment", q, h))
		r.Worker(workers.Consume("by-code", q, h, workers.Concurrency(5)))
	}
	a := assemble(t, register, yaml("platform: {workers: {by-file: {concurrency: 3}}}"), runtime.WithSources(
		config.Environment("PLBA_", []string{"PLBA_PLATFORM__WORKERS__BY_ENVIRONMENT__CONCURRENCY=4"})))
	for name, want := range map[string]int{"by-file": 3, "by-environment": 4, "by-code": 5} {
		if w, ok := a.Worker(name); !ok || w.Concurrency != want {
			t.Errorf("%s handles %d at once, want %d", name, w.Concurrency, want)
		}
	}
}

// Of two drivers with one name the later takes the earlier one's place, so that a test kit can.
func TestLaterDriverWins(t *testing.T) {
	second := durable()
	second.name = "memory"
	a := assemble(t, func(r *runtime.Registry) { runtime.QueueOf[int](r, "q") }, runtime.WithDrivers(second))
	if info, _ := a.Queue("q"); !info.Durable {
		t.Errorf("info %+v", info)
	}
}
