package health_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plba/plba/health"
)

func TestNamesAreUnique(t *testing.T) {
	r := health.NewRegistry(nil, nil)
	none := func() health.Report { return health.Report{State: health.StateOK} }
	add(t, r, health.Check{Name: "a", Func: works})
	source(t, r, "b", false, none)
	for name, err := range map[string]error{
		"a": errors.Join(r.Add(health.Check{Name: "a", Func: works}), r.Source("a", false, none)),
		"b": errors.Join(r.Add(health.Check{Name: "b", Func: works}), r.Source("b", false, none)),
	} {
		want := `health: component "` + name + `": the name is taken`
		if !errors.Is(err, health.ErrDuplicate) || err.Error() != want+"\n"+want {
			t.Errorf("duplicates of %s: %v", name, err)
		}
	}
	if got := len(r.Report().Components); got != 2 {
		t.Errorf("%d components, want 2", got)
	}
}

func TestFaultyRegistrations(t *testing.T) {
	r := health.NewRegistry(nil, nil)
	tests := map[string]error{
		`health: a component needs a name`:                                               r.Add(health.Check{Func: works}),
		`health: check "x": it has no function`:                                          r.Add(health.Check{Name: "x"}),
		"health: check \"x\": its interval -1s is negative\nits timeout -2s is negative": r.Add(health.Check{Name: "x", Func: works, Every: -time.Second, Timeout: -2 * time.Second}),
		`health: source "x": it has no function`:                                         r.Source("x", false, nil),
	}
	for want, err := range tests {
		if err == nil || err.Error() != want {
			t.Errorf("error %v, want %s", err, want)
		}
	}
	if got := len(r.Report().Components); got != 0 {
		t.Errorf("%d components, want none", got)
	}
}

func TestComponentsStandInOrderOfRegistration(t *testing.T) {
	r := health.NewRegistry(nil, nil)
	for _, name := range []string{"c", "a", "d", "b"} {
		add(t, r, health.Check{Name: name, Func: works})
	}
	var got []string
	for _, c := range r.Report().Components {
		got = append(got, c.Name)
	}
	if want := []string{"c", "a", "d", "b"}; !slices.Equal(got, want) {
		t.Errorf("components %v, want %v", got, want)
	}
}

func TestSourceKeepsItsOwnTimes(t *testing.T) {
	r := health.NewRegistry(nil, nil)
	own := health.Report{State: health.StateDegraded, Reason: "restarts", Since: time.Unix(100, 0), LastOK: time.Unix(90, 0)}
	source(t, r, "worker", false, func() health.Report { return own })
	got := component(t, r, "worker").Report
	expect(t, got, own.State, own.Reason)
	if got.Since != own.Since || got.LastOK != own.LastOK {
		t.Errorf("since %v, last ok %v", got.Since, got.LastOK)
	}
}

func TestSourceWithoutTimesIsGivenSome(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var state atomic.Value
		state.Store(health.StateOK)
		r := health.NewRegistry(nil, nil)
		source(t, r, "worker", true, func() health.Report { return health.Report{State: state.Load().(health.State)} })
		began := time.Now()
		start(t, r)
		defer stop(t, r)
		time.Sleep(9500 * time.Millisecond)
		state.Store(health.StateUnhealthy)
		expect(t, component(t, r, "worker").Report, health.StateUnhealthy, "") // at once, not at the next tick
		time.Sleep(time.Minute)
		got := component(t, r, "worker").Report
		if since, lastOK := got.Since.Sub(began), got.LastOK.Sub(began); since != 10*time.Second || lastOK != 9*time.Second {
			t.Errorf("since %v, last ok %v; want 10s and 9s", since, lastOK)
		}
	})
}

func TestBrokenSources(t *testing.T) {
	var text strings.Builder
	r := health.NewRegistry(slog.New(slog.NewTextHandler(&text, nil)), nil)
	source(t, r, "panics", false, func() health.Report { panic("no worker") })
	source(t, r, "silent", false, func() health.Report { return health.Report{} })
	expect(t, component(t, r, "panics").Report, health.StateUnhealthy, "panic: no worker")
	expect(t, component(t, r, "silent").Report, health.StateUnhealthy, `its source reports the unknown state ""`)
	if !strings.Contains(text.String(), "TestBrokenSources") {
		t.Errorf("no stack in the log:\n%s", text.String())
	}
}

// Components are told in order of registration and then the whole, each only
// when its state changes.
func TestChanges(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var text strings.Builder
		var changes []health.Change
		r := health.NewRegistry(slog.New(slog.NewTextHandler(&text, nil)), func(c health.Change) { changes = append(changes, c) })
		var bank atomic.Pointer[error]
		var worker atomic.Value
		say := func(err error) { bank.Store(&err) }
		say(nil)
		worker.Store(health.StateOK)
		source(t, r, "worker", false, func() health.Report { return health.Report{State: worker.Load().(health.State), Reason: "restarts"} })
		add(t, r, health.Check{Name: "bank", Critical: true, Func: func(context.Context) error { return *bank.Load() }})
		began := time.Now()
		start(t, r)

		time.Sleep(1500 * time.Millisecond)
		worker.Store(health.StateUnhealthy) // noticed at 2 s
		time.Sleep(3 * time.Second)
		say(errors.New("closed")) // noticed at 10 s
		time.Sleep(10 * time.Second)
		say(errors.New("still closed")) // the same state
		time.Sleep(10 * time.Second)
		say(nil) // noticed at 30 s
		time.Sleep(10 * time.Second)
		stop(t, r)

		at := func(s int) time.Time { return began.Add(time.Duration(s) * time.Second) }
		want := []health.Change{
			{Name: "worker", From: "ok", To: "unhealthy", Reason: "restarts", At: at(2)},
			{From: "ok", To: "degraded", Reason: "worker is unhealthy: restarts", At: at(2)},
			{Name: "bank", Critical: true, From: "ok", To: "unhealthy", Reason: "closed", At: at(10)},
			{From: "degraded", To: "unhealthy", Reason: "bank is unhealthy: closed", At: at(10)},
			{Name: "bank", Critical: true, From: "unhealthy", To: "ok", At: at(30)},
			{From: "unhealthy", To: "degraded", Reason: "worker is unhealthy: restarts", At: at(30)},
		}
		if !slices.Equal(changes, want) {
			t.Errorf("told of\n  %+v\nwant\n  %+v", changes, want)
		}
		if got := strings.Count(text.String(), `msg="health changed"`); got != len(want) {
			t.Errorf("%d changes logged, want %d:\n%s", got, len(want), text.String())
		}
		if line := `level=ERROR msg="health changed" component=bank critical=true from=ok to=unhealthy reason=closed`; !strings.Contains(text.String(), line) {
			t.Errorf("the log lacks %s:\n%s", line, text.String())
		}
	})
}

func TestPanicInChangeCallback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var told atomic.Int64
		r := health.NewRegistry(nil, func(health.Change) {
			told.Add(1)
			panic("callback is broken")
		})
		add(t, r, health.Check{Name: "bank", Func: func(context.Context) error { return errors.New("closed") }})
		start(t, r)
		synctest.Wait()
		stop(t, r)
		if told.Load() != 2 {
			t.Errorf("told of %d changes, want 2: the check's and the whole's", told.Load())
		}
	})
}

// A callback that hangs holds up further callbacks, and nothing else.
func TestHungChangeCallback(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		release := make(chan struct{})
		var inside atomic.Int32
		var told []string
		r := health.NewRegistry(nil, func(c health.Change) {
			if inside.Add(1) != 1 {
				t.Error("two callbacks at once")
			}
			<-release
			told = append(told, c.Name+" "+string(c.To))
			inside.Add(-1)
		})
		var rounds atomic.Int64
		var works atomic.Bool
		add(t, r, health.Check{Name: "bank", Func: func(context.Context) error {
			rounds.Add(1)
			if works.Load() {
				return nil
			}
			return errors.New("closed")
		}})
		start(t, r)
		time.Sleep(25 * time.Second)
		expect(t, r.Report(), health.StateDegraded, "bank is unhealthy: closed")
		if rounds.Load() != 3 {
			t.Errorf("%d rounds, want 3", rounds.Load())
		}

		err := stopWithin(r, time.Second)
		if abandoned, ok := errors.AsType[*health.AbandonedError](err); !ok || !abandoned.Callback || len(abandoned.Checks) != 0 {
			t.Fatalf("Stop = %v, want it to name the callback", err)
		}
		if want := "health: stopped without waiting any longer: the change callback has not returned: context deadline exceeded"; err.Error() != want {
			t.Errorf("error %q, want %q", err, want)
		}

		works.Store(true)
		start(t, r)
		time.Sleep(time.Minute)
		expect(t, r.Report(), health.StateOK, "")
		close(release)
		synctest.Wait()
		stop(t, r)
		if want := []string{"bank unhealthy", " degraded", "bank ok", " ok"}; !slices.Equal(told, want) {
			t.Errorf("told of %q, want %q", told, want)
		}
	})
}

// A source that says it has changed is looked at before the next second.
func TestLookSeesAShortChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		state := make(chan health.State, 1)
		current := health.StateOK
		var seen []string
		r := health.NewRegistry(nil, func(c health.Change) { seen = append(seen, c.Name+" "+string(c.To)) })
		if err := r.Source("worker", false, func() health.Report {
			select {
			case current = <-state:
			default:
			}
			return health.Report{State: current}
		}); err != nil {
			t.Fatal(err)
		}
		if err := r.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		for _, s := range []health.State{health.StateDegraded, health.StateOK} {
			state <- s
			r.Look()
			synctest.Wait()
		}
		if err := r.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		r.Look() // does nothing, and does not block
		r.Look()
		if want := []string{"worker degraded", " degraded", "worker ok", " ok"}; !slices.Equal(seen, want) {
			t.Errorf("seen %q, want %q", seen, want)
		}
	})
}
