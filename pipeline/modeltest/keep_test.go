package modeltest

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/plba/plba/task"
)

// keptOutput is what is kept of a stage that has succeeded.
type keptOutput struct {
	path   string
	in     int
	out    any
	by     *policies
	at     time.Duration
	number int
}

// kept is the output that is kept of the stage at the path.
func (r *reader) kept(path string) (*keptOutput, bool) {
	k, ok := r.script.kept[path]
	return k, ok
}

// keep keeps an output. An effect that can be undone takes the place of those inside of it.
func (r *reader) keep(path string, in int, out any, by *policies) {
	r.number++
	r.script.kept[path] = &keptOutput{path, in, out, by, r.now(), r.number}
	if by.keep == "undo" {
		for _, k := range r.effects(path + "/") {
			delete(r.script.kept, k.path)
		}
	}
}

// effects are those that can be undone at paths with the prefix, the latest first.
func (r *reader) effects(prefix string) (all []*keptOutput) {
	for path, k := range r.script.kept {
		if k.by.keep == "undo" && strings.HasPrefix(path, prefix) {
			all = append(all, k)
		}
	}
	slices.SortFunc(all, func(a, b *keptOutput) int {
		if !r.together && !near(a.at, b.at) {
			return cmp.Compare(b.at, a.at)
		}
		return b.number - a.number
	})
	return all
}

// undo undoes the effects at paths with the prefix, the latest first, whatever has become of the context.
func (r *reader) undo(prefix string, cause *failure) *failure {
	r = r.within(nil).using(nil)
	effects := r.effects(prefix)
	if len(effects) == 0 {
		return nil
	}
	if prefix != "" && lineOf(r.key(prefix)) != lineOf(r.key("")) {
		r.open("others may undo something at the same time")
	}
	for path, k := range r.script.kept {
		if k.by.keep != "undo" && strings.HasPrefix(path, prefix) {
			delete(r.script.kept, path)
		}
	}
	for i, k := range effects[1:] {
		if (r.together || near(k.at, effects[i].at)) && lineOf(r.key(k.path)) != lineOf(r.key(effects[i].path)) {
			r.open("it is open which of two effects was the last")
		}
	}
	for i, k := range effects {
		if failed := r.compensate(k); failed != nil {
			var left []string
			for _, k := range effects[i:] {
				left = append(left, k.path)
			}
			r.saw("acted: failed compensation")
			if len(left) > 1 {
				r.saw("acted: failed compensation before others")
			}
			text := fmt.Sprintf("%s; undoing it failed: %s (not undone: %s)", cause.text, failed.text, strings.Join(left, ", "))
			f := failed.covering(cause, text)
			f.outcome, f.wait, f.origin = task.Dead, false, cause
			return f
		}
		delete(r.script.kept, k.path)
		if i > 0 {
			r.saw("acted: several undone")
		}
	}
	return nil
}

// compensate is a stage of its own: it has the Retry of the one that it undoes, and time.
func (r *reader) compensate(k *keptOutput) *failure {
	p := &policies{attempts: k.by.attempts, pause: k.by.pause, timeout: max(30*time.Second, k.by.timeout)}
	path := k.path + "#undo"
	_, failed := layered(r, p, path, k.in, nil, func(r *reader) (int, *failure) {
		r.saw("acted: undo")
		return 0, k.by.undo.play(r, r.key(path), k.in)
	})
	if failed != nil && failed.drops() {
		return nil
	}
	return failed
}
