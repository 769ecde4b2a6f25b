package modeltest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"time"

	"github.com/plba/plba/pipeline"
	"github.com/plba/plba/task"
)

// deed is what a function of an author does: it takes its time, and then fails if its value is rem modulo mod, for its first
// calls in a place.
type deed struct {
	end      string // how it fails; "" never
	mod, rem int
	times    int
	takes    time.Duration // for small values
	heeds    string        // what it returns when its context ends before: "error", "cause"; "" for a function that ignores that
	alone    *gauge        // how many may do it at once
}

var ends = []string{"error", "other error", "permanent", "snooze", "retry after", "drop", "panic", "goexit"}

func (d *deed) fails(v, call int) bool { return d.end != "" && v%d.mod == d.rem && call <= d.times }

// time is how long it takes: not as long for one value as for another, so that of several at once one is the first.
func (d *deed) time(v int) time.Duration {
	if d.takes == 0 {
		return 0
	}
	return d.takes + time.Duration(v%17)*13*time.Millisecond
}

// do is the real function; what is the note that is made of its call.
func (d *deed) do(ctx context.Context, w *world, what string, v int) error {
	call := w.note(what, v)
	if d.alone != nil {
		w.enter(d.alone)
		defer w.leave(d.alone)
	}
	if takes := d.time(v); takes > 0 {
		var ended <-chan struct{}
		if d.heeds != "" {
			ended = ctx.Done()
		}
		timer := time.NewTimer(takes)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-ended:
			if d.heeds == "cause" {
				return context.Cause(ctx)
			}
			return ctx.Err()
		}
	}
	if d.fails(v, call) {
		return d.err()
	}
	return nil
}

// err is the error of a call that fails; it does not return when it panics or exits.
func (d *deed) err() error {
	switch d.end {
	case "error":
		return errAway
	case "other error":
		return fmt.Errorf("no: %w", errDeclined)
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

// play is the interpreter's do.
func (d *deed) play(r *reader, what string, v int) *failure {
	call := r.note(what, v)
	if end := r.pass(d.time(v), d.heeds != ""); end != nil {
		if d.heeds == "cause" {
			return end.cause
		}
		return end.plain()
	}
	if !d.fails(v, call) {
		return nil
	}
	r.saw("end: " + d.end)
	return d.failure()
}

func (d *deed) failure() *failure {
	f := &failure{is: []any{&identity{}}}
	switch d.end {
	case "error":
		f.text, f.is = errAway.Error(), []any{errAway}
	case "other error":
		f.text, f.is = "no: "+errDeclined.Error(), []any{errDeclined, &identity{}}
	case "permanent":
		f.text, f.outcome, f.is = errAway.Error(), task.Dead, []any{errAway, &identity{}}
	case "snooze":
		f.text, f.outcome, f.wait = "snoozed: later", task.Snoozed, true
	case "retry after":
		f.text, f.wait, f.is = errAway.Error(), true, []any{errAway, &identity{}}
	case "drop":
		f.text, f.outcome = "dropped: not ours", task.Dropped
	case "panic":
		return panicked()
	default:
		return goexit()
	}
	if f.outcome == task.Done {
		f.outcome = task.Retry
	}
	return f
}

// leaf is a stage of one function.
type leaf struct {
	name, kind string
	add        int
	deed       deed
	policies   policies
}

func (f *leaf) title() string     { return f.name }
func (f *leaf) inside() []plan    { return nil }
func (f *leaf) policy() *policies { return &f.policies }

func (f *leaf) gives(v int) int { return bounded(v + f.add) }

// bounded keeps values small and positive.
func bounded(v int) int { return ((v % 1000) + 1000) % 1000 }

func (f *leaf) build(w *world) pipeline.Stage[int, int] {
	do := func(ctx context.Context, v int) error { return f.deed.do(ctx, w, task.Key(ctx), v) }
	var s *pipeline.Step[int, int]
	switch f.kind {
	case "map":
		s = pipeline.Map(f.name, func(ctx context.Context, v int) (int, error) { return f.gives(v), do(ctx, v) })
	case "pure":
		s = pipeline.Pure(f.name, func(v int) int {
			w.note(f.name, v)
			return f.gives(v)
		})
	case "tap":
		s = pipeline.Tap(f.name, do)
	case "filter":
		s = pipeline.Filter(f.name, func(ctx context.Context, v int) (bool, error) { return v%3 != 0, do(ctx, v) })
	default:
		sink := dress(pipeline.Sink(f.name, do), &f.policies, w, same, nothing)
		return pipeline.New[int, int](f.name).
			Stage(sink).
			Stage(pipeline.Pure("next", func(pipeline.Done) int { return f.add })).
			MustBuild()
	}
	return dress(s, &f.policies, w, same, f.stands)
}

func same(v int) int { return v }

func nothing(int) pipeline.Done { return pipeline.Done{} }

// stands is what its fallback gives.
func (f *leaf) stands(v int) int { return bounded(v + 500) }

func (f *leaf) interpret(r *reader, path string, v int) (int, *failure) {
	if f.kind == "sink" {
		return f.interpretSink(r, path, v)
	}
	return layered(r, &f.policies, path, v, f.stands, func(r *reader) (int, *failure) {
		if f.kind == "pure" {
			r.note(f.name, v)
			return f.gives(v), nil
		}
		if fail := f.deed.play(r, r.key(path), v); fail != nil {
			return 0, fail
		}
		switch {
		case f.kind == "filter" && v%3 == 0:
			r.saw("end: filtered")
			return 0, &failure{text: "dropped: filtered by " + f.name, outcome: task.Dropped, is: []any{&identity{}}}
		case f.kind == "map":
			return f.gives(v), nil
		}
		return v, nil
	})
}

// interpretSink interprets a sink, which stands in a pipeline of its own with a stage behind it.
func (f *leaf) interpretSink(r *reader, path string, v int) (int, *failure) {
	return layered(r, nil, path, v, nil, func(r *reader) (int, *failure) {
		r = r.using(nil)
		inside := path + "/" + f.name
		if _, kept := r.kept(inside); !kept {
			if cut := r.cut(inside); cut != nil {
				return 0, cut
			}
			_, fail := layered(r, &f.policies, inside, v, nothing, func(r *reader) (pipeline.Done, *failure) {
				return pipeline.Done{}, f.deed.play(r, r.key(inside), v)
			})
			if fail != nil {
				return 0, fail
			}
		}
		return f.add, r.cut(path + "/next")
	})
}
