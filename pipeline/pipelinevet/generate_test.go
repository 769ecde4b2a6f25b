package pipelinevet_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// generator writes functions that put pipelines together, many of them wrongly. Each line holds one Stage call at
// most, and every statement with Stage calls tells when it runs.
type generator struct {
	*rand.Rand
	text  strings.Builder
	line  int
	plain bool // only what the analyzer knows everything about
	vars  []variable
	next  int
}

// variable holds a builder.
type variable struct {
	name    string
	in, out string
	flow    string // what arrives next, if everything ran in the order of the text
}

var generatedTypes = []string{"int", "string", "[]int", "[]string", "[]item", "item", "*item", "any", "box[int]", "box[any]", "pipeline.Done"}

const generatedHead = `package main

import (
	"encoding/json"
	"errors"
	"math/rand/v2"
	"os"

	"github.com/plba/plba/pipeline"
)

type item struct{ name string }

type box[T any] struct{ v T }

type own[In, Out any] struct{ *pipeline.Step[In, Out] }

func pure[In, Out any](In) (out Out) { return out }

func made[In, Out any](name string) *pipeline.Step[In, Out] { return pipeline.Pure(name, pure[In, Out]) }

func added[In, Out any](b *pipeline.Builder[In, Out]) *pipeline.Builder[In, Out] {
	return b.Stage(pipeline.Pure("added", pure[int, string]))
}

// run is one run of a function, with what it saw.
type run struct {
	Func   int
	Ran    []int
	Faults []string
	random *rand.Rand
}

func (r *run) flag() bool { return r.random.IntN(2) == 0 }

func (r *run) times() int { return r.random.IntN(3) }

func (r *run) ran(first, last int) {
	for ; first <= last; first++ {
		r.Ran = append(r.Ran, first)
	}
}

func (r *run) built(_ any, err error) {
	var b *pipeline.BuildError
	if errors.As(err, &b) {
		for _, f := range b.Faults {
			r.Faults = append(r.Faults, f.Error())
		}
	}
}

func main() {
	out := json.NewEncoder(os.Stdout)
	for i, f := range functions {
		for seed := range 30 {
			r := &run{Func: i, random: rand.New(rand.NewPCG(uint64(seed), uint64(i)))}
			f(r)
			if err := out.Encode(r); err != nil {
				panic(err)
			}
		}
	}
}

var functions = []func(*run){
`

// generate writes a program of so many functions, and says which of them are plain.
func generate(seed uint64, functions int) (program string, plain []bool) {
	g := &generator{Rand: rand.New(rand.NewPCG(seed, 0))}
	g.text.WriteString(generatedHead)
	g.line = strings.Count(generatedHead, "\n") + 1
	for range functions {
		g.plain = g.IntN(3) == 0
		plain = append(plain, g.plain)
		g.function()
	}
	g.print("}")
	return g.text.String(), plain
}

func (g *generator) print(format string, args ...any) {
	fmt.Fprintf(&g.text, format+"\n", args...)
	g.line++
}

func (g *generator) name(prefix string) string {
	g.next++
	return fmt.Sprintf("%s%d", prefix, g.next)
}

func (g *generator) function() {
	g.vars = nil
	g.print("func(r *run) {")
	g.fresh("")
	g.statements(2+g.IntN(5), 0)
	for _, v := range g.vars {
		g.print("r.built(%s.Build())", v.name)
	}
	g.print("},")
}

// statements writes n of them; depth is how far they are inside of others.
func (g *generator) statements(n, depth int) {
	for range n {
		kind := g.IntN(16)
		if g.plain || depth > 2 {
			kind = g.IntN(9)
		}
		v := &g.vars[g.IntN(len(g.vars))]
		switch kind {
		case 0, 1, 2:
			g.chain("", v)
		case 3, 4:
			g.chain(v.name+" = ", v)
		case 5:
			g.print("r.built(%s.Build())", v.name)
		case 6:
			g.print("r.built(%s.Build())", v.name)
			g.fresh(v.name)
		case 7:
			alias := g.name("b")
			g.chain(alias+" := ", v)
			g.print("r.built(%s.Build())", alias) // the compiler wants it used
		case 8:
			g.fresh("")
		default:
			g.compound(kind, v, depth)
		}
	}
}

func (g *generator) compound(kind int, v *variable, depth int) {
	declared := len(g.vars)
	inside := func() {
		g.statements(1+g.IntN(3), depth+1)
		for _, v := range g.vars[declared:] {
			g.print("r.built(%s.Build())", v.name)
		}
		g.vars = g.vars[:declared]
	}
	switch kind {
	case 9, 10:
		g.print("if r.flag() {")
		inside()
		if g.IntN(2) == 0 {
			g.print("} else {")
			inside()
		}
		g.print("}")
	case 11:
		g.print("for range r.times() {")
		inside()
		g.print("}")
	case 12:
		g.print("switch r.times() {")
		for i := range 2 {
			g.print("case %d:", i)
			inside()
			if g.IntN(3) == 0 {
				g.print("fallthrough")
			}
		}
		g.print("default:")
		inside()
		g.print("}")
	case 13:
		g.print("func() {")
		inside()
		g.print("}()")
	case 14:
		g.print("added(%s)", v.name)
	case 15:
		f := g.name("f")
		g.print("%s := func() pipeline.AnyStage {", f)
		inside()
		g.print("return %s", g.stage(v))
		g.print("}")
		g.print("r.ran(%d, %d)", g.line+1, g.line+1)
		g.print("%s.Stage(%s())", v.name, f)
	}
}

// fresh makes a builder, in a new variable unless one is named.
func (g *generator) fresh(name string) {
	v := variable{in: g.type_(), out: g.type_()}
	v.flow = v.in
	set := name + " = "
	if name == "" {
		v.name = g.name("b")
		set = v.name + " := "
	} else {
		for i := range g.vars {
			if g.vars[i].name == name { // a variable keeps its type
				g.vars[i].flow = g.vars[i].in
				v = g.vars[i]
			}
		}
	}
	g.links(set, fmt.Sprintf("pipeline.New[%s, %s](%q)", v.in, v.out, g.pipelineName()), &v, g.IntN(3))
	if name == "" {
		g.vars = append(g.vars, v)
	}
}

func (g *generator) pipelineName() string {
	if g.IntN(10) == 0 {
		return "Not Valid"
	}
	return g.name("p")
}

// chain writes a statement that adds stages to v.
func (g *generator) chain(set string, v *variable) { g.links(set, v.name, v, 1+g.IntN(3)) }

// links writes set, the beginning of a chain, and n Stage calls, one on each line.
func (g *generator) links(set, from string, v *variable, n int) {
	g.print("r.ran(%d, %d)", g.line+1, g.line+1+n)
	for range n {
		g.print("%s%s.", set, from)
		set, from = "", fmt.Sprintf("Stage(%s)", g.stage(v))
	}
	g.print("%s%s", set, from)
}

func (g *generator) type_() string { return generatedTypes[g.IntN(len(generatedTypes))] }

// stage writes a stage that mostly fits behind what v has.
func (g *generator) stage(v *variable) string {
	in, out := v.flow, g.type_()
	if g.IntN(5) == 0 {
		in = g.type_()
	}
	if g.IntN(3) == 0 {
		out = v.out
	}
	v.flow = out
	name := string(rune('a' + g.IntN(20)))
	pure := fmt.Sprintf("pipeline.Pure(%q, pure[%s, %s])", name, in, out)
	forms := 12
	if g.plain {
		forms = 7
	}
	switch g.IntN(forms) {
	case 0, 1:
		return pure + ".Retry(2)"
	case 2:
		return fmt.Sprintf("pipeline.Sub(pipeline.New[%s, %s](%q).Stage(%s).MustBuild())", in, out, name, pure)
	case 3:
		if strings.HasPrefix(in, "[]") && strings.HasPrefix(out, "[]") {
			return fmt.Sprintf("pipeline.Each(%q, pipeline.Pure(%q, pure[%s, %s]))", name, name, in[2:], out[2:])
		}
	case 4:
		if in == out {
			return fmt.Sprintf("pipeline.Filter[%s](%q, nil)", in, name)
		}
	case 7:
		return fmt.Sprintf("pipeline.Stage[%s, %s](%s)", in, out, pure)
	case 8:
		return fmt.Sprintf("pipeline.AnyStage(%s)", pure)
	case 9:
		return fmt.Sprintf("own[%s, %s]{%s}", in, out, pure)
	case 10:
		return fmt.Sprintf("made[%s, %s](%q)", in, out, name)
	case 11:
		return "nil"
	}
	return pure
}
