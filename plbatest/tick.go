package plbatest

import (
	"context"
	"time"

	"github.com/plba/plba/task"
	"github.com/plba/plba/workers"
)

// Tick runs the function of a schedule for an instant, whatever the clock says, and waits for its end. One that goes through a queue is
// retried as it would be, and Tick waits for that too. The result is the error of the run (of the last attempt, as a text); nil when it succeeded.
// It fails the test when there is no such schedule or the run has not ended after 10 s.
func (a *App) Tick(schedule string, at time.Time) error {
	a.t.Helper()
	w, ok := a.WorkerHandle(schedule)
	if !ok || w.Status().Kind != "schedule" {
		a.t.Fatalf("plbatest: no schedule %q", schedule)
	}
	if c, through := w.(workers.Consumer); through {
		if res := Feed(a, c.QueueName(), workers.Tick{At: at}); res.Outcome == task.Dead {
			return res.Err
		}
		return nil
	}
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	err := w.(workers.Ticker).Tick(ctx, at)
	if ctx.Err() != nil {
		a.t.Fatalf("plbatest: the run of schedule %q for %s has not ended within %s", schedule, at, patience)
	}
	return err
}
