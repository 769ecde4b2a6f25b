package control_test

import (
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/plba/plba/control"
	"github.com/plba/plba/runtime"
	"github.com/plba/plba/workers"
)

const mailWorker = "/api/v1/workers/email-processing"

func (p *plane) worker() control.WorkerDetail {
	p.t.Helper()
	return read[control.WorkerDetail](p.t, p.get(mailWorker), 200)
}

func (p *plane) waitWorker(state workers.State) control.WorkerDetail {
	p.t.Helper()
	eventually(p.t, "the worker is "+string(state), func() bool { return p.worker().State == state })
	return p.worker()
}

// change asks with another method than POST, with the token of the first run.
func (p *plane) change(method, path, body string) answer {
	p.t.Helper()
	return p.do(method, path, body, bearer(p.token))
}

func TestWorkerIsStoppedAndStarted(t *testing.T) {
	p := startPlane(t, nil)
	release := p.bot.holdHandlers(t)
	p.publish(1)
	stop := p.command(mailWorker+"/stop", `{"reason":"too many mails"}`)
	o := read[control.Operation](t, stop, 202)
	if o.Asked != "stopWorker" || o.Target != "email-processing" || o.By != "first-run" || o.Reason != "too many mails" || o.Mode != control.Graceful ||
		o.State != control.OperationRunning || stop.header.Get("Location") != "/api/v1/operations/"+o.ID {
		t.Errorf("%+v", o)
	}
	if got := problem(t, p.command(mailWorker+"/stop", ""), 409); got.State != "stopping" || !slices.Contains(got.Allowed, "stopping with mode force") {
		t.Errorf("%+v", got)
	}
	problem(t, p.command(mailWorker+"/restart", ""), 409)
	problem(t, p.command(mailWorker+"/start", ""), 409)
	release()
	o = p.waitOperation(o.ID)
	if o.State != control.OperationSucceeded || o.WorkerReceipt == nil || o.WorkerReceipt.Outcome != runtime.Drained || o.WorkerReceipt.Finished != 1 || o.EndedAt.IsZero() {
		t.Errorf("%+v %+v", o, o.WorkerReceipt)
	}
	w := p.waitWorker(workers.Stopped)
	if !strings.Contains(w.Health.Reason, "too many mails (asked for by first-run)") {
		t.Errorf("health %+v", w.Health)
	}
	if got := problem(t, p.command(mailWorker+"/stop", ""), 409); got.State != "stopped" || got.Detail != `worker "email-processing" is stopped already` {
		t.Errorf("%+v", got)
	}
	o = read[control.Operation](t, p.command(mailWorker+"/start", ""), 202)
	if o = p.waitOperation(o.ID); o.State != control.OperationSucceeded {
		t.Errorf("%+v", o)
	}
	p.publish(2)
}

func TestWorkerIsForced(t *testing.T) {
	p := startPlane(t, nil)
	p.bot.holdHandlers(t)
	p.publish(1)
	for _, body := range []string{`{"mode":"force"}`, `{"timeout":"50ms"}`} {
		o := read[control.Operation](t, p.command(mailWorker+"/restart", body), 202)
		if o = p.waitOperation(o.ID); o.State != control.OperationFailed || o.WorkerReceipt == nil || o.WorkerReceipt.Outcome != runtime.Forced || o.Error == "" {
			t.Errorf("%s: %+v", body, o)
		}
		<-p.bot.handling // it runs again, and has the same mail
	}
}

func TestWorkerIsPausedAndScaled(t *testing.T) {
	p := startPlane(t, nil)
	for range 2 {
		o := read[control.Operation](t, p.command(mailWorker+"/pause", ""), 200)
		if o.State != control.OperationSucceeded || o.EndedAt.IsZero() || !p.worker().Paused {
			t.Errorf("%+v", o)
		}
	}
	read[control.Operation](t, p.command(mailWorker+"/resume", ""), 200)
	if p.worker().Paused {
		t.Error("it is paused still")
	}
	o := read[control.Operation](t, p.change(http.MethodPatch, mailWorker, `{"concurrency":7,"reason":"many mails"}`), 200)
	if o.Concurrency != 7 || p.worker().Concurrency != 7 {
		t.Errorf("%+v", o)
	}
	for body, want := range map[string]int{`{"concurrency":0}`: 422, `{"concurrency":10001}`: 422, `{"concurrency":-1}`: 422, `{}`: 422, `{"concurrency":"3"}`: 422, ``: 400, `{"concurrency":1.5}`: 422} {
		problem(t, p.change(http.MethodPatch, mailWorker, body), want)
	}
	// A poll does one thing at a time.
	if got := problem(t, p.change(http.MethodPatch, "/api/v1/workers/mail-polling", `{"concurrency":2}`), 409); got.State != "poll" {
		t.Errorf("%+v", got)
	}
}

func TestWorkerCommandsThatDoNotApply(t *testing.T) {
	p := startPlane(t, nil)
	for _, command := range []string{"start", "stop", "restart", "pause", "resume"} {
		problem(t, p.command("/api/v1/workers/mail/"+command, ""), 404)
		problem(t, p.command(mailWorker+"/"+command, `{"reason":"a\nb"}`), 422)
	}
	problem(t, p.change(http.MethodPatch, "/api/v1/workers/mail", `{"concurrency":2}`), 404)
	if got := problem(t, p.command(mailWorker+"/start", ""), 409); got.State != "idle" || !slices.Equal(got.Allowed, []string{"stopped"}) {
		t.Errorf("%+v", got)
	}
	p.command("/api/v1/runtime/stop", "")
	p.waitState(workers.Stopped)
	for _, command := range []string{"start", "stop", "restart"} {
		if got := problem(t, p.command(mailWorker+"/"+command, ""), 409); got.State != "stopped" || !strings.HasPrefix(got.Detail, "the runtime is stopped") {
			t.Errorf("%s: %+v", command, got)
		}
	}
	read[control.Operation](t, p.command(mailWorker+"/pause", ""), 200) // that needs no runtime
}

func TestOperationsAreListed(t *testing.T) {
	p := startPlane(t, nil)
	for range 3 {
		p.command(mailWorker+"/pause", "")
		p.command("/api/v1/workers/mail-polling/pause", "")
	}
	list := func(query string) control.OperationList {
		return read[control.OperationList](t, p.get("/api/v1/operations"+query), 200)
	}
	all := list("").Operations
	if len(all) != 6 || all[0].Target != "mail-polling" || all[5].Target != "email-processing" || all[0].ID == all[1].ID {
		t.Fatalf("%+v", all)
	}
	var paged []control.Operation
	query := "?limit=4"
	for query != "" {
		page := list(query)
		paged = append(paged, page.Operations...)
		if query = ""; page.Next != "" {
			query = "?limit=4&before=" + page.Next
		}
	}
	if !slices.Equal(paged, all) {
		t.Errorf("by pages: %+v", paged)
	}
	for query, want := range map[string]int{
		"?target=mail-polling": 3, "?asked=pauseWorker": 6, "?asked=stopWorker": 0, "?state=running": 0, "?state=succeeded": 6, "?limit=999999999": 6,
	} {
		if got := list(query); len(got.Operations) != want || got.Next != "" {
			t.Errorf("%s: %d", query, len(got.Operations))
		}
	}
	for _, bad := range []string{"?limit=0", "?limit=-1", "?state=odd", "?before=odd", "?befor=x"} {
		problem(t, p.get("/api/v1/operations"+bad), 422)
	}
	problem(t, p.get("/api/v1/operations/odd"), 404)
}

func TestPagesOfWorkers(t *testing.T) {
	p := startPlane(t, nil)
	p.waitIdle()
	list := func(query string) control.WorkerList {
		return read[control.WorkerList](t, p.get("/api/v1/workers"+query), 200)
	}
	first := list("?limit=1")
	if len(first.Workers) != 1 || first.Next != "email-processing" {
		t.Fatalf("%+v", first)
	}
	if rest := list("?after=" + first.Next); len(rest.Workers) != 1 || rest.Workers[0].Name != "mail-polling" || rest.Next != "" {
		t.Errorf("%+v", rest)
	}
	for query, want := range map[string]int{"?state=idle": 2, "?state=busy": 0, "?kind=poll": 1, "?kind=poll&state=stopped": 0, "?limit=100000": 2, "?limit=1&kind=poll": 1} {
		if got := list(query); len(got.Workers) != want || got.Next != "" {
			t.Errorf("%s: %+v", query, got)
		}
	}
	for _, bad := range []string{"?limit=0", "?limit=x", "?state=odd", "?after=nobody"} {
		problem(t, p.get("/api/v1/workers"+bad), 422)
	}
}
