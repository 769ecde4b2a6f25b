package runtime_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/plba/plba/runtime"
)

// A panic in foreign code is logged with the stack of the place where it happened.
func TestPanicIsLoggedWithItsStack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		log := &logged{}
		a := assemble(t, func(r *runtime.Registry) { r.Resource("r", explode, nil) }, runtime.WithLogger(log.logger()))
		if err := a.Start(t.Context()); err == nil {
			t.Fatal("started")
		}
		if text := log.String(); !strings.Contains(text, "runtime_test.explode") {
			t.Errorf("the log lacks the stack:\n%s", text)
		}
	})
}

func explode(context.Context) error { panic("exploded") }

// A resource that opens too late is closed again, and is not opened twice at a time.
func TestLateResourceIsUndone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		release := make(chan struct{})
		a := assemble(t, func(r *runtime.Registry) {
			r.Resource("slow",
				func(context.Context) error { j.note("start"); <-release; return nil },
				func(context.Context) error { j.note("stop"); return nil })
		}, yaml("platform: {start: {timeout: 2s}}"))
		if err := a.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "left behind") {
			t.Fatalf("Start: %v", err)
		}
		if err := a.Start(t.Context()); err == nil || !strings.Contains(err.Error(), "its start was left behind and has not returned yet") {
			t.Errorf("Start over a start that hangs: %v", err)
		}
		j.expect(t, "start")
		close(release)
		synctest.Wait()
		j.expect(t, "stop")
		start(t, a)
		stop(t, a)
		j.expect(t, "start", "stop")
	})
}

func TestLateQueueAndChannelAreUndone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		j := &journal{}
		release := make(chan struct{})
		d := durable()
		d.open = func(context.Context, string) error { <-release; j.note("open q"); return nil }
		d.close = func(context.Context, string) error { j.note("close q"); return nil }
		a := assemble(t, func(r *runtime.Registry) { runtime.QueueOf[int](r, "q") }, runtime.WithDrivers(d), yaml("platform: {queues: {q: {backend: durable}}}"))
		if err := a.Start(t.Context()); err == nil {
			t.Fatal("started")
		}
		b := assemble(t, func(*runtime.Registry) {}, (&channel{journal: j, name: "c", start: hang(release)}).option())
		if err := b.Start(t.Context()); err == nil {
			t.Fatal("started")
		}
		j.expect(t, "start c")
		close(release)
		synctest.Wait()
		got := j.take() // of the two at the same time
		if slices.Sort(got); fmt.Sprint(got) != "[close q open q stop c]" {
			t.Errorf("happened: %s", got)
		}
	})
}
