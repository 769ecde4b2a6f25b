package pipeline

import (
	"context"
	"strconv"
)

// defaultAtOnce is how many elements of one value a fan-out works on at once.
const defaultAtOnce = 8

// EachOption is a setting of Each.
type EachOption func(*eachSettings)

type eachSettings struct {
	atOnce  int
	collect bool
}

// AtOnce sets how many elements of one value are worked on at once; default 8, at least 1. Every run has its
// own n: with c tasks at a time that is up to c×n elements, and with fan-outs inside of fan-outs the product
// of all.
func AtOnce(n int) EachOption { return func(s *eachSettings) { s.atOnce = n } }

// CollectErrors lets the other elements go on when one fails, and gives all errors together as an
// *ElementsError. Default: the first error cancels the others.
func CollectErrors() EachOption { return func(s *eachSettings) { s.collect = true } }

// EachStep is the step that Each returns. Like those of Step, its methods return a changed copy.
type EachStep[A, B any] struct {
	*Step[[]A, []B]
	each *each[A, B]
}

// each is the body of a fan-out.
type each[A, B any] struct {
	eachSettings
	name  string // of the element's stage
	once  bool   // every key may come once only, because something is kept under it
	stage Stage[A, B]
	key   func(A) string // nil: elements are named by their index
}

// Each runs s for every element of a slice, several at once, and gives the results in the order of the input.
// Elements that are dropped are left out. The first error cancels the context of the other elements (cause:
// that error), waits for them and is the fan-out's error; see CollectErrors. No elements give no results; the
// slice is never nil then.
//
// Elements run on goroutines of their own, so fan-outs may be nested at will, and runtime.Goexit in an
// element is an error of that element (ErrGoexit).
func Each[A, B any](name string, s Stage[A, B], options ...EachOption) *EachStep[A, B] {
	n := newNode[[]A, []B](kindEach, name)
	b := &each[A, B]{eachSettings: eachSettings{atOnce: defaultAtOnce}, stage: s}
	for _, o := range options {
		if o == nil {
			n.fault("one of its options is nil")
			continue
		}
		o(&b.eachSettings)
	}
	if b.atOnce < 1 {
		n.fault("AtOnce(%d): there must be at least 1 element at once", b.atOnce)
	}
	n.atOnce = b.atOnce
	n.settings = append(n.settings, setting{"at_once", strconv.Itoa(b.atOnce)})
	if b.collect {
		n.settings = append(n.settings, setting{"errors", "collected"})
	}
	b.name = n.inside(s, "each element", "the stage for its elements")
	b.once = len(keptStages(n)) > 0
	return &EachStep[A, B]{newStep[[]A, []B](n, b), b}
}

// KeyedBy names elements by a key of their own instead of their index, so that paths and idempotency keys
// follow an element when the others change. The key should be unique: repeated keys get "#2", "#3" … in input
// order. Where something is kept of the elements (Checkpoint, Compensate) a repeated key is an error, ErrRepeatedKey.
// key must be pure.
func (e *EachStep[A, B]) KeyedBy(key func(A) string) *EachStep[A, B] {
	b := *e.each
	b.key = key
	n := *e.n
	if key == nil {
		n.faults = append(n.faults[:len(n.faults):len(n.faults)], "the function given to KeyedBy is nil")
	}
	n.keyed = true
	n.settings = append(n.settings[:len(n.settings):len(n.settings)], setting{"elements", "keyed"})
	step := *e.Step
	step.n, step.body = &n, &b
	return &EachStep[A, B]{&step, &b}
}

func (b *each[A, B]) place(at site) body[[]A, []B] {
	c := *b
	c.stage = b.stage.place(at).(Stage[A, B])
	return &c
}

func (b *each[A, B]) run(ctx context.Context, r run, in *[]A, out *[]B) (err error) {
	*out, err = fanOut(ctx, r, b, *in)
	return err
}
