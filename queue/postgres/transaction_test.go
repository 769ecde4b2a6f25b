package postgres_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"hash/fnv"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/jackc/pgx/v5/stdlib"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/queue/memory"
	"github.com/plba/plba/queue/postgres"
	"github.com/plba/plba/queue/postgres/pgtest"
)

type payment struct{ Event string }

var errRollback = errors.New("rolled back on purpose")

// transactions are the kinds of transactions that an application may have.
var transactions = map[string]func(t *testing.T, p *pgxpool.Pool, do func(context.Context, postgres.Tx) error) error{
	"pgx": func(t *testing.T, p *pgxpool.Pool, do func(context.Context, postgres.Tx) error) error {
		return pgx.BeginFunc(t.Context(), p, func(tx pgx.Tx) error { return do(t.Context(), tx) })
	},
	"database/sql": func(t *testing.T, p *pgxpool.Pool, do func(context.Context, postgres.Tx) error) error {
		db := stdlib.OpenDBFromPool(p)
		defer func() { _ = db.Close() }()
		tx, err := db.BeginTx(t.Context(), nil)
		if err != nil {
			return err
		}
		if err := do(t.Context(), postgres.SQL(tx)); err != nil {
			return errors.Join(err, tx.Rollback())
		}
		return tx.Commit()
	},
}

// A task that is published in a transaction is there if and only if the transaction is committed, and then at once.
func TestPublishTxIsPartOfTheTransaction(t *testing.T) {
	url := pgtest.Start(t).Database(t)
	for name, in := range transactions {
		t.Run(name, func(t *testing.T) {
			pool := connect(t, url)
			q := opened(t, postgres.Driver(postgres.Pool(pool)), queue.Spec[payment]{Unique: func(p payment) string { return p.Event }}, nil)
			received := make(chan []queue.Delivery[payment], 1)
			ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			defer cancel()
			go func() {
				ds, err := q.Receive(ctx, 10, time.Minute)
				if err != nil {
					t.Error(err)
				}
				received <- ds
			}()
			err := in(t, pool, func(ctx context.Context, tx postgres.Tx) error {
				if _, err := postgres.PublishTx(ctx, tx, q, payment{"never"}); err != nil {
					return err
				}
				return errRollback
			})
			if !errors.Is(err, errRollback) {
				t.Fatal(err)
			}
			var first, again queue.Receipt
			err = in(t, pool, func(ctx context.Context, tx postgres.Tx) (err error) {
				if first, err = postgres.PublishTx(ctx, tx, q, payment{"paid"}, queue.Metadata("source", "webhook")); err != nil {
					return err
				}
				again, err = postgres.PublishTx(ctx, tx, q, payment{"paid"})
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			if first.Existing || !again.Existing || again.ID != first.ID {
				t.Errorf("published twice with one key: %+v, then %+v", first, again)
			}
			ds := <-received
			if len(ds) != 1 || ds[0].ID != first.ID || ds[0].Value.Event != "paid" || ds[0].Info.Metadata["source"] != "webhook" {
				t.Errorf("received %+v, want only the task that was committed", ds)
			}
		})
	}
}

// Publishing in a transaction does not wait for room, and a task that is there already needs none.
func TestPublishTxToAFullQueue(t *testing.T) {
	pool := connect(t, pgtest.Start(t).Database(t))
	q := opened(t, postgres.Driver(postgres.Pool(pool)), queue.Spec[payment]{Unique: func(p payment) string { return p.Event }},
		func(s *postgres.Settings) { s.Capacity = 1 })
	publish := func(event string) (r queue.Receipt, err error) {
		err = pgx.BeginFunc(t.Context(), pool, func(tx pgx.Tx) error {
			r, err = postgres.PublishTx(t.Context(), tx, q, payment{event})
			return err
		})
		return r, err
	}
	first, err := publish("one")
	if err != nil || first.Existing {
		t.Fatalf("the first one: %+v, %v", first, err)
	}
	if _, err := publish("two"); !errors.Is(err, queue.ErrFull) {
		t.Errorf("the queue is full: %v, want ErrFull", err)
	}
	if r, err := publish("one"); err != nil || !r.Existing || r.ID != first.ID {
		t.Errorf("one that is there: %+v, %v; want the first one", r, err)
	}
}

func TestPublishTxNeedsAQueueInPostgreSQL(t *testing.T) {
	q := opened(t, memory.Driver(), queue.Spec[payment]{}, nil)
	_, err := postgres.PublishTx(t.Context(), postgres.SQL(new(sql.Tx)), q, payment{})
	const want = "queue payments: invalid: publishing in a transaction of PostgreSQL needs a queue with the backend postgres, this one is kept by *memory.engine"
	if err == nil || err.Error() != want || !errors.Is(err, queue.ErrInvalid) {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}

// connect gives the application's pool.
func connect(t *testing.T, url string) *pgxpool.Pool {
	t.Helper()
	pool, err := pgxpool.New(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	return pool
}

// opened gives a queue of payments in a schema of its own.
func opened(t *testing.T, d queue.Driver, spec queue.Spec[payment], change func(*postgres.Settings)) *queue.Queue[payment] {
	t.Helper()
	q, err := queue.For("payments", spec)
	if err != nil {
		t.Fatal(err)
	}
	settings := d.Settings()
	if s, ok := settings.(*postgres.Settings); ok {
		s.Schema = schemaOf(t)
		if change != nil {
			change(s)
		}
	}
	e, err := d.Open(t.Context(), queue.Opening{Queue: "payments", Settings: settings})
	if err != nil {
		t.Fatal(err)
	}
	q.Bind(e, queue.Binding{Encode: d.Capabilities().Missing(queue.InProcess) != 0})
	t.Cleanup(func() {
		q.Unbind()
		if err := e.Close(context.Background()); err != nil {
			t.Error(err)
		}
	})
	return q
}

// schemaOf is a schema for that test alone.
func schemaOf(t *testing.T) string {
	h := fnv.New32()
	_, _ = h.Write([]byte(t.Name()))
	return fmt.Sprintf("test_%x", h.Sum32())
}
