//go:build unix

package workers_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"syscall"
	"testing"
	"time"

	"github.com/plba/plba/workers"
)

// TestIdleCPU prints what CPU time a hundred idle workers use in a minute. It asserts no time, only that they were alive.
func TestIdleCPU(t *testing.T) {
	if os.Getenv("PLBA_TEST_LONG") != "1" {
		t.Skip("takes a minute for each kind: set PLBA_TEST_LONG=1")
	}
	for kind, worker := range map[string]func(t *testing.T, name string) workers.Worker{
		"consume": func(t *testing.T, name string) workers.Worker {
			return workers.Consume(name, openQueue[int](t, name, 10), workers.Func(func(context.Context, int) error { return nil }))
		},
		"poll every 15 s": func(_ *testing.T, name string) workers.Worker {
			return workers.Poll(name, 15*time.Second, func(context.Context) (int, error) { return 0, nil })
		},
		"a bare timer every 15 s ± 10 %": func(_ *testing.T, name string) workers.Worker {
			return workers.Loop(name, func(_ context.Context, s *workers.Session) error {
				s.Ready()
				for {
					select {
					case <-time.After(time.Duration((0.9 + 0.2*rand.Float64()) * float64(15*time.Second))):
					case <-s.Stopping():
						return nil
					}
				}
			})
		},
	} {
		t.Run(kind, func(t *testing.T) { idleCPU(t, worker) })
	}
}

func idleCPU(t *testing.T, worker func(t *testing.T, name string) workers.Worker) {
	ws := make([]workers.Worker, 100)
	for i := range ws {
		ws[i] = worker(t, fmt.Sprint("w", i))
		equip(t, ws[i])
		if err := ws[i].Start(t.Context()); err != nil {
			t.Fatal(err)
		}
	}
	<-time.After(time.Second)
	before := cpuTime(t)
	<-time.After(time.Minute)
	t.Logf("%d idle workers used %s of CPU in a minute", len(ws), cpuTime(t)-before)
	for _, w := range ws {
		if s := w.Status(); s.Kind == "poll" && s.Done < 4 || s.State != workers.Idle && s.State != workers.Busy {
			t.Errorf("%+v", s)
		}
		w.Stop(forever(), forever())
	}
}

// cpuTime is what this process has used, in user and system mode.
func cpuTime(t *testing.T) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		t.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}
