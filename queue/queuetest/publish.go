package queuetest

import (
	"context"
	"errors"
	"maps"
	"strings"
	"time"

	"github.com/plba/plba/queue"
)

func publishTests() []test {
	return []test{
		{"everything arrives", 1, publishEverything},
		{"many at once keep their order", 100, publishMany},
		{"none", 0, publishNone},
		{"no context, no task", 1, publishCancelled},
		{"awkward text", 3, publishAwkward},
		{"large payload", 1, publishLarge},
		{"the publisher's slice is its own again", 2, publishReused},
	}
}

func publishEverything(r *rig) {
	rec := r.record(priority(7), attempts(3), unique("key-1"))
	rec.Info.Metadata = map[string]string{"tenant": "north", "traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"}
	want := maps.Clone(rec.Info.Metadata)
	receipts := r.publishRecords(rec)
	if receipts[0].Existing {
		r.Errorf("the receipt of a new task says that it existed")
	}
	l := r.task(rec.Info.ID, ample)
	i := l.Info
	if i.Queue != "tests" || i.Kind != "test" || i.Attempt != 1 || i.MaxAttempts != 3 || i.Priority != 7 || i.Unique != "key-1" || i.Undo {
		r.Errorf("the task arrived as %+v", i)
	}
	if !maps.Equal(i.Metadata, want) {
		r.Errorf("metadata %v, published was %v", i.Metadata, want)
	}
	if i.EnqueuedAt.IsZero() || i.RunAt.IsZero() || i.RunAt.Before(i.EnqueuedAt) {
		r.Errorf("enqueued at %s, due at %s: both are to be set, in this order", i.EnqueuedAt, i.RunAt)
	}
	if got, want := textOf(l.Payload), textOf(rec.Payload); got != want {
		r.Errorf("payload %q, published was %q", got, want)
	}
	if in := r.caps.Missing(queue.InProcess) == 0; (l.Payload.Value != nil) != in || (l.Payload.Bytes != nil) == in {
		r.Errorf("payload %+v does not travel as the engine's capabilities say", l.Payload)
	}
}

func publishMany(r *rig) {
	ids := r.publishN(100)
	r.counts("after 100", queue.Stats{Ready: 100})
	for got := 0; got < len(ids); {
		for _, l := range r.receive(7, ample) {
			if l.ID != ids[got] {
				r.Fatalf("task number %d is %s, expected %s", got, l.ID, ids[got])
			}
			got++
		}
	}
}

func publishNone(r *rig) {
	for _, wait := range []bool{true, false} {
		if receipts, err := r.engine.Publish(r.Context(), nil, wait); len(receipts) != 0 || err != nil {
			r.Errorf("Publish of no records: %v, %v", receipts, err)
		}
	}
	r.counts("after nothing", queue.Stats{})
}

func publishCancelled(r *rig) {
	ctx, cancel := context.WithCancel(r.Context())
	cancel()
	receipts, err := r.engine.Publish(ctx, r.records(3), true)
	if len(receipts) != 0 || !errors.Is(err, context.Canceled) {
		r.Errorf("Publish with a cancelled context: %v, %v; expected no receipts and the context's error", receipts, err)
	}
	r.counts("after a cancelled publish", queue.Stats{})
	r.task(r.publish(), ample)
}

func publishAwkward(r *rig) {
	metadata := map[string]string{
		"line breaks": "a\r\nb", "ключ": "значение — 値", "empty": "", "quotes": `'"\;--`, "long": strings.Repeat("x", 15<<10),
	}
	for _, text := range []string{`""`, `"NUL \u0000, quote ' and backslash \\"`, "\"raw NUL \x00 and a broken \xff byte\""} {
		rec := r.record()
		rec.Payload = r.payload(text)
		rec.Info.Metadata = maps.Clone(metadata)
		r.publishRecords(rec)
		l := r.one(ample)
		if got := textOf(l.Payload); got != text {
			r.Errorf("payload %q, published was %q", got, text)
		}
		if !maps.Equal(l.Info.Metadata, metadata) {
			r.Errorf("metadata differs: %.300q, published was %.300q", l.Info.Metadata, metadata)
		}
		r.complete(done(l.Token))
	}
}

func publishLarge(r *rig) {
	rec := r.record()
	rec.Payload = r.payload(`"` + strings.Repeat("x", queue.MaxPayload-2) + `"`)
	r.publishRecords(rec)
	if got, want := textOf(r.one(ample).Payload), textOf(rec.Payload); got != want {
		r.Errorf("a payload of %d bytes arrived with %d, or changed", len(want), len(got))
	}
}

// publishReused writes over the slice that was published, as a publisher with a buffer does.
func publishReused(r *rig) {
	rs := r.records(2)
	ids := []string{rs[0].Info.ID, rs[1].Info.ID}
	r.publishRecords(rs...)
	clear(rs)
	for _, id := range ids {
		if l := r.task(id, ample); l.Info.EnqueuedAt.After(time.Now().Add(time.Hour)) || textOf(l.Payload) == "" {
			r.Errorf("task %s arrived as %+v", id, l)
		}
	}
}
