package bench

import (
	"context"
	"errors"
	"fmt"
	"io"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/plba/plba"
	"github.com/plba/plba/queue"
	"github.com/plba/plba/queue/postgres"
	"github.com/plba/plba/workers"
)

// slots is how many tasks are handled at once: as many as River's benchmark has workers.
const slots = 2000

// plbaSide is an application that publishes, and another one that works. All settings are the defaults.
type plbaSide struct {
	url    string
	pool   *pgxpool.Pool
	tasks  *queue.Queue[job]
	worker workers.Worker // of the latest application that works
}

// application has the queue, and a worker if there is a handler.
type application struct {
	handle func(job)
	tasks  *queue.Queue[job]
	worker workers.Worker
}

func (*application) Name() string { return "bench" }

func (a *application) Register(r *plba.Registry) error {
	a.tasks = plba.Queue[job](r, "benchmark")
	if a.handle == nil {
		return nil
	}
	a.worker = workers.Consume("work", a.tasks, workers.Func(func(_ context.Context, j job) error {
		a.handle(j)
		return nil
	}), workers.Concurrency(slots))
	r.Worker(a.worker)
	return nil
}

// run starts the application; stop is to be called once.
func (a *application) run(ctx context.Context, url string) (stop func() error, err error) {
	app, err := plba.New(a, plba.WithDrivers(postgres.Driver()), plba.WithoutControlListener(), plba.WithOutput(io.Discard),
		plba.WithConfigYAML(fmt.Sprintf("platform: {queues: {benchmark: {backend: postgres, url: %q}}}", url)))
	if err != nil {
		return nil, err
	}
	if err := app.Start(ctx); err != nil {
		return nil, err
	}
	return func() error {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Minute)
		defer cancel()
		receipt, err := app.Stop(ctx)
		if err == nil && !receipt.Clean {
			err = errors.New(receipt.String())
		}
		return err
	}, nil
}

func newPLBA(t *testing.T, url string, pool *pgxpool.Pool) *plbaSide {
	t.Helper()
	a := new(application)
	stop, err := a.run(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := stop(); err != nil {
			t.Error(err)
		}
	})
	return &plbaSide{url: url, pool: pool, tasks: a.tasks}
}

func (*plbaSide) name() string { return "plba" }

func (s *plbaSide) publish(ctx context.Context, j job) error { return s.tasks.Publish(ctx, j) }

func (s *plbaSide) publishAll(ctx context.Context, js []job) error {
	_, err := s.tasks.PublishAll(ctx, js)
	return err
}

func (s *plbaSide) work(ctx context.Context, handle func(job)) (stop func() error, err error) {
	a := &application{handle: handle}
	stop, err = a.run(ctx, s.url)
	s.worker = a.worker
	return stop, err
}

func (s *plbaSide) finished() int64 { return int64(s.worker.Status().Done) } //nolint:gosec // small

func (s *plbaSide) left(ctx context.Context) (n int64, err error) {
	return n, s.pool.QueryRow(ctx, "SELECT count(*) FROM plba.tasks WHERE state < 6").Scan(&n)
}

func (s *plbaSide) reset(ctx context.Context) error {
	_, err := s.pool.Exec(ctx, "TRUNCATE plba.tasks")
	return err
}

// settle does what the server would do soon after so many tasks have come: otherwise that would be measured.
func (s *plbaSide) settle(ctx context.Context) error {
	for _, statement := range []string{"VACUUM (ANALYZE) plba.tasks", "CHECKPOINT"} {
		if _, err := s.pool.Exec(ctx, statement); err != nil {
			return err
		}
	}
	return nil
}
