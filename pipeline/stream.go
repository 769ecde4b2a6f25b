package pipeline

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/sourcegraph/conc"
)

// Streamed is the pipeline in stream mode: each of its top-level stages has goroutines of its own, as many as workers says by the
// stage's name (1 where it says nothing), and up to buffer tasks wait in front of each stage. That is for stages that need very
// different numbers: two downloads at a time, sixteen parsers, one writer.
//
//	workers.Consume("import", files, p.Streamed(map[string]int{"download": 2, "parse": 16}, 4), workers.Concurrency(32))
//
// The task's slot waits while the task goes from stage to stage, so the worker's concurrency bounds how many tasks are under
// way at once; a slow stage makes the ones before it wait, and finally the slots. Everything else is as in run mode:
// policies, checkpoints, compensation, batches, spans, counters, errors. Only a stage that ends its goroutine (runtime.Goexit) is an
// error of its task, ErrGoexit.
//
// The goroutines live while a worker has the pipeline attached. At any other time Run and Handle fail with ErrNotAttached, and
// a pipeline in stream mode cannot be a stage. Unknown stages and absurd numbers are faults that the worker reports at its
// registration, each with the file:line of the pipeline. Limits, batches and counters are those of p, in whichever mode.
func (p *Pipeline[In, Out]) Streamed(workers map[string]int, buffer int) *Pipeline[In, Out] {
	if p == nil { // it could not be built, which was reported
		return nil
	}
	c := *p
	c.stream = &stream[In, Out]{workers: make([]int, len(p.stages)), buffer: buffer}
	root := *p.step.n
	root.children = slices.Clone(root.children)
	for i, n := range root.children {
		hands, set := workers[n.name]
		if !set {
			hands = 1
		}
		c.stream.workers[i] = hands
		n := *n
		n.settings = append(slices.Clone(n.settings), setting{"workers", strconv.Itoa(hands)})
		root.children[i] = &n
	}
	root.settings = append(slices.Clone(root.settings), setting{"buffer", strconv.Itoa(buffer)})
	root.faults = []string{"in stream mode it cannot be a stage: its goroutines belong to a worker; take the pipeline that Streamed was called on"}
	step := *p.step
	step.n = &root
	c.step = &step
	c.whole = wholeOf(&root)
	c.whole.spread(c.names, c.stream.workers)
	if faults := streamFaults(p.step.n, c.names, workers, buffer); len(faults) > 0 {
		c.stream.fault = &BuildError{Pipeline: p.Name(), Faults: faults}
	}
	c.stream.p = &c
	return &c
}

func streamFaults(n *node, names []string, workers map[string]int, buffer int) (faults []*Fault) {
	for _, name := range slices.Sorted(maps.Keys(workers)) {
		if !slices.Contains(names, name) {
			faults = append(faults, &Fault{At: n.at, Problem: fmt.Sprintf("stream mode: it has no stage %q", name), Hint: "its stages are " + strings.Join(names, ", ")})
		} else if workers[name] < 1 {
			faults = append(faults, &Fault{At: n.at, Problem: fmt.Sprintf("stream mode: stage %q has %d workers", name, workers[name]), Hint: "at least 1"})
		}
	}
	if buffer < 0 {
		faults = append(faults, &Fault{At: n.at, Problem: fmt.Sprintf("stream mode: a buffer of %d", buffer), Hint: "at least 0"})
	}
	return faults
}

// ErrNotAttached says that a pipeline in stream mode was run while no worker had it attached.
var ErrNotAttached = errors.New("in stream mode it runs only while a worker has it attached (task.Attacher)")

// stream is the stream mode of a pipeline.
type stream[In, Out any] struct {
	p       *Pipeline[In, Out]
	fault   error
	workers []int // of each stage
	buffer  int

	mu    sync.Mutex
	users int            // workers that have it attached
	flow  *flow[In, Out] // while there are any
}

// flow is what lives while the pipeline is attached: goroutines for each stage, and the belts between them.
type flow[In, Out any] struct {
	p     *Pipeline[In, Out]
	belts []chan *item[In, Out] // in front of each stage
	hands []*hands
	pools []conc.WaitGroup
	items sync.Pool

	inside  int // runs; guarded by stream.mu
	closing bool
	drained chan struct{} // closed when it is closing and no run is inside
}

// item is a run on its way. It belongs to whoever has it: the slot, a belt, or a stage's goroutine.
type item[In, Out any] struct {
	frame  *frame[In, Out]
	ctx    context.Context
	run    run
	course *course
	at     context.Context // of the stage that has it
	err    error
	done   chan struct{} // tells the slot
}

// attach starts the goroutines for the first worker.
func (s *stream[In, Out]) attach() error {
	if s.fault != nil {
		return s.fault
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.users++; s.users > 1 {
		return nil
	}
	f := &flow[In, Out]{
		p:       s.p,
		belts:   make([]chan *item[In, Out], len(s.workers)),
		pools:   make([]conc.WaitGroup, len(s.workers)),
		drained: make(chan struct{}),
	}
	f.items.New = func() any { return &item[In, Out]{done: make(chan struct{}, 1)} }
	for i, n := range s.workers {
		f.belts[i] = make(chan *item[In, Out], s.buffer)
		f.hands = append(f.hands, &hands{size: n})
	}
	for i, n := range s.workers {
		for range n {
			f.pools[i].Go(func() { f.work(i) })
		}
	}
	s.flow = f
	return nil
}

// detach ends the goroutines with the last worker, when no run is inside any more. A run that does not end is left to
// itself when ctx does: its goroutines end with it.
func (s *stream[In, Out]) detach(ctx context.Context) error {
	s.mu.Lock()
	if s.users--; s.users > 0 {
		s.mu.Unlock()
		return nil
	}
	f := s.flow
	s.flow = nil
	f.closing = true
	f.check()
	s.mu.Unlock()
	select {
	case <-f.drained:
	case <-ctx.Done():
		select {
		case <-f.drained:
		default:
			return fmt.Errorf("pipeline %q: runs have not ended in %s: %w", s.p.Name(), f.busy(), context.Cause(ctx))
		}
	}
	for i := range f.pools {
		f.pools[i].Wait()
	}
	return nil
}

// check closes the belts when nothing can come any more. Under the lock.
func (f *flow[In, Out]) check() {
	if !f.closing || f.inside > 0 {
		return
	}
	for _, b := range f.belts {
		close(b)
	}
	close(f.drained)
}

// busy names the stages that runs are inside of.
func (f *flow[In, Out]) busy() string {
	var names []string
	for i, m := range f.p.counts {
		if m.read().InFlight > 0 {
			names = append(names, f.p.names[i])
		}
	}
	return "stage " + strings.Join(names, ", ")
}

func (s *stream[In, Out]) enter() *flow[In, Out] {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.flow != nil {
		s.flow.inside++
	}
	return s.flow
}

func (s *stream[In, Out]) leave(f *flow[In, Out]) {
	s.mu.Lock()
	defer s.mu.Unlock()
	f.inside--
	f.check()
}

// walk is Pipeline.walk in stream mode: it puts the run on its way and waits until it comes out.
func (s *stream[In, Out]) walk(ctx context.Context, r run, frame *frame[In, Out]) error {
	f := s.enter()
	if f == nil {
		if s.fault != nil {
			return s.fault
		}
		return s.p.whole.failed(ErrNotAttached)
	}
	defer s.leave(f)
	first := 0
	if r.journal != nil {
		var err error
		if first, err = s.p.resume(ctx, r, frame, &s.p.paths); err != nil || first == len(f.belts) {
			return err
		}
	}
	it := f.items.Get().(*item[In, Out])
	it.frame, it.ctx, it.run = frame, ctx, r
	select {
	case f.belts[first] <- it:
	case <-ctx.Done():
		it.arrive(f.p, first)
		return located(it.at, 0, interrupted(ctx))
	}
	<-it.done
	err := it.err
	*it = item[In, Out]{done: it.done}
	f.items.Put(it)
	return err
}

// arrive makes the context of stage i.
func (it *item[In, Out]) arrive(p *Pipeline[In, Out], i int) {
	it.course, it.at = it.course.at(it.ctx, &p.paths, i)
}

// work is one goroutine of stage i. When a stage panics or ends the goroutine, its run has failed and another goroutine takes
// over.
func (f *flow[In, Out]) work(i int) {
	var it *item[In, Out] // the run at hand
	defer func() {
		if it == nil {
			return
		}
		err := ErrGoexit
		if v := recover(); v != nil {
			err = newPanicError(v)
		}
		f.pools[i].Go(func() { f.work(i) })
		f.p.counts[i].lost()
		*it.frame.out = *new(Out)
		it.end(located(it.at, 1, err))
	}()
	last := i == len(f.belts)-1
	for next := range f.belts[i] {
		it = next
		err := f.one(i, it)
		it = nil
		if err != nil || last {
			next.end(err)
		} else {
			f.belts[i+1] <- next
		}
	}
}

// one takes a run through stage i.
func (f *flow[In, Out]) one(i int, it *item[In, Out]) error {
	it.arrive(f.p, i)
	if it.ctx.Err() != nil {
		return located(it.at, 0, interrupted(it.ctx))
	}
	if it.run.party != nil {
		it.run.party.hands = f.hands[i]
	}
	m := f.p.counts[i]
	start := m.begin()
	err := it.frame.links[i].exec(it.at, it.run)
	m.end(start, err)
	return err
}

func (it *item[In, Out]) end(err error) {
	it.err = err
	it.done <- struct{}{}
}
