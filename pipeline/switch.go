package pipeline

import (
	"cmp"
	"context"
	"fmt"
	"reflect"
	"slices"
)

// Case is one way through a Switch. Make it with On.
type Case[K comparable, In, Out any] struct {
	key   K
	stage Stage[In, Out]
}

// On makes the case of a Switch for values of that key. A stage may stand in several cases.
func On[K comparable, In, Out any](key K, s Stage[In, Out]) Case[K, In, Out] {
	return Case[K, In, Out]{key, s}
}

// NoCaseError says that a value came to a Switch which has neither a case for its key nor an Otherwise. It is
// permanent: trying again would not help.
type NoCaseError struct {
	Key string // the key as fmt prints it
}

// Error names the key.
func (e *NoCaseError) Error() string { return fmt.Sprintf("no case for %q, and no Otherwise", e.Key) }

// Permanent reports true: task.Classify hears it.
func (e *NoCaseError) Permanent() bool { return true }

// SwitchStep is the step that Switch returns. Like those of Step, its methods return a changed copy.
type SwitchStep[K comparable, In, Out any] struct {
	*Step[In, Out]
	choice *choice[K, In, Out]
}

// choice is the body of a Switch.
type choice[K comparable, In, Out any] struct {
	key       func(In) K
	cases     []Case[K, In, Out] // as given
	otherwise *Stage[In, Out]    // the same; nil without
	stages    []named[In, Out]   // each once, also if it stands in several cases
	byKey     map[K]int          // index in stages
	rest      int                // index of the stage for all other keys; -1 without
}

// named is a stage inside of another one, with its name.
type named[In, Out any] struct {
	name  string
	stage Stage[In, Out]
}

// Switch runs the stage of one case: the one for the value's key. key must be pure. The compiler checks that all cases have
// the same types. Without a case for its key a value goes to the stage of Otherwise; without that either, the
// Switch fails with a *NoCaseError.
//
// Different stages of one Switch need different names: paths and idempotency keys hold these and not the keys.
func Switch[K comparable, In, Out any](
	name string, key func(In) K, cases ...Case[K, In, Out],
) *SwitchStep[K, In, Out] {
	b := &choice[K, In, Out]{key: key, cases: slices.Clone(cases)}
	return &SwitchStep[K, In, Out]{newStep(b.prepare(name), b), b}
}

// Otherwise is where values go whose key has no case.
func (s *SwitchStep[K, In, Out]) Otherwise(stage Stage[In, Out]) *SwitchStep[K, In, Out] {
	b := &choice[K, In, Out]{key: s.choice.key, cases: s.choice.cases, otherwise: &stage}
	step := *s.Step
	step.n, step.body = b.prepare(s.n.name).described(s.n.description), b
	if s.fallback != nil {
		step.fallback = &fallback[In, Out]{s.fallback.give, undoable(step.n)}
	}
	return &SwitchStep[K, In, Out]{&step, b}
}

// prepare makes the choice of its cases, and describes it.
func (b *choice[K, In, Out]) prepare(name string) *node {
	n := newNode[In, Out](kindSwitch, name)
	b.byKey, b.rest = map[K]int{}, -1
	if b.key == nil {
		n.fault("the function for its key is nil")
	}
	if len(b.cases) == 0 {
		n.fault("it has no cases")
	}
	for _, c := range b.cases {
		label := cmp.Or(fmt.Sprint(c.key), `""`)
		text := fmt.Sprintf("%q", fmt.Sprint(c.key))
		if !canMeet(c.key) {
			n.fault("no key is ever equal to that of its case %s", text)
			continue
		}
		if _, again := b.byKey[c.key]; again {
			n.fault("it has two cases for %s", text)
			continue
		}
		b.byKey[c.key] = b.add(n, c.stage, label, "the stage for "+text)
	}
	if b.otherwise != nil {
		b.rest = b.add(n, *b.otherwise, "otherwise", "the stage given to Otherwise")
	}
	return n
}

// canMeet says whether a key can be equal to this one: not if it holds what cannot be compared, or a NaN.
func canMeet[K comparable](key K) bool {
	v := reflect.ValueOf(&key).Elem()
	return v.Comparable() && v.Equal(v)
}

// add gives the index of a stage, which is new or stands in an earlier case already.
func (b *choice[K, In, Out]) add(n *node, s Stage[In, Out], way, what string) int {
	for i, known := range b.stages {
		if same(known.stage, s) {
			n.ways[i] += ", " + way
			return i
		}
	}
	b.stages = append(b.stages, named[In, Out]{n.inside(s, way, what), s})
	return len(b.stages) - 1
}

// same says whether two stages are one.
func same[In, Out any](a, b Stage[In, Out]) bool {
	return a != nil && reflect.TypeOf(a).Comparable() && a == b
}

func (b *choice[K, In, Out]) run(ctx context.Context, r run, in *In, out *Out) error {
	key := b.key(*in)
	i, found := b.byKey[key]
	if !found {
		if i = b.rest; i < 0 {
			return &NoCaseError{fmt.Sprint(key)}
		}
	}
	return within(&cursor{ctx, b.stages[i].name}, b.stages[i].stage, r, in, out)
}

func (b *choice[K, In, Out]) place(at site) body[In, Out] {
	c := *b
	c.stages = slices.Clone(b.stages)
	for i := range c.stages {
		c.stages[i].stage = c.stages[i].stage.place(at).(Stage[In, Out])
	}
	return &c
}
