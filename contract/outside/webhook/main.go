// Command webhook is an application outside the module of PLBA: a payment provider calls it, and what it reports is settled in five steps. The call is answered
// when the payment is committed, together with the application's own record of it, in one transaction of PostgreSQL. A payment that cannot be settled is undone.
package main

import (
	"context"
	"encoding/json"
	"log/slog"
	"net/http"
	"os"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/plba/plba"
	"github.com/plba/plba/pipeline"
	"github.com/plba/plba/queue"
	"github.com/plba/plba/queue/postgres"
	"github.com/plba/plba/task"
	"github.com/plba/plba/tracing"
	"github.com/plba/plba/workers"
)

// Payment is what the provider reports.
type Payment struct {
	EventID, Account string
	Cents            int64
}

// Step is a payment on its way through the books.
type Step struct {
	Payment
	Ref string
}

// Books are where steps are written. A step that is done again with the same ref has no other effect.
type Books interface {
	Do(ctx context.Context, step, ref string, p Payment) error
	Undo(ctx context.Context, step, ref string, cause error) error
}

type module struct {
	pool  *pgxpool.Pool
	books Books
	hook  http.Handler // set by Register
}

func (*module) Name() string { return "payments" }

func (m *module) do(name string) func(context.Context, Step) (Step, error) {
	return func(ctx context.Context, s Step) (Step, error) {
		tracing.Message(ctx, slog.LevelInfo, name)
		s.Ref = task.Key(ctx) // idempotency key to the outside world
		return s, m.books.Do(ctx, name, s.Ref, s.Payment)
	}
}

func (m *module) undo(name string) func(context.Context, Step, Step, error) error {
	return func(ctx context.Context, _, out Step, cause error) error {
		return m.books.Undo(ctx, name, out.Ref, cause)
	}
}

func (m *module) Register(r *plba.Registry) error {
	payments := m.register(r)
	// A database of the application: pool given by main, so its life is main's; a file-opened one is a Resource.
	hook := http.NewServeMux()
	hook.HandleFunc("POST /hooks/payment", func(w http.ResponseWriter, q *http.Request) {
		var p Payment
		if err := json.NewDecoder(http.MaxBytesReader(w, q.Body, 1<<20)).Decode(&p); err != nil {
			http.Error(w, "bad payment", http.StatusBadRequest)
			return
		}
		err := pgx.BeginFunc(q.Context(), m.pool, func(tx pgx.Tx) error {
			if _, err := tx.Exec(q.Context(), `insert into events(id) values($1) on conflict do nothing`, p.EventID); err != nil {
				return err
			}
			_, err := postgres.PublishTx(q.Context(), tx, payments, p, queue.Metadata("source", "webhook"))
			return err
		})
		if err != nil {
			http.Error(w, "try again", http.StatusServiceUnavailable)
			return
		}
		w.WriteHeader(http.StatusAccepted)
	})
	m.hook = hook
	r.Worker(workers.Serve("webhook", "127.0.0.1:9000", hook), plba.Critical())
	r.Health("database", m.pool.Ping, plba.Critical())
	return nil
}

// register registers what settles payments, wherever they come from.
func (m *module) register(r *plba.Registry) *queue.Queue[Payment] {
	payments := plba.Queue(r, "payments", queue.Spec[Payment]{
		Unique: func(p Payment) string { return p.EventID }, UniqueFor: 7 * 24 * time.Hour,
		Requires: queue.Durable | queue.Transactional | queue.Checkpointed,
	})
	flow := plba.Pipeline(r, pipeline.New[Payment, Step]("settle").
		Stage(pipeline.Pure("begin", func(p Payment) Step { return Step{Payment: p} })).
		Stage(pipeline.Map("reserve", m.do("reserve")).Checkpoint().Compensate(m.undo("reserve"))).
		Stage(pipeline.Map("charge", m.do("charge")).Retry(3).Timeout(10*time.Second).Checkpoint().Compensate(m.undo("charge"))).
		Stage(pipeline.Map("book", m.do("book")).Checkpoint().Compensate(m.undo("book"))).
		Stage(pipeline.Map("invoice", m.do("invoice")).Checkpoint()).
		Stage(pipeline.Map("notify", m.do("notify")).Retry(5)))
	r.Worker(workers.Consume("settle", payments, flow, workers.Concurrency(8)), plba.Critical())
	return payments
}

// paper are books for a first try: they write to the terminal.
type paper struct{ log *slog.Logger }

func (b paper) Do(ctx context.Context, step, ref string, p Payment) error {
	b.log.InfoContext(ctx, step, "ref", ref, "account", p.Account, "cents", p.Cents)
	return nil
}

func (b paper) Undo(ctx context.Context, step, ref string, cause error) error {
	b.log.InfoContext(ctx, "undo "+step, "ref", ref, "cause", cause)
	return nil
}

func main() {
	pool, err := pgxpool.New(context.Background(), os.Getenv("DATABASE_URL"))
	if err != nil {
		panic(err)
	}
	defer pool.Close()
	plba.Main(&module{pool: pool, books: paper{slog.Default()}}, plba.WithDrivers(postgres.Driver(postgres.Pool(pool))))
}
