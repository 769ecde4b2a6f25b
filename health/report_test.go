package health_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/plba/plba/health"
)

func TestOf(t *testing.T) {
	bad := errors.New("bad")
	slow := health.Degraded(errors.New("slow"))
	tests := map[string]struct {
		err    error
		state  health.State
		reason string
	}{
		"nil":                   {nil, health.StateOK, ""},
		"degraded nil":          {health.Degraded(nil), health.StateOK, ""},
		"plain":                 {bad, health.StateUnhealthy, "bad"},
		"degraded":              {slow, health.StateDegraded, "slow"},
		"degraded twice":        {health.Degraded(slow), health.StateDegraded, "slow"},
		"wrapped degraded":      {fmt.Errorf("index: %w", slow), health.StateDegraded, "index: slow"},
		"all joined degraded":   {errors.Join(slow, slow), health.StateDegraded, "slow\nslow"},
		"one joined not":        {errors.Join(slow, bad), health.StateUnhealthy, "slow\nbad"},
		"joined, then degraded": {health.Degraded(errors.Join(slow, bad)), health.StateDegraded, "slow\nbad"},
		"wrapped two":           {fmt.Errorf("%w, %w", slow, bad), health.StateUnhealthy, "slow, bad"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got := health.Of(tt.err)
			expect(t, got, tt.state, tt.reason)
			if !got.Since.IsZero() || !got.LastOK.IsZero() {
				t.Errorf("times are set: %+v", got)
			}
		})
	}
}

func TestDegradedKeepsTheError(t *testing.T) {
	bad := errors.New("bad")
	if err := health.Degraded(bad); !errors.Is(err, bad) || err.Error() != "bad" {
		t.Errorf("Degraded(bad) = %v", err)
	}
}

// The whole is what its components make it. Each line is a pair of components;
// the order of the pair must not matter.
func TestAggregation(t *testing.T) {
	const (
		ok        = health.StateOK
		degraded  = health.StateDegraded
		unhealthy = health.StateUnhealthy
	)
	type part struct {
		state    health.State
		critical bool
	}
	tests := []struct {
		a, b part
		want health.State
	}{
		{part{ok, true}, part{ok, true}, ok},
		{part{ok, true}, part{degraded, true}, degraded},
		{part{ok, true}, part{unhealthy, true}, unhealthy},
		{part{ok, true}, part{ok, false}, ok},
		{part{ok, true}, part{degraded, false}, degraded},
		{part{ok, true}, part{unhealthy, false}, degraded},
		{part{degraded, true}, part{degraded, true}, degraded},
		{part{degraded, true}, part{unhealthy, true}, unhealthy},
		{part{degraded, true}, part{ok, false}, degraded},
		{part{degraded, true}, part{degraded, false}, degraded},
		{part{degraded, true}, part{unhealthy, false}, degraded},
		{part{unhealthy, true}, part{unhealthy, true}, unhealthy},
		{part{unhealthy, true}, part{ok, false}, unhealthy},
		{part{unhealthy, true}, part{degraded, false}, unhealthy},
		{part{unhealthy, true}, part{unhealthy, false}, unhealthy},
		{part{ok, false}, part{ok, false}, ok},
		{part{ok, false}, part{degraded, false}, degraded},
		{part{ok, false}, part{unhealthy, false}, degraded},
		{part{degraded, false}, part{degraded, false}, degraded},
		{part{degraded, false}, part{unhealthy, false}, degraded},
		{part{unhealthy, false}, part{unhealthy, false}, degraded},
	}
	for _, tt := range tests {
		for _, pair := range [][2]part{{tt.a, tt.b}, {tt.b, tt.a}} {
			r := health.NewRegistry(nil, nil)
			for i, p := range pair {
				source(t, r, fmt.Sprint("part ", i), p.critical, func() health.Report { return health.Report{State: p.state} })
			}
			if got := r.Report().State; got != tt.want {
				t.Errorf("%v make %s, want %s", pair, got, tt.want)
			}
		}
	}
	if got := health.NewRegistry(nil, nil).Report().State; got != ok {
		t.Errorf("an empty registry is %s", got)
	}
}

// The reason of the whole names what makes it so, not what is milder.
func TestAggregateReason(t *testing.T) {
	r := health.NewRegistry(nil, nil)
	is := func(state health.State, reason string) func() health.Report {
		return func() health.Report { return health.Report{State: state, Reason: reason} }
	}
	source(t, r, "fine", true, is(health.StateOK, "warm"))
	source(t, r, "index", true, is(health.StateDegraded, "old"))
	source(t, r, "mails", false, is(health.StateUnhealthy, "no route"))
	expect(t, r.Report(), health.StateDegraded, "index is degraded: old; mails is unhealthy: no route")

	source(t, r, "database", true, is(health.StateUnhealthy, ""))
	source(t, r, "bank", true, is(health.StateUnhealthy, "closed"))
	expect(t, r.Report(), health.StateUnhealthy, "database is unhealthy; bank is unhealthy: closed")
}

func TestReportAsJSON(t *testing.T) {
	at := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC)
	report := health.Report{State: health.StateDegraded, Reason: "slow", Since: at, Components: []health.Component{
		{Name: "index", Critical: true, Report: health.Report{State: health.StateDegraded, Reason: "slow", Since: at, LastOK: at}},
		{Name: "bank", Report: health.Report{State: health.StateOK}},
	}}
	got, err := json.MarshalIndent(report, "", " ")
	if err != nil {
		t.Fatal(err)
	}
	want := `{
 "state": "degraded",
 "reason": "slow",
 "since": "2026-01-02T03:04:05Z",
 "components": [
  {
   "name": "index",
   "critical": true,
   "state": "degraded",
   "reason": "slow",
   "since": "2026-01-02T03:04:05Z",
   "last_ok": "2026-01-02T03:04:05Z"
  },
  {
   "name": "bank",
   "critical": false,
   "state": "ok"
  }
 ]
}`
	if string(got) != want {
		t.Errorf("got %s\nwant %s", got, want)
	}
}
