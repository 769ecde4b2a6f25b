package control_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/plba/plba/control"
	"github.com/plba/plba/queue"
	"github.com/plba/plba/runtime"
	"github.com/plba/plba/workers"
)

var serviceCases = map[string]func(*testing.T, conversation){
	"status": func(t *testing.T, c conversation) {
		c.p.waitedIdle()
		if info := gets[control.RuntimeInfo](c, viewerToken, "getRuntime", nil); info.State != workers.Idle || len(info.Workers) != 2 {
			t.Errorf("%+v", info)
		}
		if l := gets[control.RuntimeLifecycle](c, viewerToken, "getRuntimeLifecycle", nil); l.Current != runtime.Running || len(l.History) != 2 {
			t.Errorf("%+v", l)
		}
		if !gets[control.Probe](c, "", "getReadiness", nil).OK {
			t.Error("not ready")
		}
	},
	"stop and start": func(t *testing.T, c conversation) {
		o := gets[control.Operation](c, operatorToken, "stopRuntime", in{"reason": "test", "timeout": "5s"})
		if o = c.ended(o); o.State != control.OperationSucceeded || o.By != "ops" || o.Receipt == nil || !o.Receipt.Clean {
			t.Errorf("%+v", o)
		}
		if f := c.refused("conflict", operatorToken, "stopRuntime", nil); f.state != "stopped" {
			t.Errorf("%+v", f)
		}
		c.refused("unavailable", "", "getReadiness", nil)
		o = gets[control.Operation](c, operatorToken, "startRuntime", nil)
		if o = c.ended(o); o.State != control.OperationSucceeded {
			t.Errorf("%+v", o)
		}
		if f := c.refused("conflict", operatorToken, "startRuntime", nil); f.state != "idle" && f.state != "busy" {
			t.Errorf("%+v", f)
		}
	},
	"reload": func(t *testing.T, c conversation) {
		o := c.ended(gets[control.Operation](c, operatorToken, "reloadConfiguration", in{"reason": "test"}))
		if o.State != control.OperationSucceeded || o.Reloaded == nil || len(o.Reloaded.Changed)+len(o.Reloaded.Restart) != 0 || o.Reason != "test" {
			t.Errorf("%+v", o)
		}
		c.refused("denied", viewerToken, "reloadConfiguration", nil)
		c.refused("invalid", operatorToken, "reloadConfiguration", in{"reason": "a\nb"})
	},
	"roles": func(_ *testing.T, c conversation) {
		gets[control.WorkerList](c, viewerToken, "listWorkers", nil)
		c.refused("denied", viewerToken, "stopRuntime", nil)
		c.refused("denied", viewerToken, "pauseWorker", in{"name": "mail-polling"})
		c.refused("denied", operatorToken, "listAudit", nil)
		c.refused("denied", operatorToken, "purgeQueue", in{"name": "mails", "states": []string{"dead"}})
		c.refused("unauthenticated", "wrong", "getRuntime", nil)
		c.refused("unauthenticated", "wrong", "stopRuntime", nil)
	},
	"workers": func(t *testing.T, c conversation) {
		list := gets[control.WorkerList](c, viewerToken, "listWorkers", in{"kind": "poll", "limit": 1})
		if len(list.Workers) != 1 || list.Workers[0].Name != "mail-polling" {
			t.Errorf("%+v", list)
		}
		w := gets[control.WorkerDetail](c, viewerToken, "getWorker", in{"name": "email-processing"})
		if !w.Critical || len(w.Lifecycle.States) != 5 {
			t.Errorf("%+v", w)
		}
		gets[control.Operation](c, operatorToken, "pauseWorker", in{"name": "email-processing", "reason": "test"})
		if w = gets[control.WorkerDetail](c, viewerToken, "getWorker", in{"name": "email-processing"}); !w.Paused {
			t.Error("it is not paused")
		}
		gets[control.Operation](c, operatorToken, "resumeWorker", in{"name": "email-processing"})
		if o := gets[control.Operation](c, operatorToken, "scaleWorker", in{"name": "email-processing", "concurrency": 4}); o.Concurrency != 4 {
			t.Errorf("%+v", o)
		}
		o := c.ended(gets[control.Operation](c, operatorToken, "stopWorker", in{"name": "email-processing", "mode": "force"}))
		if o.State != control.OperationSucceeded && o.State != control.OperationFailed || o.WorkerReceipt == nil {
			t.Errorf("%+v", o)
		}
		if o = c.ended(gets[control.Operation](c, operatorToken, "startWorker", in{"name": "email-processing"})); o.State != control.OperationSucceeded {
			t.Errorf("%+v", o)
		}
		if o = c.ended(gets[control.Operation](c, operatorToken, "restartWorker", in{"name": "email-processing"})); o.State != control.OperationSucceeded {
			t.Errorf("%+v", o)
		}
		c.refused("conflict", operatorToken, "scaleWorker", in{"name": "mail-polling", "concurrency": 4})
		c.refused("not_found", operatorToken, "stopWorker", in{"name": "nobody"})
		c.refused("not_found", viewerToken, "getWorker", in{"name": "nobody"})
	},
	"input": func(t *testing.T, c conversation) {
		for _, bad := range []struct {
			operation string
			input     in
			field     string
		}{
			{"stopRuntime", in{"mode": "softly"}, "mode"},
			{"stopRuntime", in{"mode": 7}, "mode"},
			{"stopRuntime", in{"timeout": "soon"}, "timeout"},
			{"stopRuntime", in{"timeout": "25h"}, "timeout"},
			{"stopRuntime", in{"exit": true, "mode": "force"}, "exit"},
			{"stopRuntime", in{"reason": "a\nb"}, "reason"},
			{"stopRuntime", in{"reason": strings.Repeat("x", 201)}, "reason"},
			{"stopRuntime", in{"tiemout": "5s"}, "tiemout"},
			{"startRuntime", in{"reason": "\x1b[31m"}, "reason"},
			{"scaleWorker", in{"name": "email-processing", "concurrency": 0}, "concurrency"},
			{"scaleWorker", in{"name": "email-processing", "concurrency": 10001}, "concurrency"},
			{"scaleWorker", in{"name": "email-processing", "concurrency": "3"}, "concurrency"},
			{"restartWorker", in{"name": "email-processing", "mode": "softly"}, "mode"},
			{"listWorkers", in{"limit": "ten"}, "limit"},
			{"listWorkers", in{"limit": -1}, "limit"},
			{"listWorkers", in{"state": "odd"}, "state"},
			{"listWorkers", in{"after": "nobody"}, "after"},
			{"listWorkers", in{"odd": 1}, "odd"},
			{"listQueues", in{"state": "odd"}, "state"},
			{"listOperations", in{"state": "odd"}, "state"},
			{"listOperations", in{"before": "odd"}, "before"},
			{"listTraces", in{"kind": "odd"}, "kind"},
			{"listEvents", in{"type": []string{"odd"}}, "type"},
		} {
			f := c.refused("invalid", operatorToken, bad.operation, bad.input)
			if got, _, _ := strings.Cut(f.field, "["); got != bad.field {
				t.Errorf("%s %v: field %q, want %q (%s)", bad.operation, bad.input, f.field, bad.field, f.detail)
			}
		}
		c.refused("not_found", operatorToken, "noSuchOperation", nil)
		if !c.p.app.Ready() {
			t.Error("one of them stopped the runtime")
		}
	},
	"queues": func(t *testing.T, c conversation) {
		id := c.p.later(7)
		q := gets[control.QueueDetail](c, viewerToken, "getQueue", in{"name": "mails"})
		if q.State != control.QueueOpen || q.Stats.Scheduled != 1 {
			t.Errorf("%+v", q)
		}
		list := gets[control.TaskList](c, viewerToken, "listTasks", in{"name": "mails", "state": []string{"scheduled", "dead"}, "limit": 10})
		if len(list.Tasks) != 1 || list.Tasks[0].ID != id {
			t.Errorf("%+v", list)
		}
		task := in{"name": "mails", "id": id}
		if got := gets[control.Task](c, viewerToken, "getTask", task); got.State != queue.StateScheduled {
			t.Errorf("%+v", got)
		}
		if got := gets[queue.Shown](c, operatorToken, "getTaskPayload", task); !strings.Contains(string(got.JSON), "7") {
			t.Errorf("%+v", got)
		}
		c.refused("denied", viewerToken, "getTaskPayload", task)
		gets[control.Operation](c, operatorToken, "pauseQueue", in{"name": "mails"})
		if o := gets[control.Operation](c, operatorToken, "cancelTask", in{"name": "mails", "id": id, "reason": "test"}); o.Task != id {
			t.Errorf("%+v", o)
		}
		if f := c.refused("conflict", operatorToken, "cancelTask", task); f.state != "cancelled" {
			t.Errorf("%+v", f)
		}
		gets[control.Operation](c, operatorToken, "retryTask", task)
		gets[control.Operation](c, strings.ToUpper(adminToken), "discardTask", task)
		c.refused("not_found", viewerToken, "getTask", task)
		gets[control.Operation](c, operatorToken, "resumeQueue", in{"name": "mails"})
		for _, operation := range []string{"requeueDeadTasks", "purgeQueue"} {
			input := in{"name": "mails"}
			if operation == "purgeQueue" {
				input["states"] = []string{"dead", "done"}
			}
			if o := c.ended(gets[control.Operation](c, strings.ToUpper(adminToken), operation, input)); o.State != control.OperationSucceeded {
				t.Errorf("%+v", o)
			}
		}
	},
	"views": func(t *testing.T, c conversation) {
		c.p.publish(1)
		if list := gets[control.PipelineList](c, viewerToken, "listPipelines", nil); len(list.Pipelines) != 1 {
			t.Errorf("%+v", list)
		}
		gets[struct{ Nodes []any }](c, viewerToken, "getPipeline", in{"name": "orders"})
		gets[control.HealthChangeList](c, viewerToken, "listHealthChanges", nil)
		eventually(t, "there are traces", func() bool {
			return len(gets[control.TraceList](c, viewerToken, "listTraces", in{"limit": 5}).Traces) > 0
		})
		trace := gets[control.TraceList](c, viewerToken, "listTraces", in{"limit": 1}).Traces[0]
		gets[struct{ Spans []any }](c, viewerToken, "getTrace", in{"id": trace.TraceID})
		c.refused("not_found", viewerToken, "getTrace", in{"id": "0123"})
	},
	"events": func(t *testing.T, c conversation) {
		gets[control.Operation](c, operatorToken, "pauseWorker", in{"name": "mail-polling"})
		list := gets[control.EventList](c, viewerToken, "listEvents", in{"type": []string{"operation"}, "name": "mail-polling"})
		if len(list.Events) != 2 || list.Last == "" {
			t.Errorf("%+v", list)
		}
	},
	"audit": func(t *testing.T, c conversation) {
		gets[control.Operation](c, operatorToken, "pauseWorker", in{"name": "mail-polling", "reason": "test"})
		c.refused("denied", viewerToken, "stopRuntime", nil)
		c.refused("not_found", operatorToken, "pauseWorker", in{"name": "nobody"})
		c.refused("invalid", operatorToken, "stopRuntime", in{"odd": 1})
		c.refused("unauthenticated", "wrong", "stopRuntime", nil)
		records := gets[control.AuditList](c, strings.ToUpper(adminToken), "listAudit", nil).Records
		var got []string
		for _, r := range records {
			got = append(got, fmt.Sprintf("%s %s %s", r.By, r.Asked, r.Outcome))
		}
		if want := "[ stopRuntime denied ops stopRuntime refused ops pauseWorker refused dashboard stopRuntime denied ops pauseWorker accepted]"; fmt.Sprint(got) != want {
			t.Errorf("%s, want %s", fmt.Sprint(got), want)
		}
	},
	"operations": func(t *testing.T, c conversation) {
		for range 3 {
			gets[control.Operation](c, operatorToken, "pauseWorker", in{"name": "mail-polling"})
		}
		page := gets[control.OperationList](c, viewerToken, "listOperations", in{"limit": 2})
		rest := gets[control.OperationList](c, viewerToken, "listOperations", in{"limit": 2, "before": page.Next})
		if len(page.Operations) != 2 || len(rest.Operations) != 1 || rest.Next != "" {
			t.Errorf("%+v %+v", page, rest)
		}
		c.refused("not_found", viewerToken, "getOperation", in{"id": "odd"})
	},
}

// waitedIdle waits without asking over HTTP, for which a token would be needed.
func (p *plane) waitedIdle() {
	p.t.Helper()
	eventually(p.t, "it is idle", func() bool { return p.app.Status().State == workers.Idle })
}
