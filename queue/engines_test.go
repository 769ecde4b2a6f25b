package queue_test

import (
	"context"
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/queue/memory"
	"github.com/plba/plba/queue/postgres"
	"github.com/plba/plba/queue/postgres/pgtest"
	"github.com/plba/plba/queue/sqlite"
	"github.com/plba/plba/task"
)

// thing is what goes through every engine.
type thing struct {
	Text string `json:"text,omitempty"`
	Data []byte `json:"data,omitempty"`
	Any  any    `json:"any,omitempty"`
}

const roomFor = 1000 // bytes of payload, in these tests

// oddities are things that not every store could keep, and what becomes of them, whatever the engine.
var oddities = map[string]struct {
	do   func(r *oddRig) string
	want string
}{
	"a payload of the size that is allowed": {publishing(thing{Text: strings.Repeat("x", roomFor-len(`{"text":""}`))}), "came: " + strings.Repeat("x", 5)},
	"a payload of one byte more":            {publishing(thing{Text: strings.Repeat("x", roomFor-len(`{"text":""}`)+1)}), "too large"},
	"NUL in a payload":                      {publishing(thing{Text: "a\x00b"}), "came: a\x00b"},
	"invalid UTF-8 in a payload":            {publishing(thing{Text: "a\xff\xc3b"}), "came: a\uFFFD\uFFFDb"},
	"bytes in a payload":                    {publishing(thing{Text: "b", Data: []byte{0, 0xff, '\'', '\\'}}), `came: b 00ff275c`},
	"a value that cannot be encoded":        {publishing(thing{Any: math.NaN()}), "queue things: queue_test.thing cannot be encoded: json: unsupported value: NaN"},
	"a type that cannot be encoded":         {publishing(thing{Any: make(chan int)}), "queue things: queue_test.thing cannot be encoded: json: unsupported type: chan int"},
	"NUL in metadata":                       {publishing(thing{}, queue.Metadata("a", "\x00")), "invalid"},
	"invalid UTF-8 in metadata":             {publishing(thing{}, queue.Metadata("a\xff", "b")), "invalid"},
	"too much metadata":                     {publishing(thing{}, queue.Metadata("a", strings.Repeat("x", queue.MaxMetadata))), "too large"},
	"NUL in a unique key":                   {publishing(thing{}, queue.UniqueKey("\x00")), "invalid"},
	"invalid UTF-8 in a unique key":         {publishing(thing{}, queue.UniqueKey("\xff")), "invalid"},
	"a long unique key":                     {publishing(thing{}, queue.UniqueKey(strings.Repeat("k", queue.MaxUniqueKey+1))), "too large"},
	"NUL in a group key":                    {publishing(thing{}, queue.GroupKey("\x00")), "invalid"},
	"invalid UTF-8 in a group key":          {publishing(thing{}, queue.GroupKey("\xff")), "invalid"},
	"odd characters in keys":                {publishing(thing{Text: "c"}, queue.UniqueKey("'\\%_\"\u2028"), queue.GroupKey("\x01\x7f"), queue.Metadata("\n", "'")), "came: c"},
	"an error with NUL and invalid UTF-8":   {failing("a\x00\xffb"), `"a\ufffd\ufffdb"`},
	"a checkpoint with NUL":                 {saving("p", "a\x00b"), `"a\x00b"`},
	"a checkpoint that cannot be encoded":   {saving("p", make(chan int)), "json: unsupported type: chan int"},
	"a checkpoint that is too large":        {saving("p", strings.Repeat("x", queue.MaxCheckpoint)), "too large"},
	"a checkpoint at a path with NUL":       {saving("a\x00b", "v"), "invalid"},
	"a checkpoint at a path of no text":     {saving("a\xffb", "v"), "invalid"},
	"an ID with NUL":                        {looking("\x00"), "not found, not found, 0 0 0 <nil>, invalid, 0 <nil>"},
	"an ID with invalid UTF-8":              {looking("\xff"), "not found, not found, 0 0 0 <nil>, invalid, 0 <nil>"},
}

// TestEnginesAgree puts oddities through the queue on every engine: each gives the same result.
func TestEnginesAgree(t *testing.T) {
	pg := postgres.Driver().Settings().(*postgres.Settings)
	pg.URL = pgtest.Start(t).Database(t)
	lite := sqlite.Driver().Settings().(*sqlite.Settings)
	lite.Path = filepath.Join(t.TempDir(), "queue.db")
	engines := []struct {
		driver   queue.Driver
		settings queue.Settings
	}{{memory.Driver(), memory.Driver().Settings()}, {sqlite.Driver(), lite}, {postgres.Driver(), pg}}
	looked := 0
	for _, on := range engines {
		t.Run(on.driver.Name(), func(t *testing.T) {
			e, err := on.driver.Open(t.Context(), queue.Opening{Queue: "things", Settings: on.settings})
			if err != nil {
				t.Fatal(err)
			}
			for name, odd := range oddities {
				looked++
				if got := odd.do(&oddRig{t, oddQueue(t, e)}); got != odd.want {
					t.Errorf("%s: %.200q, expected %q", name, got, odd.want)
				}
			}
			if err := e.Close(context.Background()); err != nil {
				t.Error(err)
			}
		})
	}
	if looked != 3*len(oddities) {
		t.Errorf("only %d oddities went through", looked)
	}
}

// oddRig is a queue on one of the engines.
type oddRig struct {
	*testing.T
	queue *queue.Queue[thing]
}

func oddQueue(t *testing.T, e queue.Engine) *queue.Queue[thing] {
	t.Helper()
	q, err := queue.For("things", queue.Spec[thing]{Requires: queue.Grouped})
	if err != nil {
		t.Fatal(err)
	}
	q.Bind(e, queue.Binding{MaxPayload: roomFor, Encode: true})
	return q
}

// receive claims the only task.
func (r *oddRig) receive() queue.Delivery[thing] {
	r.Helper()
	ctx, cancel := context.WithTimeout(r.Context(), time.Minute)
	defer cancel()
	ds, err := r.queue.Receive(ctx, 1, time.Minute)
	if err != nil {
		r.Fatal(err)
	}
	return ds[0]
}

// end ends it.
func (r *oddRig) end(d queue.Delivery[thing]) {
	r.Helper()
	if lost, err := r.queue.Complete(r.Context(), []queue.Completion{{Token: d.Token, Outcome: task.Done}}); err != nil || len(lost) > 0 {
		r.Errorf("lost %v, %v", lost, err)
	}
}

// publishing sends a value, and says how it came.
func publishing(v thing, opts ...queue.SendOption) func(r *oddRig) string {
	return func(r *oddRig) string {
		if _, err := r.queue.Send(r.Context(), v, opts...); err != nil {
			return kindOf(err)
		}
		d := r.receive()
		defer r.end(d)
		if d.Err != nil {
			return "came broken: " + d.Err.Error()
		}
		came := fmt.Sprintf("came: %.5s", d.Value.Text)
		if d.Value.Data != nil {
			came += fmt.Sprintf(" %x", d.Value.Data)
		}
		return came
	}
}

// failing lets an attempt fail, and gives the error that is kept.
func failing(cause string) func(r *oddRig) string {
	return func(r *oddRig) string {
		receipt, err := r.queue.Send(r.Context(), thing{})
		if err != nil {
			return kindOf(err)
		}
		if _, err := r.queue.Complete(r.Context(), []queue.Completion{{Token: r.receive().Token, Outcome: task.Retry, Counted: true, Cause: cause}}); err != nil {
			return kindOf(err)
		}
		defer r.end(r.receive())
		shown, err := r.queue.Task(r.Context(), receipt.ID)
		if err != nil || len(shown.Failures) != 1 {
			return fmt.Sprint(shown.Failures, err)
		}
		return fmt.Sprintf("%+q", shown.Failures[0].Error)
	}
}

// saving keeps a checkpoint, and gives what is loaded.
func saving(path string, v any) func(r *oddRig) string {
	return func(r *oddRig) string {
		if err := r.queue.Publish(r.Context(), thing{}); err != nil {
			return kindOf(err)
		}
		d := r.receive()
		defer r.end(d)
		kept := r.queue.Checkpoints(d.Token)
		if err := kept.Save(r.Context(), path, v); err != nil {
			return kindOf(err)
		}
		var got any
		found, err := kept.Load(r.Context(), path, &got)
		if err != nil || !found {
			return fmt.Sprint(found, err)
		}
		return fmt.Sprintf("%q", got)
	}
}

// looking asks for a task that cannot be there.
func looking(id string) func(r *oddRig) string {
	return func(r *oddRig) string {
		ctx := r.Context()
		_, shown := r.queue.Task(ctx, id)
		cancelled := r.queue.Cancel(ctx, id, "")
		var counts [3]int
		var faults []error
		for i, do := range []func(context.Context, queue.Selection) (int, error){r.queue.Requeue, r.queue.RunNow, r.queue.Purge} {
			n, err := do(ctx, queue.ByID(id))
			counts[i] = n
			faults = append(faults, err)
		}
		_, page := r.queue.Tasks(ctx, queue.Query{After: id})
		kept := r.queue.Checkpoints(queue.Token{ID: "nobody", Lease: 1})
		paths, listed := kept.List(ctx, id)
		return fmt.Sprintf("%s, %s, %d %d %d %v, %s, %d %v", kindOf(shown), kindOf(cancelled), counts[0], counts[1], counts[2], errors.Join(faults...), kindOf(page),
			len(paths), errors.Join(listed, kept.Forget(ctx, id)))
	}
}

// kindOf is what kind of an error it is, else its text.
func kindOf(err error) string {
	switch {
	case err == nil:
		return "no error"
	case errors.Is(err, queue.ErrTooLarge):
		return "too large"
	case errors.Is(err, queue.ErrInvalid):
		return "invalid"
	case errors.Is(err, queue.ErrNotFound):
		return "not found"
	case strings.Contains(err.Error(), "checkpoint"):
		_, cause, _ := strings.Cut(err.Error(), "cannot be encoded: ")
		return cause
	default:
		return err.Error()
	}
}
