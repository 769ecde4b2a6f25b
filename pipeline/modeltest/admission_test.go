package modeltest

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/plba/plba/pipeline"
	"github.com/plba/plba/task"
)

// circuit is a breaker: closed, open until some time, or trying.
type circuit struct {
	last   []bool // of the last attempts, whether they failed
	open   bool
	until  time.Duration
	trying bool
}

// circuit is the stage's breaker as the next attempt finds it, and whether that is refused.
func (r *reader) circuit(p *policies) (c circuit, refused bool) {
	c = r.breakers[p]
	if !c.open {
		return c, false
	}
	if r.before(r.now(), c.until) {
		return c, true
	}
	r.saw("acted: trial")
	return circuit{trying: true}, false
}

// after is the breaker after an attempt that ended with f.
func (c circuit) after(r *reader, p *policies, f *failure) circuit {
	failed := f != nil && (f.exit || f.outcome == task.Retry)
	if f != nil && r.ended() != nil {
		if !c.trying {
			return c
		}
		failed = true
	}
	open := circuit{open: true, until: r.now() + p.closed}
	switch {
	case c.trying && failed:
		return open
	case c.trying:
		r.saw("acted: trial succeeded")
		return circuit{last: []bool{}}
	case c.last != nil && len(c.last) == 0:
		r.saw("acted: closed again")
	}
	last := append(append([]bool{}, c.last...), failed)
	last = last[max(0, len(last)-p.outOf):]
	failures := 0
	for _, failed := range last {
		if failed {
			failures++
		}
	}
	if failures >= p.failures {
		return open
	}
	return circuit{last: last}
}

// bucket is that of a rate: what it lacks to be full, at a time.
type bucket struct {
	lacks float64
	at    time.Duration
}

// take takes a token when there is one.
func (r *reader) take(p *policies) *end {
	b := r.buckets[p]
	lacks := max(0, b.lacks-(r.now()-b.at).Seconds()*p.rate)
	missing := lacks + 1 - float64(p.burst)
	if missing <= 0 {
		r.buckets[p] = bucket{lacks + 1, r.now()}
		return nil
	}
	r.buckets[p] = bucket{lacks + 1, r.now()}
	r.saw("acted: rate")
	if end := r.ended(); end != nil {
		r.giveBack(p)
		return end
	}
	end := r.pass(time.Duration(missing/p.rate*float64(time.Second)), true)
	if end != nil {
		r.giveBack(p)
	}
	return end
}

func (r *reader) giveBack(p *policies) {
	b := r.buckets[p]
	b.lacks--
	r.buckets[p] = b
}

// middleware goes around all stages of a pipeline, and does something to those whose name has a certain end.
type middleware struct {
	name, kind, to string
}

// What middleware does to a stage.
var meddling = []string{"refuses", "goes twice", "again", "swallows", "rewrites", "panics"}

func (m *middleware) concerns(stage string) string {
	if strings.HasSuffix(stage, m.to) {
		return m.kind
	}
	return ""
}

func (m *middleware) build(w *world) pipeline.Middleware {
	return func(ctx context.Context, stage pipeline.StageInfo, next func(context.Context) error) error {
		what := m.concerns(stage.Name)
		w.note(task.Key(ctx)+">"+m.name, 0)
		if what == "refuses" {
			return errDeclined
		}
		err := next(ctx)
		if what == "goes twice" || what == "again" && err != nil {
			err = next(ctx)
		}
		w.note(task.Key(ctx)+"<"+m.name, 0)
		switch {
		case what == "panics":
			panic("out of paper")
		case what == "swallows":
			return nil
		case what == "rewrites" && err != nil:
			return fmt.Errorf("rewritten: %w", err)
		}
		return err
	}
}

func (m *middleware) interpret(r *reader, path string, next func() *failure) *failure {
	what := m.concerns(path)
	r.note(r.key(path)+">"+m.name, 0)
	if what != "" {
		r.saw("middleware " + what)
	}
	if what == "refuses" {
		return &failure{text: errDeclined.Error(), outcome: task.Retry, is: []any{errDeclined}}
	}
	f := next()
	if (what == "goes twice" || what == "again" && f != nil) && !(f != nil && f.exit) {
		f = next()
	}
	if f != nil && f.exit {
		return f
	}
	r.note(r.key(path)+"<"+m.name, 0)
	switch {
	case what == "panics":
		return panicked()
	case what == "swallows":
		return nil
	case what == "rewrites" && f != nil:
		return f.wrapped("rewritten: " + f.text)
	}
	return f
}

// passed goes through the middleware, the first one outermost.
func (r *reader) passed(path string, stage func() *failure) *failure {
	succeeded := false
	next := func() *failure {
		f := stage()
		succeeded = f == nil
		return f
	}
	for i := len(r.use) - 1; i >= 0; i-- {
		inner := next
		next = func() *failure { return r.use[i].interpret(r, path, inner) }
	}
	f := next()
	if f == nil && !succeeded {
		return &failure{text: pipeline.ErrNoOutput.Error(), outcome: task.Retry, is: []any{pipeline.ErrNoOutput}}
	}
	return f
}
