package pipeline

import (
	"context"
	"sync"
)

// link is a stage and the place for its output in a frame, seen without their types. It knows the place of its input.
type link interface {
	// exec is do from the one place to the other, without counting.
	exec(at context.Context, r run) error
	// resume puts the stage's output from an earlier run of the task into its place, if it was kept.
	resume(at context.Context, r run) (found bool, err error)
	// output points to the place: the next link's input.
	output() any
	zero()
}

type linked[In, Out any] struct {
	stage *Step[In, Out]
	in    *In
	out   Out
}

func (l *linked[In, Out]) output() any { return &l.out }

func (l *linked[In, Out]) zero() { l.out = *new(Out) }

func (l *linked[In, Out]) resume(at context.Context, r run) (found bool, err error) {
	if l.stage.keep == nil {
		return false, nil
	}
	return l.stage.restore(at, r, &l.out)
}

func (l *linked[In, Out]) exec(at context.Context, r run) error {
	return l.stage.perform(at, r, l.in, &l.out)
}

// frame holds the values of one run: the input, then each stage's output. Frames are pooled; release zeroes
// them, so that they keep nothing alive and show nothing to the next run. A run whose goroutine ends
// (runtime.Goexit) never releases its frame: it is left to the garbage collector instead of going back half
// used.
type frame[In, Out any] struct {
	in    In
	out   *Out // of the last link
	links []link
}

func framesFor[In, Out any](stages []placed) *sync.Pool {
	return &sync.Pool{New: func() any { return newFrame[In, Out](stages) }}
}

func newFrame[In, Out any](stages []placed) *frame[In, Out] {
	f := &frame[In, Out]{links: make([]link, 0, len(stages))}
	var place any = &f.in
	for _, s := range stages {
		l := s.link(place)
		f.links, place = append(f.links, l), l.output()
	}
	f.out = place.(*Out)
	return f
}

func (f *frame[In, Out]) zero() {
	f.in = *new(In)
	for _, l := range f.links {
		l.zero()
	}
}
