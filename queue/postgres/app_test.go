package postgres_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"os"

	"github.com/plba/plba"
	"github.com/plba/plba/queue"
	"github.com/plba/plba/queue/postgres"
	"github.com/plba/plba/queue/sqlite"
	"github.com/plba/plba/task"
	"github.com/plba/plba/workers"
)

// module registers what a test says.
type module func(*plba.Registry) error

func (module) Name() string                      { return "test" }
func (m module) Register(r *plba.Registry) error { return m(r) }

// childQueue is the configuration of an application's queues; without it they are in the child's database.
const childQueue = "PLBA_POSTGRES_QUEUE"

// application makes one; it has the queue "tests", and maybe more.
func application(m module, url string, out io.Writer, opts ...plba.Option) (*plba.App, error) {
	return plba.New(m, append([]plba.Option{
		plba.WithDrivers(postgres.Driver(), sqlite.Driver()), plba.WithoutControlListener(), plba.WithOutput(out),
		plba.WithConfigYAML(queueSection("tests", url)),
	}, opts...)...)
}

// queueSection is the configuration of a queue of an application.
func queueSection(name, url string) string {
	section := os.Getenv(childQueue)
	if section == "" {
		section = fmt.Sprintf("{backend: postgres, url: %q, poll: 200ms, timeout: 5s}", url)
	}
	return fmt.Sprintf("platform: {queues: {%s: %s}}", name, section)
}

// order is what the queues carry.
type order struct {
	Order int `json:"order"`
}

// runChild runs an application whose queue is "tests", until it is told to stop.
func runChild(register func(r *plba.Registry, q *queue.Queue[order]), opts ...plba.Option) error {
	app, err := application(func(r *plba.Registry) error {
		register(r, plba.Queue[order](r, "tests"))
		return nil
	}, os.Getenv(childURL), os.Stderr, opts...)
	if err != nil {
		return err
	}
	return app.Run(context.Background())
}

// holdOn is an application whose handler holds its task until it is told to give up, and says why. Beside it, it holds a task of the queue "raw", and answers for that
// when a line comes on standard input.
func holdOn() error {
	e, err := openChild("raw", os.Getenv(childURL))
	if err != nil {
		return err
	}
	ls, err := e.Receive(context.Background(), 1, shortLease)
	if err != nil {
		return err
	}
	go func() {
		_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
		lost, err := e.Complete(context.Background(), []queue.Completion{{Token: ls[0].Token, Outcome: task.Done}})
		_ = say("answered,", len(lost), "lost,", err)
	}()
	return runChild(func(r *plba.Registry, q *queue.Queue[order]) {
		r.Worker(workers.Consume("holder", q, workers.Func(func(ctx context.Context, _ order) error {
			info, _ := task.From(ctx)
			if err := say("began attempt", info.Attempt); err != nil {
				return err
			}
			<-ctx.Done()
			return say("ended,", context.Cause(ctx))
		}), workers.Lease(shortLease)))
	})
}
