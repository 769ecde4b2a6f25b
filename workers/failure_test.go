package workers_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plba/plba/task"
	"github.com/plba/plba/workers"
)

// Who observes hears of failed attempts, and of nothing else that a handler may answer; a panic of the observer harms no task.
func TestFailuresAreTold(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := openQueue[int](t, "q", 10)
		answers := []error{nil, errors.New("no answer"), task.Permanent(errors.New("no such customer")), task.Drop("twice"), task.Snooze(time.Hour, "closed")}
		w := workers.Consume("c", q, workers.Func(func(_ context.Context, n int) error {
			err := answers[n]
			answers[n] = nil
			return err
		}))
		var mu sync.Mutex
		var told []string
		failed := func(worker string, f workers.Failure) {
			mu.Lock()
			defer mu.Unlock()
			told = append(told, fmt.Sprintf("%s %s %d %v %.0fs %s", worker, f.Queue, f.Attempt, f.Final, f.RetrySeconds, f.Error))
			if f.Task == "" || f.At.IsZero() {
				t.Errorf("%+v", f)
			}
			panic("heard enough")
		}
		if err := w.(workers.Equipped).Equip(workers.Env{Failed: failed}); err != nil {
			t.Fatal(err)
		}
		if err := w.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		for n := range answers {
			publish(t, q, n)
		}
		pass(time.Minute)
		w.Stop(forever(), forever())
		slices.Sort(told)
		want := []string{"c q 1 false 2s no answer", "c q 1 true 0s no such customer"}
		if !slices.Equal(told, want) {
			t.Errorf("told %q, want %q", told, want)
		}
		if s := w.Status(); s.Done != 3 || s.Failed != 2 {
			t.Errorf("%+v", s)
		}
	})
}
