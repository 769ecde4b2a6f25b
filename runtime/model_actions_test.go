package runtime_test

import (
	"context"
	"errors"
	"slices"
	"testing/synctest"
	"time"

	"github.com/plba/plba/health"
	"github.com/plba/plba/runtime"
	"pgregory.net/rapid"
)

// acts are what can happen to the application: each does something to the world and says what the model makes of it.
type acts struct {
	w      *world
	m      *model
	counts map[string]int // how often each has happened
}

var background = context.Background()

func (a *acts) all() map[string]func(*rapid.T) {
	all := map[string]func(*rapid.T){
		"start": a.start, "start, resource fails": a.startWithoutResource, "start, critical worker fails": a.startFails,
		"start, critical worker hangs": a.startHangs, "start, interrupted by stop": a.startInterrupted,
		"stop": a.stop, "stop, keeping the channel": a.stopKeeping, "stop, forced": a.stopForced, "stop, resource fails": a.stopFails,
		"stop, work in flight": a.stopWorking, "stop, forced, work in flight": a.stopWorkingForced, "stop, handler is deaf": a.stopDeaf,
		"stop from a handler": a.stopFromHandler, "stop asked for by a handler": a.stopAsked,
		"worker fails": a.ends("fails"), "worker panics": a.ends("panics"), "worker exits": a.ends("exits"), "worker returns": a.returns,
		"steady worker is given up": a.givenUp(steady), "critical worker is given up": a.givenUp(vital),
		"stop worker": a.stopWorker, "stop worker, forced, work in flight": a.stopConsumer, "start worker": a.startWorker,
		"start worker, fails": a.startWorkerFails, "restart worker": a.restartWorker,
		"pause": a.pause, "resume": a.resume, "scale": a.scale, "publish": a.publish,
	}
	for name, act := range all {
		all[name] = func(rt *rapid.T) {
			act(rt)
			a.settle(rt)
			a.counts[name]++
		}
	}
	all[""] = func(rt *rapid.T) { a.m.check(rt, a.w) }
	return all
}

func (a *acts) settle(rt *rapid.T) {
	if err := a.w.settle(); err != nil {
		rt.Fatal(err)
	}
	a.m.serve()
}

func (a *acts) start(rt *rapid.T) {
	if err := a.w.app.Start(background); err != nil {
		rt.Fatalf("Start: %v", err)
	}
	a.m.start()
}

// failed is what became of a start that must fail unless the application is up: lived tells whether it got as far as the workers.
func (a *acts) failed(rt *rapid.T, err error, lived bool) {
	if a.m.up {
		if err != nil {
			rt.Fatalf("Start: %v", err)
		}
		return
	}
	var se *runtime.StartError
	if !errors.As(err, &se) {
		rt.Fatalf("Start: %v, want a *StartError", err)
	}
	if lived {
		a.m.opens++
		a.m.live(steady)
		a.m.live(vital)
	}
}

func (a *acts) startWithoutResource(rt *rapid.T) {
	with(&a.w.failOpen, func() { a.failed(rt, a.w.app.Start(background), false) })
}

func (a *acts) startFails(rt *rapid.T) {
	with(&a.w.loops[vital].fails, func() { a.failed(rt, a.w.app.Start(background), true) })
}

func (a *acts) startHangs(rt *rapid.T) {
	with(&a.w.loops[vital].hangs, func() { a.failed(rt, a.w.app.Start(background), true) })
}

func (a *acts) startInterrupted(rt *rapid.T) {
	with(&a.w.loops[vital].hangs, func() {
		result := make(chan error)
		go func() { result <- a.w.app.Start(background) }()
		synctest.Wait()
		rec, err := a.w.app.Stop(background)
		if !a.m.up && err != nil {
			rt.Fatalf("Stop: %v\n%s", err, rec)
		}
		a.failed(rt, <-result, true)
		a.stopped(rt, false)(rec, err)
	})
}

// stopped gives what takes the answer of a stop, which is not clean for more reasons than lost tasks when bad says so.
func (a *acts) stopped(rt *rapid.T, bad bool, opts ...runtime.StopOption) func(runtime.Receipt, error) {
	wasUp := a.m.up
	return func(rec runtime.Receipt, err error) {
		keep := len(opts) > 0
		lost := a.m.stop(keep)
		if !wasUp {
			return // the receipt is that of an earlier stop
		}
		got := 0
		for _, l := range rec.Lost {
			got += int(l.Tasks)
		}
		if clean := lost == 0 && !bad; got != lost || rec.Clean != clean || errors.Is(err, runtime.ErrNotClean) == clean {
			rt.Fatalf("Stop: %v, want %d lost, clean %t\n%s", err, lost, clean, rec)
		}
	}
}

func (a *acts) stop(rt *rapid.T) { a.stopped(rt, false)(a.w.app.Stop(background)) }

func (a *acts) stopKeeping(rt *rapid.T) {
	a.stopped(rt, false, runtime.KeepChannels())(a.w.app.Stop(background, runtime.KeepChannels()))
}

func (a *acts) stopForced(rt *rapid.T) {
	rec, err := a.w.app.Stop(background, runtime.Force())
	bad := slices.ContainsFunc(rec.Workers, func(w runtime.WorkerReceipt) bool { return w.Outcome != runtime.Drained })
	a.stopped(rt, bad)(rec, err)
}

func (a *acts) stopFails(rt *rapid.T) {
	with(&a.w.failClose, func() {
		rec, err := a.w.app.Stop(background)
		if a.m.up && len(rec.Faults) != 1 {
			rt.Fatalf("%s", rec)
		}
		a.stopped(rt, true)(rec, err)
	})
}

// bring makes sure that a worker runs, so that something can happen to it.
func (a *acts) bring(rt *rapid.T, name string) {
	a.start(rt)
	if !a.m.runs(name) {
		if err := a.w.app.StartWorker(background, name); err != nil {
			rt.Fatalf("start of %s: %v", name, err)
		}
		a.m.live(name)
	}
	if name == consumer {
		a.resume(rt)
	}
	a.settle(rt)
}

// occupy puts so many tasks into the hands of the consumer.
func (a *acts) occupy(rt *rapid.T, kind string, most int) (n int) {
	a.bring(rt, consumer)
	n = rapid.IntRange(1, most).Draw(rt, "tasks")
	if _, err := a.w.tasks.PublishAll(background, slices.Repeat([]string{kind}, n)); err != nil {
		rt.Fatal(err)
	}
	synctest.Wait()
	if working := int(a.w.working.Load()); working < 1 || working > min(n, a.m.concurrency) { // after short tasks one slot may take several
		rt.Fatalf("%d handlers for %d tasks, %d at once", working, n, a.m.concurrency)
	}
	return n
}

func (a *acts) stopWorking(rt *rapid.T) {
	a.m.finished += int64(a.occupy(rt, slow, 4))
	a.stopped(rt, false)(a.w.app.Stop(background))
}

func (a *acts) stopWorkingForced(rt *rapid.T) {
	n := a.occupy(rt, slow, 4)
	rec, err := a.w.app.Stop(background, runtime.Force())
	if c := rec.Workers[2]; c.Outcome != runtime.Forced || c.Returned < 1 {
		rt.Fatalf("%s", rec)
	}
	a.m.waiting = slices.Repeat([]string{slow}, n)
	a.stopped(rt, true)(rec, err)
}

func (a *acts) stopDeaf(rt *rapid.T) {
	a.occupy(rt, deaf, 1)
	rec, err := a.w.app.Stop(background)
	if c := rec.Workers[2]; c.Outcome != runtime.Abandoned || c.Receipt.Abandoned != 1 {
		rt.Fatalf("%s", rec)
	}
	a.w.release <- struct{}{}
	a.m.waiting = []string{deaf}
	a.stopped(rt, true)(rec, err)
}

func (a *acts) stopFromHandler(rt *rapid.T) {
	a.occupy(rt, stops, 1)
	res := <-a.w.stopped
	if c := res.receipt.Workers[2]; c.Outcome != runtime.Abandoned || c.Receipt.Abandoned != 1 {
		rt.Fatalf("%s", res.receipt)
	}
	a.m.waiting = []string{stops}
	a.stopped(rt, true)(res.receipt, res.err)
}

func (a *acts) stopAsked(rt *rapid.T) {
	a.bring(rt, consumer)
	if err := a.w.tasks.Publish(background, asks); err != nil {
		rt.Fatal(err)
	}
	if reason := <-a.w.app.StopRequested(); reason != "enough" {
		rt.Fatal(reason)
	}
	a.m.publish(asks)
	a.stop(rt)
}

func (a *acts) loop(rt *rapid.T) string {
	name := rapid.SampledFrom([]string{steady, vital}).Draw(rt, "worker")
	a.bring(rt, name)
	return name
}

// quietTime is longer than any wait before a restart, and than the window in which restarts are counted.
const quietTime = 65 * time.Second

// ends lets a worker end badly; the supervisor starts it again.
func (a *acts) ends(how string) func(*rapid.T) {
	end := map[string]func() error{
		"fails":  func() error { return errBoom },
		"panics": func() error { panic("in a worker") },
		"exits":  func() error { goexit(); return nil },
	}[how]
	return func(rt *rapid.T) {
		name := a.loop(rt)
		a.w.loops[name].end <- end
		synctest.Wait()
		if h := a.w.app.Health(); h.State == health.StateOK || h.State == health.StateUnhealthy && a.m.health() != health.StateUnhealthy {
			rt.Fatalf("while it waits for its restart: %+v", h)
		}
		time.Sleep(quietTime)
		a.m.live(name)
	}
}

// returns lets a worker end well, which is the end of it.
func (a *acts) returns(rt *rapid.T) {
	name := a.loop(rt)
	a.w.loops[name].end <- func() error { return nil }
	time.Sleep(quietTime)
	a.m.parts[name].ended = true
}

func (a *acts) givenUp(name string) func(*rapid.T) {
	return func(rt *rapid.T) {
		a.bring(rt, name)
		l := a.w.loops[name]
		with(&l.crashes, func() {
			l.end <- func() error { return errBoom }
			time.Sleep(quietTime)
		})
		p := a.m.parts[name]
		p.gaveUp = true
		p.lives += 5
	}
}
