package modeltest

import (
	"context"
	"fmt"
	"slices"
	"time"

	"github.com/plba/plba/pipeline"
	"github.com/plba/plba/task"
)

// gathering is a Batch. Its function knows no path, so it fails by the value alone, or always.
type gathering struct {
	name     string
	size     int
	wait     time.Duration
	deed     deed   // of the function: for all items
	item     string // how an item fails whose value is a multiple of 3: an end, or ""
	answers  string // what is wrong with them: "errors", "outputs"; "" nothing
	policies policies
}

func (g *gathering) title() string     { return g.name }
func (g *gathering) inside() []plan    { return nil }
func (g *gathering) policy() *policies { return &g.policies }

func (g *gathering) fails(v int) bool { return g.item != "" && v%3 == 0 }

func (g *gathering) build(w *world) pipeline.Stage[int, int] {
	return dress(pipeline.Batch(g.name, g.size, g.wait, func(ctx context.Context, in []int) ([]int, error) {
		w.batch(g, len(in))
		for _, v := range in {
			w.note(g.name, v)
		}
		if err := g.deed.do(ctx, w, g.name+"!", 0); err != nil {
			return nil, err
		}
		out := slices.Clone(in)
		failed := make(pipeline.ItemErrors, len(in))
		for i, v := range in {
			out[i] = bounded(2 * v)
			if g.fails(v) {
				failed[i] = (&deed{end: g.item}).err()
			}
		}
		switch {
		case g.answers == "errors":
			return out, slices.Concat(failed, pipeline.ItemErrors{nil})
		case g.answers == "outputs":
			return append(out, 1), nil
		case g.item != "":
			return out, failed
		}
		return out, nil
	}), &g.policies, w, same, bounded)
}

// interpret lets an item wait until its time, as nobody is there to fill the batch or to say that nobody comes. When several
// tasks run at once that is wrong, and of no importance.
func (g *gathering) interpret(r *reader, path string, v int) (int, *failure) {
	return layered(r, &g.policies, path, v, bounded, func(r *reader) (int, *failure) {
		if g.size > 1 {
			if end := r.pass(g.wait, true); end != nil {
				r.saw("acted: left a batch")
				return 0, end.interrupted()
			}
		}
		r.note(g.name, v)
		if f := g.deed.play(r, g.name+"!", 0); f != nil {
			if f.bare { // the batch's own context has ended with that of its only member
				f = &failure{text: canceled.Error(), outcome: task.Retry, bare: true, is: []any{canceled}}
			}
			return 0, f
		}
		if g.answers != "" {
			r.saw("acted: wrong answers")
			text := map[string]string{"errors": "ItemErrors of 2 (return nil when none failed)", "outputs": "2 outputs"}[g.answers]
			text = fmt.Sprintf("%v: 1 items, %s", pipeline.ErrBatchResults, text)
			return 0, &failure{text: text, outcome: task.Retry, is: []any{pipeline.ErrBatchResults, &identity{}}}
		}
		if g.fails(v) {
			r.saw("acted: item error")
			return 0, (&deed{end: g.item}).failure()
		}
		return bounded(2 * v), nil
	})
}
