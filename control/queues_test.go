package control_test

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	"github.com/plba/plba/control"
	"github.com/plba/plba/queue"
	"github.com/plba/plba/workers"
)

const mailQueue = "/api/v1/queues/mails"

func (p *plane) task(id string) control.Task {
	p.t.Helper()
	return read[control.Task](p.t, p.get(mailQueue+"/tasks/"+id, bearer(p.token)), 200)
}

func (p *plane) tasks(query string) control.TaskList {
	p.t.Helper()
	return read[control.TaskList](p.t, p.get(mailQueue+"/tasks"+query, bearer(p.token)), 200)
}

func TestTasks(t *testing.T) {
	p := startPlane(t, nil)
	var ids []string
	for n := range 5 {
		ids = append(ids, p.later(n))
	}
	slices.Reverse(ids)
	all := p.tasks("")
	if len(all.Tasks) != 5 || all.Next != "" {
		t.Fatalf("%+v", all)
	}
	for i, task := range all.Tasks {
		if task.ID != ids[i] || task.State != queue.StateScheduled || task.RunAt.IsZero() || task.Failures == nil {
			t.Errorf("%+v", task)
		}
	}
	page := p.tasks("?limit=3&state=scheduled,dead")
	if len(page.Tasks) != 3 || page.Next != ids[2] {
		t.Errorf("%d, next %q", len(page.Tasks), page.Next)
	}
	if rest := p.tasks("?after=" + page.Next); len(rest.Tasks) != 2 || rest.Next != "" {
		t.Errorf("%+v", rest)
	}
	if dead := p.tasks("?state=dead"); len(dead.Tasks) != 0 {
		t.Errorf("%+v", dead)
	}
	for _, bad := range []string{"?limit=0", "?state=odd", "?state=dead,odd", "?sate=dead"} {
		problem(t, p.get(mailQueue+"/tasks"+bad, bearer(p.token)), 422)
	}
	if n := len(p.tasks("?limit=99999999").Tasks); n != 5 {
		t.Errorf("%d", n)
	}
	problem(t, p.get(mailQueue+"/tasks/odd", bearer(p.token)), 404)
	problem(t, p.get("/api/v1/queues/mail/tasks", bearer(p.token)), 404)
	// On loopback too, tasks are for those who have a token.
	for _, path := range []string{"/tasks", "/tasks/" + ids[0], "/tasks/" + ids[0] + "/payload"} {
		problem(t, p.get(mailQueue+path), 401)
	}
}

// A payload is shown to operators only.
func TestPayload(t *testing.T) {
	p := startPlane(t, withTokens())
	id := p.later(42)
	path := mailQueue + "/tasks/" + id
	problem(t, p.get(path+"/payload", bearer(viewerToken)), 403)
	task := p.get(path, bearer(viewerToken))
	if task.status != 200 || strings.Contains(string(task.body), "42") && strings.Contains(string(task.body), "payload") {
		t.Errorf("%d %s", task.status, task.body)
	}
	got := read[queue.Shown](t, p.get(path+"/payload", bearer(operatorToken)), 200)
	var m mail
	if err := json.Unmarshal(got.JSON, &m); err != nil || m.ID != 42 || got.Bytes == 0 || got.Cut {
		t.Errorf("%+v, %v", got, err)
	}
}

func TestTaskCommands(t *testing.T) {
	p := startPlane(t, nil)
	p.command(mailWorker+"/pause", "")
	id := p.later(1)
	path := mailQueue + "/tasks/" + id
	o := read[control.Operation](t, p.command(path+"/cancel", `{"reason":"the customer called"}`), 200)
	if o.Asked != "cancelTask" || o.Target != "mails" || o.Task != id || o.State != control.OperationSucceeded {
		t.Errorf("%+v", o)
	}
	if task := p.task(id); task.State != queue.StateCancelled || !strings.Contains(task.Failures[0].Error, "the customer called (asked for by first-run)") {
		t.Errorf("%+v", task)
	}
	if got := problem(t, p.command(path+"/cancel", ""), 409); got.State != "cancelled" || !slices.Equal(got.Allowed, []string{"scheduled", "ready", "running", "retrying"}) {
		t.Errorf("%+v", got)
	}
	read[control.Operation](t, p.command(path+"/retry", ""), 200)
	if task := p.task(id); task.State != queue.StateReady {
		t.Errorf("%+v", task)
	}
	if got := problem(t, p.command(path+"/retry", ""), 409); got.State != "ready" {
		t.Errorf("%+v", got)
	}
	read[control.Operation](t, p.change(http.MethodDelete, path, ""), 200)
	problem(t, p.get(path, bearer(p.token)), 404)
	for _, command := range []string{"/cancel", "/retry"} {
		problem(t, p.command(path+command, ""), 404)
		problem(t, p.command(mailQueue+"/tasks/x"+command, `{"reason":"\u0000"}`), 422)
	}
	problem(t, p.change(http.MethodDelete, path, ""), 404)
}

// What runs is told to end, and cannot be discarded.
func TestRunningTask(t *testing.T) {
	p := startPlane(t, nil)
	p.bot.holdHandlers(t)
	r, err := p.bot.mails.Send(t.Context(), mail{1})
	if err != nil {
		t.Fatal(err)
	}
	<-p.bot.handling
	path := mailQueue + "/tasks/" + r.ID
	if got := problem(t, p.change(http.MethodDelete, path, ""), 409); got.State != "running" {
		t.Errorf("%+v", got)
	}
	if task := p.task(r.ID); task.State != queue.StateRunning || task.LeasedUntil.IsZero() || task.Attempt != 1 {
		t.Errorf("%+v", task)
	}
	read[control.Operation](t, p.command(path+"/cancel", ""), 200)
	if task := p.task(r.ID); task.State != queue.StateCancelled && !task.Cancelling {
		t.Errorf("%+v", task)
	}
}

func TestManyTasks(t *testing.T) {
	p := startPlane(t, nil)
	p.command(mailWorker+"/pause", "")
	for n := range 4 {
		id := p.later(n)
		if n < 3 {
			p.command(mailQueue+"/tasks/"+id+"/cancel", "")
		}
	}
	o := read[control.Operation](t, p.command(mailQueue+"/purge", `{"states":["cancelled"],"reason":"test data"}`), 202)
	if o = p.waitOperation(o.ID); o.Tasks != 3 || o.State != control.OperationSucceeded {
		t.Errorf("%+v", o)
	}
	if left := p.tasks(""); len(left.Tasks) != 1 || left.Tasks[0].State != queue.StateScheduled {
		t.Errorf("%+v", left)
	}
	for body, want := range map[string]int{`{}`: 422, `{"states":[]}`: 422, `{"states":["running"]}`: 422, `{"states":["odd"]}`: 422, `{"states":"dead"}`: 422, ``: 400} {
		problem(t, p.command(mailQueue+"/purge", body), want)
	}
	problem(t, p.command("/api/v1/queues/mail/purge", `{"states":["dead"]}`), 404)
	problem(t, p.command("/api/v1/queues/mail/dead/requeue", ""), 404)
	o = read[control.Operation](t, p.command(mailQueue+"/dead/requeue", ""), 202)
	if o = p.waitOperation(o.ID); o.Tasks != 0 || o.State != control.OperationSucceeded {
		t.Errorf("%+v", o)
	}
}

func TestQueueIsPaused(t *testing.T) {
	p := startPlane(t, nil)
	for range 2 {
		read[control.Operation](t, p.command(mailQueue+"/pause", `{"reason":"the shop is closed"}`), 200)
	}
	if q := read[control.QueueDetail](t, p.get(mailQueue), 200); q.State != control.QueuePaused || !q.Stats.Paused {
		t.Errorf("%+v", q)
	}
	if err := p.bot.mails.Publish(t.Context(), mail{1}); err != nil {
		t.Fatal(err)
	}
	if list := read[control.QueueList](t, p.get("/api/v1/queues?state=paused"), 200).Queues; len(list) != 1 || list[0].Stats.Ready != 1 {
		t.Errorf("%+v", list)
	}
	read[control.Operation](t, p.command(mailQueue+"/resume", ""), 200)
	<-p.bot.handling
	for _, command := range []string{"/pause", "/resume"} {
		problem(t, p.command("/api/v1/queues/mail"+command, ""), 404)
	}
}

// A queue has no engine while the runtime is stopped: a conflict that says so.
func TestQueueOfAStoppedRuntime(t *testing.T) {
	p := startPlane(t, nil)
	p.command("/api/v1/runtime/stop", "")
	p.waitState(workers.Stopped)
	for _, a := range []answer{
		p.get(mailQueue+"/tasks", bearer(p.token)), p.get(mailQueue+"/tasks/x", bearer(p.token)), p.get(mailQueue+"/tasks/x/payload", bearer(p.token)),
		p.command(mailQueue+"/pause", ""), p.command(mailQueue+"/resume", ""), p.command(mailQueue+"/dead/requeue", ""), p.command(mailQueue+"/purge", `{"states":["dead"]}`),
		p.command(mailQueue+"/tasks/x/retry", ""), p.command(mailQueue+"/tasks/x/cancel", ""), p.change(http.MethodDelete, mailQueue+"/tasks/x", ""),
	} {
		if got := problem(t, a, 409); got.State != "closed" || !slices.Equal(got.Allowed, []string{"open", "paused"}) {
			t.Errorf("%+v", got)
		}
	}
	if list := read[control.QueueList](t, p.get("/api/v1/queues?state=closed"), 200).Queues; len(list) != 1 {
		t.Errorf("%+v", list)
	}
}
