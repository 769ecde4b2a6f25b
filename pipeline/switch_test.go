package pipeline_test

import (
	"context"
	"errors"
	"strconv"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plba/plba/pipeline"
	"github.com/plba/plba/task"
)

func sign(v int) string {
	switch {
	case v > 0:
		return "plus"
	case v < 0:
		return "minus"
	}
	return "zero"
}

// text makes a stage that puts prefix before the number.
func text(name, prefix string) *pipeline.Step[int, string] {
	return pipeline.Pure(name, func(v int) string { return prefix + strconv.Itoa(v) })
}

func TestSwitch(t *testing.T) {
	up := text("up", "↑")
	down := pipeline.New[int, string]("down").Stage(text("arrow", "↓")).MustBuild()
	base := pipeline.Switch("sign", sign, pipeline.On("plus", up), pipeline.On("minus", down))
	for name, c := range map[string]struct {
		stage pipeline.Stage[int, string]
		in    int
		want  string
		text  string
	}{
		"first":                 {base, 1, "↑1", ""},
		"second":                {base, -1, "↓-1", ""},
		"none":                  {base, 0, "", `p/sign: no case for "zero", and no Otherwise`},
		"otherwise":             {base.Otherwise(text("same", "=")), 0, "=0", ""},
		"a case before it":      {base.Otherwise(text("same", "=")), 1, "↑1", ""},
		"the last otherwise":    {base.Otherwise(text("a", "a")).Otherwise(text("b", "b")), 0, "b0", ""},
		"otherwise is a case":   {base.Otherwise(up), 0, "↑0", ""},
		"policies in between":   {base.Retry(3, noPause).Otherwise(text("same", "=")).Timeout(time.Second), 0, "=0", ""},
		"one stage, two cases":  {pipeline.Switch("sign", sign, pipeline.On("plus", up), pipeline.On("zero", up)), 0, "↑0", ""},
		"only the rest is left": {base.Limit(1).Otherwise(pipeline.Map("no", func(context.Context, int) (string, error) { return "x", errAway })), 0, "", "p/sign/no: database away"},
	} {
		t.Run(name, func(t *testing.T) {
			p := pipeline.New[int, string]("p").Stage(c.stage).MustBuild()
			got, err := p.Run(t.Context(), c.in)
			if got != c.want || c.text == "" && err != nil || c.text != "" && (err == nil || err.Error() != c.text) {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

func TestNoCaseIsPermanent(t *testing.T) {
	calls := 0
	_, err := pipeline.Switch("s", func(v int) int { calls++; return v }, pipeline.On(1, add("one", 1))).
		Retry(3, noPause).Run(t.Context(), 7)
	var none *pipeline.NoCaseError
	if outcome, _ := task.Classify(err); outcome != task.Dead || !errors.As(err, &none) || none.Key != "7" || calls != 1 {
		t.Errorf("%v: %v after %d calls", err, outcome, calls)
	}
}

func TestSwitchKeyPanics(t *testing.T) {
	type uneven struct{ any }
	for name, key := range map[string]func(int) any{
		"by itself":           func(int) any { panic("out of paper") },
		"on being looked up":  func(int) any { return []int{1} },
		"inside of the value": func(int) any { return uneven{func() {}} },
	} {
		_, err := pipeline.Switch("s", key, pipeline.On(any(1), add("one", 1))).Run(t.Context(), 1)
		var p *pipeline.PanicError
		if !errors.As(err, &p) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// The path of a stage inside of a switch holds its name, whichever way led there.
func TestSwitchPaths(t *testing.T) {
	var k keys
	kind := func(s string) string { return s }
	inner := pipeline.New[string, string]("inner").Stage(k.stage("s")).MustBuild()
	s := pipeline.Switch("kind", kind, pipeline.On("a", k.stage("x")), pipeline.On("b", k.stage("y"))).Otherwise(inner)
	p := pipeline.New[string, string]("p").Stage(s).MustBuild()
	ctx := task.With(t.Context(), task.Info{ID: "t1"}, nil, nil)
	for _, v := range []string{"a", "b", "c"} {
		if _, err := p.Run(ctx, v); err != nil {
			t.Error(err)
		}
	}
	k.want(t, "t1/p/kind/x", "t1/p/kind/y", "t1/p/kind/inner/s")
}

// Policies of a switch go around the whole of it, those of a case around the case.
func TestSwitchPolicies(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls := 0
		a := pipeline.Map("a", func(context.Context, int) (int, error) { calls++; return 0, errAway })
		s := pipeline.Switch("s", func(int) string { return "a" }, pipeline.On("a", a.Retry(2, noPause))).
			Retry(3, noPause).
			Fallback(func(_ context.Context, in int, err error) (int, error) { return in * 10, nil }).
			Describe("a switch")
		got, err := s.Run(t.Context(), 4)
		if got != 40 || err != nil || calls != 6 {
			t.Errorf("%d, %v after %d calls", got, err, calls)
		}
	})
}
