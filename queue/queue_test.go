package queue_test

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/trace/noop"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/queue/memory"
	"github.com/plba/plba/task"
)

func TestFor(t *testing.T) {
	q := made(t, "mails-2.in_box", queue.Spec[mail]{Requires: queue.Durable | queue.Checkpointed})
	if q.Name() != "mails-2.in_box" || q.Type() != reflect.TypeFor[mail]() || q.Requires() != queue.Durable|queue.Checkpointed {
		t.Errorf("%s, %s, %s", q.Name(), q.Type(), q.Requires())
	}
	q.Require(queue.ClusterWide|queue.Durable, "worker a")
	q.Require(queue.ClusterWide, "worker b")
	if got := q.Requires(); got != queue.Durable|queue.Checkpointed|queue.ClusterWide {
		t.Errorf("with what workers require: %s", got)
	}
	for c, want := range map[queue.Capabilities]string{
		queue.ClusterWide: "[worker a worker b]", queue.Durable: "[worker a]", queue.Checkpointed: "[]", queue.Checkpointed | queue.ClusterWide: "[worker a worker b]",
	} {
		if got := fmt.Sprint(q.RequiredBy(c)); got != want {
			t.Errorf("%s is required by %s, want %s", c, got, want)
		}
	}
}

func TestForFaults(t *testing.T) {
	type unsendable struct{ Done chan int }
	long := strings.Repeat("a", 101)
	rule := "a name has 1 to 100 characters of a-z, 0-9, _, . and -, and begins with a letter or a digit"
	for _, c := range []struct {
		name string
		make func() (any, error)
		want []string
	}{
		{"empty name", func() (any, error) { return queue.For[mail]("") }, []string{`queue "": ` + rule}},
		{"upper case", func() (any, error) { return queue.For[mail]("Mails") }, []string{`queue "Mails": ` + rule}},
		{"bad first letter", func() (any, error) { return queue.For[mail](".mails") }, []string{`queue ".mails": ` + rule}},
		{"a path", func() (any, error) { return queue.For[mail]("../mails") }, []string{rule}},
		{"too long", func() (any, error) { return queue.For[mail](long) }, []string{rule}},
		{"line break", func() (any, error) { return queue.For[mail]("a\nb") }, []string{`queue "a\nb": ` + rule}},
		{"two specs", func() (any, error) { return queue.For("mails", queue.Spec[mail]{}, queue.Spec[mail]{}) },
			[]string{"queue mails: 2 specs given, at most one is allowed"}},
		{"kind", func() (any, error) { return queue.For("mails", queue.Spec[mail]{Kind: "Mail v2"}) },
			[]string{`queue mails: Spec.Kind "Mail v2": ` + rule}},
		{"unique time", func() (any, error) { return queue.For("mails", queue.Spec[mail]{UniqueFor: -time.Second}) },
			[]string{"queue mails: Spec.UniqueFor is -1s: it must not be negative"}},
		{"type", func() (any, error) { return queue.For[unsendable]("mails") },
			[]string{"queue mails: unsendable.Done: chan int cannot be encoded as JSON"}},
		{"all at once", func() (any, error) {
			return queue.For("M", queue.Spec[unsendable]{Kind: "K", UniqueFor: -1}, queue.Spec[unsendable]{})
		}, []string{`queue "M"`, "2 specs", `Spec.Kind "K"`, "Spec.UniqueFor is -1ns", "unsendable.Done"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			q, err := c.make()
			if err == nil {
				t.Fatal("no fault")
			}
			for _, want := range c.want {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
			if reflect.ValueOf(q).IsNil() {
				t.Error("no queue to go on with")
			}
		})
	}
}

func TestNotOpen(t *testing.T) {
	q := made[mail](t, "mails")
	const text = "queue mails is not open: the runtime has not started it"
	check := func() {
		t.Helper()
		ctx := t.Context()
		wants(t, "Publish", q.Publish(ctx, mail{}), queue.ErrNotOpen, text)
		_, err := q.PublishAll(ctx, []mail{{}})
		wants(t, "PublishAll", err, queue.ErrNotOpen, text)
		_, err = q.PublishAll(ctx, nil)
		wants(t, "PublishAll of none", err, queue.ErrNotOpen, text)
		_, err = q.Send(ctx, mail{})
		wants(t, "Send", err, queue.ErrNotOpen, text)
		_, err = q.TrySend(ctx, mail{})
		wants(t, "TrySend", err, queue.ErrNotOpen, text)
		_, err = q.Stats(ctx)
		wants(t, "Stats", err, queue.ErrNotOpen, text)
		_, err = q.Tasks(ctx, queue.Query{})
		wants(t, "Tasks", err, queue.ErrNotOpen, text)
		_, err = q.Task(ctx, "x")
		wants(t, "Task", err, queue.ErrNotOpen, text)
		wants(t, "Cancel", q.Cancel(ctx, "x", ""), queue.ErrNotOpen, text)
		_, err = q.Requeue(ctx, queue.ByID("x"))
		wants(t, "Requeue", err, queue.ErrNotOpen, text)
		_, err = q.RunNow(ctx, queue.ByID("x"))
		wants(t, "RunNow", err, queue.ErrNotOpen, text)
		_, err = q.Purge(ctx, queue.ByID("x"))
		wants(t, "Purge", err, queue.ErrNotOpen, text)
		wants(t, "Pause", q.Pause(ctx), queue.ErrNotOpen, text)
		wants(t, "Resume", q.Resume(ctx), queue.ErrNotOpen, text)
		_, err = q.Receive(ctx, 1, time.Second)
		wants(t, "Receive", err, queue.ErrNotOpen, text)
		_, err = q.Renew(ctx, nil, time.Second)
		wants(t, "Renew", err, queue.ErrNotOpen, text)
		_, err = q.Complete(ctx, nil)
		wants(t, "Complete", err, queue.ErrNotOpen, text)
		c := q.Checkpoints(queue.Token{})
		_, err = c.Load(ctx, "a", new(int))
		wants(t, "Load", err, queue.ErrNotOpen, text)
		wants(t, "Save", c.Save(ctx, "a", 1), queue.ErrNotOpen, text)
		wants(t, "Forget", c.Forget(ctx, "a"), queue.ErrNotOpen, text)
		_, err = c.List(ctx, "")
		wants(t, "List", err, queue.ErrNotOpen, text)
	}
	check()
	if q.Unbind() != nil {
		t.Error("an engine out of nothing")
	}
	s := newSpy(t, 10)
	q.Bind(s, queue.Binding{})
	if err := q.Publish(t.Context(), mail{}); err != nil {
		t.Error(err)
	}
	if q.Unbind() != queue.Engine(s) {
		t.Error("Unbind does not return the engine")
	}
	check()
}

func TestEngineErrorsNameTheQueue(t *testing.T) {
	q, s := bound[mail](t, queue.Binding{})
	if err := s.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	ctx := t.Context()
	const text = "queue mails is closed"
	wants(t, "Publish", q.Publish(ctx, mail{}), queue.ErrClosed, text)
	_, err := q.PublishAll(ctx, []mail{{}})
	wants(t, "PublishAll", err, queue.ErrClosed, text)
	_, err = q.Stats(ctx)
	wants(t, "Stats", err, queue.ErrClosed, text)
	_, err = q.Tasks(ctx, queue.Query{})
	wants(t, "Tasks", err, queue.ErrClosed, text)
	wants(t, "Pause", q.Pause(ctx), queue.ErrClosed, text)
	_, err = q.Receive(ctx, 1, time.Second)
	wants(t, "Receive", err, queue.ErrClosed, text)
	_, err = q.Renew(ctx, nil, time.Second)
	wants(t, "Renew", err, queue.ErrClosed, text)
	_, err = q.Complete(ctx, nil)
	wants(t, "Complete", err, queue.ErrClosed, text)
	broken := errors.New("disk full")
	s.fail = broken
	wants(t, "a failing engine", q.Publish(ctx, mail{}), broken, "queue mails: disk full")
}

func TestTryResultWhenFull(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q, s := made[mail](t, "mails"), newSpy(t, 1)
		q.Bind(s, queue.Binding{})
		receipt, err := q.TrySend(t.Context(), mail{})
		if err != nil || receipt.ID == "" || receipt.Existing {
			t.Fatalf("%+v, %v", receipt, err)
		}
		_, err = q.TrySend(t.Context(), mail{})
		wants(t, "TrySend", err, queue.ErrFull, "queue mails is full: it holds as many unfinished tasks as its capacity allows")
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
		defer cancel()
		wants(t, "Publish", q.Publish(ctx, mail{}), context.DeadlineExceeded, "queue mails: waiting for room: context deadline exceeded")
	})
}

func TestAnEngineThatLosesCountIsAnError(t *testing.T) {
	q := made[mail](t, "mails")
	q.Bind(miscounting{newSpy(t, 10)}, queue.Binding{Tracer: noop.NewTracerProvider().Tracer("")})
	if err := q.Publish(t.Context(), mail{}); err == nil || err.Error() != "queue mails: the engine gave 0 receipts for one task" {
		t.Errorf("Publish: %v", err)
	}
	n, err := q.PublishAll(t.Context(), []mail{{}, {}})
	if n != 0 || err == nil || err.Error() != "queue mails: the engine gave 0 receipts for 2 tasks" {
		t.Errorf("PublishAll: %d, %v", n, err)
	}
}

type miscounting struct{ queue.Engine }

func (miscounting) Publish(context.Context, []queue.Record, bool) ([]queue.Receipt, error) {
	return nil, nil
}
func (miscounting) Checkpoints(queue.Token) task.Checkpoints { return nil }

func TestCheckpoints(t *testing.T) {
	q, _ := bound[mail](t, queue.Binding{})
	ctx := t.Context()
	if err := q.Publish(ctx, mail{}); err != nil {
		t.Fatal(err)
	}
	d := receiveOne(t, q)
	c := q.Checkpoints(d.Token)
	if err := c.Save(ctx, "parse", 7); err != nil {
		t.Fatal(err)
	}
	var got int
	if found, err := c.Load(ctx, "parse", &got); err != nil || !found || got != 7 {
		t.Errorf("Load: %d, %t, %v", got, found, err)
	}
	wants(t, "empty path", c.Save(ctx, "", 1), queue.ErrInvalid, `queue mails: invalid: checkpoint path ""`)
	wants(t, "NUL", c.Save(ctx, "a\x00", 1), queue.ErrInvalid, `queue mails: invalid: checkpoint path "a\x00"`)
	if _, err := q.Complete(ctx, []queue.Completion{{Token: d.Token}}); err != nil {
		t.Fatal(err)
	}
	wants(t, "late", c.Forget(ctx, ""), task.ErrLeaseLost, "queue mails: task "+d.ID+": lease lost")
	q.Bind(miscounting{newSpy(t, 10)}, queue.Binding{})
	if q.Checkpoints(d.Token) != nil {
		t.Error("checkpoints of an engine that has none")
	}
}

func TestHandle(t *testing.T) {
	var h queue.Handle = made[mail](t, "mails")
	engine, err := memory.Driver().Open(t.Context(), queue.Opening{Queue: h.Name(), Order: h.Order()})
	if err != nil {
		t.Fatal(err)
	}
	h.Bind(engine, queue.Binding{})
	s, err := h.Stats(t.Context())
	if err != nil || s.Capacity != 1000 || s.Unfinished() != 0 {
		t.Errorf("%+v, %v", s, err)
	}
	if err := h.Unbind().Close(t.Context()); err != nil {
		t.Error(err)
	}
}
