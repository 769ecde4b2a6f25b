package health_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plba/plba/health"
)

// holding is the names of what makes a group's probe say no.
func holding(r *health.Registry, g health.Group) string {
	var names []string
	for _, c := range r.Report().Holding(g) {
		names = append(names, c.Name)
	}
	return strings.Join(names, " ")
}

func TestReadinessIsHeldByUnhealthyMembers(t *testing.T) {
	r := health.NewRegistry(nil, nil)
	report := map[string]health.Report{}
	for _, c := range []struct {
		name     string
		critical bool
		groups   []health.Group
	}{
		{"critical", true, nil}, {"member", false, []health.Group{health.Readiness}}, {"both", true, []health.Group{health.Readiness}}, {"neither", false, nil},
	} {
		report[c.name] = health.Report{State: health.StateOK}
		if err := r.Source(c.name, c.critical, func() health.Report { return report[c.name] }, c.groups...); err != nil {
			t.Fatal(err)
		}
	}
	for state, want := range map[health.State]string{health.StateOK: "", health.StateDegraded: "", health.StateUnhealthy: "critical member both"} {
		for name := range report {
			report[name] = health.Report{State: state}
		}
		if got := holding(r, health.Readiness); got != want {
			t.Errorf("%s: held by %q, want %q", state, got, want)
		}
		if got := holding(r, health.Startup); got != "" {
			t.Errorf("%s: the start is held by %q", state, got)
		}
	}
	if got := component(t, r, "both").Groups; !slices.Equal(got, []health.Group{health.Readiness}) {
		t.Errorf("groups %q", got)
	}
	if got := component(t, r, "neither").Groups; got != nil {
		t.Errorf("groups %q", got)
	}
}

// Ok once is enough, and degraded is not ok.
func TestStartupIsHeldUntilOKOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := health.NewRegistry(nil, nil)
		answers := []error{errors.New("cold"), health.Degraded(errors.New("lukewarm")), nil, errors.New("cold again")}
		add(t, r, health.Check{Name: "warm-up", Every: time.Second, Groups: []health.Group{health.Startup}, Func: func(context.Context) error {
			answer := answers[0]
			answers = answers[min(1, len(answers)-1):]
			return answer
		}})
		if got := holding(r, health.Startup); got != "warm-up" {
			t.Errorf("before the first answer: held by %q", got)
		}
		start(t, r)
		for i, want := range []string{"warm-up", "warm-up", "", ""} {
			synctest.Wait()
			if got := holding(r, health.Startup); got != want {
				t.Errorf("after answer %d: held by %q, want %q", i+1, got, want)
			}
			time.Sleep(time.Second)
		}
		stop(t, r)
		if got := component(t, r, "warm-up"); got.State != health.StateUnhealthy || holding(r, health.Startup)+holding(r, health.Readiness) != "" {
			t.Errorf("after all: %+v", got)
		}
	})
}

func TestUnknownGroups(t *testing.T) {
	r := health.NewRegistry(nil, nil)
	ok := func() health.Report { return health.Report{State: health.StateOK} }
	for want, err := range map[string]error{
		`health: check "c": there is no group "liveness"`:                    r.Add(health.Check{Name: "c", Func: works, Groups: []health.Group{"liveness"}}),
		`health: source "s": it cannot belong to the group "startup"`:        r.Source("s", false, ok, health.Startup),
		`health: source "s": it cannot belong to the group "no such a name"`: r.Source("s", true, ok, health.Readiness, "no such a name"),
	} {
		if err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
