package fsm_test

import (
	"errors"
	"slices"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plba/plba/fsm"
)

func TestFireMovesAlongTheTable(t *testing.T) {
	m := lifecycle().Machine()
	steps := []struct {
		event event
		to    state
	}{{start, starting}, {ready, idle}, {work, busy}, {rest, idle}, {work, busy}, {stop, stopping}, {halt, stopped}, {start, starting}, {fail, stopped}}
	for _, s := range steps {
		if err := m.Fire(s.event, nil); err != nil {
			t.Fatalf("%s: %v", s.event, err)
		}
		if m.State() != s.to {
			t.Fatalf("after %s the state is %q, want %q", s.event, m.State(), s.to)
		}
	}
}

func TestRefusedEventChangesNothing(t *testing.T) {
	var told atomic.Int64
	m := lifecycle().Machine(func(transition) { told.Add(1) })
	since := m.Since()
	for _, ev := range []event{work, "unheard of", ""} {
		err := m.Fire(ev, errors.New("why not"))
		refused, ok := errors.AsType[*fsm.TransitionError](err)
		if !ok {
			t.Fatalf("Fire(%q) = %v, want a *TransitionError", ev, err)
		}
		if refused.Machine != "worker" || refused.State != "stopped" || refused.Event != string(ev) || !slices.Equal(refused.Allowed, []string{"start"}) {
			t.Errorf("Fire(%q) = %#v", ev, refused)
		}
	}
	if m.State() != stopped || m.Since() != since || told.Load() != 0 {
		t.Errorf("state %q since %v, %d transitions observed; want nothing changed", m.State(), m.Since(), told.Load())
	}
	if err := m.Fire(start, nil); err != nil {
		t.Errorf("an allowed event after refused ones: %v", err)
	}
}

func TestTransitionTellsWhatHappened(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []transition
		m := lifecycle().Machine(func(tr transition) { got = append(got, tr) })
		began, cause := time.Now(), errors.New("no route to host")

		time.Sleep(2 * time.Second)
		if err := m.Fire(start, nil); err != nil {
			t.Fatal(err)
		}
		time.Sleep(3 * time.Second)
		if err := m.Fire(fail, cause); err != nil {
			t.Fatal(err)
		}

		want := []transition{
			{Machine: "worker", From: stopped, To: starting, Event: start, At: began.Add(2 * time.Second), Held: 2 * time.Second},
			{Machine: "worker", From: starting, To: stopped, Event: fail, Cause: cause, At: began.Add(5 * time.Second), Held: 3 * time.Second},
		}
		if !slices.Equal(got, want) {
			t.Errorf("observed %+v\nwant %+v", got, want)
		}
		if !m.Since().Equal(began.Add(5 * time.Second)) {
			t.Errorf("Since = %v", m.Since())
		}
	})
}

func TestSelfTransitionIsAMove(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var got []transition
		table := fsm.MustNew("lamp", "on", edge{Event: "press", From: from("on"), To: "on"})
		m := table.Machine(func(tr transition) { got = append(got, tr) })
		time.Sleep(time.Minute)
		if err := m.Fire("press", nil); err != nil {
			t.Fatal(err)
		}
		if len(got) != 1 || got[0].From != "on" || got[0].To != "on" || got[0].Held != time.Minute {
			t.Errorf("observed %+v", got)
		}
		if m.State() != "on" || !m.Since().Equal(time.Now()) {
			t.Errorf("state %q since %v, want it to begin anew", m.State(), m.Since())
		}
	})
}

func TestMachinesOfOneTableAreIndependent(t *testing.T) {
	table := lifecycle()
	a, b := table.Machine(), table.Machine()
	if err := a.Fire(start, nil); err != nil {
		t.Fatal(err)
	}
	if a.State() != starting || b.State() != stopped {
		t.Errorf("states %q and %q", a.State(), b.State())
	}
}
