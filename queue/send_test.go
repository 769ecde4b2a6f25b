package queue_test

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/task"
)

func TestRecord(t *testing.T) {
	q, s := bound(t, queue.Binding{}, queue.Spec[mail]{
		Kind:      "mail-v2",
		Unique:    func(m mail) string { return fmt.Sprintf("%s/%d", m.Account, m.UID) },
		UniqueFor: time.Hour,
	})
	receipt, err := q.Send(t.Context(), mail{"sales", 7}, queue.Priority(3), queue.Metadata("tenant", "north"), queue.Metadata("day", "mon"))
	if err != nil {
		t.Fatal(err)
	}
	r := s.last(t)
	want := task.Info{ID: receipt.ID, Queue: "mails", Kind: "mail-v2", MaxAttempts: queue.MaxAttempts, Unique: "sales/7", Priority: 3}
	if !maps.Equal(r.Info.Metadata, map[string]string{"tenant": "north", "day": "mon"}) {
		t.Errorf("metadata %v", r.Info.Metadata)
	}
	if r.Info.Metadata = nil; fmt.Sprint(r.Info) != fmt.Sprint(want) {
		t.Errorf("info %+v\nwant %+v", r.Info, want)
	}
	if r.UniqueFor != time.Hour || r.Payload.Value != (mail{"sales", 7}) || r.Payload.Bytes != nil || r.Delay != 0 {
		t.Errorf("record %+v", r)
	}
	again, err := q.Send(t.Context(), mail{"sales", 7})
	if err != nil || !again.Existing || again.ID != receipt.ID {
		t.Errorf("the same value again: %+v, %v", again, err)
	}
}

func TestUniqueForOfOneTask(t *testing.T) {
	q, s := bound(t, queue.Binding{}, queue.Spec[mail]{UniqueFor: time.Hour})
	if _, err := q.Send(t.Context(), mail{}, queue.UniqueKey("k"), queue.UniqueFor(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if r := s.last(t); r.UniqueFor != time.Minute || r.Info.Unique != "k" {
		t.Errorf("record %+v", r)
	}
}

func TestSendOptions(t *testing.T) {
	when := time.Date(2030, 1, 2, 3, 4, 5, 0, time.UTC)
	for _, c := range []struct {
		name  string
		opts  []queue.SendOption
		delay time.Duration
		at    time.Time
		key   string
	}{
		{name: "none", key: "sales"},
		{name: "after", opts: []queue.SendOption{queue.After(time.Hour)}, delay: time.Hour, key: "sales"},
		{name: "after nothing", opts: []queue.SendOption{queue.After(-time.Hour)}, key: "sales"},
		{name: "at", opts: []queue.SendOption{queue.At(when)}, at: when, key: "sales"},
		{name: "the last wait counts: at", opts: []queue.SendOption{queue.After(time.Hour), queue.At(when)}, at: when, key: "sales"},
		{name: "the last wait counts: after", opts: []queue.SendOption{queue.At(when), queue.After(time.Hour)}, delay: time.Hour, key: "sales"},
		{name: "key", opts: []queue.SendOption{queue.UniqueKey("mine")}, key: "mine"},
		{name: "no key", opts: []queue.SendOption{queue.UniqueKey("")}},
	} {
		t.Run(c.name, func(t *testing.T) {
			q, s := bound(t, queue.Binding{}, queue.Spec[mail]{Unique: func(m mail) string { return m.Account }})
			if _, err := q.Send(t.Context(), mail{Account: "sales"}, c.opts...); err != nil {
				t.Fatal(err)
			}
			if r := s.last(t); r.Delay != c.delay || !r.Info.RunAt.Equal(c.at) || r.Info.Unique != c.key {
				t.Errorf("delay %s, at %s, key %q", r.Delay, r.Info.RunAt, r.Info.Unique)
			}
		})
	}
}

func TestRefusals(t *testing.T) {
	big := strings.Repeat("x", queue.MaxMetadata)
	for _, c := range []struct {
		name string
		opt  queue.SendOption
		want error
		text string
	}{
		{"priority too high", queue.Priority(101), queue.ErrInvalid, "queue mails: invalid: priority 101 is not between -100 and 100"},
		{"priority too low", queue.Priority(-101), queue.ErrInvalid, "queue mails: invalid: priority -101 is not between -100 and 100"},
		{"long key", queue.UniqueKey(strings.Repeat("k", 513)), queue.ErrTooLarge, "queue mails: too large: the unique key has 513 bytes, allowed are 512"},
		{"NUL in a key", queue.UniqueKey("a\x00"), queue.ErrInvalid, `queue mails: invalid: unique key "a\x00": not UTF-8, or with a NUL`},
		{"broken key", queue.UniqueKey("a\xff"), queue.ErrInvalid, `queue mails: invalid: unique key "a\xff": not UTF-8, or with a NUL`},
		{"key for a negative time", queue.UniqueFor(-time.Second), queue.ErrInvalid, "queue mails: invalid: a unique key cannot count for -1s"},
		{"metadata without a name", queue.Metadata("", "v"), queue.ErrInvalid, "queue mails: invalid: metadata with an empty key"},
		{"broken metadata name", queue.Metadata("\xff", "v"), queue.ErrInvalid, `queue mails: invalid: metadata key "\xff": not UTF-8, or with a NUL`},
		{"NUL in metadata", queue.Metadata("k", "a\x00"), queue.ErrInvalid, `queue mails: invalid: metadata "k": the value is not UTF-8, or has a NUL`},
		{"too much metadata", queue.Metadata("k", big), queue.ErrTooLarge, "queue mails: too large: the metadata has 16385 bytes, allowed are 16384"},
	} {
		t.Run(c.name, func(t *testing.T) {
			q, s := bound[mail](t, queue.Binding{})
			_, err := q.Send(t.Context(), mail{}, c.opt)
			wants(t, "Send", err, c.want, c.text)
			_, err = q.TrySend(t.Context(), mail{}, c.opt)
			wants(t, "TrySend", err, c.want, c.text)
			if len(s.records) != 0 {
				t.Errorf("published all the same: %+v", s.records)
			}
		})
	}
}

func TestJustAllowed(t *testing.T) {
	q, s := bound[mail](t, queue.Binding{})
	_, err := q.Send(t.Context(), mail{}, queue.Priority(-100), queue.UniqueKey(strings.Repeat("k", 512)),
		queue.Metadata("k", strings.Repeat("x", queue.MaxMetadata-1)))
	if err != nil {
		t.Fatal(err)
	}
	if r := s.last(t); len(r.Info.Metadata["k"]) != queue.MaxMetadata-1 {
		t.Errorf("metadata was cut to %d", len(r.Info.Metadata["k"]))
	}
}

func TestTraceHeadersInMetadata(t *testing.T) {
	const good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	q, s := bound[mail](t, queue.Binding{})
	_, err := q.Send(t.Context(), mail{}, queue.Metadata("traceparent", good), queue.Metadata("TraceState", "a=b\r\nx: y"),
		queue.Metadata("tracestate", strings.Repeat("x", 513)), queue.Metadata("baggage", strings.Repeat("b", 512)),
		queue.Metadata("note", "two\r\nlines"))
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"traceparent": good, "baggage": strings.Repeat("b", 512), "note": "two\r\nlines"}
	if got := s.last(t).Info.Metadata; !maps.Equal(got, want) {
		t.Errorf("metadata %q", slices.Sorted(maps.Keys(got)))
	}
}

func TestPayloadSize(t *testing.T) {
	q, s := bound[string](t, queue.Binding{Encode: true, MaxPayload: 10})
	if err := q.Publish(t.Context(), "12345678"); err != nil {
		t.Fatal(err)
	}
	if got := string(s.last(t).Payload.Bytes); got != `"12345678"` {
		t.Errorf("payload %s", got)
	}
	wants(t, "Publish", q.Publish(t.Context(), "123456789"), queue.ErrTooLarge,
		"queue mails: too large: the encoded string has 11 bytes, allowed are 10; keep large things elsewhere and publish a reference")
	q, _ = bound[string](t, queue.Binding{Encode: true})
	if err := q.Publish(t.Context(), strings.Repeat("x", queue.MaxPayload-2)); err != nil {
		t.Error(err)
	}
	if err := q.Publish(t.Context(), strings.Repeat("x", queue.MaxPayload-1)); !errors.Is(err, queue.ErrTooLarge) {
		t.Errorf("one byte too many: %v", err)
	}
}

func TestUnencodableValue(t *testing.T) {
	q, _ := bound[any](t, queue.Binding{Encode: true})
	err := q.Publish(t.Context(), any(make(chan int)))
	if err == nil || !strings.HasPrefix(err.Error(), "queue mails: chan int cannot be encoded: json: unsupported type") {
		t.Errorf("%v", err)
	}
}

func TestPublishAll(t *testing.T) {
	q, s := bound[mail](t, queue.Binding{})
	values := make([]mail, 2400)
	for i := range values {
		values[i].UID = uint32(i)
	}
	n, err := q.PublishAll(t.Context(), values)
	if n != 2400 || err != nil {
		t.Fatalf("%d, %v", n, err)
	}
	if s.calls != 3 {
		t.Errorf("%d chunks for 2400 tasks, expected 3", s.calls)
	}
	for i, r := range s.records {
		if r.Payload.Value != values[i] {
			t.Fatalf("record %d is %+v", i, r.Payload.Value)
		}
	}
	if n, err := q.PublishAll(t.Context(), nil); n != 0 || err != nil || s.calls != 3 {
		t.Errorf("none: %d, %v, %d calls", n, err, s.calls)
	}
}

func TestPublishAllSplitsLargeChunks(t *testing.T) {
	q, s := bound[string](t, queue.Binding{Encode: true})
	values := slices.Repeat([]string{strings.Repeat("x", 900<<10)}, 12)
	if n, err := q.PublishAll(t.Context(), values); n != 12 || err != nil {
		t.Fatalf("%d, %v", n, err)
	}
	if s.calls < 2 || s.calls > 4 {
		t.Errorf("%d chunks for 11 MB", s.calls)
	}
}

func TestPublishAllStopsAtABadValue(t *testing.T) {
	q, s := bound(t, queue.Binding{}, queue.Spec[mail]{Unique: func(m mail) string {
		if m.UID == 300 {
			return "\x00"
		}
		return ""
	}})
	values := make([]mail, 400)
	for i := range values {
		values[i].UID = uint32(i)
	}
	n, err := q.PublishAll(t.Context(), values)
	if n != 300 || len(s.records) != 300 {
		t.Errorf("%d accepted, %d published, expected those before the bad one", n, len(s.records))
	}
	wants(t, "PublishAll", err, queue.ErrInvalid, `queue mails: value 300 of 400: invalid: unique key "\x00": not UTF-8, or with a NUL`)
}

func TestPublishAllCountsWhatWasAccepted(t *testing.T) {
	q, s := made[mail](t, "mails"), newSpy(t, 5)
	q.Bind(s, queue.Binding{})
	ctx, cancel := context.WithTimeout(t.Context(), 10*time.Millisecond)
	defer cancel()
	n, err := q.PublishAll(ctx, make([]mail, 8))
	if n != 5 {
		t.Errorf("%d accepted, there was room for 5", n)
	}
	wants(t, "PublishAll", err, context.DeadlineExceeded, "queue mails: waiting for room: context deadline exceeded")
}

func TestIDsSortByTime(t *testing.T) {
	q, s := bound[mail](t, queue.Binding{})
	if _, err := q.PublishAll(t.Context(), make([]mail, 500)); err != nil {
		t.Fatal(err)
	}
	ids := make([]string, len(s.records))
	for i, r := range s.records {
		ids[i] = r.Info.ID
	}
	if !slices.IsSorted(ids) || len(slices.Compact(ids)) != 500 || len(ids[0]) != 36 || ids[0][14] != '7' {
		t.Errorf("IDs are not sorted, unique UUIDs of version 7: %v …", ids[:3])
	}
}
