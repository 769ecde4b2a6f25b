package pipeline_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/plba/plba"
	"github.com/plba/plba/pipeline"
	"github.com/plba/plba/plbatest"
	"github.com/plba/plba/queue"
	"github.com/plba/plba/queue/memory"
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

// consume starts a worker of so many slots on a memory queue.
func consume(t *testing.T, p *pipeline.Pipeline[int, int], slots int) *queue.Queue[int] {
	t.Helper()
	q, err := queue.For[int]("numbers")
	if err != nil {
		t.Fatal(err)
	}
	e, err := memory.Driver().Open(t.Context(), queue.Opening{Queue: "numbers"})
	if err != nil {
		t.Fatal(err)
	}
	q.Bind(e, queue.Binding{})
	w := workers.Consume("w", q, p, workers.Concurrency(slots))
	if err := w.(workers.Equipped).Equip(workers.Env{}); err != nil {
		t.Fatal(err)
	}
	if err := w.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		w.Stop(context.Background(), context.Background())
		_ = e.Close(context.Background())
	})
	return q
}

func TestSlotsOfAWorkerFillBatches(t *testing.T) {
	bothModes(t, func(t *testing.T, stream map[string]int) {
		var b batches
		var last time.Time
		p := pipeline.New[int, int]("p").
			Stage(pipeline.Batch("b", 4, time.Hour, b.do)).
			Stage(pipeline.Tap("c", func(context.Context, int) error { last = time.Now(); return nil }).Limit(1)).
			MustBuild()
		if stream != nil {
			p = p.Streamed(map[string]int{"b": 8}, 2)
		}
		q, began := consume(t, p, 4), time.Now()
		for v := range 10 {
			if err := q.Publish(t.Context(), v); err != nil {
				t.Fatal(err)
			}
		}
		time.Sleep(2 * time.Hour)
		synctest.Wait()
		var got []string
		full, items := 0, 0
		for i, batch := range b.seen {
			items += len(batch)
			if after := b.at[i].Sub(began); after == 0 {
				full++
			}
			got = append(got, fmt.Sprintf("%d after %s", len(batch), b.at[i].Sub(began)))
		}
		// A task that parks after its batch was claimed may let the next one go with three; none waits for the timer but the last.
		if len(got) != 3 || full != 2 || items != 10 || len(b.seen[0]) != 4 {
			t.Errorf("batches of %s", strings.Join(got, ", "))
		}
		if took := last.Sub(began); took != time.Hour {
			t.Errorf("the last one came through after %s", took)
		}
	})
}

func TestBatchesOfTestTasksRunAtOnce(t *testing.T) {
	bothModes(t, func(t *testing.T, stream map[string]int) {
		var b batches
		if stream != nil {
			stream = map[string]int{"b": 4}
		}
		app := plbatest.Start(t, application{func() *pipeline.Builder[int, int] {
			return pipeline.New[int, int]("p").Stage(pipeline.Batch("b", 4, time.Hour, b.do))
		}, stream, []workers.ConsumeOption{workers.Concurrency(4)}})
		began := time.Now()
		if res := plbatest.Feed(app, "numbers", 1); res.Outcome != task.Done || time.Since(began) != 0 {
			t.Errorf("after %s: %+v", time.Since(began), res)
		}
		b.want(t, []int{1})
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
