// Package embed is a server of its own that has an application of two modules inside: it brings its mux, its logger, its providers of traces and metrics, and its
// own idea of when to stop.
package embed

import (
	"context"
	"errors"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/plba/plba"
	"github.com/plba/plba/control"
	"github.com/plba/plba/fsm"
	"github.com/plba/plba/pipeline"
	"github.com/plba/plba/workers"
	"go.opentelemetry.io/otel/metric"
	"go.opentelemetry.io/otel/trace"
)

// Signup is what goes from one module to the other.
type Signup struct{ Email string }

type (
	// OrderState is where an order is.
	OrderState string
	// OrderEvent moves it.
	OrderEvent string
)

// Sales publishes what Crm consumes: both name the same queue.
type Sales struct {
	publish func(context.Context, Signup) error
	count   atomic.Int64
	Orders  *fsm.Table[OrderState, OrderEvent]
}

// Name is the name of the module.
func (*Sales) Name() string { return "sales" }

// Register declares the queue, an operation of the control plane, and a state machine of the application's own.
func (s *Sales) Register(r *plba.Registry) error {
	s.publish = plba.Queue[Signup](r, "signups").Publish
	control.Operations(r, func(api huma.API) {
		huma.Get(api, "/app/sales/count", func(context.Context, *struct{}) (*struct{ Body int64 }, error) {
			return &struct{ Body int64 }{s.count.Load()}, nil
		}, control.Needs(control.Viewer))
	})
	var err error
	s.Orders, err = fsm.New[OrderState, OrderEvent]("order", "new", fsm.Edge[OrderState, OrderEvent]{Event: "pay", From: []OrderState{"new"}, To: "paid"})
	return err
}

// ServeHTTP takes a signup.
func (s *Sales) ServeHTTP(w http.ResponseWriter, q *http.Request) {
	if err := s.publish(q.Context(), Signup{q.FormValue("email")}); err != nil {
		http.Error(w, "later", http.StatusServiceUnavailable)
		return
	}
	s.count.Add(1)
	w.WriteHeader(http.StatusAccepted)
}

// Crm stores signups; those of very important people more carefully.
type Crm struct {
	Store func(context.Context, Signup) (Signup, error)
}

// Name is the name of the module.
func (*Crm) Name() string { return "crm" }

// Register declares a pipeline with a choice, and the worker that runs it.
func (c *Crm) Register(r *plba.Registry) error {
	stored, err := r.Meter().Int64Counter("signups.stored")
	if err != nil {
		return err
	}
	in := plba.Queue[Signup](r, "signups")
	loud := pipeline.New[Signup, Signup]("loud").Stage(pipeline.Map("store-loudly", c.Store)).MustBuild()
	kind := func(s Signup) string {
		if s.Email == "king@example.org" {
			return "vip"
		}
		return "other"
	}
	p := plba.Pipeline(r, pipeline.New[Signup, pipeline.Done]("enrol").
		Stage(pipeline.Switch("kind", kind,
			pipeline.On("vip", pipeline.Sub(loud).Retry(2).Timeout(time.Second))).
			Otherwise(pipeline.Map("store", c.Store)).Retry(3)).
		Stage(pipeline.Sink("log", func(ctx context.Context, _ Signup) error {
			stored.Add(ctx, 1)
			r.Logger().InfoContext(ctx, "stored")
			return nil
		})))
	r.Worker(workers.Consume("enrol", in, p))
	return nil
}

// Serve runs the application and the server until ctx is done. settings is YAML; the control plane has its tokens from there.
func Serve(ctx context.Context, l net.Listener, mux *http.ServeMux, crm *Crm, tp trace.TracerProvider, mp metric.MeterProvider, log *slog.Logger, settings string) error {
	sales := &Sales{}
	app, err := plba.New(plba.Modules(sales, crm),
		plba.WithTracerProvider(tp), plba.WithMeterProvider(mp), plba.WithLogger(log),
		plba.WithoutControlListener(), plba.WithConfigYAML(settings))
	if err != nil {
		return err
	}
	h, err := app.Handler("/plba/")
	if err != nil {
		return err
	}
	mux.Handle("/plba/", h)
	mux.Handle("POST /signup", sales)
	if err := app.Start(ctx); err != nil {
		return err
	}
	srv := &http.Server{Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	ctx, cancel := context.WithCancel(ctx)
	var stopping sync.WaitGroup
	defer stopping.Wait()
	defer cancel() // also when the server cannot go on
	stopping.Go(func() {
		<-ctx.Done()
		budget, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		defer cancel()
		_, _ = app.Stop(budget) // first: it ends the event streams, or Shutdown would wait for them
		_ = srv.Shutdown(budget)
	})
	if err := srv.Serve(l); !errors.Is(err, http.ErrServerClosed) {
		return err
	}
	return app.Wait()
}
