package client_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/plba/plba/config"
	"github.com/plba/plba/control"
	"github.com/plba/plba/openapi/client"
	"github.com/plba/plba/runtime"
	"github.com/plba/plba/workers"
)

type clock struct{}

func (clock) Name() string { return "clock" }

func (clock) Register(r *runtime.Registry) error {
	r.Worker(workers.Loop("ticking", func(_ context.Context, s *workers.Session) error {
		s.Ready()
		<-s.Stopping()
		return nil
	}))
	return nil
}

// startClock starts an application with a control plane whose only token is "secret".
func startClock() (address string, stop func()) {
	var plane *control.Plane
	app, err := runtime.New(clock{}, runtime.WithLogger(slog.New(slog.DiscardHandler)), runtime.WithChannel(func(*config.Config) (runtime.Channel, error) {
		token := control.Token{Name: "night shift", Role: control.Operator, SHA256: "2bb80d537b1da3e38bd30361aa855686bde0eacd7162fef6a25fe97bf527a25b"}
		var err error
		plane, err = control.New(control.Config{Enabled: true, Listen: "127.0.0.1:0", Tokens: []control.Token{token}}, control.WithTerminal(io.Discard))
		return plane, err
	}))
	if err == nil {
		err = app.Start(context.Background())
	}
	if err != nil {
		panic(err)
	}
	return "http://" + plane.HTTP().Addr(), func() { _, _ = app.Stop(context.Background()) }
}

func Example() {
	address, stop := startClock()
	defer stop()

	c, err := client.New(address, client.WithToken("secret"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	ctx := context.Background()

	// A command that takes time is waited for.
	o, err := c.RestartWorker(ctx, "ticking", client.WorkerStopBody{Reason: "new time zone"})
	if err == nil {
		o, err = c.Wait(ctx, o)
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(o.Asked, o.Target, o.State, "for", o.By)

	// A refusal is a problem, and of a kind.
	_, err = c.StartWorker(ctx, "ticking", client.ReasonBody{})
	var refused *client.Error
	if errors.Is(err, client.ErrConflict) && errors.As(err, &refused) {
		fmt.Println(refused.Status, refused.Title, "-", refused.State)
	}
	// Output:
	// restartWorker ticking succeeded for night shift
	// 409 Conflict - idle
}

// Events are told as they happen; a stream that breaks goes on where it was.
func ExampleClient_Watch() {
	address, stop := startClock()
	defer stop()
	c, err := client.New(address, client.WithToken("secret"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	ctx := context.Background()

	recent, err := c.ListEvents(ctx, client.ListEventsParams{})
	if err == nil {
		_, err = c.RestartWorker(ctx, "ticking", client.WorkerStopBody{Reason: "new time zone"})
	}
	if err != nil {
		fmt.Println(err)
		return
	}
	for e, err := range c.Watch(ctx, client.Watch{Types: []client.EventType{client.EventTypeOperation}, After: recent.Last}) {
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(e.Type, e.Name, e.Operation.Asked, e.Operation.Reason)
		break
	}
	// Output: operation ticking restartWorker new time zone
}
