package postgres_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/plba/plba"
	"github.com/plba/plba/queue"
	"github.com/plba/plba/queue/postgres/pgtest"
	"github.com/plba/plba/task"
	"github.com/plba/plba/workers"
)

// toHold is an order whose handler holds it until it is told to give up.
const toHold = -1

// beInstance is one of several equal processes: it handles orders, and has a schedule that goes through a queue.
func beInstance() error {
	return runChild(func(r *plba.Registry, q *queue.Queue[order]) {
		r.Worker(workers.Consume("orders", q, workers.Func(func(ctx context.Context, o order) error {
			info, _ := task.From(ctx)
			if o.Order != toHold {
				return say("handled", o.Order, info.Attempt)
			}
			if err := say("holds", info.Attempt); err != nil {
				return err
			}
			<-ctx.Done()
			return errors.Join(context.Cause(ctx), say("gives up,", context.Cause(ctx)))
		}), workers.Lease(shortLease)))
		tick := func(_ context.Context, t workers.Tick) error { return say("ran", t.At.Format(time.RFC3339)) }
		every := "@yearly"
		if volume(0, 1) == 1 {
			every = "* * * * *"
		}
		r.Worker(workers.Schedule("report", every, tick, workers.Missed(workers.RunOnce), workers.Through(plba.Queue[workers.Tick](r, "ticks"))))
	}, plba.WithConfigYAML(queueSection("ticks", os.Getenv(childURL))))
}

// gang is several instances.
type gang struct {
	*testing.T
	all  []*child
	said chan string // "number of the instance: what it said"
	ran  chan string // the same of the schedule
}

func newGang(t *testing.T, url string, n int) *gang {
	t.Helper()
	g := &gang{T: t, said: make(chan string, 10_000), ran: make(chan string, 100)}
	for i := range n {
		c := startChild(t, "instance", url)
		g.all = append(g.all, c)
		go g.listen(i, c)
	}
	return g
}

func (g *gang) listen(instance int, c *child) {
	for heard := 0; ; {
		c.mu.Lock()
		news := c.said[heard:]
		c.mu.Unlock()
		for _, line := range news {
			to := g.said
			if strings.HasPrefix(line, "ran") {
				to = g.ran
			}
			to <- fmt.Sprintf("%d: %s", instance, line)
		}
		heard += len(news)
		select {
		case <-c.more:
		case <-c.gone:
			return
		}
	}
}

// next is what one of them says, and which.
func (g *gang) next(what string) (instance int, line string) {
	g.Helper()
	select {
	case said := <-g.said:
		if _, err := fmt.Sscanf(said, "%d: ", &instance); err != nil {
			g.Fatal(err)
		}
		_, line, _ = strings.Cut(said, ": ")
	case <-time.After(patience):
		g.Fatalf("nobody says that it %s", what)
	}
	if !strings.HasPrefix(line, what) {
		g.Fatalf("instance %d said %q, expected that one %s", instance, line, what)
	}
	return instance, line
}

// TestInstances runs three processes of one application on one database: each order is handled once, an instant of the schedule is run once, what a killed process had is taken over
// when its lease ends, and a running task is cancelled from another process.
func TestInstances(t *testing.T) {
	t.Parallel()
	url := pgtest.Start(t).Database(t)
	g := newGang(t, url, 3) // the first to come makes the tables
	e, ticks := openTest(t, "tests", url), openTest(t, "ticks", url)
	n := volume(300, 3000)
	handled, by := map[string]bool{}, map[int]bool{}
	publishOrders(t, e, n)
	for len(handled) < n {
		instance, line := g.next("handled")
		if by[instance] = true; handled[line] || !strings.HasSuffix(line, " 1") {
			t.Errorf("%q, a second time", line)
		}
		handled[line] = true
	}
	if len(by) < 2 {
		t.Errorf("%d of three processes handled all %d orders", len(by), n)
	}
	instants(g, ticks)
	takeover(g, e)
}

// instants lets the instants of the schedule be run that all processes published: each is run once.
func instants(g *gang, ticks queue.Engine) {
	g.Helper()
	n := volume(1, 2)
	if n == 1 { // not to wait for the end of the year
		until(g.T, "all have published it", func() bool { s, err := ticks.Stats(g.Context()); return err == nil && s.Scheduled > 0 })
		if n, err := ticks.RunNow(g.Context(), queue.InState(queue.StateScheduled)); err != nil || n != 1 {
			g.Fatalf("three processes published an instant %d times: %v", n, err)
		}
	}
	ran := map[string]bool{}
	for len(ran) < n {
		select {
		case said := <-g.ran:
			_, line, _ := strings.Cut(said, ": ")
			if ran[line] {
				g.Errorf("%q, a second time", line)
			}
			ran[line] = true
		case <-time.After(patience + time.Minute):
			g.Fatalf("%d instants were run", len(ran))
		}
	}
	until(g.T, "the runs are done", func() bool { s, err := ticks.Stats(g.Context()); return err == nil && s.Running+s.Ready == 0 })
	if len(g.ran) > 0 {
		g.Errorf("then %q", <-g.ran)
	}
}

// takeover kills each process that has the task to hold, until only one is left, and cancels it there.
func takeover(g *gang, e queue.Engine) {
	g.Helper()
	publishOrders(g.T, e, 0, toHold)
	for attempt := 1; ; attempt++ {
		holder, line := g.next("holds")
		if line != fmt.Sprintf("holds %d", attempt) {
			g.Errorf("instance %d said %q, expected attempt %d", holder, line, attempt)
		}
		if attempt == len(g.all) {
			break
		}
		g.all[holder].kill(g.T)
	}
	page, err := e.Tasks(g.Context(), queue.Query{States: []queue.State{queue.StateRunning}})
	if err != nil || len(page.Tasks) != 1 {
		g.Fatalf("%d tasks are running: %v", len(page.Tasks), err)
	}
	if err := e.Cancel(g.Context(), page.Tasks[0].Info.ID, "enough"); err != nil {
		g.Error(err)
	}
	if _, line := g.next("gives up"); line != "gives up, "+task.ErrCancelled.Error() {
		g.Errorf("it said %q", line)
	}
	until(g.T, "the task has ended", func() bool {
		s, err := e.Stats(g.Context())
		return err == nil && s.Cancelled == 1 && s.Unfinished() == 0
	})
}

// publishOrders publishes orders 0 … n-1 and these.
func publishOrders(t *testing.T, e queue.Engine, n int, more ...int) {
	t.Helper()
	for i := range n {
		more = append(more, i)
	}
	rs := make([]queue.Record, len(more))
	for i, o := range more {
		rs[i] = newRecord()
		rs[i].Payload.Bytes, _ = json.Marshal(order{o})
	}
	if _, err := e.Publish(t.Context(), rs, true); err != nil {
		t.Fatal(err)
	}
}

// beReckless is an application whose handler panics at its first attempt in a goroutine of its own, which ends the process.
func beReckless() error {
	return runChild(func(r *plba.Registry, q *queue.Queue[order]) {
		r.Worker(workers.Consume("orders", q, workers.Func(func(ctx context.Context, _ order) error {
			info, _ := task.From(ctx)
			if err := say("attempt", info.Attempt); err != nil || info.Attempt > 1 {
				return err
			}
			go func() { panic("where nobody can catch it") }()
			<-ctx.Done()
			return context.Cause(ctx)
		}), workers.Lease(shortLease)))
		r.Resource("source", func(ctx context.Context) error {
			_, err := q.Send(ctx, order{1}, queue.UniqueKey("one"))
			return err
		}, nil)
	})
}

// TestTaskComesBackAfterTheDeathOfItsProcess lets a process die of a panic that nobody can catch. The next one handles the task, on every durable engine.
func TestTaskComesBackAfterTheDeathOfItsProcess(t *testing.T) {
	t.Parallel()
	for name, section := range map[string]string{
		"sqlite":   fmt.Sprintf("{backend: sqlite, path: %q}", filepath.Join(t.TempDir(), "queue.db")),
		"postgres": fmt.Sprintf("{backend: postgres, url: %q, poll: 200ms}", pgtest.Start(t).Database(t)),
	} {
		t.Run(name, func(t *testing.T) {
			first := startChild(t, "reckless", "", childQueue+"="+section)
			first.expect(t, "attempt 1")
			<-first.gone
			if err := first.Wait(); first.ProcessState.ExitCode() != 2 {
				t.Errorf("the process ended with %v, expected code 2", err)
			}
			startChild(t, "reckless", "", childQueue+"="+section).expect(t, "attempt 2")
		})
	}
}
