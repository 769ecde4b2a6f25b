package pipeline

import (
	"context"
	"sync"

	"github.com/sourcegraph/conc"
)

// sideBySide is one run of a Both or All: its branches run at once, each on a goroutine of its own, so that a
// branch may end its goroutine, and they may be nested at will.
type sideBySide struct {
	ctx      context.Context
	cancel   context.CancelCauseFunc
	run      run
	cursors  []cursor
	all      conc.WaitGroup
	branches *branches

	once  sync.Once
	first error // the branch that failed first
}

// beside prepares a run of n branches.
func beside(ctx context.Context, r run, n int) *sideBySide {
	s := &sideBySide{run: r, cursors: make([]cursor, 0, n), branches: r.party.fork(n)}
	s.ctx, s.cancel = context.WithCancelCause(ctx)
	return s
}

// wait waits for all branches and gives the first error.
func (s *sideBySide) wait() error {
	s.all.Wait()
	s.cancel(nil)
	return s.first
}

func (s *sideBySide) fail(err error) {
	s.once.Do(func() {
		s.first = err
		s.cancel(err)
	})
}

// branch is a stage that runs beside others.
type branch[In, Out any] named[In, Out]

func branchOf[In, Out any](n *node, s Stage[In, Out], what string) branch[In, Out] {
	return branch[In, Out]{n.inside(s, "", what), s}
}

func (b branch[In, Out]) place(at site) branch[In, Out] {
	b.stage = b.stage.place(at).(Stage[In, Out])
	return b
}

// begin runs the branch beside the others. Its output is there when all of them have been waited for.
func (b branch[In, Out]) begin(s *sideBySide, in *In) *Out {
	s.cursors = append(s.cursors, cursor{s.ctx, b.name})
	at, out := &s.cursors[len(s.cursors)-1], new(Out)
	s.all.Go(func() {
		returned := false
		defer func() {
			defer s.branches.join()
			if returned {
				return
			}
			err := ErrGoexit
			if v := recover(); v != nil {
				err = newPanicError(v)
			}
			b.stage.count().lost()
			s.fail(located(at, 1, err))
		}()
		if s.ctx.Err() != nil {
			s.fail(located(at, 0, interrupted(s.ctx)))
		} else if err := b.stage.do(at, s.run, in, out); err != nil {
			s.fail(err)
		}
		returned = true
	})
	return out
}
