package queuetest

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/plba/plba/queue"
)

// typedTests go through a queue.Queue, as applications do.
func typedTests() []test {
	return []test{
		{"values come back", 4, typedValues},
		{"too large, by the settings", 1, typedLarge},
		{"what cannot be published", 1, typedRefused},
		{"many, and one of them is bad", 300, typedMany},
		{"older kinds", 2, typedKinds},
		{"keys and groups of values", 3, typedKeys},
		{"errors of any text", 1, typedCauses},
		{"shown to people", 2, typedShown},
		{"middleware", 3, typedMiddleware},
	}
}

// letter is what the queue of these tests carries.
type letter struct {
	To   string         `json:"to"`
	Text string         `json:"text,omitempty"`
	More map[string]any `json:"more,omitempty"`
}

// letters makes a queue over the engine.
func (r *rig) letters(spec queue.Spec[letter]) *queue.Queue[letter] {
	r.Helper()
	q, err := queue.For("tests", spec)
	if err != nil {
		r.Fatalf("For: %v", err)
	}
	q.Bind(r.engine, queue.Binding{
		MaxPayload: r.opening.Settings.Limits().PayloadLimit(), Encode: r.caps.Missing(queue.InProcess) != 0,
	})
	return q
}

// letter claims one.
func (r *rig) letter(q *queue.Queue[letter]) queue.Delivery[letter] {
	r.Helper()
	ctx, cancel := r.patient()
	defer cancel()
	ds, err := q.Receive(ctx, 1, ample)
	if err != nil || len(ds) != 1 {
		r.Fatalf("Receive: %d deliveries, %v", len(ds), err)
	}
	return ds[0]
}

func typedValues(r *rig) {
	q := r.letters(queue.Spec[letter]{})
	for _, v := range []letter{
		{}, {To: "a", Text: "NUL \x00, quote ', backslash \\, line\r\nbreak"}, {To: "ключ", Text: "値 🙂 \u2028"},
		{To: "b", More: map[string]any{"deep": []any{"x", true, nil, map[string]any{"": "empty key"}}}},
	} {
		if err := q.Publish(r.Context(), v); err != nil {
			r.Fatalf("Publish %+v: %v", v, err)
		}
		d := r.letter(q)
		if d.Err != nil || fmt.Sprintf("%q", fmt.Sprint(d.Value)) != fmt.Sprintf("%q", fmt.Sprint(v)) {
			r.Errorf("%q came as %q, %v", fmt.Sprint(v), fmt.Sprint(d.Value), d.Err)
		}
	}
}

func typedLarge(r *rig) {
	r.tune(func(_ *queue.Opening, c *queue.Common) { c.MaxPayload = 1000 })
	q := r.letters(queue.Spec[letter]{})
	err := q.Publish(r.Context(), letter{Text: strings.Repeat("x", 2000)})
	if encoded := r.caps.Missing(queue.InProcess) != 0; errors.Is(err, queue.ErrTooLarge) != encoded {
		r.Errorf("Publish of 2000 bytes, allowed are 1000: %v; encoded: %t", err, encoded)
	}
	if err == nil {
		r.letter(q)
	}
	if err := q.Publish(r.Context(), letter{Text: strings.Repeat("x", 900)}); err != nil {
		r.Errorf("Publish of 900 bytes: %v", err)
	}
	if d := r.letter(q); d.Err != nil || len(d.Value.Text) != 900 {
		r.Errorf("it came with %d bytes, %v", len(d.Value.Text), d.Err)
	}
}

func typedRefused(r *rig) {
	q := r.letters(queue.Spec[letter]{Requires: queue.Grouped})
	long := strings.Repeat("k", 600)
	for name, opt := range map[string]queue.SendOption{
		"NUL in a unique key": queue.UniqueKey("a\x00"), "broken unique key": queue.UniqueKey("a\xff"), "long unique key": queue.UniqueKey(long),
		"NUL in a group key": queue.GroupKey("a\x00"), "long group key": queue.GroupKey(long), "NUL in metadata": queue.Metadata("a", "b\x00"),
		"large metadata": queue.Metadata("a", strings.Repeat("x", queue.MaxMetadata)), "priority": queue.Priority(queue.MaxPriority + 1),
	} {
		if _, err := q.Send(r.Context(), letter{}, opt); !errors.Is(err, queue.ErrInvalid) && !errors.Is(err, queue.ErrTooLarge) {
			r.Errorf("%s: %v, expected a refusal", name, err)
		}
	}
	r.counts("all were refused", queue.Stats{})
	key := strings.Repeat("ä", queue.MaxUniqueKey/2)
	if _, err := q.Send(r.Context(), letter{}, queue.UniqueKey(key), queue.Priority(-queue.MaxPriority)); err != nil {
		r.Errorf("what is just allowed: %v", err)
	}
	if d := r.letter(q); d.Info.Unique != key {
		r.Errorf("the unique key came as %q", d.Info.Unique)
	}
}

func typedMany(r *rig) {
	r.tune(func(_ *queue.Opening, c *queue.Common) { c.Capacity = 1000 })
	q := r.letters(queue.Spec[letter]{Unique: func(l letter) string { return l.To }})
	values := make([]letter, 400)
	values[300].To = "\x00"
	n, err := q.PublishAll(r.Context(), values)
	if n != 300 || !errors.Is(err, queue.ErrInvalid) || !strings.Contains(err.Error(), "value 300 of 400") {
		r.Errorf("PublishAll: %d, %v; expected the 300 before the bad one", n, err)
	}
	r.counts("those before the bad one", queue.Stats{Ready: 300})
}

func typedKinds(r *rig) {
	if r.caps.Missing(queue.InProcess) == 0 {
		q, other := r.letters(queue.Spec[letter]{Kind: "old"}), r.letters(queue.Spec[letter]{Kind: "new"})
		for range 2 {
			if err := q.Publish(r.Context(), letter{}); err != nil {
				r.Fatalf("Publish: %v", err)
			}
			if d := r.letter(other); !errors.Is(d.Err, queue.ErrUnknownKind) {
				r.Errorf("a value of another kind: %v, expected ErrUnknownKind", d.Err)
			}
		}
		return
	}
	old := r.letters(queue.Spec[letter]{Kind: "old"})
	if n, err := old.PublishAll(r.Context(), []letter{{To: "a"}, {To: "b"}}); n != 2 || err != nil {
		r.Fatalf("PublishAll: %d, %v", n, err)
	}
	q := r.letters(queue.Spec[letter]{Kind: "new", Decode: map[string]func([]byte) (letter, error){
		"old": func(data []byte) (letter, error) { return letter{Text: string(data)}, nil },
	}})
	if d := r.letter(q); d.Err != nil || d.Value.Text != `{"to":"a"}` || d.Info.Kind != "old" {
		r.Errorf("an older kind came as %+v, %v", d.Value, d.Err)
	}
	d := r.letter(r.letters(queue.Spec[letter]{Kind: "newest"}))
	if !errors.Is(d.Err, queue.ErrUnknownKind) {
		r.Errorf("an unknown kind: %v, expected ErrUnknownKind", d.Err)
	}
	r.complete(retry(d.Token, ample, d.Err.Error()))
	r.counts("it is kept", queue.Stats{Running: 1, Retrying: 1})
}

func typedKeys(r *rig) {
	q := r.letters(queue.Spec[letter]{Unique: func(l letter) string { return l.Text }})
	first, err := q.Send(r.Context(), letter{To: "a", Text: "1"})
	again, err2 := q.Send(r.Context(), letter{To: "b", Text: "1"})
	if err != nil || err2 != nil || first.Existing || !again.Existing || again.ID != first.ID {
		r.Errorf("two of one key: %+v, %v and %+v, %v", first, err, again, err2)
	}
	if d := r.letter(q); d.Value.To != "a" {
		r.Errorf("the value is %+v, expected that of the first", d.Value)
	}
	if r.caps.Missing(queue.Grouped) != 0 {
		r.publishN(2)
		return
	}
	grouped := r.letters(queue.Spec[letter]{Group: func(l letter) string { return l.To }})
	if n, err := grouped.PublishAll(r.Context(), []letter{{To: "g"}, {To: "g"}}); n != 2 || err != nil {
		r.Fatalf("PublishAll: %d, %v", n, err)
	}
	if d := r.letter(grouped); d.Info.Group != "g" {
		r.Errorf("it came with group %q", d.Info.Group)
	}
	r.nothing("one of the group is running")
}

func typedCauses(r *rig) {
	q := r.letters(queue.Spec[letter]{})
	receipt, err := q.Send(r.Context(), letter{})
	if err != nil {
		r.Fatalf("Send: %v", err)
	}
	causes := []string{"NUL \x00 and \xff", "値\r\n'\"\\", strings.Repeat("é", 5000)}
	for _, cause := range causes {
		if lost, err := q.Complete(r.Context(), []queue.Completion{retry(r.letter(q).Token, 0, cause)}); len(lost) > 0 || err != nil {
			r.Fatalf("Complete: %v, %v", lost, err)
		}
	}
	if err := q.Cancel(r.Context(), receipt.ID, "NUL \x00"); err != nil {
		r.Fatalf("Cancel: %v", err)
	}
	var got []string
	for _, f := range r.look(receipt.ID).Failures {
		got = append(got, f.Error)
	}
	if len(got) != 4 || got[0] != "NUL \uFFFD and \uFFFD" || got[1] != causes[1] || !strings.HasPrefix(got[2], causes[2][:4000]) || got[3] != "cancelled: NUL \uFFFD" {
		r.Errorf("the history is %.100q", got)
	}
}

func typedShown(r *rig) {
	q := r.letters(queue.Spec[letter]{})
	for text, cut := range map[string]bool{"short": false, strings.Repeat("x", queue.MaxShown): true} {
		receipt, err := q.Send(r.Context(), letter{To: "a", Text: text})
		if err != nil {
			r.Fatalf("Send: %v", err)
		}
		t, err := q.Task(r.Context(), receipt.ID)
		if err != nil {
			r.Fatalf("Task: %v", err)
		}
		s := q.Show(t)
		if s.Cut != cut || s.Error != "" || !cut && string(s.JSON) != `{"to":"a","text":"short"}` {
			r.Errorf("shown is %.100s, cut: %t, error %q", s.JSON, s.Cut, s.Error)
		}
	}
}

func typedMiddleware(r *rig) {
	var seen []string
	q := r.letters(queue.Spec[letter]{Publishing: []queue.PublishMiddleware[letter]{
		func(next queue.PublishFunc[letter]) queue.PublishFunc[letter] {
			return func(ctx context.Context, b *queue.Batch[letter]) ([]queue.Receipt, error) {
				for i := range b.Items {
					b.Items[i].Value.Text += "!"
					b.Items[i].Options = append(b.Items[i].Options, queue.Metadata("by", "suite"))
				}
				receipts, err := next(ctx, b)
				for _, receipt := range receipts {
					seen = append(seen, receipt.ID)
				}
				return receipts, err
			}
		},
	}})
	if n, err := q.PublishAll(r.Context(), []letter{{}, {}, {}}); n != 3 || err != nil {
		r.Fatalf("PublishAll: %d, %v", n, err)
	}
	for n := range 3 {
		if d := r.letter(q); d.Value.Text != "!" || d.Info.Metadata["by"] != "suite" || slices.Index(seen, d.ID) != n {
			r.Errorf("it came as %+v, %+v; the middleware saw %v", d.Value, d.Info, seen)
		}
	}
}
