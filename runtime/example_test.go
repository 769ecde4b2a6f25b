package runtime_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"

	"github.com/plba/plba/config"
	"github.com/plba/plba/queue/memory"
	"github.com/plba/plba/runtime"
	"github.com/plba/plba/workers"
)

// greeter is a module: it says what the application is made of, and does nothing itself.
type greeter struct{ greeted chan string }

func (g *greeter) Name() string { return "greeter" }

func (g *greeter) Register(r *runtime.Registry) error {
	settings, err := runtime.Section[struct {
		Greeting string `koanf:"greeting"`
	}](r, "greeter")
	if err != nil {
		return err
	}
	r.Resource("door",
		func(context.Context) error { fmt.Println("door opened"); return nil },
		func(context.Context) error { fmt.Println("door closed"); return nil })
	guests := runtime.QueueOf[string](r, "guests")
	r.Worker(workers.Consume("greeting", guests, workers.Func(func(_ context.Context, name string) error {
		g.greeted <- settings.Greeting + " " + name
		return nil
	})), runtime.Critical())
	r.Worker(workers.Loop("arrival", func(ctx context.Context, s *workers.Session) error {
		s.Ready()
		if err := guests.Publish(ctx, "Ada"); err != nil {
			return err
		}
		<-s.Stopping()
		return nil
	}))
	return nil
}

func Example() {
	g := &greeter{greeted: make(chan string)}
	app, err := runtime.New(g,
		runtime.WithSources(config.YAML("greeter.yaml", "greeter: {greeting: Welcome}")),
		runtime.WithDrivers(memory.Driver()),
		runtime.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	if err := app.Start(ctx); err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println(<-g.greeted)
	receipt, err := app.Stop(ctx)
	fmt.Println(receipt.Clean, err)
	// Output:
	// door opened
	// Welcome Ada
	// door closed
	// true <nil>
}

// Everything that is wrong is told at once, each fault with its place.
func ExampleFaultError() {
	_, err := runtime.New(&greeter{},
		runtime.WithSources(config.YAML("greeter.yaml", `
greeter: {greetings: Welcome}
platform:
  queues: {guests: {backend: paper}}
  shutdown: {timeout: 30}
`)),
		runtime.WithDrivers(memory.Driver()), runtime.WithLogger(slog.New(slog.DiscardHandler)))
	var faults *runtime.FaultError
	if errors.As(err, &faults) {
		for _, f := range faults.Faults {
			fmt.Println(f)
		}
	}
	// Output:
	// greeter.yaml:2: unknown key "greeter.greetings" (did you mean "greeting"?)
	// greeter.yaml:5: platform.shutdown.timeout: wants a duration with its unit, got the number 30 without one (write "30s" for seconds)
}

// door is a resource that tells when it opens and closes.
func door(r *runtime.Registry, name string, opts ...runtime.ResourceOption) {
	r.Resource(name,
		func(context.Context) error { fmt.Println(name, "opened"); return nil },
		func(context.Context) error { fmt.Println(name, "closed"); return nil }, opts...)
}

// After counts for more than the order of registration.
func ExampleAfter() {
	m := module{"house", func(r *runtime.Registry) error {
		door(r, "room", runtime.After("hall"))
		door(r, "hall")
		return nil
	}}
	app, err := runtime.New(m, runtime.WithLogger(slog.New(slog.DiscardHandler)))
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	fmt.Println(app.Start(ctx))
	receipt, err := app.Stop(ctx)
	fmt.Println(receipt.Clean, err)
	// Output:
	// hall opened
	// room opened
	// <nil>
	// room closed
	// hall closed
	// true <nil>
}

// rates is all that billing wants to know of whoever has the exchange rates.
type rates interface{ Rate(currency string) float64 }

type fixedRates map[string]float64

func (r fixedRates) Rate(currency string) float64 { return r[currency] }

// One module provides what another uses; neither knows the other.
func ExampleProvide() {
	bank := module{"bank", func(r *runtime.Registry) error {
		runtime.Provide[rates](r, fixedRates{"EUR": 1.08})
		return nil
	}}
	billing := module{"billing", func(r *runtime.Registry) error {
		rates, err := runtime.Use[rates](r)
		if err != nil {
			return err
		}
		fmt.Println(rates.Rate("EUR"))
		return nil
	}}
	quietly := runtime.WithLogger(slog.New(slog.DiscardHandler))
	_, err := runtime.New(runtime.Modules(bank, billing), quietly)
	fmt.Println(err)
	_, err = runtime.New(runtime.Modules(billing, bank), quietly)
	fmt.Println(err)
	// Output:
	// 1.08
	// <nil>
	// module "billing": the service runtime_test.rates is provided by module "bank", which registers later: put that first
}
