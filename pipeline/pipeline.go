package pipeline

import (
	"context"
	"sync"
)

// Pipeline is a built pipeline. It is immutable, safe for concurrent use, and a Stage. Make one with New and
// Build.
type Pipeline[In, Out any] struct {
	plan   plan
	whole  *whole
	step   *Step[In, Out] // the pipeline as a stage of another one
	stages []placed
	counts []*meter         // of the stages
	names  []string         // of the stages, for a run inside of another pipeline's
	paths  []string         // "pipeline/stage", for a run of its own
	meters meters           // of all stages, by the IDs of the graph
	stream *stream[In, Out] // nil in run mode
	frames *sync.Pool
}

// Name is the name given to New.
func (p *Pipeline[In, Out]) Name() string { return p.step.n.name }

// Graph describes the pipeline: its stages, how they are nested, and what flows between them.
func (p *Pipeline[In, Out]) Graph() Graph { return graphOf(p.step.n) }

// Counters gives the counters of the pipeline itself and of all its stages, by the IDs of its graph's nodes. They
// count the runs of this pipeline by itself: where it is nested in another one, its runs there are counted
// there. The numbers are read one after the other while runs go on.
func (p *Pipeline[In, Out]) Counters() map[string]Counters {
	all := make(map[string]Counters, len(p.meters))
	for id, m := range p.meters {
		all[id] = m.read()
	}
	return all
}

// Run walks in through all stages in the caller's goroutine and gives the last one's output. Every error is a
// *StageError; a dropped value is one too, task.Classify tells it apart. Called from inside of a stage's
// function with that stage's context, the run is a nested one: its paths and spans continue that stage's.
func (p *Pipeline[In, Out]) Run(ctx context.Context, in In) (out Out, err error) {
	if p.whole.plain() {
		return p.once(ctx, run{tracer: tracerOf(ctx)}, in)
	}
	err = p.whole.run(ctx, func(r run) error {
		out, err = p.once(ctx, r, in)
		return err
	})
	return out, err
}

func (p *Pipeline[In, Out]) once(ctx context.Context, r run, in In) (Out, error) {
	count, start, returned := p.step.meter, p.step.meter.begin(), false
	defer func() {
		if !returned {
			count.lost()
		}
	}()
	f := p.frames.Get().(*frame[In, Out])
	f.in = in
	var err error
	if p.stream == nil {
		err = p.walk(ctx, r, f, &p.paths)
	} else {
		err = p.stream.walk(ctx, r, f)
	}
	out := *f.out
	p.release(f)
	returned = true
	count.end(start, err)
	return out, err
}

// Handle is Run for a queue's worker: the error decides what becomes of the task, as task.Classify reads it.
// A dropped value is returned as that error, and counts as finished.
func (p *Pipeline[In, Out]) Handle(ctx context.Context, in In) error {
	_, err := p.Run(ctx, in)
	return err
}

// walk runs the stages one after the other and counts them. On an error the frame's output is zero: either the
// last stage failed and zeroed it, or it never ran.
//
// One panic guard serves all stages. It also catches an error that panics when it is asked what it means (a nil
// *T in an error, say).
func (p *Pipeline[In, Out]) walk(ctx context.Context, r run, f *frame[In, Out], names *[]string) (err error) {
	var course *course
	var at context.Context // of the stage that runs
	var inside *meter      // of the stage that runs
	defer func() {
		v := recover()
		if inside != nil {
			inside.lost()
		}
		if v != nil {
			*f.out = *new(Out)
			err = located(at, 1, newPanicError(v))
		}
	}()
	first := 0
	if r.journal != nil {
		if first, err = p.resume(ctx, r, f, names); err != nil {
			return err
		}
	}
	done, sample := ctx.Done(), false
	for i := first; i < len(p.stages); i++ {
		course, at = course.at(ctx, names, i)
		if done != nil && ctx.Err() != nil {
			if inside != nil {
				inside.done.Add(1)
				inside = nil
			}
			return located(at, 0, interrupted(ctx))
		}
		if inside == nil {
			sample = p.counts[i].begun.Add(1)%quickSample == 0
		} else {
			p.counts[i].came.Add(1)
		}
		inside = p.counts[i]
		start := inside.start(sample)
		if err := f.links[i].exec(at, r); err != nil {
			inside.end(start, err)
			inside = nil
			return err
		}
		if start != 0 {
			inside.time(start)
		}
	}
	if inside != nil { // nil: the last stage was not to run again
		inside.done.Add(1)
		inside = nil
	}
	return nil
}

func (p *Pipeline[In, Out]) release(f *frame[In, Out]) {
	f.zero()
	p.frames.Put(f)
}

func (p *Pipeline[In, Out]) node() *node {
	if p == nil || p.step == nil {
		return nil
	}
	return p.step.node()
}

func (p *Pipeline[In, Out]) place(at site) placed { return p.step.place(at) }

func (p *Pipeline[In, Out]) count() *meter { return p.step.count() }

func (p *Pipeline[In, Out]) do(at context.Context, r run, in *In, out *Out) error {
	return p.step.do(at, r, in, out)
}

// Sub makes a built pipeline a step, so that policies can be put on the whole of it. Without policies the
// pipeline can be given to Stage or Each as it is.
func Sub[In, Out any](p *Pipeline[In, Out]) *Step[In, Out] {
	if p == nil || p.step == nil {
		n := newNode[In, Out](kindPipeline, "sub")
		n.faults = []string{"the pipeline given to Sub is nil"}
		return newStep[In, Out](n, nil) // neither Build nor Run lets a stage with faults get as far as its body
	}
	return p.step
}

// sub is the body of a pipeline as a stage.
type sub[In, Out any] struct{ p *Pipeline[In, Out] }

func (s sub[In, Out]) run(ctx context.Context, r run, in *In, out *Out) error {
	f := s.p.frames.Get().(*frame[In, Out])
	f.in = *in
	err := s.p.walk(ctx, r, f, &s.p.names)
	*out = *f.out
	s.p.release(f)
	return err
}

// place lets the stages inside stand in their own pipeline, with the state of their policies, and only be counted
// where they are nested.
func (s sub[In, Out]) place(at site) body[In, Out] {
	c := *s.p
	at.pipeline, at.middleware, at.nested = c.Name(), c.plan.middleware(), true
	c.stages = nil
	for _, stage := range s.p.stages {
		c.stages = append(c.stages, stage.place(at))
	}
	c.counts, c.frames = chained(c.stages), framesFor[In, Out](c.stages)
	return sub[In, Out]{&c}
}
