package task_test

import (
	"context"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/plba/plba/task"
)

type domainPermanent struct{ permanent bool }

func (domainPermanent) Error() string     { return "bad file" }
func (e domainPermanent) Permanent() bool { return e.permanent }

type domainBusy struct{ d time.Duration }

func (domainBusy) Error() string               { return "busy" }
func (e domainBusy) RetryAfter() time.Duration { return e.d }

type both struct {
	domainPermanent
	domainBusy
}

func (both) Error() string { return "both" }

type emptyJoin struct{}

func (emptyJoin) Error() string   { return "nothing" }
func (emptyJoin) Unwrap() []error { return nil }

func TestClassify(t *testing.T) {
	db := errors.New("database away")
	for name, c := range map[string]struct {
		err  error
		want task.Outcome
		wait time.Duration
	}{
		"nil":                              {nil, task.Done, 0},
		"plain":                            {db, task.Retry, 0},
		"permanent":                        {task.Permanent(db), task.Dead, 0},
		"permanent of nil":                 {task.Permanent(nil), task.Done, 0},
		"wrapped domain permanent":         {fmt.Errorf("x: %w", domainPermanent{true}), task.Dead, 0},
		"domain permanent says no":         {domainPermanent{false}, task.Retry, 0},
		"domain not permanent, but busy":   {both{domainPermanent{false}, domainBusy{time.Minute}}, task.Retry, time.Minute},
		"retry after":                      {task.RetryAfter(time.Second, db), task.Retry, time.Second},
		"retry at once":                    {task.RetryAfter(0, nil), task.Retry, 1},
		"domain retry after":               {fmt.Errorf("x: %w", domainBusy{time.Minute}), task.Retry, time.Minute},
		"snooze":                           {task.Snooze(time.Second, "s"), task.Snoozed, time.Second},
		"drop, wrapped":                    {fmt.Errorf("stage: %w", task.Drop("d")), task.Dropped, 0},
		"outermost decides":                {task.RetryAfter(time.Second, task.Permanent(db)), task.Retry, time.Second},
		"joined drop and failure":          {errors.Join(task.Drop("d"), db), task.Retry, 0},
		"joined permanent and failure":     {errors.Join(task.Permanent(db), db), task.Retry, 0},
		"joined, unanimous":                {errors.Join(domainPermanent{true}, task.Permanent(db)), task.Dead, 0},
		"joined waits, the longest counts": {errors.Join(task.RetryAfter(1*time.Second, db), task.RetryAfter(3*time.Second, db)), task.Retry, 3 * time.Second},
		"three branches, two kinds":        {errors.Join(task.Drop("a"), task.Permanent(db), task.Drop("b")), task.Retry, 0},
		"several %w":                       {fmt.Errorf("%w; %w", task.Drop("a"), task.Drop("b")), task.Dropped, 0},
		"joined nothing":                   {emptyJoin{}, task.Retry, 0},
	} {
		t.Run(name, func(t *testing.T) {
			got, wait := task.Classify(c.err)
			if got != c.want || wait != c.wait {
				t.Errorf("Classify(%v) = %v, %v; want %v, %v", c.err, got, wait, c.want, c.wait)
			}
		})
	}
}

func TestOutcomesUnwrap(t *testing.T) {
	db := errors.New("database away")
	for _, err := range []error{task.Permanent(db), task.RetryAfter(time.Second, db)} {
		if !errors.Is(err, db) || err.Error() != db.Error() {
			t.Errorf("%v does not show its cause", err)
		}
	}
}

type place string

func (p place) Path() string { return string(p) }

func TestKey(t *testing.T) {
	ctx := context.Background()
	if got := task.Key(ctx); got != "" {
		t.Errorf("outside: %q", got)
	}
	if got := task.Key(task.WithCursor(ctx, place("orders/store"))); got != "orders/store" {
		t.Errorf("cursor alone: %q", got)
	}
	ctx = task.With(ctx, task.Info{ID: "t1", Attempt: 2, MaxAttempts: 2}, nil, nil)
	if got := task.Key(ctx); got != "t1" {
		t.Errorf("task alone: %q", got)
	}
	if got := task.Key(task.WithCursor(ctx, place("orders/store"))); got != "t1/orders/store" {
		t.Errorf("both: %q", got)
	}
	info, ok := task.From(ctx)
	if !ok || !info.LastAttempt() {
		t.Errorf("From = %+v, %v", info, ok)
	}
	if _, ok := task.CheckpointsFrom(ctx); ok {
		t.Error("checkpoints out of nothing")
	}
	if _, ok := task.SlotsFrom(ctx); ok {
		t.Error("slots out of nothing")
	}
	if _, ok := task.From(context.Background()); ok {
		t.Error("a task out of nothing")
	}
}

func TestOutcomeString(t *testing.T) {
	want := []string{"done", "dropped", "retry", "snoozed", "dead", "cancelled", "Outcome(6)"}
	for i, w := range want {
		if got := task.Outcome(i).String(); got != w {
			t.Errorf("%d: %q, want %q", i, got, w)
		}
	}
}
