package control_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"net/http"

	"github.com/plba/plba/config"
	"github.com/plba/plba/control"
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

// An application with a control plane on a free port of this machine.
func ExampleNew() {
	var plane *control.Plane
	app, err := runtime.New(clock{},
		runtime.WithLogger(slog.New(slog.DiscardHandler)),
		runtime.WithChannel(func(*config.Config) (runtime.Channel, error) {
			var err error
			plane, err = control.New(control.Config{Enabled: true, Listen: "127.0.0.1:0"}, control.WithTerminal(io.Discard))
			return plane, err
		}))
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	if err := app.Start(ctx); err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _, _ = app.Stop(ctx) }()

	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	res, err := client.Get("http://" + plane.HTTP().Addr() + "/api/v1/workers")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = res.Body.Close() }()
	var list control.WorkerList
	err = json.NewDecoder(res.Body).Decode(&list)
	fmt.Println(res.Status, list.Workers[0].Name, list.Workers[0].State, err)
	// Output: 200 OK ticking idle <nil>
}

// The operations need no HTTP.
func ExampleService() {
	app, err := runtime.New(clock{}, runtime.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		fmt.Println(err)
		return
	}
	svc := control.NewService(app)
	_, err = svc.Stop("the night shift", control.StopRequest{Reason: "maintenance"})
	fmt.Println(err)
	// Output: the runtime is stopped already; with exit the process ends too
}
