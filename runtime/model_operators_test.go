package runtime_test

import (
	"errors"
	"slices"
	"time"

	"github.com/plba/plba/runtime"
	"pgregory.net/rapid"
)

// any draws a worker.
func (a *acts) any(rt *rapid.T) string {
	return rapid.SampledFrom([]string{steady, vital, consumer}).Draw(rt, "worker")
}

// refused says whether the operation had to be refused, since the application is not up, and was.
func (a *acts) refused(rt *rapid.T, err error) bool {
	if a.m.up {
		return false
	}
	var se *runtime.StateError
	if !errors.As(err, &se) || se.State != runtime.Stopped {
		rt.Fatalf("%v, want a *StateError", err)
	}
	return true
}

func (a *acts) stopWorker(rt *rapid.T) {
	name := a.any(rt)
	rec, err := a.w.app.StopWorker(background, name)
	if a.refused(rt, err) {
		return
	}
	if err != nil || rec.Outcome != runtime.Drained {
		rt.Fatalf("stop of %s: %v, %+v", name, err, rec)
	}
	p := a.m.parts[name]
	*p = part{held: true, lives: p.lives}
}

// stopConsumer interrupts work, which goes back to the queue.
func (a *acts) stopConsumer(rt *rapid.T) {
	n := a.occupy(rt, slow, 4)
	rec, err := a.w.app.StopWorker(background, consumer, runtime.Force())
	if !errors.Is(err, runtime.ErrNotClean) || rec.Outcome != runtime.Forced || rec.Returned < 1 {
		rt.Fatalf("%v, %+v", err, rec)
	}
	a.m.parts[consumer].held = true
	a.m.waiting = slices.Repeat([]string{slow}, n)
}

func (a *acts) startWorker(rt *rapid.T) {
	name := a.any(rt)
	err := a.w.app.StartWorker(background, name)
	if a.refused(rt, err) {
		return
	}
	if err != nil {
		rt.Fatalf("start of %s: %v", name, err)
	}
	if !a.m.runs(name) {
		a.m.live(name)
	}
}

// startWorkerFails: the supervisor goes on trying.
func (a *acts) startWorkerFails(rt *rapid.T) {
	if !a.m.up || a.m.runs(vital) {
		rt.Skip("it runs, or could not")
	}
	with(&a.w.loops[vital].fails, func() {
		if err := a.w.app.StartWorker(background, vital); !errors.Is(err, errBoom) {
			rt.Fatalf("start: %v", err)
		}
	})
	time.Sleep(quietTime)
	a.m.live(vital)
	a.m.live(vital)
}

func (a *acts) restartWorker(rt *rapid.T) {
	name := a.any(rt)
	rec, err := a.w.app.RestartWorker(background, name)
	if a.refused(rt, err) {
		return
	}
	if err != nil || rec.Outcome != runtime.Drained {
		rt.Fatalf("restart of %s: %v, %+v", name, err, rec)
	}
	a.m.live(name)
}

func (a *acts) pause(rt *rapid.T) {
	if err := a.w.app.PauseWorker(consumer); err != nil {
		rt.Fatal(err)
	}
	a.m.paused = true
}

func (a *acts) resume(rt *rapid.T) {
	if err := a.w.app.ResumeWorker(consumer); err != nil {
		rt.Fatal(err)
	}
	a.m.paused = false
}

func (a *acts) scale(rt *rapid.T) {
	n := rapid.IntRange(0, 4).Draw(rt, "concurrency")
	if err := a.w.app.ScaleWorker(consumer, n); (err == nil) != (n > 0) {
		rt.Fatalf("scale to %d: %v", n, err)
	}
	if n > 0 {
		a.m.concurrency = n
	}
}

func (a *acts) publish(rt *rapid.T) {
	kinds := rapid.SliceOfN(rapid.SampledFrom([]string{succeeds, fails, panics, exits, refuses, slow}), 1, 4).Draw(rt, "tasks")
	n, err := a.w.tasks.PublishAll(background, kinds)
	if !a.m.up {
		if err == nil || n != 0 {
			rt.Fatalf("%d tasks were taken while nothing runs: %v", n, err)
		}
		return
	}
	if err != nil {
		rt.Fatal(err)
	}
	a.m.publish(kinds...)
}
