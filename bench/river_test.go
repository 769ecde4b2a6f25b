package bench

import (
	"context"
	"log/slog"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
	"github.com/riverqueue/river"
	"github.com/riverqueue/river/riverdriver/riverpgxv5"
	"github.com/riverqueue/river/rivermigrate"
)

// riverSide is a client that inserts, and another one that works, with the settings of River's own benchmark.
type riverSide struct {
	insert, working *pgxpool.Pool
	client          *river.Client[pgx.Tx]
	done            *atomic.Int64 // of the latest client that works
}

func newRiver(t *testing.T, insert, working *pgxpool.Pool) *riverSide {
	t.Helper()
	driver := riverpgxv5.New(insert)
	migrator, err := rivermigrate.New(driver, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := migrator.Migrate(t.Context(), rivermigrate.DirectionUp, nil); err != nil {
		t.Fatal(err)
	}
	client, err := river.NewClient(driver, riverConfig()) // the cooldown is also how long it sends no further notification
	if err != nil {
		t.Fatal(err)
	}
	return &riverSide{insert: insert, working: working, client: client}
}

func riverConfig() *river.Config {
	return &river.Config{
		FetchCooldown:     2 * time.Millisecond,
		FetchPollInterval: 20 * time.Millisecond,
		Logger:            slog.New(slog.DiscardHandler),
	}
}

func (*riverSide) name() string { return "River" }

func (s *riverSide) publish(ctx context.Context, j job) error {
	_, err := s.client.Insert(ctx, j, nil)
	return err
}

func (s *riverSide) publishAll(ctx context.Context, js []job) error {
	params := make([]river.InsertManyParams, len(js))
	for i, j := range js {
		params[i].Args = j
	}
	_, err := s.client.InsertMany(ctx, params)
	return err
}

func (s *riverSide) work(ctx context.Context, handle func(job)) (stop func() error, err error) {
	registry := river.NewWorkers()
	river.AddWorker(registry, river.WorkFunc(func(_ context.Context, j *river.Job[job]) error {
		handle(j.Args)
		return nil
	}))
	config := riverConfig()
	config.Queues = map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: slots}}
	config.Workers = registry
	client, err := river.NewClient(riverpgxv5.New(s.working), config)
	if err != nil {
		return nil, err
	}
	// Its benchmark counts the jobs that went through the completer, by a subscription that is large enough to lose none.
	events, unsubscribe := client.SubscribeConfig(&river.SubscribeConfig{ChanSize: 75_000, Kinds: []river.EventKind{river.EventKindJobCompleted}})
	done, counted := new(atomic.Int64), make(chan struct{})
	go func() {
		defer close(counted)
		for range events {
			done.Add(1)
		}
	}()
	s.done = done
	if err := client.Start(ctx); err != nil {
		unsubscribe()
		<-counted
		return nil, err
	}
	return func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		err := client.Stop(ctx)
		unsubscribe()
		<-counted
		return err
	}, nil
}

func (s *riverSide) finished() int64 { return s.done.Load() }

func (s *riverSide) left(ctx context.Context) (n int64, err error) {
	return n, s.insert.QueryRow(ctx, "SELECT count(*) FROM river_job WHERE state <> 'completed'").Scan(&n)
}

func (s *riverSide) reset(ctx context.Context) error {
	_, err := s.insert.Exec(ctx, "TRUNCATE river_job")
	return err
}
