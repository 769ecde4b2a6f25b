package pipeline

import (
	"context"
	"errors"
)

// Middleware goes around every stage of a pipeline: it does something before, calls next, does something after.
// It may refuse to call next and return an error instead (task.Drop among them), may call it again, and may turn
// its error into another one. It sees no values and has none to give: when it returns nil although next did not
// succeed, the stage fails with ErrNoOutput.
//
// next must get a context that comes from ctx. A middleware that calls it from another goroutine is waited for;
// once the middleware has returned, next does nothing but return ErrStageOver. Middleware must be safe for concurrent use. Its panic
// is the stage's.
type Middleware func(ctx context.Context, stage StageInfo, next func(context.Context) error) error

// StageInfo describes a stage to a middleware. task.Key(ctx) gives the place in the run.
type StageInfo struct {
	Pipeline    string // the pipeline that the stage is written in; empty for a stage that runs alone
	ID          string // of its node in the graph of the pipeline that was built
	Name        string
	Kind        string // map, filter, switch, …
	Description string // given with Describe
}

var (
	// ErrNoOutput says that a middleware returned nil although the stage behind it did not run or did not succeed.
	ErrNoOutput = errors.New("a middleware succeeded without its stage")
	// ErrStageOver is what next returns when it is called after its middleware has returned.
	ErrStageOver = errors.New("next was called after its middleware had returned")
)

// passage is one way of a run through the middleware of a stage.
type passage struct {
	stage *standing
	inner func(context.Context) error

	turn      chan struct{} // holds one while the stage runs: a channel, so that virtual time sees who waits
	over      bool
	succeeded bool // of the last call
}

func newPassage(stage *standing, inner func(context.Context) error) *passage {
	return &passage{stage: stage, inner: inner, turn: make(chan struct{}, 1)}
}

func (p *passage) through(ctx context.Context) error {
	err := p.enter(ctx, 0)
	p.turn <- struct{}{}
	defer func() { <-p.turn }()
	p.over = true
	if err == nil && !p.succeeded {
		return ErrNoOutput
	}
	return err
}

// enter calls the i-th middleware, the stage itself behind the last.
func (p *passage) enter(ctx context.Context, i int) (err error) {
	defer guard(&err)
	if i == len(p.stage.middleware) {
		return p.run(ctx)
	}
	return p.stage.middleware[i](ctx, p.stage.info, func(ctx context.Context) error { return p.enter(ctx, i+1) })
}

func (p *passage) run(ctx context.Context) error {
	p.turn <- struct{}{}
	defer func() { <-p.turn }()
	if p.over {
		return ErrStageOver
	}
	p.succeeded = false
	err := p.inner(ctx)
	p.succeeded = err == nil
	return err
}
