package modeltest

import (
	"cmp"
	"errors"
	"fmt"
	"regexp"
	"slices"

	"github.com/plba/plba/pipeline"
	"github.com/plba/plba/task"
)

// plan is a stage twice: build makes the real one, interpret says what it must do.
type plan interface {
	title() string // the name of the stage
	build(w *world) pipeline.Stage[int, int]
	interpret(r *reader, path string, v int) (int, *failure)
	inside() []plan
	policy() *policies
}

// failure is an error as the interpreter sees it.
type failure struct {
	text    string
	outcome task.Outcome
	wait    bool     // it says itself when to try again
	panics  bool     // there is a panic in it
	thrown  bool     // it is nothing but a panic
	exit    bool     // it is none: the goroutine has ended
	bare    bool     // it is the plain error of a context
	at      string   // the place that it says it is from; "" when it says none
	told    string   // the same, also when it is inside of something that says nothing of its own
	origin  *failure // what had failed before undoing it failed as well; nil otherwise
	is      []any    // what errors.Is finds in it
}

// identity is what errors.Is knows a single error by. It is not empty, or all of them were at one address.
type identity struct{ _ byte }

// retryable says whether a Retry would try again.
func (f *failure) retryable() bool { return f.outcome == task.Retry && !f.wait && !f.panics && !f.exit }

// wrapped is the failure inside of another error.
func (f *failure) wrapped(text string) *failure {
	c := *f
	if text != f.text {
		c.told = ""
	}
	c.text, c.at, c.bare, c.thrown = text, "", false, false
	c.is = append(slices.Clone(f.is), &identity{})
	return &c
}

// covering is the failure with another one in it, which decides nothing.
func (f *failure) covering(other *failure, text string) *failure {
	c := f.wrapped(text)
	c.is = append(c.is, other.is...)
	c.panics = c.panics || other.panics
	c.origin = cmp.Or(c.origin, other.origin)
	return c
}

// drops says that it is none of the kinds that fail a run.
func (f *failure) drops() bool { return !f.exit && f.outcome == task.Dropped }

// joined is what several failures are together.
func joined(all []*failure, text string) *failure {
	j := &failure{text: text, outcome: all[0].outcome}
	for _, f := range all {
		if f.outcome != j.outcome {
			j.outcome = task.Retry
		}
		j.wait = j.wait || f.wait
		j.panics = j.panics || f.panics
		j.origin = cmp.Or(j.origin, f.origin)
		j.is = append(j.is, f.is...)
	}
	return j
}

var (
	errAway     = errors.New("database away")
	errDeclined = errors.New("card declined")
	errStopped  = errors.New("stopped by an operator")
)

// goexit is the end of a goroutine, and exited the error that it is for whoever owns that.
func goexit() *failure { return &failure{text: pipeline.ErrGoexit.Error(), exit: true} }

func exited() *failure {
	return &failure{text: pipeline.ErrGoexit.Error(), outcome: task.Retry, is: []any{pipeline.ErrGoexit}}
}

func panicked() *failure {
	return &failure{text: "panic: out of paper", outcome: task.Retry, panics: true, thrown: true, is: []any{&identity{}}}
}

// unset are fields that say nothing.
var unset = regexp.MustCompile(`(stages|element|cases|use|alone|undo|fallback|otherwise|before|order):(\[[^\]]*\]|0x[0-9a-f]+) ?|[a-zA-Z]+:(<nil>|false|0|\[\]|)( |(}))`)

// tell is a plan for people.
func tell(p plan, indent string) string {
	text := fmt.Sprintf("%s%T %+v\n", indent, p, p)
	for what, part := range map[string]*deed{"fallback": p.policy().fallback, "undo": p.policy().undo} {
		if part != nil {
			text += fmt.Sprintf("%s  %s %+v\n", indent, what, *part)
		}
	}
	text = unset.ReplaceAllString(text, "$5")
	for _, inside := range p.inside() {
		text += tell(inside, indent+"  ")
	}
	return text
}
