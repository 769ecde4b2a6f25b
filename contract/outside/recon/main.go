// Command recon is an application outside the module of PLBA: every night it reconciles the accounts of a bank's customers, 50,000 of them, in as many processes as
// there are, each account once, and those of one customer one after the other.
package main

import (
	"context"
	"errors"
	"time"

	"github.com/plba/plba"
	"github.com/plba/plba/config"
	"github.com/plba/plba/pipeline"
	"github.com/plba/plba/queue"
	"github.com/plba/plba/queue/postgres"
	"github.com/plba/plba/task"
	"github.com/plba/plba/workers"
)

// Recon is one account to be reconciled for one day.
type Recon struct {
	Day      string
	Customer string
	Account  string
}

// Statement is what the bank says of an account.
type Statement struct {
	Recon
	Lines []string
}

// Config is the section reconciliation.
type Config struct {
	Rate float64 `koanf:"rate"` // fetches a second
	Fee  int     `koanf:"fee"`  // in cents; changes while the application runs
}

// SetDefaults fills in the defaults.
func (c *Config) SetDefaults() { c.Rate, c.Fee = 20, 5 }

// ErrBusy says that the bank does not answer at present.
var ErrBusy = errors.New("bank is closed for maintenance")

// Bank is the other side.
type Bank interface {
	Customers(ctx context.Context, day time.Time) ([]Recon, error)
	Fetch(ctx context.Context, idempotency string, r Recon) (Statement, error)
	Match(ctx context.Context, s Statement, fee int) error
	Ping(ctx context.Context) error
}

type module struct{ bank Bank }

func (module) Name() string { return "reconciliation" }

func (m module) Register(r *plba.Registry) error {
	cfg, err := plba.Live[Config](r, "reconciliation")
	if err != nil {
		return err
	}
	zone, err := time.LoadLocation("Europe/Berlin")
	if err != nil {
		return err
	}
	accounts := plba.Queue(r, "accounts", queue.Spec[Recon]{
		// a crash in the middle of the fan-out repeats it: done tasks must still count, hence UniqueFor
		Unique:    func(t Recon) string { return t.Day + "/" + t.Account },
		UniqueFor: 36 * time.Hour,
		Group:     func(t Recon) string { return t.Customer },
		Order:     queue.Strict,
		Requires:  queue.Durable | queue.Grouped | queue.ClusterWide,
	})
	ticks := plba.Queue[workers.Tick](r, "nightly-ticks")
	r.Worker(workers.Schedule("nightly", "0 2 * * *", func(ctx context.Context, t workers.Tick) error {
		rs, err := m.bank.Customers(ctx, t.At)
		if err != nil {
			return err
		}
		for i := range rs {
			rs[i].Day = t.At.Format(time.DateOnly)
		}
		_, err = accounts.PublishAll(ctx, rs) // 50k, chunked, idempotent by the unique key
		return err
	}, workers.Zone(zone), workers.Missed(workers.RunOnce), workers.Through(ticks), workers.Timeout(30*time.Minute)))

	p := plba.Pipeline(r, m.flow(cfg))
	r.Worker(workers.Consume("reconcile", accounts, p, workers.Concurrency(32)), plba.Critical())
	r.Health("bank", m.bank.Ping)
	return nil
}

func (m module) flow(cfg *config.Live[Config]) *pipeline.Builder[Recon, pipeline.Done] {
	fetch := func(ctx context.Context, t Recon) (Statement, error) {
		s, err := m.bank.Fetch(ctx, task.Key(ctx), t)
		if errors.Is(err, ErrBusy) {
			return s, task.Snooze(15*time.Minute, "bank closed") // must pass through Retry below untouched
		}
		return s, err
	}
	match := func(ctx context.Context, s Statement) error { return m.bank.Match(ctx, s, cfg.Get().Fee) }
	return pipeline.New[Recon, pipeline.Done]("reconcile").
		Stage(pipeline.Map("fetch", fetch).Rate(cfg.Get().Rate, 5).Retry(3).Timeout(20 * time.Second)).
		Stage(pipeline.Sink("match", match))
}

// quiet is a bank for a first try: it has no customers.
type quiet struct{}

func (quiet) Customers(context.Context, time.Time) ([]Recon, error) { return nil, nil }

func (quiet) Fetch(_ context.Context, _ string, r Recon) (Statement, error) {
	return Statement{Recon: r}, nil
}
func (quiet) Match(context.Context, Statement, int) error { return nil }
func (quiet) Ping(context.Context) error                  { return nil }

func main() { plba.Main(module{quiet{}}, plba.WithDrivers(postgres.Driver())) }
