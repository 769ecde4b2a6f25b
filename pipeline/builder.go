package pipeline

import (
	"runtime"
	"slices"
	"strconv"
	"strings"
)

// Builder collects the stages of a pipeline. It is meant for one chain of calls and not safe for concurrent
// use.
type Builder[In, Out any] struct{ plan plan }

// plan is what a pipeline is built from.
type plan struct {
	name        string
	at          string // file:line of the New call
	description string
	parts       []part
	use         []used
}

// part is a stage and the file:line of the Stage call that gave it.
type part struct {
	stage AnyStage
	at    string
}

// used is a middleware and the file:line of the Use call that gave it.
type used struct {
	middleware Middleware
	at         string
}

func (p plan) middleware() []Middleware {
	var all []Middleware
	for _, u := range p.use {
		all = append(all, u.middleware)
	}
	return all
}

// New begins a pipeline that turns an In into an Out. Names of pipelines and stages are
// [a-z0-9][a-z0-9_.-]{0,99}; Build checks them.
func New[In, Out any](name string) *Builder[In, Out] {
	return &Builder[In, Out]{plan{name: name, at: caller()}}
}

// Stage adds a stage after the ones before. Its input must be exactly the type that the stage before gives;
// Build checks that.
func (b *Builder[In, Out]) Stage(s AnyStage) *Builder[In, Out] {
	b.plan.parts = append(b.plan.parts, part{s, caller()})
	return b
}

// Use puts middleware around every stage of the pipeline, also around those inside of its combinators. A pipeline
// that is nested in it is one stage here; the stages inside of that have their own. The first is outermost, over all
// Use calls. All of it is inside of the stage's span and around its policies: a stage that is retried passes
// through once.
func (b *Builder[In, Out]) Use(middleware ...Middleware) *Builder[In, Out] {
	at := caller()
	for _, m := range middleware {
		b.plan.use = append(b.plan.use, used{m, at})
	}
	return b
}

// Describe says in a line what the pipeline is for. It shows in its graph.
func (b *Builder[In, Out]) Describe(text string) *Builder[In, Out] {
	b.plan.description = text
	return b
}

// Build makes the pipeline, or reports everything that is wrong with it at once as a *BuildError.
func (b *Builder[In, Out]) Build() (*Pipeline[In, Out], error) { return build[In, Out](b.plan) }

// MustBuild is Build for pipelines that are fixed in code, in tests and package variables: it panics with the
// *BuildError.
func (b *Builder[In, Out]) MustBuild() *Pipeline[In, Out] {
	p, err := b.Build()
	if err != nil {
		panic(err)
	}
	return p
}

func build[In, Out any](from plan) (*Pipeline[In, Out], error) {
	from.parts, from.use = slices.Clone(from.parts), slices.Clone(from.use)
	root := newNode[In, Out](kindPipeline, from.name)
	root.at, root.description = from.at, from.description
	if faults := inspect(root, from); len(faults) > 0 {
		return nil, &BuildError{Pipeline: from.name, Faults: faults}
	}
	p := &Pipeline[In, Out]{plan: from, meters: meters{}}
	at := site{pipeline: from.name, id: from.name, middleware: from.middleware(), meters: p.meters}
	for _, part := range from.parts {
		name := part.stage.node().name
		p.stages = append(p.stages, part.stage.place(at))
		p.names = append(p.names, name)
		p.paths = append(p.paths, from.name+"/"+name)
	}
	p.counts = chained(p.stages)
	p.step = newStep[In, Out](root, sub[In, Out]{p})
	p.whole = wholeOf(root)
	p.step.meter = p.meters.at(from.name)
	p.frames = framesFor[In, Out](p.stages)
	return p, nil
}

// caller is the place that called the function which calls it: the last directory, the file and the line.
func caller() string {
	_, file, line, ok := runtime.Caller(2)
	if !ok {
		return "unknown place"
	}
	if i := strings.LastIndexByte(file, '/'); i >= 0 {
		i = strings.LastIndexByte(file[:i], '/')
		file = file[i+1:]
	}
	return file + ":" + strconv.Itoa(line)
}
