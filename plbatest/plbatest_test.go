package plbatest_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plba/plba"
	"github.com/plba/plba/plbatest"
	"github.com/plba/plba/queue"
	"github.com/plba/plba/task"
	"github.com/plba/plba/workers"
)

type order struct{ Lines []string }

type module struct {
	handle func(context.Context, order) error
}

func (*module) Name() string { return "shop" }

func (m *module) Register(r *plba.Registry) error {
	orders := plba.Queue(r, "orders", queue.Spec[order]{Requires: queue.Durable})
	r.Worker(workers.Consume("orders", orders, workers.Func(m.handle)))
	return nil
}

func TestFeed(t *testing.T) {
	boom := errors.New("boom")
	for name, c := range map[string]struct {
		answers  []error
		want     task.Outcome
		attempts int
		err      string
	}{
		"done":            {[]error{nil}, task.Done, 1, ""},
		"dropped":         {[]error{task.Drop("no need")}, task.Dropped, 1, "no need"},
		"dead":            {[]error{task.Permanent(boom)}, task.Dead, 1, "boom"},
		"retried":         {[]error{boom, boom, nil}, task.Done, 3, ""},
		"snoozed":         {[]error{task.Snooze(time.Second, "closed"), nil}, task.Done, 2, ""},
		"out of attempts": {slices.Repeat([]error{task.RetryAfter(1, boom)}, queue.MaxAttempts), task.Dead, queue.MaxAttempts, "boom"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				answers := c.answers
				app := plbatest.Start(t, &module{func(context.Context, order) error {
					a := answers[0]
					answers = answers[1:]
					return a
				}})
				res := plbatest.Feed(app, "orders", order{})
				if res.Outcome != c.want || res.Attempts != c.attempts || (res.Err == nil) != (c.err == "") || res.Err != nil && !strings.Contains(res.Err.Error(), c.err) {
					t.Errorf("%+v", res)
				}
			})
		})
	}
}

// A handler that changes what it got must not change what the publisher has: payloads are encoded.
func TestPayloadsAreEncoded(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := plbatest.Start(t, &module{func(_ context.Context, o order) error { o.Lines[0] = "changed"; return nil }})
		mine := order{Lines: []string{"mine"}}
		plbatest.Feed(app, "orders", mine)
		if mine.Lines[0] != "mine" {
			t.Error("the handler shares memory with the publisher")
		}
	})
}

func TestWaitStateAndTransitions(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		app := plbatest.Start(t, &module{func(context.Context, order) error { time.Sleep(time.Second); return nil }})
		app.WaitState("orders", workers.Idle)
		go plbatest.Feed(app, "orders", order{})
		app.WaitState("orders", workers.Busy)
		app.WaitState("orders", workers.Idle)
		want := []string{"stopped start starting", "starting ready idle", "idle work busy", "busy rest idle"}
		if got := app.Transitions("orders"); !slices.Equal(got, want) {
			t.Errorf("transitions %q", got)
		}
	})
}
