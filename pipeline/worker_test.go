package pipeline_test

import (
	"context"
	"fmt"
	"strings"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plba/plba"
	"github.com/plba/plba/pipeline"
	"github.com/plba/plba/plbatest"
	"github.com/plba/plba/queue"
	"github.com/plba/plba/task"
	"github.com/plba/plba/workers"
)

// application is a module of one queue, one pipeline and one worker.
type application struct {
	build   func() *pipeline.Builder[int, int]
	stream  map[string]int // nil: run mode
	options []workers.ConsumeOption
}

func (application) Name() string { return "test" }

func (a application) Register(r *plba.Registry) error {
	q := plba.Queue(r, "numbers", queue.Spec[int]{})
	p := plba.Pipeline(r, a.build())
	if a.stream != nil {
		p = p.Streamed(a.stream, 2)
	}
	r.Worker(workers.Consume("w", q, p, a.options...))
	return nil
}

// bothModes runs the test in run mode and in stream mode.
func bothModes(t *testing.T, test func(t *testing.T, stream map[string]int)) {
	for name, stream := range map[string]map[string]int{"run mode": nil, "stream mode": {}} {
		t.Run(name, func(t *testing.T) { synctest.Test(t, func(t *testing.T) { test(t, stream) }) })
	}
}

func TestTaskGoesOnFromItsCheckpoints(t *testing.T) {
	bothModes(t, func(t *testing.T, stream map[string]int) {
		var d diary
		fails := 2
		app := plbatest.Start(t, application{func() *pipeline.Builder[int, int] {
			return pipeline.New[int, int]("p").
				Stage(d.doing("a")).
				Stage(d.noted("b", nil).Checkpoint()).
				Stage(pipeline.Tap("c", func(context.Context, int) error {
					if fails--; fails >= 0 {
						return errAway
					}
					return nil
				}))
		}, stream, nil})
		if res := plbatest.Feed(app, "numbers", 1); res.Outcome != task.Done || res.Attempts != 3 {
			t.Errorf("%+v", res)
		}
		d.want(t, "a(1)", "b(2)")
	})
}

func TestTaskThatIsGivenUpIsUndone(t *testing.T) {
	bothModes(t, func(t *testing.T, stream map[string]int) {
		var d diary
		refusals := 2
		app := plbatest.Start(t, application{func() *pipeline.Builder[int, int] {
			return pipeline.New[int, int]("p").
				Stage(d.doing("a")).
				Stage(d.noted("b", nil).Compensate(func(_ context.Context, in, out int, cause error) error {
					d.note("undo b(%d)=%d: %v", in, out, cause)
					if refusals--; refusals >= 0 {
						return errAway
					}
					return nil
				})).
				Stage(d.doing("c")).
				Stage(fails("end", task.Permanent(errDeclined)))
		}, stream, nil})
		if res := plbatest.Feed(app, "numbers", 1); res.Outcome != task.Dead {
			t.Errorf("%+v", res)
		}
		cause := "p/end: card declined"
		b := "undo b(2)=3: " + cause
		d.want(t, "a(1)", "b(2)", "c(3)", "undo c(3)=4: "+cause, b, b, b, "undo a(1)=2: "+cause)
	})
}

func TestWorkersConcurrencyFillsItsBatches(t *testing.T) {
	bothModes(t, func(t *testing.T, stream map[string]int) {
		var b batches
		if stream != nil {
			stream = map[string]int{"b": 8}
		}
		var last atomic.Int64
		app := plbatest.Start(t, application{func() *pipeline.Builder[int, int] {
			return pipeline.New[int, int]("p").Stage(pipeline.Batch("b", 4, time.Hour, b.do)).
				Stage(pipeline.Tap("c", func(context.Context, int) error { last.Store(time.Now().UnixNano()); return nil }))
		}, stream, []workers.ConsumeOption{workers.Concurrency(4)}})
		h, _ := app.QueueHandle("numbers")
		q := h.(*queue.Queue[int])
		for v := range 10 {
			if err := q.Publish(t.Context(), v); err != nil {
				t.Fatal(err)
			}
		}
		began := time.Now()
		synctest.Wait()
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		sizes := make([]string, len(b.seen))
		for i, batch := range b.seen {
			sizes[i] = fmt.Sprint(len(batch))
		}
		if got := strings.Join(sizes, " "); got != "4 4 2" {
			t.Errorf("batches of %s", got)
		}
		for i, at := range b.at {
			if waited := at.Sub(began); waited != 0 && i < 2 || i == 2 && waited != time.Hour {
				t.Errorf("batch %d waited for %s", i, waited)
			}
		}
		if last.Load() != began.Add(time.Hour).UnixNano() {
			t.Error("not all of them have come through")
		}
	})
}

func TestWorkerRefusesWhatItsPipelineCannotDo(t *testing.T) {
	for name, c := range map[string]struct {
		stream map[string]int
		want   string
	}{
		"batch":  {nil, `batch "p/b" gathers 4 items, and 3 slots never bring so many at once`},
		"stream": {map[string]int{"none": 1}, `stream mode: it has no stage "none" (its stages are b)`},
	} {
		t.Run(name, func(t *testing.T) {
			var b batches
			_, err := plba.New(application{func() *pipeline.Builder[int, int] {
				return pipeline.New[int, int]("p").Stage(pipeline.Batch("b", 4, time.Hour, b.do))
			}, c.stream, []workers.ConsumeOption{workers.Concurrency(3)}}, plba.WithoutControlListener())
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %v, want %s", err, c.want)
			}
		})
	}
}
