package runtime

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/plba/plba/config"
	"github.com/plba/plba/queue"
)

// boundQueue is a queue of the application with the engine that the configuration chose.
type boundQueue struct {
	handle   queue.Handle
	hasSpec  bool
	driver   queue.Driver
	settings queue.Settings
}

// engine is what the configuration chooses for a queue.
type engine struct {
	driver   queue.Driver
	settings queue.Settings
}

// bindQueue reads platform.queues.<name>: backend, and the settings that the backend's driver has.
func (a *App) bindQueue(b *boundQueue) error {
	path := "platform/queues/" + b.handle.Name()
	chosen, err := config.Ask(a.cfg, path, func(c *config.Config) (engine, error) { return a.engine(c, path, b.handle) })
	b.driver, b.settings = chosen.driver, chosen.settings
	return err
}

func (a *App) engine(c *config.Config, path string, of queue.Handle) (chosen engine, err error) {
	backend, err := a.backend(c, path)
	if err != nil {
		return chosen, err
	}
	var linked []string
	for _, d := range a.drivers {
		linked = append(linked, d.Name())
		if d.Name() == backend {
			chosen.driver = d
		}
	}
	if chosen.driver == nil {
		return chosen, notLinked(c, path, backend, slices.Compact(linked))
	}
	chosen.settings = chosen.driver.Settings()
	if err := c.Decode(path, chosen.settings, "backend"); err != nil {
		return chosen, err
	}
	if missing := chosen.driver.Capabilities().Missing(of.Requires()); missing != 0 {
		by := ""
		if users := of.RequiredBy(missing); len(users) > 0 {
			by = " (for " + strings.Join(users, ", ") + ")"
		}
		return chosen, fault(c, path+"/backend", fmt.Sprintf("queue %q needs an engine that is %s%s, which %s is not", of.Name(), missing, by, backend),
			"choose another backend for it")
	}
	return chosen, nil
}

// notLinked is the fault of a backend that no driver was given for.
func notLinked(c *config.Config, path, backend string, linked []string) error {
	if len(linked) == 0 {
		return fault(c, path, "no queue engine is linked at all", "pass memory.Driver() of github.com/plba/plba/queue/memory to runtime.WithDrivers")
	}
	how := "import its package in main and pass its Driver() to plba.WithDrivers"
	if slices.Contains(engines, backend) {
		how = fmt.Sprintf(`import "github.com/plba/plba/queue/%[1]s" in main and pass %[1]s.Driver() to plba.WithDrivers`, backend)
	}
	return fault(c, path+"/backend", fmt.Sprintf("no engine %q is linked", backend), fmt.Sprintf("%s; linked: %s", how, strings.Join(linked, ", ")))
}

// engines are those of this module, each in the package below queue that has its name.
var engines = []string{"memory", "sqlite", "postgres"}

// backend is what the configuration names for the queue at path, else the first driver.
func (a *App) backend(c *config.Config, path string) (string, error) {
	common := struct {
		Backend string `koanf:"backend"`
	}{}
	if len(a.drivers) > 0 {
		common.Backend = a.drivers[0].Name()
	}
	others := slices.DeleteFunc(c.Keys(path), func(key string) bool { return key == "backend" })
	err := c.Decode(path, &common, others...)
	return common.Backend, err
}

func (b *boundQueue) volatile() bool { return b.driver.Capabilities()&queue.Durable == 0 }

// open opens the engine. One that comes after nobody waits for it any more is closed again.
func (b *boundQueue) open(ctx context.Context, a *App) error {
	open := func(ctx context.Context) (queue.Engine, error) {
		return b.driver.Open(ctx, queue.Opening{Queue: b.handle.Name(), Order: b.handle.Order(), Settings: b.settings})
	}
	late := func(e queue.Engine, err error) {
		a.log.Warn("an abandoned open has returned", "queue", b.handle.Name(), "error", err)
		if err == nil {
			ctx, cancel := context.WithTimeout(context.Background(), forceGrace)
			defer cancel()
			_ = do(ctx, a.log, b.what("close"), e.Close) // nothing was in it
		}
	}
	ans := call(ctx, a.log, b.what("open"), open, late)
	if ans.err != nil {
		return ans.err
	}
	b.handle.Bind(ans.value, queue.Binding{
		Tracer:     a.tracing.Tracer(),
		MaxPayload: b.settings.Limits().PayloadLimit(),
		Encode:     b.driver.Capabilities()&queue.InProcess == 0,
	})
	return nil
}

// close takes the engine away from the queue and closes it. What a volatile engine still holds is lost; how much is returned.
func (b *boundQueue) close(ctx context.Context, a *App) (lost int64, err error) {
	engine := b.handle.Unbind()
	if engine == nil {
		return 0, nil
	}
	if b.volatile() {
		stats := call(ctx, a.log, b.what("stats"), engine.Stats, nil)
		lost, err = stats.value.Unfinished(), stats.err
	}
	return lost, errors.Join(err, do(ctx, a.log, b.what("close"), engine.Close))
}

func (b *boundQueue) what(call string) string {
	return fmt.Sprintf("%s of queue %q", call, b.handle.Name())
}

// QueueInfo describes a queue.
type QueueInfo struct {
	Name    string `json:"name"`
	Backend string `json:"backend"`
	Durable bool   `json:"durable"`
	Type    string `json:"type"` // Go type of the payload
}

// QueueNames are the queues in the order of their registration.
func (a *App) QueueNames() []string {
	names := make([]string, len(a.reg.queues))
	for i, b := range a.reg.queues {
		names[i] = b.handle.Name()
	}
	return names
}

func (a *App) queue(name string) *boundQueue {
	for _, b := range a.reg.queues {
		if b.handle.Name() == name {
			return b
		}
	}
	return nil
}

// Queue describes one queue; false when there is none of that name.
func (a *App) Queue(name string) (QueueInfo, bool) {
	b := a.queue(name)
	if b == nil {
		return QueueInfo{}, false
	}
	return QueueInfo{Name: name, Backend: b.driver.Name(), Durable: !b.volatile(), Type: b.handle.Type().String()}, true
}

// QueueHandle gives the untyped side of a queue, a *queue.Queue[T]; false when there is none of that name.
func (a *App) QueueHandle(name string) (queue.Handle, bool) {
	if b := a.queue(name); b != nil {
		return b.handle, true
	}
	return nil, false
}

// QueueStats asks a queue's engine. While the application is stopped it is queue.ErrNotOpen.
func (a *App) QueueStats(ctx context.Context, name string) (queue.Stats, error) {
	b := a.queue(name)
	if b == nil {
		return queue.Stats{}, fmt.Errorf("no queue %q", name)
	}
	return b.handle.Stats(ctx)
}
