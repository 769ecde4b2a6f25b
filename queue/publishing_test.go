package queue_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/plba/plba/queue"
)

// seen notes what a middleware sees, under a name.
func seen(log *[]string, name string) queue.PublishMiddleware[mail] {
	return func(next queue.PublishFunc[mail]) queue.PublishFunc[mail] {
		return func(ctx context.Context, b *queue.Batch[mail]) ([]queue.Receipt, error) {
			*log = append(*log, fmt.Sprintf("%s before %d", name, len(b.Items)))
			receipts, err := next(ctx, b)
			*log = append(*log, fmt.Sprintf("%s after %d, %v", name, len(receipts), err))
			return receipts, err
		}
	}
}

func TestPublishingMiddlewareGoesAround(t *testing.T) {
	var log []string
	q, s := bound(t, queue.Binding{}, queue.Spec[mail]{Publishing: []queue.PublishMiddleware[mail]{seen(&log, "outer"), seen(&log, "inner")}})
	want := func(when string, lines ...string) {
		t.Helper()
		if !slices.Equal(log, lines) {
			t.Errorf("%s: %q, want %q", when, log, lines)
		}
		log = nil
	}
	once := []string{"outer before 1", "inner before 1", "inner after 1, <nil>", "outer after 1, <nil>"}
	if err := q.Publish(t.Context(), mail{UID: 1}); err != nil {
		t.Fatal(err)
	}
	want("Publish", once...)
	if _, err := q.Send(t.Context(), mail{UID: 2}, queue.Priority(1)); err != nil {
		t.Fatal(err)
	}
	want("Send", once...)
	if _, err := q.TrySend(t.Context(), mail{UID: 3}); err != nil {
		t.Fatal(err)
	}
	want("TrySend", once...)
	if n, err := q.PublishAll(t.Context(), make([]mail, 1100)); n != 1100 || err != nil {
		t.Fatal(n, err)
	}
	want("PublishAll", "outer before 1000", "inner before 1000", "inner after 1000, <nil>", "outer after 1000, <nil>",
		"outer before 100", "inner before 100", "inner after 100, <nil>", "outer after 100, <nil>")
	if len(s.records) != 1103 {
		t.Errorf("%d records", len(s.records))
	}
}

// stamp changes the value, and appends an option that wins over the caller's.
func stamp(next queue.PublishFunc[mail]) queue.PublishFunc[mail] {
	return func(ctx context.Context, b *queue.Batch[mail]) ([]queue.Receipt, error) {
		for i := range b.Items {
			b.Items[i].Value.Account = strings.ToLower(b.Items[i].Value.Account)
			b.Items[i].Options = append(b.Items[i].Options, queue.Priority(7), queue.Metadata("tenant", "north"))
		}
		return next(ctx, b)
	}
}

func TestPublishingMiddlewareChanges(t *testing.T) {
	q, s := bound(t, queue.Binding{}, queue.Spec[mail]{
		Publishing: []queue.PublishMiddleware[mail]{stamp},
		Unique:     func(m mail) string { return m.Account },
	})
	opts := make([]queue.SendOption, 1, 8) // with room into which a careless append would write
	opts[0] = queue.Priority(1)
	for _, account := range []string{"SALES", "Info"} {
		if _, err := q.Send(t.Context(), mail{Account: account}, opts...); err != nil {
			t.Fatal(err)
		}
		r := s.last(t)
		if r.Info.Priority != 7 || r.Info.Metadata["tenant"] != "north" || r.Info.Unique != strings.ToLower(account) {
			t.Errorf("published as %+v", r)
		}
	}
	if opts[:2][1] != nil {
		t.Error("the middleware wrote into the caller's options")
	}
}

func TestPublishingMiddlewareRefuses(t *testing.T) {
	refused := errors.New("the account is closed")
	closed := func(next queue.PublishFunc[mail]) queue.PublishFunc[mail] {
		return func(ctx context.Context, b *queue.Batch[mail]) ([]queue.Receipt, error) {
			for _, i := range b.Items {
				if i.Value.Account == "closed" {
					return nil, refused
				}
			}
			return next(ctx, b)
		}
	}
	q, s := bound(t, queue.Binding{}, queue.Spec[mail]{Publishing: []queue.PublishMiddleware[mail]{closed}})
	wants(t, "Publish", q.Publish(t.Context(), mail{Account: "closed"}), refused, "queue mails: the account is closed")
	values := make([]mail, 1100)
	values[1099].Account = "closed"
	n, err := q.PublishAll(t.Context(), values)
	wants(t, "PublishAll", err, refused, "queue mails: the account is closed")
	if n != 1000 || len(s.records) != 1000 {
		t.Errorf("%d accepted, %d published; expected the first portion", n, len(s.records))
	}
}

// What a value's own fault says does not depend on middleware.
func TestFaultsBehindMiddleware(t *testing.T) {
	through := func(next queue.PublishFunc[mail]) queue.PublishFunc[mail] { return next }
	q, s := bound(t, queue.Binding{}, queue.Spec[mail]{
		Publishing: []queue.PublishMiddleware[mail]{through},
		Unique: func(m mail) string {
			if m.UID == 300 {
				return "\x00"
			}
			return ""
		}})
	values := make([]mail, 400)
	values[300].UID = 300
	n, err := q.PublishAll(t.Context(), values)
	if n != 300 || len(s.records) != 300 {
		t.Errorf("%d accepted, %d published", n, len(s.records))
	}
	wants(t, "PublishAll", err, queue.ErrInvalid, `queue mails: value 300 of 400: invalid: unique key "\x00": not UTF-8, or with a NUL`)
	wants(t, "Publish", q.Publish(t.Context(), values[300]), queue.ErrInvalid, `queue mails: invalid: unique key "\x00": not UTF-8, or with a NUL`)
}

func TestCarelessMiddleware(t *testing.T) {
	for name, c := range map[string]struct {
		careless queue.PublishMiddleware[mail]
		want     string
	}{
		"swallows": {func(queue.PublishFunc[mail]) queue.PublishFunc[mail] {
			return func(context.Context, *queue.Batch[mail]) ([]queue.Receipt, error) { return nil, nil }
		}, "gave 0 receipts for one task"},
		"another batch": {func(next queue.PublishFunc[mail]) queue.PublishFunc[mail] {
			return func(ctx context.Context, b *queue.Batch[mail]) ([]queue.Receipt, error) {
				return next(ctx, &queue.Batch[mail]{Items: b.Items})
			}
		}, "handed on a batch that it was not given"},
		"no batch": {func(next queue.PublishFunc[mail]) queue.PublishFunc[mail] {
			return func(ctx context.Context, _ *queue.Batch[mail]) ([]queue.Receipt, error) { return next(ctx, nil) }
		}, "handed on a batch that it was not given"},
		"nothing left": {func(next queue.PublishFunc[mail]) queue.PublishFunc[mail] {
			return func(ctx context.Context, b *queue.Batch[mail]) ([]queue.Receipt, error) {
				b.Items = nil
				return next(ctx, b)
			}
		}, "without items"},
	} {
		t.Run(name, func(t *testing.T) {
			q, s := bound(t, queue.Binding{}, queue.Spec[mail]{Publishing: []queue.PublishMiddleware[mail]{c.careless}})
			if err := q.Publish(t.Context(), mail{}); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("Publish: %v, want one that says %q", err, c.want)
			}
			if len(s.records) > 0 {
				t.Errorf("published all the same: %+v", s.records)
			}
		})
	}
}

func TestMiddlewareIsMadeOnce(t *testing.T) {
	var made, called atomic.Int64
	counting := func(next queue.PublishFunc[mail]) queue.PublishFunc[mail] {
		made.Add(1)
		return func(ctx context.Context, b *queue.Batch[mail]) ([]queue.Receipt, error) {
			called.Add(1)
			return next(ctx, b)
		}
	}
	q, _ := bound(t, queue.Binding{}, queue.Spec[mail]{Publishing: []queue.PublishMiddleware[mail]{counting}})
	for range 5 {
		if err := q.Publish(t.Context(), mail{}); err != nil {
			t.Fatal(err)
		}
	}
	if made.Load() != 1 || called.Load() != 5 {
		t.Errorf("made %d times, called %d times", made.Load(), called.Load())
	}
}

func TestPublishVia(t *testing.T) {
	var log []string
	q, s := bound(t, queue.Binding{Encode: true}, queue.Spec[mail]{Publishing: []queue.PublishMiddleware[mail]{seen(&log, "m")}})
	aborted := errors.New("transaction aborted")
	for _, fail := range []error{nil, aborted} {
		var got []queue.Record
		via := func(_ context.Context, e queue.Engine, rs []queue.Record) ([]queue.Receipt, error) {
			if e != queue.Engine(s) {
				t.Errorf("the engine is %v", e)
			}
			got = append(got, rs...)
			if fail != nil {
				return nil, fail
			}
			receipts := make([]queue.Receipt, len(rs))
			for i, r := range rs {
				receipts[i].ID = r.Info.ID
			}
			return receipts, nil
		}
		receipts, err := q.PublishVia(t.Context(), []mail{{UID: 1}, {UID: 2}}, []queue.SendOption{queue.Priority(3)}, via)
		if len(got) != 2 || got[1].Info.Priority != 3 || string(got[1].Payload.Bytes) != `{"Account":"","UID":2}` {
			t.Errorf("records %+v", got)
		}
		if fail != nil {
			wants(t, "PublishVia", err, aborted, "queue mails: transaction aborted")
		} else if err != nil || len(receipts) != 2 || receipts[0].ID != got[0].Info.ID {
			t.Errorf("PublishVia: %v, %v", receipts, err)
		}
	}
	if want := []string{"m before 2", "m after 2, <nil>", "m before 2", "m after 0, transaction aborted"}; !slices.Equal(log, want) {
		t.Errorf("the middleware saw %q", log)
	}
	if receipts, err := q.PublishVia(t.Context(), nil, nil, nil); receipts != nil || err != nil {
		t.Errorf("nothing: %v, %v", receipts, err)
	}
	if len(s.records) != 0 {
		t.Errorf("the engine was asked to publish %+v", s.records)
	}
}
