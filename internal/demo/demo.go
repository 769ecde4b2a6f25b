// Package demo is a small application with a control plane, for the tests of what operates one.
package demo

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/plba/plba/config"
	"github.com/plba/plba/control"
	"github.com/plba/plba/pipeline"
	"github.com/plba/plba/queue"
	"github.com/plba/plba/queue/memory"
	"github.com/plba/plba/runtime"
	"github.com/plba/plba/task"
	"github.com/plba/plba/workers"
)

// Mail is a task of the queue mails. A task that fails is not tried again.
type Mail struct {
	ID   int    `json:"id"`
	Fail string `json:"fail,omitempty"` // the error of its handler
	Hold bool   `json:"hold,omitempty"` // its handler waits for Release, or its context
}

// App is the application: the queue mails, the pipeline orders, the workers email-processing (of both) and mail-polling.
type App struct {
	*runtime.App
	Mails  *queue.Queue[Mail]
	HTTP   string        // the address of the HTTP channel: http://127.0.0.1:PORT
	Socket string        // that of the socket, whose users may do what a viewer may: unix:///PATH
	Held   chan struct{} // gets one for each mail that is held

	release chan struct{}
	once    sync.Once
	plane   *control.Plane
}

// The tokens, named as their roles are.
const (
	Viewer   = "viewer"
	Operator = "operator"
	Admin    = "admin"
)

// Start starts the application; the end of the test stops it. The settings come on top of its own.
func Start(t testing.TB, settings map[string]any) *App {
	t.Helper()
	a := New(t, settings)
	a.Run(t)
	return a
}

// New is Start without the start.
func New(t testing.TB, settings map[string]any) *App {
	t.Helper()
	a := &App{Held: make(chan struct{}, 100), release: make(chan struct{})}
	socket, given := settings["platform.control.socket.path"].(string)
	if !given {
		socket = filepath.Join(t.TempDir(), "plba.sock")
	}
	a.Socket = "unix://" + socket
	all := map[string]any{
		"platform.control.listen": "127.0.0.1:0", "platform.control.socket.path": socket, "platform.control.socket.role": Viewer,
		"platform.tracing.transport": "memory", "platform.control.tokens": tokens(),
	}
	for k, v := range settings {
		all[k] = v
	}
	var err error
	a.App, err = runtime.New(module{a}, runtime.WithSources(config.Settings(all)), runtime.WithDrivers(memory.Driver()),
		runtime.WithLogger(slog.New(slog.DiscardHandler)), runtime.WithChannel(a.channel))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		a.Release()
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if _, err := a.Stop(ctx); err != nil && !errors.Is(err, runtime.ErrNotClean) {
			t.Errorf("stop: %v", err)
		}
		if err := a.Close(ctx); err != nil {
			t.Errorf("close: %v", err)
		}
	})
	return a
}

// Run starts the application, or starts it again.
func (a *App) Run(t testing.TB) {
	t.Helper()
	if err := a.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	a.HTTP = "http://" + a.plane.HTTP().Addr()
}

// Publish puts mails into the queue.
func (a *App) Publish(t testing.TB, mails ...Mail) {
	t.Helper()
	for _, m := range mails {
		if err := a.Mails.Publish(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
}

// Release lets handlers that hold go on, from now on at once.
func (a *App) Release() { a.once.Do(func() { close(a.release) }) }

func (a *App) channel(c *config.Config) (runtime.Channel, error) {
	var cc control.Config
	if err := c.Decode("platform/control", &cc); err != nil {
		return nil, err
	}
	var err error
	a.plane, err = control.New(cc)
	return a.plane, err
}

func tokens() (list []any) {
	for _, role := range []string{Viewer, Operator, Admin} {
		hash := sha256.Sum256([]byte(role))
		list = append(list, map[string]any{"name": role, "role": role, "sha256": hex.EncodeToString(hash[:])})
	}
	return list
}

type module struct{ a *App }

// Name is for the runtime.
func (module) Name() string { return "mail_order_bot" }

// Register is for the runtime.
func (m module) Register(r *runtime.Registry) error {
	a := m.a
	a.Mails = runtime.QueueOf[Mail](r, "mails")
	orders := pipeline.New[Mail, pipeline.Done]("orders").
		Stage(pipeline.Map("load", func(_ context.Context, m Mail) (Mail, error) { return m, nil }).Timeout(time.Minute)).
		Stage(pipeline.Sink("store", a.handle)).MustBuild()
	r.Extend(runtime.PipelineKey, orders)
	r.Worker(workers.Consume("email-processing", a.Mails, orders, workers.Concurrency(2)), runtime.Critical())
	r.Worker(workers.Poll("mail-polling", time.Hour, func(context.Context) (int, error) { return 0, nil }))
	return nil
}

func (a *App) handle(ctx context.Context, m Mail) error {
	if m.Hold {
		a.Held <- struct{}{}
		select {
		case <-a.release:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	if m.Fail != "" {
		return task.Permanent(fmt.Errorf("mail %d: %s", m.ID, m.Fail))
	}
	return nil
}
