package plbatest_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plba/plba"
	"github.com/plba/plba/health"
	"github.com/plba/plba/plbatest"
	"github.com/plba/plba/task"
	"github.com/plba/plba/workers"
)

type calendar struct {
	run     func(context.Context, workers.Tick) error
	through bool
}

func (*calendar) Name() string { return "calendar" }

func (c *calendar) Register(r *plba.Registry) error {
	var opts []workers.ScheduleOption
	if c.through {
		opts = append(opts, workers.Through(plba.Queue[workers.Tick](r, "ticks")), workers.Missed(workers.RunAll))
	}
	r.Worker(workers.Schedule("nightly", "0 2 * * *", c.run, opts...))
	return nil
}

func TestTick(t *testing.T) {
	at := time.Date(2026, 3, 1, 2, 0, 0, 0, time.UTC)
	for _, through := range []bool{false, true} {
		synctest.Test(t, func(t *testing.T) {
			var got []time.Time
			var answer error
			app := plbatest.Start(t, &calendar{through: through, run: func(_ context.Context, tick workers.Tick) error {
				time.Sleep(time.Second)
				got = append(got, tick.At)
				return answer
			}})
			if err := app.Tick("nightly", at); err != nil || len(got) != 1 || !got[0].Equal(at) {
				t.Errorf("through %v: %v, runs %v", through, err, got)
			}
			answer = task.Permanent(errors.New("no"))
			if err := app.Tick("nightly", at.AddDate(-30, 0, 0)); err == nil || !strings.Contains(err.Error(), "no") || len(got) != 2 {
				t.Errorf("through %v: %v, runs %v", through, err, got)
			}
			answer = nil
			if h := app.Health(); h.State != health.StateDegraded {
				t.Errorf("through %v: health %+v", through, h)
			}
			time.Sleep(3 * time.Hour)
			synctest.Wait()
			if len(got) != 3 || got[2].Format(time.RFC3339) != "2000-01-01T02:00:00Z" {
				t.Errorf("through %v: its own run is gone: %v", through, got)
			}
		})
	}
}
