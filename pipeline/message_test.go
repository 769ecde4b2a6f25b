package pipeline_test

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plba/plba/pipeline"
	"github.com/plba/plba/task"
)

// message is how a run of a pipeline fails, whose text stands in the golden file.
type message struct {
	name  string
	stage pipeline.AnyStage
	in    int
}

// nested is a pipeline around the stage.
func nested(name string, s pipeline.AnyStage) *pipeline.Pipeline[int, int] {
	return pipeline.New[int, int](name).Stage(s).MustBuild()
}

// fanned is a fan-out of the values 0 to 2, and its sum.
func fanned(s pipeline.Stage[int, int], options ...pipeline.EachOption) *pipeline.EachStep[int, int] {
	return pipeline.Each("lines", s, append(options, pipeline.AtOnce(1))...)
}

// around is a pipeline that begins with one value and fans out.
func around(e pipeline.AnyStage) *pipeline.Pipeline[int, int] {
	return pipeline.New[int, int]("order").
		Stage(pipeline.Pure("split", func(int) []int { return []int{0, 1, 2} })).
		Stage(e).
		Stage(pipeline.Pure("sum", func(all []int) int { return len(all) })).MustBuild()
}

var errStale = errors.New("cache stale")

func always(error) bool { return true }

// oddFails fails for the elements 0 and 2.
var oddFails = pipeline.Map("price", func(_ context.Context, v int) (int, error) {
	if v != 1 {
		return 0, errAway
	}
	return v, nil
})

func markings() []message {
	load, refused := fails("load", errAway), fails("load", task.Permanent(errDeclined))
	kind := func(s pipeline.Stage[int, int]) *pipeline.SwitchStep[string, int, int] {
		return pipeline.Switch("kind", func(int) string { return "a" }, pipeline.On("a", s))
	}
	both := func(s pipeline.Stage[int, int]) *pipeline.Step[int, int] {
		return pipeline.Both("facts", s, add("stock", 1), func(_ context.Context, v, _, _ int) (int, error) { return v, nil })
	}
	wrapping := func(ctx context.Context, _ pipeline.StageInfo, next func(context.Context) error) error {
		if err := next(ctx); err != nil {
			return fmt.Errorf("audited: %w", err)
		}
		return nil
	}
	marking := func(ctx context.Context, _ pipeline.StageInfo, next func(context.Context) error) error {
		return task.Permanent(next(ctx))
	}
	return []message{
		{name: "stage", stage: load},
		{name: "sub", stage: nested("order", load)},
		{name: "sub in sub", stage: nested("order", nested("head", load))},
		{name: "switch", stage: kind(load)},
		{name: "switch in sub", stage: nested("order", kind(load))},
		{name: "both", stage: both(load)},
		{name: "each", stage: around(fanned(oddFails))},
		{name: "permanent stage", stage: refused},
		{name: "permanent in sub", stage: nested("order", refused)},
		{name: "permanent if on sub", stage: pipeline.Sub(nested("order", load)).PermanentIf(always)},
		{name: "permanent if on sub in sub", stage: nested("order", pipeline.Sub(nested("head", load)).PermanentIf(always))},
		{name: "permanent if on switch", stage: kind(load).PermanentIf(always)},
		{name: "permanent if on both", stage: both(load).PermanentIf(always)},
		{name: "permanent if on each", stage: around(fanned(oddFails).PermanentIf(always))},
		{name: "permanent if twice", stage: pipeline.Sub(nested("order", kind(load).PermanentIf(always))).PermanentIf(always)},
		{name: "permanent if under retry", stage: pipeline.Sub(nested("order", load.Retry(2, noPause))).PermanentIf(always).Retry(3, noPause)},
		{name: "marked by middleware", stage: pipeline.New[int, int]("order").Use(marking).Stage(kind(load)).MustBuild()},
		{name: "wrapped by middleware", stage: pipeline.New[int, int]("order").Use(wrapping).Stage(kind(load)).MustBuild()},
	}
}

func combinations() []message {
	load := fails("load", errAway)
	order := pipeline.Sub(nested("order", load))
	stale := func(context.Context, int, error) (int, error) { return 0, errStale }
	check := func(_ context.Context, v int) error { return errDeclined }
	rejected := func(err error) pipeline.Stage[pipeline.Rejected[int], pipeline.Done] {
		return pipeline.New[pipeline.Rejected[int], pipeline.Done]("refusal").
			Stage(pipeline.Sink("answer", func(context.Context, pipeline.Rejected[int]) error { return err })).MustBuild()
	}
	wrapped := func(mark func(error) error) *pipeline.Step[int, int] {
		inner := nested("inner", load)
		return pipeline.Map("call", func(ctx context.Context, v int) (int, error) {
			_, err := inner.Run(ctx, v)
			return 0, mark(err)
		})
	}
	return []message{
		{name: "retry of a stage", stage: load.Retry(2, noPause)},
		{name: "retry of sub", stage: order.Retry(2, noPause)},
		{name: "retry in retry", stage: pipeline.Sub(nested("order", pipeline.Sub(nested("head", load.Retry(2, noPause))).Retry(2, noPause))).Retry(2, noPause)},
		{name: "retry of each", stage: around(fanned(oddFails).Retry(2, noPause))},
		{name: "collected", stage: around(fanned(oddFails, pipeline.CollectErrors()))},
		{name: "collected in sub", stage: around(fanned(nested("line", oddFails), pipeline.CollectErrors()).Retry(2, noPause))},
		{name: "collected and marked", stage: around(fanned(oddFails, pipeline.CollectErrors()).PermanentIf(always))},
		{name: "fallback of sub", stage: order.Fallback(stale)},
		{name: "fallback of each", stage: around(fanned(oddFails, pipeline.CollectErrors()).Fallback(func(context.Context, []int, error) ([]int, error) { return nil, errStale }))},
		{name: "fallback of what was undone in vain", stage: pipeline.Sub(pipeline.New[int, int]("order").
			Stage(add("book", 1).Compensate(func(context.Context, int, int, error) error { return errStale })).Stage(load).MustBuild()).Fallback(stale)},
		{name: "late sub", stage: pipeline.Sub(nested("order", until(2*time.Second, errAway))).Timeout(time.Second)},
		{name: "cut short", stage: order.Retry(9, func(int) time.Duration { return time.Hour })},
		{name: "breaker", stage: order.Breaker(1, time.Minute).Retry(2, noPause)},
		{name: "rejected", stage: pipeline.Validate("check", check, rejected(nil))},
		{name: "rejected path fails", stage: pipeline.Validate("check", check, rejected(errAway))},
		{name: "rejected path fails, marked", stage: pipeline.Validate("check", check, rejected(errAway)).PermanentIf(always)},
		{name: "rejected by a pipeline", stage: pipeline.Validate("check", func(ctx context.Context, v int) error {
			_, err := nested("rules", fails("age", errDeclined)).Run(ctx, v)
			return err
		}, rejected(nil))},
		{name: "run in a function", stage: wrapped(func(err error) error { return err })},
		{name: "wrapped in a function", stage: wrapped(func(err error) error { return fmt.Errorf("calling: %w (twice)", err) })},
		{name: "joined in a function", stage: wrapped(func(err error) error { return errors.Join(errStale, err) })},
		{name: "permanent in a function", stage: wrapped(task.Permanent)},
		{name: "text like a path", stage: pipeline.Sub(nested("order", fails("load", errors.New("open p/order/load")))).Retry(2, noPause)},
	}
}

// spread is the pause of an open breaker, which is never quite the same.
var spread = regexp.MustCompile(`(try again in 1m)[\d.]+s`)

// Every message names the place of what happened, and each part of it once.
func TestMessages(t *testing.T) {
	var all strings.Builder
	for _, m := range append(markings(), combinations()...) {
		synctest.Test(t, func(t *testing.T) {
			ctx, cancel := context.WithTimeoutCause(t.Context(), time.Minute, errors.New("shift is over"))
			defer cancel()
			_, err := nested("p", m.stage).Run(ctx, m.in)
			if err == nil {
				t.Fatalf("%s: it does not fail", m.name)
			}
			outcome, _ := task.Classify(err)
			fmt.Fprintf(&all, "%s (%s)\n\t%s\n", m.name, outcome, strings.ReplaceAll(spread.ReplaceAllString(err.Error(), "$1…"), "\n", "\n\t"))
		})
	}
	golden(t, "messages.txt", all.String())
}
