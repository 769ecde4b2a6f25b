package queue_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/plba/plba/config"
	"github.com/plba/plba/queue"
	"github.com/plba/plba/queue/memory"
	"github.com/plba/plba/task"
)

func TestManage(t *testing.T) {
	q, _ := bound[mail](t, queue.Binding{})
	var told []string
	remove := q.OnCancel(func(id string) { told = append(told, id) })
	ctx := t.Context()
	receipt, err := q.Send(ctx, mail{UID: 1})
	if err != nil {
		t.Fatal(err)
	}
	if err := q.Cancel(ctx, receipt.ID, "NUL \x00 "+strings.Repeat("é", 3000)); err != nil {
		t.Fatal(err)
	}
	view, err := q.Task(ctx, receipt.ID)
	if err != nil || view.State != queue.StateCancelled || len(view.Failures) != 1 || strings.Contains(view.Failures[0].Error, "\x00") || len(view.Failures[0].Error) > 4200 {
		t.Errorf("%+.200v, %v", view, err)
	}
	var wrong *queue.StateError
	err = q.Cancel(ctx, receipt.ID, "again")
	if !errors.As(err, &wrong) || err.Error() != "queue mails: task "+receipt.ID+" is cancelled: only a scheduled, ready, running or retrying one can be cancelled" {
		t.Errorf("Cancel of a cancelled one: %v", err)
	}
	wants(t, "Cancel", q.Cancel(ctx, "x", ""), queue.ErrNotFound, "queue mails: task x: not found")
	if n, err := q.Requeue(ctx, queue.InState(queue.StateCancelled)); n != 1 || err != nil {
		t.Errorf("Requeue: %d, %v", n, err)
	}
	if n, err := q.RunNow(ctx, queue.ByID(receipt.ID)); n != 0 || err != nil {
		t.Errorf("RunNow: %d, %v", n, err)
	}
	if err := errors.Join(q.Pause(ctx), q.Resume(ctx)); err != nil {
		t.Error(err)
	}
	page, err := q.Tasks(ctx, queue.Query{States: []queue.State{queue.StateReady}})
	if err != nil || len(page.Tasks) != 1 || page.Tasks[0].Info.ID != receipt.ID {
		t.Errorf("Tasks: %+v, %v", page, err)
	}
	remove()
	if err := q.Cancel(ctx, receipt.ID, "enough"); err != nil {
		t.Error(err)
	}
	if !slices.Equal(told, []string{receipt.ID}) {
		t.Errorf("told of %v, expected the first cancel alone", told)
	}
	if n, err := q.Purge(ctx, queue.ByID(receipt.ID)); n != 1 || err != nil {
		t.Errorf("Purge: %d, %v", n, err)
	}
}

func TestGroupsOfValues(t *testing.T) {
	q, s := bound(t, queue.Binding{}, queue.Spec[mail]{Group: func(m mail) string { return m.Account }, Order: queue.Strict})
	if q.Requires() != queue.Grouped || q.Order() != queue.Strict {
		t.Errorf("requires %s, order %d", q.Requires(), q.Order())
	}
	for _, c := range []struct {
		opts []queue.SendOption
		want string
	}{{nil, "sales"}, {[]queue.SendOption{queue.GroupKey("mine")}, "mine"}, {[]queue.SendOption{queue.GroupKey("")}, ""}} {
		if _, err := q.Send(t.Context(), mail{Account: "sales"}, c.opts...); err != nil {
			t.Fatal(err)
		}
		if got := s.last(t).Info.Group; got != c.want {
			t.Errorf("group %q, want %q", got, c.want)
		}
	}
	_, err := q.Send(t.Context(), mail{}, queue.GroupKey("a\x00"))
	wants(t, "NUL", err, queue.ErrInvalid, `queue mails: invalid: group key "a\x00": not UTF-8, or with a NUL`)
	_, err = q.Send(t.Context(), mail{}, queue.GroupKey(strings.Repeat("k", 513)))
	wants(t, "long", err, queue.ErrTooLarge, "queue mails: too large: the group key has 513 bytes, allowed are 512")
	plain, _ := bound[mail](t, queue.Binding{})
	_, err = plain.Send(t.Context(), mail{}, queue.GroupKey("a"))
	wants(t, "no groups", err, queue.ErrInvalid,
		"queue mails: invalid: the task has a group key, but the queue's spec neither has Group nor Requires queue.Grouped")
	asked, _ := bound(t, queue.Binding{}, queue.Spec[mail]{Requires: queue.Grouped})
	if _, err := asked.Send(t.Context(), mail{}, queue.GroupKey("a")); err != nil {
		t.Error(err)
	}
}

func TestOlderKinds(t *testing.T) {
	decode := map[string]func([]byte) (mail, error){
		"mail-v1": func(data []byte) (mail, error) {
			switch string(data) {
			case "bad":
				return mail{}, errors.New("no such mail")
			case "bomb":
				panic("boom")
			}
			return mail{Account: string(data), UID: 1}, nil
		},
	}
	spec := queue.Spec[mail]{Kind: "mail-v2", Decode: decode}
	for _, c := range []struct {
		name    string
		encode  bool
		kind    string
		data    string
		want    mail
		problem string
	}{
		{"an older kind", true, "mail-v1", "sales", mail{"sales", 1}, ""},
		{"its own kind", true, "mail-v2", `{"Account":"sales","UID":2}`, mail{"sales", 2}, ""},
		{"one that cannot be read", true, "mail-v1", "bad", mail{}, `the payload of kind "mail-v1" cannot be decoded as queue_test.mail: no such mail`},
		{"a panic", true, "mail-v1", "bomb", mail{}, "decoding queue_test.mail panicked: boom"},
		{"an unknown kind", true, "mail-v3", "x", mail{}, `unknown kind "mail-v3", this queue reads "mail-v2", "mail-v1"`},
		{"an older kind as a value", false, "mail-v1", "", mail{}, `unknown kind "mail-v1", this queue reads "mail-v2"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			q, s := bound(t, queue.Binding{Encode: c.encode}, spec)
			s.bend = func(l *queue.Lease) {
				l.Info.Kind = c.kind
				if c.encode {
					l.Payload.Bytes = []byte(c.data)
				}
			}
			if err := q.Publish(t.Context(), mail{}); err != nil {
				t.Fatal(err)
			}
			d := receiveOne(t, q)
			switch {
			case c.problem == "" && (d.Err != nil || d.Value != c.want):
				t.Errorf("%+v, %v", d.Value, d.Err)
			case c.problem != "" && (d.Err == nil || d.Err.Error() != "queue mails: task "+d.ID+": "+c.problem || d.Value != mail{}):
				t.Errorf("%+v, %v", d.Value, d.Err)
			}
		})
	}
}

// The limits stand in platform.queues.<name>, beside what an engine has of its own.
func TestCommonSettings(t *testing.T) {
	load := func(yaml string) (*memory.Settings, error) {
		c, err := config.Load(config.YAML("test.yaml", "q: "+yaml))
		if err != nil {
			t.Fatal(err)
		}
		s := memory.Driver().Settings()
		err = c.Decode("q", s)
		return s.(*memory.Settings), err
	}
	got, err := load("{max_running: 3, rate: {per_second: 2.5}, group_running: 2, keep_done: 1h, max_payload: 100}")
	if err != nil || got.MaxRunning != 3 || got.Rate.PerSecond != 2.5 || got.Rate.Tokens() != 3 || got.GroupLimit(queue.Unordered) != 2 ||
		got.GroupLimit(queue.Strict) != 1 || got.KeepDone.Hours() != 1 || got.PayloadLimit() != 100 || got.Capacity != 1000 {
		t.Errorf("%+v, %v", got, err)
	}
	var zero queue.Common
	if zero.GroupLimit(queue.Unordered) != 1 || zero.PayloadLimit() != queue.MaxPayload || zero.Rate.Interval() != 0 || zero.Validate() != nil {
		t.Errorf("the zero value: %+v", zero)
	}
	_, err = load("{capacity: -1, max_payload: -1, max_running: -1, rate: {per_second: 1e7, burst: -1}, group_running: -1, keep_done: -1s, keep_dead: -1s, dead_letters: -1}")
	for _, want := range []string{"capacity is -1", "max_payload is -1", "max_running is -1", "rate.per_second is 1e+07", "rate.burst is -1",
		"group_running is -1", "keep_done is -1s", "keep_dead is -1s", "dead_letters is -1"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("the fault %v does not say %q", err, want)
		}
	}
}

func TestSpecFaults(t *testing.T) {
	rule := "a name has 1 to 100 characters of a-z, 0-9, _, . and -, and begins with a letter or a digit"
	read := func([]byte) (mail, error) { return mail{}, nil }
	_, err := queue.For("mails", queue.Spec[mail]{
		Order:      7,
		Decode:     map[string]func([]byte) (mail, error){"Old Mail": read, "mail-v1": nil, "mails": read},
		Publishing: []queue.PublishMiddleware[mail]{stamp, nil},
	})
	want := "queue mails: Spec.Order is 7: it must be Unordered or Strict\n" +
		`Spec.Decode["Old Mail"]: ` + rule + "\n" +
		`Spec.Decode["mail-v1"] is nil` + "\n" +
		`Spec.Decode["mails"]: that is the queue's own kind, which Spec.Codec decodes` + "\n" +
		"queue mails: Spec.Publishing: middleware 2 of 2 is nil"
	if err == nil || err.Error() != want {
		t.Errorf("faults:\n%v\nwant:\n%s", err, want)
	}
	none := func(queue.PublishFunc[mail]) queue.PublishFunc[mail] { return nil }
	if _, err := queue.For("mails", queue.Spec[mail]{Publishing: []queue.PublishMiddleware[mail]{none}}); err == nil ||
		err.Error() != "queue mails: Spec.Publishing: middleware 1 of 1 returned no function" {
		t.Errorf("%v", err)
	}
}

func TestShow(t *testing.T) {
	value := func(v any) queue.Task { return queue.Task{Payload: queue.Payload{Value: v}} }
	bytes := func(s string) queue.Task { return queue.Task{Payload: queue.Payload{Bytes: []byte(s)}} }
	q := made[mail](t, "mails")
	sealedQ := made(t, "mails", queue.Spec[string]{Codec: sealed{}})
	long := strings.Repeat("x", queue.MaxShown+10)
	for _, c := range []struct {
		name  string
		got   queue.Shown
		json  string
		bytes int
		cut   bool
		err   string
	}{
		{"a value", q.Show(withKind(value(mail{"sales", 7}), "mails")), `{"Account":"sales","UID":7}`, 27, false, ""},
		{"no value", q.Show(withKind(value(nil), "mails")), `{"Account":"","UID":0}`, 22, false, ""},
		{"bytes that are JSON", q.Show(bytes(`{"any": [1]}`)), `{"any": [1]}`, 12, false, ""},
		{"bytes that are not", q.Show(withKind(bytes("{\xff"), "mails")), `"{�"`, 2, false,
			"the payload cannot be decoded as queue_test.mail: invalid character 'ÿ' looking for beginning of object key string"},
		{"by a codec", sealedQ.Show(withKind(bytes("sealed:letter"), "mails")), `"letter"`, 8, false, ""},
		{"a codec that panics", sealedQ.Show(withKind(bytes("sealed:bomb"), "mails")), `"sealed:bomb"`, 11, false, "decoding string panicked: boom"},
		{"an unknown kind", sealedQ.Show(withKind(bytes("x"), "other")), `"x"`, 1, false, `unknown kind "other", this queue reads "mails"`},
		{"too large", q.Show(bytes(`"` + long + `"`)), `"\"` + long[:queue.MaxShown-1] + `"`, queue.MaxShown + 12, true, ""},
		{"what cannot be shown", made[any](t, "mails").Show(withKind(value(make(chan int, 1)), "mails")), "", 0, false, "json: unsupported type: chan int"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.json != "" && string(c.got.JSON) != c.json || c.bytes != 0 && c.got.Bytes != c.bytes || c.got.Cut != c.cut {
				t.Errorf("shown is %.100s, %d bytes, cut: %t", c.got.JSON, c.got.Bytes, c.got.Cut)
			}
			if c.err == "" && c.got.Error != "" || !strings.Contains(c.got.Error, c.err) {
				t.Errorf("error %q, want %q", c.got.Error, c.err)
			}
		})
	}
}

func withKind(t queue.Task, kind string) queue.Task {
	t.Info.Kind = kind
	return t
}

// A cancel is told to those who listen while they add and remove themselves.
func TestOnCancelTogether(t *testing.T) {
	q, _ := bound[mail](t, queue.Binding{})
	receipt, err := q.Send(t.Context(), mail{})
	if err != nil {
		t.Fatal(err)
	}
	finished := make(chan int)
	for range 4 {
		go func() {
			n := 0
			for range 100 {
				q.OnCancel(func(string) {})()
				n++
			}
			finished <- n
		}()
	}
	d := receiveOne(t, q)
	for range 100 {
		if err := q.Cancel(context.Background(), receipt.ID, "enough"); err != nil {
			t.Fatal(err)
		}
	}
	for range 4 {
		if n := <-finished; n != 100 {
			t.Errorf("%d rounds", n)
		}
	}
	if lost, err := q.Complete(t.Context(), []queue.Completion{{Token: d.Token, Outcome: task.Cancelled}}); len(lost) > 0 || err != nil {
		t.Error(lost, err)
	}
}
