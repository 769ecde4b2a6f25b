package control_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plba/plba/control"
	"github.com/plba/plba/pipeline"
	"github.com/plba/plba/queue"
	"github.com/plba/plba/runtime"
	"github.com/plba/plba/task"
	"github.com/plba/plba/workers"
)

// intake is an application's part whose pipeline has stages at every depth: refused when negative, wholesale from 100 on.
type intake struct {
	orders  *queue.Queue[int]
	storing chan int      // 7 has arrived at the last stage
	hold    chan struct{} // and waits there
}

func (i *intake) pipeline() *pipeline.Pipeline[int, pipeline.Done] {
	tries := 0
	rebate := pipeline.New[int, int]("rebate").
		Stage(pipeline.Map("ask", func(_ context.Context, v int) (int, error) {
			switch tries++; {
			case v == 500:
				return 0, task.Permanent(errors.New("no such customer"))
			case tries == 1:
				return 0, errors.New("no answer")
			}
			return v, nil
		}).Retry(2, func(int) time.Duration { return 0 })).MustBuild()
	wholesale := pipeline.New[int, int]("wholesale").Stage(rebate).MustBuild()
	return pipeline.New[int, pipeline.Done]("intake").
		Stage(pipeline.Validate("check", func(_ context.Context, v int) error {
			if v < 0 {
				return errors.New("negative")
			}
			return nil
		}, pipeline.Sink("refuse", func(context.Context, pipeline.Rejected[int]) error { return nil }))).
		Stage(pipeline.Switch("size", func(v int) bool { return v >= 100 }, pipeline.On(true, wholesale)).
			Otherwise(pipeline.Pure("retail", func(v int) int { return v }))).
		Stage(pipeline.Pure("split", func(v int) []int { return []int{v, v + 1} })).
		Stage(pipeline.Each("lines", pipeline.Pure("price", func(v int) int { return 2 * v }))).
		Stage(pipeline.Sink("store", func(ctx context.Context, all []int) error {
			if all[0] != 14 {
				return nil
			}
			i.storing <- 7
			select {
			case <-i.hold:
				return nil
			case <-ctx.Done():
				return context.Cause(ctx)
			}
		})).MustBuild()
}

func (i *intake) register(r *runtime.Registry) {
	i.orders = runtime.QueueOf[int](r, "orders")
	p := i.pipeline()
	r.Extend(runtime.PipelineKey, p)
	r.Worker(workers.Consume("intake", i.orders, p))
}

// counts spells what is shown of every node: in flight, done, failed, dropped, retried.
func counts(d control.PipelineDetail) map[string]string {
	all := map[string]string{}
	for _, n := range d.Nodes {
		c := n.Counters
		all[n.ID] = fmt.Sprint(c.InFlight, c.Done, c.Failed, c.Dropped, c.Retried)
	}
	return all
}

// What an operator sees of a pipeline at work, at every depth and on every way.
func TestCountersOfAPipeline(t *testing.T) {
	i := &intake{storing: make(chan int, 1), hold: make(chan struct{})}
	b := newBot()
	b.more = i.register
	path := filepath.Join(t.TempDir(), "control.sock")
	settings := withTokens()
	settings["platform.control.socket.path"], settings["platform.control.socket.role"] = path, "viewer"
	p := planeOf(t, b, settings)
	if err := p.app.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	ways := map[string]way{"http": overHTTP{p}, "socket": dialSocket(t, path)}
	for _, v := range []int{-1, 1, 100, 500, 7} { // one after the other: the worker has one slot
		if err := i.orders.Publish(t.Context(), v); err != nil {
			t.Fatal(err)
		}
	}
	<-i.storing
	held := map[string]string{
		"intake": "1 2 1 1 0", "intake/check": "0 4 0 1 0", "intake/check/refuse": "0 1 0 0 0",
		"intake/size": "0 3 1 0 0", "intake/size/wholesale": "0 1 1 0 0", "intake/size/wholesale/rebate": "0 1 1 0 0",
		"intake/size/wholesale/rebate/ask": "0 1 1 0 1", "intake/size/retail": "0 2 0 0 0",
		"intake/split": "0 3 0 0 0", "intake/lines": "0 3 0 0 0", "intake/lines/price": "0 6 0 0 0", "intake/store": "1 2 0 0 0",
	}
	for name, way := range ways {
		t.Run(name, func(t *testing.T) {
			c := conversation{t, p, way}
			detail := gets[control.PipelineDetail](c, viewerToken, "getPipeline", in{"name": "intake"})
			if got := counts(detail); !maps.Equal(got, held) {
				t.Errorf("%v\nwant %v", got, held)
			}
			if len(detail.Edges) != 11 || detail.In != "int" || detail.Nodes[0].Kind != "pipeline" {
				t.Errorf("%+v", detail)
			}
			list := gets[control.PipelineList](c, viewerToken, "listPipelines", nil).Pipelines
			if len(list) != 2 || list[1].Name != "intake" || list[1].Stages != 11 || list[1].Counters != detail.Nodes[0].Counters {
				t.Errorf("%+v", list)
			}
			ask := slices.IndexFunc(detail.Nodes, func(n control.PipelineNode) bool { return n.Name == "ask" })
			if c := detail.Nodes[ask].Counters; c.TimedRuns < 1 || c.TimedRuns > 2 || c.TimedSeconds <= 0 || c.MeanSeconds <= 0 || c.MeanSeconds > c.TimedSeconds {
				t.Errorf("%+v", c)
			}
			c.refused("not_found", viewerToken, "getPipeline", in{"name": "intakes"})
		})
	}
	drawing := string(p.get("/api/v1/pipelines/intake?format=mermaid", bearer(viewerToken)).body)
	for _, want := range []string{`["store<br/>sink<br/>1 in flight, 2 done, `, `["ask<br/>map<br/>retry 2<br/>1 done, 1 failed, 1 retried, `, `["intake, pipeline, 1 in flight, 2 done, 1 failed, 1 dropped, `} {
		if !strings.Contains(drawing, want) {
			t.Errorf("the drawing lacks %s:\n%s", want, drawing)
		}
	}
	close(i.hold)
	held["intake"], held["intake/store"] = "0 3 1 1 0", "0 3 0 0 0"
	c := conversation{t, p, ways["http"]}
	eventually(t, "the last run has ended", func() bool {
		return maps.Equal(counts(gets[control.PipelineDetail](c, viewerToken, "getPipeline", in{"name": "intake"})), held)
	})
}
