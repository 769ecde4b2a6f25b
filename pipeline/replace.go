package pipeline

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Replace gives a pipeline with another stage in the place of one, for tests: the one with that ID in the graph,
// wherever it is nested. The new stage must take and give the same types. It stands in under the old
// one's name, so that paths, keys and IDs stay as they were; policies come with the stage, those of the old one
// are gone. The state of all policies begins anew; p is not changed.
//
// The error is a *BuildError, as of Build.
func (p *Pipeline[In, Out]) Replace(id string, with AnyStage) (*Pipeline[In, Out], error) {
	old, fault := p.find(id)
	if fault == nil {
		fault = fitting(id, old, nodeOf(with))
	}
	if fault != nil {
		fault.At = caller()
		return nil, &BuildError{Pipeline: p.Name(), Faults: []*Fault{fault}}
	}
	changed, err := p.step.replaced(strings.Split(id, "/")[1:], with)
	if err != nil {
		return nil, err
	}
	q := changed.(*Step[In, Out]).body.(sub[In, Out]).p
	if p.stream == nil {
		return q, nil
	}
	workers := map[string]int{}
	for i, n := range p.stream.workers {
		workers[p.names[i]] = n
	}
	return q.Streamed(workers, p.stream.buffer), nil
}

// find gives the stage with that ID.
func (p *Pipeline[In, Out]) find(id string) (*node, *Fault) {
	n := p.step.n
	name, path, inside := strings.Cut(id, "/")
	if name != n.name || !inside {
		return nil, &Fault{Problem: fmt.Sprintf("no stage has the ID %q", id), Hint: fmt.Sprintf("the IDs begin with %q", n.name+"/")}
	}
	for inside {
		name, path, inside = strings.Cut(path, "/")
		i := n.child(name)
		if i < 0 {
			return nil, &Fault{Problem: fmt.Sprintf("no stage has the ID %q: there is no %q in %q", id, name, n.name), Hint: n.inventory()}
		}
		n = n.children[i]
	}
	return n, nil
}

// child is the index of the child of that name, -1 without.
func (n *node) child(name string) int {
	return slices.IndexFunc(n.children, func(c *node) bool { return c.name == name })
}

// inventory names the stages inside.
func (n *node) inventory() string {
	var names []string
	for _, c := range n.children {
		names = append(names, c.name)
	}
	if names == nil {
		return "no stages are inside of it"
	}
	return "inside of it: " + strings.Join(names, ", ")
}

// fitting says why one stage cannot stand in for another.
func fitting(id string, old, with *node) *Fault {
	switch {
	case with == nil:
		return &Fault{Problem: fmt.Sprintf("the stage for %q is nil", id)}
	case with.in != old.in || with.out != old.out:
		return &Fault{Problem: fmt.Sprintf("%q takes %s and gives %s, but %q takes %s and gives %s",
			id, typeName(old.in), typeName(old.out), with.name, typeName(with.in), typeName(with.out))}
	}
	return nil
}

// exchange makes the stage that stands in for a given one.
type exchange func(old AnyStage) (AnyStage, error)

// holder is a body that holds other stages.
type holder[In, Out any] interface {
	// swap is the same body with another stage under that name.
	swap(name string, by exchange) (body[In, Out], error)
}

func (s *Step[In, Out]) replaced(path []string, with AnyStage) (AnyStage, error) {
	var fresh AnyStage
	body, err := s.body.(holder[In, Out]).swap(path[0], func(old AnyStage) (_ AnyStage, err error) {
		if len(path) == 1 {
			fresh = with.called(path[0])
		} else {
			fresh, err = old.replaced(path[1:], with)
		}
		return fresh, err
	})
	if err != nil {
		return nil, err
	}
	n, i, child := *s.n, s.n.child(path[0]), fresh.node()
	child.at = n.children[i].at
	n.children = slices.Clone(n.children)
	n.children[i] = child
	c := *s
	c.n, c.body = &n, body
	return &c, nil
}

func (s *Step[In, Out]) called(name string) AnyStage {
	n := *s.n
	n.name = name
	c := *s
	c.n, c.standing = &n, alone(&n)
	return &c
}

func (p *Pipeline[In, Out]) replaced(path []string, with AnyStage) (AnyStage, error) {
	return p.step.replaced(path, with)
}

func (p *Pipeline[In, Out]) called(name string) AnyStage { return p.step.called(name) }

func (s sub[In, Out]) swap(name string, by exchange) (body[In, Out], error) {
	from := s.p.plan
	from.parts = slices.Clone(from.parts)
	for i := range from.parts {
		if nodeOf(from.parts[i].stage).name != name {
			continue
		}
		stage, err := by(from.parts[i].stage)
		if err != nil {
			return nil, err
		}
		from.parts[i].stage = stage
	}
	p, err := build[In, Out](from)
	return sub[In, Out]{p}, err
}

func (b *each[A, B]) swap(_ string, by exchange) (body[[]A, []B], error) {
	c := *b
	var err error
	c.stage, err = swapped(b.stage, by)
	return &c, err
}

func (b *validate[T]) swap(_ string, by exchange) (body[T, T], error) {
	c := *b
	var err error
	c.rejected, err = swapped(b.rejected, by)
	return &c, err
}

func (b *choice[K, In, Out]) swap(name string, by exchange) (body[In, Out], error) {
	c := *b
	c.stages = slices.Clone(b.stages)
	i := slices.IndexFunc(c.stages, func(s named[In, Out]) bool { return s.name == name })
	var err error
	c.stages[i].stage, err = swapped(c.stages[i].stage, by)
	return &c, err
}

func (s *both[In, A, B, Out]) swap(name string, by exchange) (body[In, Out], error) {
	c := *s
	return &c, cmp.Or(c.a.swap(name, by), c.b.swap(name, by))
}

func (s *all3[In, A, B, C, Out]) swap(name string, by exchange) (body[In, Out], error) {
	c := *s
	return &c, cmp.Or(c.a.swap(name, by), c.b.swap(name, by), c.c.swap(name, by))
}

func (s *all4[In, A, B, C, D, Out]) swap(name string, by exchange) (body[In, Out], error) {
	c := *s
	return &c, cmp.Or(c.a.swap(name, by), c.b.swap(name, by), c.c.swap(name, by), c.d.swap(name, by))
}

func (b *branch[In, Out]) swap(name string, by exchange) (err error) {
	if b.name == name {
		b.stage, err = swapped(b.stage, by)
	}
	return err
}

// swapped is by for a stage whose types are known.
func swapped[In, Out any](s Stage[In, Out], by exchange) (Stage[In, Out], error) {
	stage, err := by(s)
	if err != nil {
		return nil, err
	}
	return stage.(Stage[In, Out]), nil
}
