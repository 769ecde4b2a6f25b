package modeltest

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pgregory.net/rapid"

	"github.com/plba/plba/pipeline"
	"github.com/plba/plba/task"
)

// errand is a task for a random pipeline.
type errand struct {
	value int
	after time.Duration // the one before it has ended
	stop  time.Duration // until its context ends; 0: it does not
}

// scenario is a pipeline and what it gets to do: lanes of tasks, as the groups of a queue that keeps order. Each has one task after the
// other.
type scenario struct {
	whole    *sequence
	together bool
	lanes    [][]errand
	hands    map[string]int // in stream mode
	buffer   int
	crew     bool // the tasks have slots
}

func drawScenario(t *rapid.T) *scenario {
	d := &drawing{t: t, together: rapid.Bool().Draw(t, "together"), left: 14}
	s := &scenario{together: d.together, hands: map[string]int{}, crew: d.together && d.oneIn(2, "crew")}
	s.whole = d.stages("p", spot{depth: 4, crowd: d.together, keeps: true})
	for _, p := range s.whole.stages {
		s.hands[p.title()] = 1 + d.of(3, "hands")
	}
	s.buffer = d.of(3, "buffer")
	lanes, tasks := 1, 5
	if d.together {
		lanes, tasks = 2+d.of(2, "lanes"), 2
	}
	for range lanes {
		var lane []errand
		for range tasks {
			e := errand{value: d.of(13, "value")}
			if !d.together {
				e.after = d.millis("after", 0, 0, 601, 3001)
				if d.oneIn(4, "stopped") {
					e.stop = time.Duration(17+d.of(40, "stop")*37) * time.Millisecond
				}
			}
			lane = append(lane, e)
		}
		s.lanes = append(s.lanes, lane)
	}
	return s
}

// result is what became of an errand.
type result struct {
	out      int
	err      error
	returned bool // the goroutine did not end before
}

// act has the real pipeline do everything, inside of a bubble: no time passes while it does something.
func (s *scenario) act(t *testing.T, streamed bool) (w *world, results [][]result) {
	synctest.Test(t, func(t *testing.T) {
		w = newAlbum()
		p := s.whole.pipeline(w)
		crew := &slots{size: len(s.lanes), flushes: map[int]func(){}}
		if streamed {
			p = p.Streamed(s.hands, s.buffer)
		}
		if streamed || s.crew {
			detach, err := p.Attach(crew)
			if err != nil {
				t.Fatal(err)
			}
			defer func() {
				if err := detach(context.Background()); err != nil {
					t.Error(err)
				}
			}()
		}
		results = make([][]result, len(s.lanes))
		var all sync.WaitGroup
		for i, lane := range s.lanes {
			results[i] = make([]result, len(lane))
			all.Go(func() {
				for n, e := range lane {
					ctx := context.Background()
					info := task.Info{ID: taskID(i, n), Attempt: 1, MaxAttempts: 1}
					if s.crew {
						ctx = task.With(ctx, info, nil, crew)
					} else {
						ctx = task.With(ctx, info, nil, nil)
					}
					e.run(ctx, p, &results[i][n])
				}
			})
		}
		all.Wait()
	})
	return w, results
}

func taskID(lane, n int) string { return fmt.Sprintf("t%d.%d", lane, n) }

// run does the errand on a goroutine of its own, which a stage may end.
func (e errand) run(ctx context.Context, p *pipeline.Pipeline[int, int], r *result) {
	if e.after > 0 {
		<-time.After(e.after)
	}
	if e.stop > 0 {
		var cancel context.CancelCauseFunc
		ctx, cancel = context.WithCancelCause(ctx)
		defer cancel(nil)
		timer := time.AfterFunc(e.stop, func() { cancel(errStopped) })
		defer timer.Stop()
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		r.out, r.err = p.Run(ctx, e.value)
		r.returned = true
	})
	wg.Wait()
}

// expectation is what the interpreter says of one errand.
type expectation struct {
	out   int
	fail  *failure
	loose string // why it says nothing
}

// interpret has the interpreter do the tasks of a lane.
func (s *scenario) interpret(lane int, streamed bool, seen map[string]int) (*script, []expectation) {
	all := newScript(s.together, seen)
	clock := &clock{}
	var want []expectation
	for n, e := range s.lanes[lane] {
		clock.now += e.after
		reader := &reader{script: all, clock: clock, task: taskID(lane, n)}
		if e.stop > 0 {
			cause := &failure{text: errStopped.Error(), outcome: task.Retry, is: []any{errStopped}}
			reader.ctx = &scope{at: clock.now + e.stop, kind: canceled, cause: cause}
		}
		var x expectation
		x.out, x.fail = s.whole.run(reader, e.value, streamed)
		x.loose = all.loose
		want = append(want, x)
		if s.together {
			all.loose = "" // it has no effect on other tasks
		}
	}
	return all, want
}

// Random pipelines do what a naive sequential interpreter says, in run mode and in stream mode: the same results, errors, outcomes,
// idempotency keys and side effects. Every side effect belongs to a line of execution (lineOf): the run of a task, a branch of Both or
// All, an element of a fan-out with several at once. On a line they have a total order, which must be the interpreter's. Between lines
// their instants order them, which must be the interpreter's as well, to the millisecond; only where several tasks are under way
// at once, and share policies and batches, instants mean nothing, and lines are compared each by itself.
//
// Where two things happen at the same instant of which the first decides (which of two branches fails first, say), the interpreter says
// that it is open what happens. Then only what must hold in any case is checked.
func TestPipelinesDoWhatTheInterpreterSays(t *testing.T) {
	v := volume{}
	rapid.Check(t, func(r *rapid.T) {
		s := drawScenario(r)
		v.drawn(s)
		for _, streamed := range []bool{false, true} {
			s.check(t, r, streamed, v)
		}
	})
	v.check(t)
}

func (s *scenario) check(t *testing.T, r *rapid.T, streamed bool, seen volume) {
	r.Logf("streamed: %t, %+v\n%s", streamed, *s, tell(s.whole, ""))
	w, results := s.act(t, streamed)
	if len(w.wrong) > 0 {
		r.Fatal(strings.Join(w.wrong, "\n"))
	}
	want, open := []note{}, []string{}
	for lane := range s.lanes {
		script, expected := s.interpret(lane, streamed, seen)
		for n, x := range expected {
			if x.loose != "" {
				seen["loose"]++
				seen["loose: "+x.loose]++
				open = append(open, taskID(lane, n)+"/")
				checkLoose(r, results[lane][n])
				continue
			}
			seen["strict"]++
			x.check(r, results[lane][n], streamed, seen)
		}
		want = append(want, script.notes...)
	}
	if d := differences(lines(settled(w.notes, open), !s.together), lines(settled(want, open), !s.together)); len(d) > 0 {
		r.Fatalf("side effects (streamed: %t) %s", streamed, strings.Join(d, "\n"))
	}
}

// settled are the side effects of which it is not open whether they happen.
func settled(notes []note, open []string) (all []note) {
	for _, n := range notes {
		keyed := strings.Contains(n.what, "/")
		if len(open) > 0 && !keyed || strings.Contains(n.what, "!") {
			continue
		}
		isOpen := false
		for _, prefix := range open {
			isOpen = isOpen || strings.HasPrefix(n.what, prefix)
		}
		if !isOpen {
			all = append(all, n)
		}
	}
	return all
}

func (x expectation) check(t *rapid.T, got result, streamed bool, seen volume) {
	switch f := x.fail; {
	case f != nil && f.exit:
		seen["result: goroutine ended"]++
		if got.returned {
			t.Fatalf("the goroutine should have ended, but Run = %d, %v", got.out, got.err)
		}
	case f != nil:
		seen["result: "+f.outcome.String()]++
		checkFailure(t, got, f)
	case got.err != nil || !got.returned || got.out != x.out:
		t.Fatalf("Run = %d, %v (returned: %t, streamed: %t); want %d", got.out, got.err, got.returned, streamed, x.out)
	default:
		seen["result: done"]++
	}
}

// byChance is what a message says that the interpreter does not know: when a breaker lets another try, how many items were in a batch; and how
// much of a path is told, which is a matter of style.
var byChance = regexp.MustCompile(`([\w.%#-]+/)+|, try again in [0-9a-zµ.]+|\d+ items, (ItemErrors of )?\d+`)

func checkFailure(t *rapid.T, got result, want *failure) {
	var at *pipeline.StageError
	text := ""
	if got.err != nil {
		text = got.err.Error()
	}
	plain := func(s string) string { return byChance.ReplaceAllString(s, "") }
	if !errors.As(got.err, &at) || plain(text) != plain(want.text) || got.out != 0 || !got.returned {
		t.Fatalf("Run = %d, %v (returned: %t); want the error\n%s", got.out, got.err, got.returned, want.text)
	}
	if want.at != "" && at.Path != want.at {
		t.Fatalf("%v: it is located at %s, want %s", got.err, at.Path, want.at)
	}
	if outcome, wait := task.Classify(got.err); outcome != want.outcome || wait > 0 != want.wait {
		t.Fatalf("%v: outcome %v, wait %s; want %v, wait: %t", got.err, outcome, wait, want.outcome, want.wait)
	}
}

// checkLoose checks what holds whichever of several things was the first.
func checkLoose(t *rapid.T, got result) {
	var at *pipeline.StageError
	if got.returned && got.err != nil && (!errors.As(got.err, &at) || !strings.HasPrefix(at.Path, "p/") || got.out != 0) {
		t.Fatalf("Run = %d, %v", got.out, got.err)
	}
}
