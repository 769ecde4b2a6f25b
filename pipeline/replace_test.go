package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/plba/plba/pipeline"
	"github.com/plba/plba/task"
)

// nest is a pipeline with a stage called s in every kind of place.
func nest() *pipeline.Pipeline[int, int] {
	s := add("s", 1)
	inner := pipeline.New[int, int]("inner").Stage(s).MustBuild()
	line := pipeline.New[int, int]("line").Stage(add("first", 0)).Stage(s.Retry(2)).MustBuild()
	even := func(_ context.Context, v int) error {
		if v%2 == 1 {
			return errOdd
		}
		return nil
	}
	second := func(_ context.Context, _ int, _, b int) (int, error) { return b, nil }
	third := func(_ context.Context, _ int, _, _, c int) (int, error) { return c, nil }
	fourth := func(_ context.Context, _ int, _, _, _, d int) (int, error) { return d, nil }
	answer := pipeline.Sink("s", func(context.Context, pipeline.Rejected[int]) error { return nil })
	return pipeline.New[int, int]("p").
		Stage(pipeline.Validate("check", even, answer)).
		Stage(s).
		Stage(pipeline.Sub(inner).Retry(2, noPause)).
		Stage(pipeline.Switch("switch", sign, pipeline.On("plus", s), pipeline.On("zero", add("z", 0)))).
		Stage(pipeline.Both("both", add("a", 0), s, second)).
		Stage(pipeline.All3("all3", add("a", 0), add("b", 0), s, third)).
		Stage(pipeline.All4("all4", add("a", 0), add("b", 0), add("c", 0), s, fourth)).
		Stage(pipeline.Pure("list", func(v int) []int { return []int{v} })).
		Stage(pipeline.Each("each", line).Limit(1)).
		Stage(pipeline.Pure("sum", func(v []int) int { return v[0] })).
		MustBuild()
}

func ids(p *pipeline.Pipeline[int, int]) (all []string) {
	for _, n := range p.Graph().Nodes {
		all = append(all, n.ID+" "+n.At)
	}
	return all
}

// A stage can be replaced wherever it is nested; all the rest stays as it was, paths and IDs as well.
func TestReplace(t *testing.T) {
	p := nest()
	for id, path := range map[string]string{
		"p/s": "p/s", "p/inner/s": "p/inner/s", "p/switch/s": "p/switch/s", "p/both/s": "p/both/s", "p/all3/s": "p/all3/s", "p/all4/s": "p/all4/s",
		"p/each/line/s": "p/each/0/line/s",
	} {
		t.Run(id, func(t *testing.T) {
			var key string
			fake := pipeline.Map("fake", func(ctx context.Context, v int) (int, error) {
				key = task.Key(ctx)
				return v + 100, nil
			})
			q, err := p.Replace(id, fake.Limit(3))
			if err != nil {
				t.Fatal(err)
			}
			if got, err := q.Run(t.Context(), 2); got != 108 || err != nil || key != path {
				t.Errorf("%d, %v at %s", got, err, key)
			}
			if got, err := p.Run(t.Context(), 2); got != 9 || err != nil {
				t.Errorf("the pipeline itself: %d, %v", got, err)
			}
			if !slices.Equal(ids(q), ids(p)) {
				t.Errorf("nodes\n%s\nwere\n%s", strings.Join(ids(q), "\n"), strings.Join(ids(p), "\n"))
			}
			if n, _ := q.Graph().Find(id); n.Name != "s" || fmt.Sprint(n.Policies) != "map[limit:3]" {
				t.Errorf("node %+v", n)
			}
			if c := q.Counters()[id]; c.Done != 1 {
				t.Errorf("counters %+v", c)
			}
		})
	}
}

func TestReplaceByOtherKinds(t *testing.T) {
	p := nest()
	whole := pipeline.New[int, int]("whole").Stage(add("a", 50)).Stage(add("b", 50)).MustBuild()
	each := pipeline.Each("e", add("x", 100)).KeyedBy(func(int) string { return "k" })
	for _, c := range []struct {
		id   string
		with pipeline.AnyStage
	}{{"p/s", whole}, {"p/switch/s", pipeline.Sub(whole).Retry(2)}, {"p/inner", pipeline.Switch("x", sign, pipeline.On("plus", add("y", 100)))}, {"p/each", each}} {
		q, err := p.Replace(c.id, c.with)
		if err != nil {
			t.Error(err)
			continue
		}
		if got, err := q.Run(t.Context(), 2); got != 108 || err != nil {
			t.Errorf("%s: %d, %v", c.id, got, err)
		}
	}
}

// One replacement after the other, and a test sees what the stages did.
func TestReplaceAndCollect(t *testing.T) {
	var rejected pipeline.Collected[pipeline.Rejected[int]]
	var drops pipeline.Drops
	p, err := nest().Replace("p/check/s", rejected.Sink("any"))
	if err == nil {
		p, err = p.Replace("p/each/line/s", fails("any", task.Drop("not ours")))
	}
	if err == nil {
		p, err = p.Replace("p/sum", pipeline.Pure("any", func(v []int) int { return len(v) }))
	}
	if err != nil {
		t.Fatal(err)
	}
	ctx := drops.Watch(t.Context())
	if got, err := p.Run(ctx, 2); got != 0 || err != nil {
		t.Errorf("%d, %v", got, err)
	}
	if _, err := p.Run(ctx, 7); !errors.Is(err, errOdd) {
		t.Error(err)
	}
	if got := rejected.Values(); len(got) != 1 || got[0].Value != 7 || !errors.Is(got[0].Reason, errOdd) {
		t.Errorf("rejected %v", got)
	}
	var seen []string
	for _, d := range drops.All() {
		seen = append(seen, fmt.Sprintf("%s: %v", d.Path, d.Reason))
	}
	if want := []string{"p/each/0/line/s: dropped: not ours", "p/check: dropped: rejected: odd"}; !slices.Equal(seen, want) {
		t.Errorf("drops %q", seen)
	}
	var refused *pipeline.RejectedError
	if all := drops.All(); errors.As(all[0].Reason, &refused) || !errors.As(all[1].Reason, &refused) {
		t.Error("one of the two was refused by a Validate")
	}
}

// The new pipeline has a state of its own.
func TestReplaceBeginsAnew(t *testing.T) {
	calls := 0
	p := pipeline.New[error, int]("p").Stage(given(&calls).Breaker(1, 1e9)).Stage(add("b", 1)).MustBuild()
	_, _ = p.Run(t.Context(), errAway)
	q, err := p.Replace("p/b", add("b", 2))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Run(t.Context(), nil); !isOpen(err) {
		t.Errorf("the first: %v", err)
	}
	if got, err := q.Run(t.Context(), nil); got != 3 || err != nil {
		t.Errorf("the second: %d, %v", got, err)
	}
}

func TestReplaceInStreamMode(t *testing.T) {
	p := nest().Streamed(map[string]int{"s": 3}, 2)
	q, err := p.Replace("p/each/line/s", add("x", 100))
	if err != nil {
		t.Fatal(err)
	}
	for _, id := range []string{"p", "p/s", "p/each"} {
		was, _ := p.Graph().Find(id)
		is, _ := q.Graph().Find(id)
		if fmt.Sprint(is.Policies) != fmt.Sprint(was.Policies) {
			t.Errorf("%s: %v, was %v", id, is.Policies, was.Policies)
		}
	}
	if _, err := q.Run(t.Context(), 2); !errors.Is(err, pipeline.ErrNotAttached) {
		t.Error(err)
	}
}

func TestReplaceFaults(t *testing.T) {
	p := nest()
	var none *pipeline.Step[int, int]
	var text strings.Builder
	for _, c := range []struct {
		id   string
		with pipeline.AnyStage
	}{
		{"", add("x", 1)},
		{"p", p},
		{"orders/s", add("x", 1)},
		{"p/t", add("x", 1)},
		{"p/s/t", add("x", 1)},
		{"p/each/0/line/s", add("x", 1)},
		{"p/s", nil},
		{"p/s", none},
		{"p/s", pipeline.Pure("x", func(int) string { return "" })},
		{"p/check/s", pipeline.Sink("x", func(context.Context, int) error { return nil })},
		{"p/s", pipeline.Map[int, int]("x", nil).Retry(0)},
		{"p/inner/s", pipeline.Map[int, int]("x", nil)},
	} {
		q, err := p.Replace(c.id, c.with)
		var fault *pipeline.Fault
		if q != nil || !errors.As(err, &fault) {
			t.Errorf("%q: %v", c.id, err)
			continue
		}
		fmt.Fprintln(&text, err)
	}
	golden(t, "faults/replace.txt", lines.ReplaceAllString(text.String(), ".go:0"))
}
