package pipeline

// cell is one typed place of a frame, seen without its type.
type cell interface{ zero() }

type value[T any] struct{ v T }

func (c *value[T]) zero() { c.v = *new(T) }

// frame holds the values of one run: the input, then each stage's output. Frames are pooled; release zeroes
// them, so that they keep nothing alive and show nothing to the next run. A run whose goroutine ends
// (runtime.Goexit) never releases its frame: it is left to the garbage collector instead of going back half
// used.
type frame[In, Out any] struct {
	in    value[In]
	out   *value[Out] // the last of cells
	cells []cell      // one more than stages
}

func newFrame[In, Out any](stages []placed) *frame[In, Out] {
	f := &frame[In, Out]{cells: make([]cell, 0, len(stages)+1)}
	f.cells = append(f.cells, &f.in)
	for _, s := range stages {
		f.cells = append(f.cells, s.cell())
	}
	f.out = f.cells[len(stages)].(*value[Out])
	return f
}

func (f *frame[In, Out]) zero() {
	for _, c := range f.cells {
		c.zero()
	}
}
