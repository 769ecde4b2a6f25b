// Command supervision shows what becomes of workers that fail. One of them recovers; the other, which the application cannot do without, is given up. It looks at
// status and health three times within ten seconds and stops.
//
//	go run ./examples/supervision
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"text/tabwriter"
	"time"

	"github.com/plba/plba"
	"github.com/plba/plba/workers"
)

type module struct{ attempts int }

func (*module) Name() string { return "example" }

func (m *module) Register(r *plba.Registry) error {
	r.Worker(workers.Loop("connection", m.connect))                                          // restarted after 1 s, 2 s, 4 s …
	r.Worker(workers.Loop("feed", feed), plba.Critical(), plba.RestartLimit(1, time.Minute)) // given up when it fails a second time within a minute
	r.Worker(workers.Loop("steady", steady))
	return nil
}

// connect fails twice and then holds.
func (m *module) connect(_ context.Context, s *workers.Session) error {
	s.Ready()
	if m.attempts++; m.attempts < 3 {
		return errors.New("connection reset")
	}
	<-s.Stopping()
	return nil
}

// feed panics whenever it is started. The process lives.
func feed(_ context.Context, s *workers.Session) error {
	s.Ready()
	panic("no price for gold")
}

func steady(_ context.Context, s *workers.Session) error {
	s.Ready()
	<-s.Stopping()
	return nil
}

// show prints what an operator sees.
func show(out io.Writer, app *plba.App, after time.Duration) error {
	ready := "ready"
	if why := app.NotReady(); why != "" {
		ready = "not ready: " + why
	}
	fmt.Fprintf(out, "after %s: %s, %s\n", after, app.Health().State, ready)
	t := tabwriter.NewWriter(out, 0, 4, 2, ' ', 0)
	for _, name := range app.WorkerNames() {
		w, _ := app.Worker(name)
		how := string(w.Health.State)
		if w.Health.Reason != "" {
			how += ", " + w.Health.Reason
		}
		fmt.Fprintf(t, "  %s\t%s\trestarts: %d\t%s\n", name, w.State, w.Restarts, how)
	}
	return t.Flush()
}

func run(ctx context.Context, out io.Writer, opts ...plba.Option) error {
	app, err := plba.New(&module{}, append(opts, plba.WithoutControlListener(), plba.WithOutput(io.Discard))...)
	if err != nil {
		return err
	}
	if err := app.Start(ctx); err != nil {
		return err
	}
	before := time.Duration(0)
	for _, at := range []time.Duration{500 * time.Millisecond, 2 * time.Second, 10 * time.Second} {
		select {
		case <-time.After(at - before):
		case <-ctx.Done():
		}
		if before = at; ctx.Err() == nil {
			err = errors.Join(err, show(out, app, at))
		}
	}
	receipt, stopErr := app.Stop(context.WithoutCancel(ctx))
	fmt.Fprint(out, receipt)
	return errors.Join(err, stopErr, app.Close(context.WithoutCancel(ctx)))
}

func main() {
	ctx, cancel := signal.NotifyContext(context.Background(), os.Interrupt)
	defer cancel()
	if err := run(ctx, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
