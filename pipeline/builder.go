package pipeline

import (
	"runtime"
	"strconv"
	"strings"
)

// Builder collects the stages of a pipeline. It is meant for one chain of calls and not safe for concurrent
// use.
type Builder[In, Out any] struct {
	name  string
	at    string
	parts []part
}

// part is a stage and the file:line of the Stage call that gave it.
type part struct {
	stage AnyStage
	at    string
}

// New begins a pipeline that turns an In into an Out. Names of pipelines and stages are
// [a-z0-9][a-z0-9_.-]{0,99}; Build checks them.
func New[In, Out any](name string) *Builder[In, Out] {
	return &Builder[In, Out]{name: name, at: caller()}
}

// Stage adds a stage after the ones before. Its input must be exactly the type that the stage before gives;
// Build checks that.
func (b *Builder[In, Out]) Stage(s AnyStage) *Builder[In, Out] {
	b.parts = append(b.parts, part{s, caller()})
	return b
}

// Build makes the pipeline, or reports everything that is wrong with it at once as a *BuildError.
func (b *Builder[In, Out]) Build() (*Pipeline[In, Out], error) {
	root := newNode[In, Out](kindPipeline, b.name)
	root.at = b.at
	if faults := inspect(root, b.parts); len(faults) > 0 {
		return nil, &BuildError{Pipeline: b.name, Faults: faults}
	}
	p := &Pipeline[In, Out]{}
	for _, part := range b.parts {
		n := part.stage.node()
		p.stages = append(p.stages, part.stage.place(b.name))
		p.names = append(p.names, n.name)
		p.paths = append(p.paths, b.name+"/"+n.name)
	}
	p.step = newStep[In, Out](root, sub[In, Out]{p})
	p.frames.New = func() any { return newFrame[In, Out](p.stages) }
	return p, nil
}

// MustBuild is Build for pipelines that are fixed in code, in tests and package variables: it panics with the
// *BuildError.
func (b *Builder[In, Out]) MustBuild() *Pipeline[In, Out] {
	p, err := b.Build()
	if err != nil {
		panic(err)
	}
	return p
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
