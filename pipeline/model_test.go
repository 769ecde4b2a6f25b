package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"strings"
	"sync"
	"time"

	"github.com/plba/plba/pipeline"
	"github.com/plba/plba/task"
)

// A plan is a stage twice: addTo adds the real one to a pipeline, interpret says naively and sequentially
// what it must do.
type plan interface {
	addTo(b *pipeline.Builder[int, int], w *world)
	interpret(w *world, path string, v int) (int, *failure)
	title() string
}

// single is a plan that is one stage.
type single interface {
	plan
	build(w *world) pipeline.Stage[int, int]
}

// world is what the stages of one run do to their surroundings.
type world struct {
	mu    sync.Mutex
	calls map[string]int // by path
	log   []string
	// loose: a fan-out that stops at its first error failed while several elements ran, so that it is open which
	// ones did.
	loose bool
	seen  map[string]int // how often each kind of end was met, for the volume of the test
}

func newWorld(seen map[string]int) *world { return &world{calls: map[string]int{}, seen: seen} }

// call notes a call and says which one it is at that path.
func (w *world) call(path string, v int) int {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.calls[path]++
	w.log = append(w.log, fmt.Sprintf("%s(%d)", path, v))
	return w.calls[path]
}

// failure is how a plan must fail.
type failure struct {
	text    string // of the error, with its path once located
	located bool
	outcome task.Outcome
	final   bool // no retry inside a stage
	exit    bool // the goroutine ended
}

func (f *failure) retryable() bool { return f.outcome == task.Retry && !f.final && !f.exit }

// at is the failure as the stage of that path reports it after n attempts.
func (f *failure) at(path string, n int) *failure {
	if f.exit || f.located && n <= 1 {
		return f
	}
	c := *f
	c.located = true
	if n > 1 {
		c.text = fmt.Sprintf("after %d attempts: %s", n, c.text)
	}
	c.text = path + ": " + strings.ReplaceAll(c.text, path+"/", "") // places inside are told relative to it
	return &c
}

// retried is what a stage of so many attempts makes of the body.
func retried(attempts int, path string, body func() (int, *failure)) (int, *failure) {
	for n := 1; ; n++ {
		v, f := body()
		if f == nil {
			return v, nil
		}
		if n >= attempts || !f.retryable() {
			return 0, f.at(path, n)
		}
	}
}

func noPause(int) time.Duration { return 0 }

// withPolicies puts the policies of a plan on its stage; 0 attempts: none.
func withPolicies(s *pipeline.Step[int, int], attempts int, timeout bool) *pipeline.Step[int, int] {
	if attempts > 0 {
		s = s.Retry(attempts, noPause)
	}
	if timeout {
		s = s.Timeout(time.Hour)
	}
	return s
}

// leaf is a stage of one function. It fails when the value is failRem modulo failMod, for its first failTimes
// calls.
type leaf struct {
	name, kind                  string
	add                         int
	end                         string // how it fails
	failMod, failRem, failTimes int
	attempts                    int
	timeout                     bool
}

func (l *leaf) title() string { return l.name }

func (l *leaf) fails(v, call int) bool {
	return l.end != "" && ((v%l.failMod)+l.failMod)%l.failMod == l.failRem && call <= l.failTimes
}

// err is the error of a failing call; it does not return when it panics or exits.
func (l *leaf) err() error {
	switch l.end {
	case "error":
		return errAway
	case "permanent":
		return task.Permanent(errAway)
	case "snooze":
		return task.Snooze(time.Second, "later")
	case "retry after":
		return task.RetryAfter(time.Second, errAway)
	case "drop":
		return task.Drop("not ours")
	case "panic":
		panic("out of paper")
	default:
		runtime.Goexit()
		return errors.New("unreachable")
	}
}

func (l *leaf) build(w *world) pipeline.Stage[int, int] {
	do := func(ctx context.Context, v int) error {
		if l.fails(v, w.call(task.Key(ctx), v)) {
			return l.err()
		}
		return nil
	}
	var s *pipeline.Step[int, int]
	switch l.kind {
	case "tap":
		s = pipeline.Tap(l.name, do)
	case "filter":
		s = pipeline.Filter(l.name, func(ctx context.Context, v int) (bool, error) { return v%3 != 0, do(ctx, v) })
	case "pure":
		return withPolicies(pipeline.Pure(l.name, func(v int) int { return v + l.add }), l.attempts, l.timeout)
	default:
		s = pipeline.Map(l.name, func(ctx context.Context, v int) (int, error) { return v + l.add, do(ctx, v) })
	}
	return withPolicies(s, l.attempts, l.timeout)
}

func (l *leaf) addTo(b *pipeline.Builder[int, int], w *world) { b.Stage(l.build(w)) }

func (l *leaf) interpret(w *world, path string, v int) (int, *failure) {
	if l.kind == "pure" {
		return v + l.add, nil
	}
	return retried(l.attempts, path, func() (int, *failure) {
		if l.fails(v, w.call(path, v)) {
			w.seen[l.end]++
			return 0, l.failure()
		}
		switch {
		case l.kind == "filter" && v%3 == 0:
			w.seen["filtered"]++
			return 0, &failure{text: "dropped: filtered by " + l.name, outcome: task.Dropped}
		case l.kind == "map":
			return v + l.add, nil
		}
		return v, nil
	})
}

func (l *leaf) failure() *failure {
	switch l.end {
	case "error":
		return &failure{text: "database away", outcome: task.Retry}
	case "permanent":
		return &failure{text: "database away", outcome: task.Dead}
	case "snooze":
		return &failure{text: "snoozed: later", outcome: task.Snoozed, final: true}
	case "retry after":
		return &failure{text: "database away", outcome: task.Retry, final: true}
	case "drop":
		return &failure{text: "dropped: not ours", outcome: task.Dropped}
	case "panic":
		return &failure{text: "panic: out of paper", outcome: task.Retry, final: true}
	default:
		return &failure{exit: true}
	}
}

// sequence is a nested pipeline.
type sequence struct {
	name     string
	stages   []plan
	attempts int
	timeout  bool
}

func (s *sequence) title() string { return s.name }

func (s *sequence) pipeline(w *world) *pipeline.Pipeline[int, int] {
	b := pipeline.New[int, int](s.name)
	for _, p := range s.stages {
		p.addTo(b, w)
	}
	return b.MustBuild()
}

func (s *sequence) addTo(b *pipeline.Builder[int, int], w *world) { b.Stage(s.build(w)) }

func (s *sequence) build(w *world) pipeline.Stage[int, int] {
	p := s.pipeline(w)
	if s.attempts == 0 && !s.timeout {
		return p
	}
	return withPolicies(pipeline.Sub(p), s.attempts, s.timeout)
}

func (s *sequence) interpret(w *world, path string, v int) (int, *failure) {
	return retried(s.attempts, path, func() (int, *failure) {
		v := v
		for _, p := range s.stages {
			var f *failure
			if v, f = p.interpret(w, path+"/"+p.title(), v); f != nil {
				return 0, f
			}
		}
		return v, nil
	})
}

// fan is three stages: one that splits the value, the fan-out, and one that joins the results.
type fan struct {
	name           string
	element        single
	atOnce         int
	collect, keyed bool
	attempts       int
}

func (f *fan) title() string { return f.name }

func split(v int) []int {
	v = ((v % 1000) + 1000) % 1000
	in := make([]int, v%4)
	for i := range in {
		in[i] = v + i - i%2 // the first two are alike
	}
	return in
}

func join(vs []int) int {
	sum := len(vs)
	for i, v := range vs {
		sum += (i + 1) * v
	}
	return sum % 1000
}

func keyOf(v int) string { return fmt.Sprintf("k/%d", v) }

func (f *fan) addTo(b *pipeline.Builder[int, int], w *world) {
	options := []pipeline.EachOption{pipeline.AtOnce(f.atOnce)}
	if f.collect {
		options = append(options, pipeline.CollectErrors())
	}
	e := pipeline.Each(f.name, f.element.build(w), options...)
	if f.keyed {
		e = e.KeyedBy(keyOf)
	}
	if f.attempts > 0 {
		e = e.Retry(f.attempts, noPause)
	}
	b.Stage(pipeline.Pure(f.name+".split", split)).Stage(e).Stage(pipeline.Pure(f.name+".join", join))
}

func (f *fan) interpret(w *world, path string, v int) (int, *failure) {
	return retried(f.attempts, path, func() (int, *failure) {
		var results []int
		var failed []*failure
		in := split(v)
		names := map[string]int{}
		for i, e := range in {
			if len(failed) > 0 && !f.collect {
				break
			}
			inside := fmt.Sprintf("%s/%s/%s", path, f.label(names, i, e), f.element.title())
			r, fail := f.element.interpret(w, inside, e)
			switch {
			case fail == nil:
				results = append(results, r)
			case fail.exit:
				failed = append(failed, (&failure{text: pipeline.ErrGoexit.Error(), outcome: task.Retry}).at(inside, 1))
			case fail.outcome != task.Dropped:
				failed = append(failed, fail)
			}
		}
		switch {
		case len(failed) == 0:
			return join(results), nil
		case f.collect:
			w.seen["collected"]++
			return 0, collected(len(in), failed)
		}
		w.loose = w.loose || f.atOnce > 1 && len(in) > 1
		return 0, failed[0]
	})
}

func (f *fan) label(names map[string]int, i, v int) string {
	if !f.keyed {
		return fmt.Sprint(i)
	}
	key := strings.ReplaceAll(keyOf(v), "/", "%2F")
	if names[key]++; names[key] > 1 {
		return fmt.Sprintf("%s#%d", key, names[key])
	}
	return key
}

func collected(elements int, failed []*failure) *failure {
	all := &failure{outcome: failed[0].outcome}
	var texts []string
	for _, f := range failed {
		texts = append(texts, f.text)
		if f.outcome != all.outcome {
			all.outcome = task.Retry
		}
		all.final = all.final || f.final
	}
	all.text = fmt.Sprintf("%d errors in %d elements: %s", len(failed), elements, strings.Join(texts, "; "))
	return all
}
