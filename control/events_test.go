package control_test

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/plba/plba/control"
	"github.com/plba/plba/workers"
)

// listener reads a stream of server-sent events.
type listener struct {
	t     testing.TB
	body  *bufio.Scanner
	close func()
}

// listen opens a stream with the token of the first run.
func (p *plane) listen(path string, changes ...with) *listener {
	p.t.Helper()
	ctx, cancel := context.WithTimeout(p.t.Context(), patience)
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://"+p.http.Addr()+path, nil)
	if err != nil {
		p.t.Fatal(err)
	}
	bearer(p.token)(req)
	for _, change := range changes {
		change(req)
	}
	res, err := p.client.Do(req)
	if err != nil {
		p.t.Fatal(err)
	}
	l := &listener{t: p.t, body: bufio.NewScanner(res.Body), close: func() { cancel(); _ = res.Body.Close() }}
	p.t.Cleanup(l.close)
	if res.StatusCode != 200 || res.Header.Get("Content-Type") != "text/event-stream" {
		text, _ := io.ReadAll(res.Body)
		p.t.Fatalf("%s: %d %v %s", path, res.StatusCode, res.Header, text)
	}
	return l
}

func (l *listener) end() { l.close() }

// next gives the next event; false at the end of the stream.
func (l *listener) next() (e control.Event, ok bool) {
	l.t.Helper()
	var id, kind string
	for l.body.Scan() {
		name, value, _ := strings.Cut(l.body.Text(), ": ")
		switch name {
		case "id":
			id = value
		case "event":
			kind = value
		case "data":
			if err := json.Unmarshal([]byte(value), &e); err != nil {
				l.t.Fatalf("%v: %s", err, value)
			}
			if e.ID != id || string(e.Type) != kind {
				l.t.Errorf("id %q, event %q: %s", id, kind, value)
			}
			return e, true
		}
	}
	return e, false
}

// until reads up to the event that is looked for.
func (l *listener) until(what string, is func(control.Event) bool) control.Event {
	l.t.Helper()
	for {
		e, ok := l.next()
		if !ok {
			l.t.Fatalf("the stream has ended before: %s (%v)", what, l.body.Err())
		}
		if is(e) {
			return e
		}
	}
}

// What happens is told, in the order in which it happens.
func TestEventsTellEverything(t *testing.T) {
	p := startPlane(t, nil)
	p.waitIdle()
	l := p.listen("/api/v1/events")
	p.bot.breakHandler(errors.New("no such customer"))
	p.publish(1)
	busy := l.until("the worker is busy", func(e control.Event) bool { return e.Worker != nil && e.Worker.To == workers.Busy })
	if busy.Type != control.EventWorker || busy.Name != "email-processing" || busy.At.IsZero() {
		t.Errorf("%+v", busy)
	}
	failed := l.until("the attempt failed", func(e control.Event) bool { return e.Type == control.EventFailure })
	if f := failed.Failure; failed.Name != "email-processing" || f.Queue != "mails" || f.Attempt != 1 || f.Final || f.Error != "orders/store: no such customer" || f.Task == "" {
		t.Errorf("%+v", f)
	}
	p.command("/api/v1/runtime/stop", `{"reason":"test"}`)
	asked := l.until("the stop was asked for", func(e control.Event) bool { return e.Type == control.EventOperation })
	if o := asked.Operation; o.Asked != "stopRuntime" || o.Reason != "test" || o.State != control.OperationRunning {
		t.Errorf("%+v", o)
	}
	l.until("the runtime stops", func(e control.Event) bool { return e.Runtime != nil && e.Runtime.To == "stopping" })
	l.until("the worker has stopped", func(e control.Event) bool { return e.Worker != nil && e.Worker.To == workers.Stopped })
	l.until("the runtime has stopped", func(e control.Event) bool { return e.Runtime != nil && e.Runtime.To == "stopped" })
	l.until("the stop has ended", func(e control.Event) bool { return e.Operation != nil && e.Operation.State != control.OperationRunning })
	p.command("/api/v1/runtime/start", "")
	p.waitIdle()
	p.command(mailWorker+"/stop", `{"reason":"too many mails"}`)
	change := l.until("the health changed", func(e control.Event) bool { return e.Type == control.EventHealth && e.Name == "email-processing" })
	if !strings.Contains(change.Health.Reason, "too many mails") {
		t.Errorf("%+v", change.Health)
	}
}

func TestEventsAreFiltered(t *testing.T) {
	p := startPlane(t, nil)
	only := p.listen("/api/v1/events?type=operation&name=mail-polling")
	both := p.listen("/api/v1/events?type=operation,worker")
	p.command(mailWorker+"/pause", "")
	p.command("/api/v1/workers/mail-polling/pause", "")
	for range 2 { // accepted, ended
		if e, _ := only.next(); e.Name != "mail-polling" || e.Operation == nil {
			t.Errorf("%+v", e)
		}
	}
	both.until("the other one too", func(e control.Event) bool { return e.Name == "email-processing" && e.Operation != nil })
	for _, bad := range []string{"?type=odd", "?type=operation,odd", "?type=missed", "?odd=1"} {
		problem(t, p.get("/api/v1/events"+bad, bearer(p.token)), 422)
		problem(t, p.get("/api/v1/events/recent"+bad, bearer(p.token)), 422)
	}
	problem(t, p.get("/api/v1/events"), 401)
	if a := p.do(http.MethodHead, "/api/v1/events", "", bearer(p.token)); a.status != 200 {
		t.Errorf("HEAD: %d", a.status)
	}
}

// After a break a client goes on where it was.
func TestEventsAreResumed(t *testing.T) {
	p := startPlane(t, nil)
	pause := func() { p.command(mailWorker+"/pause", "") }
	l := p.listen("/api/v1/events?type=operation")
	pause()
	first, _ := l.next()
	l.end()
	pause()
	for _, resume := range []func() *listener{
		func() *listener { return p.listen("/api/v1/events?type=operation", header("Last-Event-ID", first.ID)) },
		func() *listener { return p.listen("/api/v1/events?type=operation&after=" + first.ID) },
		func() *listener {
			return p.listen("/api/v1/events?type=operation&after=odd", header("Last-Event-ID", first.ID))
		},
	} {
		l := resume()
		var states []control.OperationState
		for range 3 {
			e, _ := l.next()
			states = append(states, e.Operation.State)
		}
		if !slices.Equal(states, []control.OperationState{"succeeded", "running", "succeeded"}) {
			t.Errorf("%q", states)
		}
		l.end()
	}
	// An ID of another process: what is kept, after a word that something is missing.
	for _, odd := range []string{"odd", "m8x2k1-1", first.ID + "x", "-1"} {
		l := p.listen("/api/v1/events", header("Last-Event-ID", odd))
		if e, _ := l.next(); e.Type != control.EventMissed || e.ID == "" {
			t.Errorf("%s: %+v", odd, e)
		}
		l.until("the beginning", func(e control.Event) bool { return e.Type == control.EventWorker })
		l.end()
	}
	// One that was never given out yet: from now on.
	epoch, _, _ := strings.Cut(first.ID, "-")
	l = p.listen("/api/v1/events?type=operation", header("Last-Event-ID", epoch+"-99999999"))
	pause()
	if e, _ := l.next(); e.Type != control.EventOperation || e.Operation.State != control.OperationRunning {
		t.Errorf("%+v", e)
	}
}

func TestRecentEvents(t *testing.T) {
	p := startPlane(t, nil)
	for range 3 {
		p.command(mailWorker+"/pause", "")
	}
	list := func(query string) control.EventList {
		return read[control.EventList](t, p.get("/api/v1/events/recent"+query, bearer(p.token)), 200)
	}
	all := list("?type=operation")
	if len(all.Events) != 6 || all.Missed {
		t.Fatalf("%+v", all)
	}
	var paged []control.Event
	for last, more := "", true; more; {
		page := list("?type=operation&limit=4&after=" + last)
		paged = append(paged, page.Events...)
		more, last = len(page.Events) == 4, page.Last
	}
	if fmt.Sprint(ids(paged)) != fmt.Sprint(ids(all.Events)) {
		t.Errorf("by pages %v, at once %v", ids(paged), ids(all.Events))
	}
	if again := list("?after=" + all.Last); len(again.Events) != 0 || again.Last != all.Last || again.Missed {
		t.Errorf("%+v", again)
	}
	if other := list("?after=other-1&limit=1"); !other.Missed || len(other.Events) != 1 {
		t.Errorf("%+v", other)
	}
}

func ids(events []control.Event) (list []string) {
	for _, e := range events {
		list = append(list, e.ID)
	}
	return list
}

// A stop of the application ends streams and does not wait for their clients.
func TestStopEndsStreams(t *testing.T) {
	p := startPlane(t, nil)
	var listeners []*listener
	for range 5 {
		listeners = append(listeners, p.listen("/api/v1/events"))
	}
	if rec, err := p.app.Stop(t.Context()); err != nil || !rec.Clean {
		t.Errorf("%v %+v", err, rec)
	}
	for _, l := range listeners {
		for _, ok := l.next(); ok; _, ok = l.next() {
		}
		if err := l.body.Err(); err != nil {
			t.Errorf("the stream was cut: %v", err)
		}
	}
}

// A stop over the API leaves them up.
func TestStreamsOutliveAStopOverTheAPI(t *testing.T) {
	p := startPlane(t, nil)
	l := p.listen("/api/v1/events")
	p.command("/api/v1/runtime/stop", "")
	p.waitState(workers.Stopped)
	p.command("/api/v1/runtime/start", "")
	l.until("it runs again", func(e control.Event) bool { return e.Runtime != nil && e.Runtime.Event == "started" })
}

func TestSubscriptionsAreBounded(t *testing.T) {
	p := startPlane(t, nil)
	svc := control.NewService(p.app)
	var subs []*control.Subscription
	for range 256 {
		sub, err := svc.Subscribe(control.EventFilter{}, "")
		if err != nil {
			t.Fatal(err)
		}
		subs = append(subs, sub)
	}
	if _, err := svc.Subscribe(control.EventFilter{}, ""); !errors.Is(err, control.ErrTooMany) {
		t.Errorf("%v", err)
	}
	subs[0].Close()
	sub, err := svc.Subscribe(control.EventFilter{}, "")
	if err != nil {
		t.Fatal(err)
	}
	if err := svc.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := sub.Next(t.Context()); !errors.Is(err, control.ErrClosed) {
		t.Errorf("%v", err)
	}
}
