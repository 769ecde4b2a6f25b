package control_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/plba/plba/control"
	"github.com/plba/plba/queue"
	"github.com/plba/plba/workers"
)

// later publishes a mail that is due in an hour.
func (p *plane) later(id int) (task string) {
	p.t.Helper()
	r, err := p.bot.mails.Send(p.t.Context(), mail{id}, queue.After(time.Hour))
	if err != nil {
		p.t.Fatal(err)
	}
	return r.ID
}

// Every operation of the document answers with success, and with what the document says.
func TestEveryOperationAnswersAsDocumented(t *testing.T) {
	p := startPlane(t, map[string]any{"platform.control.pprof": true})
	p.publish(1, 2, 3)
	eventually(t, "the mails are handled", func() bool {
		return read[control.WorkerDetail](t, p.get("/api/v1/workers/email-processing"), 200).Done == 3
	})
	traces := read[control.TraceList](t, p.get("/api/v1/traces?kind=business", bearer(p.token)), 200).Traces
	if len(traces) == 0 {
		t.Fatal("no traces of three mails")
	}
	s := loadSpec(t)
	answered := map[string]bool{}
	ask := func(id, path, body string) answer {
		t.Helper()
		var got answer
		s.each(func(method, template string, op specOperation) {
			if op.OperationID == id {
				answered[id] = true
				got = p.do(method, path, body, bearer(p.token))
				checkAnswer(t, s, method+" "+template, op, got)
			}
		})
		return got
	}
	commanded := func(id, path, body string) {
		t.Helper()
		o := read[control.Operation](t, ask(id, path, body), statusOf(s, id))
		if o = p.waitOperation(o.ID); o.State != control.OperationSucceeded || o.Asked != id {
			t.Errorf("%s: %+v", id, o)
		}
		ask("getOperation", "/api/v1/operations/"+o.ID, "")
	}
	const worker, mails = "/api/v1/workers/email-processing", "/api/v1/queues/mails"
	for id, path := range map[string]string{
		"getLiveness": "/livez", "getReadiness": "/readyz", "getStartup": "/startupz", "getHealth": "/health", "listHealthChanges": "/api/v1/health/changes",
		"getRuntime": "/api/v1/runtime", "getRuntimeLifecycle": "/api/v1/runtime/lifecycle", "listWorkers": "/api/v1/workers", "getWorker": worker,
		"listQueues": "/api/v1/queues", "getQueue": mails, "listPipelines": "/api/v1/pipelines", "getPipeline": "/api/v1/pipelines/orders",
		"listTraces": "/api/v1/traces?limit=5", "getTrace": "/api/v1/traces/" + traces[0].TraceID,
		"listEvents": "/api/v1/events/recent", "listAudit": "/api/v1/audit", "getProfile": "/debug/pprof/goroutine", "getDocumentAsJSON": "/openapi.json", "getDocumentAsYAML": "/openapi.yaml",
	} {
		ask(id, path, "")
	}
	commanded("pauseWorker", worker+"/pause", `{"reason":"test"}`)
	commanded("resumeWorker", worker+"/resume", "")
	commanded("scaleWorker", worker, `{"concurrency":3}`)
	commanded("restartWorker", worker+"/restart", `{"reason":"test"}`)
	commanded("stopWorker", worker+"/stop", `{"timeout":"5s"}`)
	commanded("startWorker", worker+"/start", "")

	commanded("pauseQueue", mails+"/pause", "")
	commanded("resumeQueue", mails+"/resume", "")
	one, other := p.later(7), p.later(8)
	ask("listTasks", mails+"/tasks?state=scheduled,dead&limit=1", "")
	ask("getTask", mails+"/tasks/"+one, "")
	ask("getTaskPayload", mails+"/tasks/"+one+"/payload", "")
	commanded("cancelTask", mails+"/tasks/"+one+"/cancel", `{"reason":"test"}`)
	commanded("retryTask", mails+"/tasks/"+one+"/retry", "")
	commanded("discardTask", mails+"/tasks/"+other, "")
	commanded("requeueDeadTasks", mails+"/dead/requeue", "")
	commanded("purgeQueue", mails+"/purge", `{"states":["dead","done"]}`)

	commanded("reloadConfiguration", "/api/v1/runtime/reload", "")
	commanded("stopRuntime", "/api/v1/runtime/stop", `{"reason":"test","timeout":"10s"}`)
	p.waitState(workers.Stopped)
	commanded("startRuntime", "/api/v1/runtime/start", "")
	ask("listOperations", "/api/v1/operations?limit=3", "")
	p.listen("/api/v1/events").end()
	answered["watchEvents"] = true
	s.each(func(method, path string, op specOperation) {
		if !answered[op.OperationID] {
			t.Errorf("%s %s was not asked", method, path)
		}
	})
}

// statusOf is the status with which an operation succeeds.
func statusOf(s spec, id string) (status int) {
	s.each(func(_, _ string, op specOperation) {
		if op.OperationID != id {
			return
		}
		status = http.StatusOK
		if _, slow := op.Responses["202"]; slow {
			status = http.StatusAccepted
		}
	})
	return status
}

// What is asked for again and again is not sent again while it is the same.
func TestETags(t *testing.T) {
	p := startPlane(t, nil)
	p.waitIdle()
	for _, path := range []string{"/api/v1/workers", "/api/v1/workers/mail-polling", "/api/v1/queues/mails", "/openapi.json", "/api/v1/pipelines/orders", "/api/v1/runtime/lifecycle"} {
		first := p.get(path)
		tag := first.header.Get("ETag")
		if first.status != 200 || len(tag) < 10 {
			t.Fatalf("%s: %d %q", path, first.status, tag)
		}
		for _, match := range []string{tag, `"other", ` + tag, "W/" + tag, "*"} {
			if again := p.get(path, header("If-None-Match", match)); again.status != 304 || len(again.body) > 0 || again.header.Get("ETag") != tag {
				t.Errorf("%s with %s: %d, %d bytes", path, match, again.status, len(again.body))
			}
		}
		for _, match := range []string{`"other"`, strings.Trim(tag, `"`), ""} {
			if again := p.get(path, header("If-None-Match", match)); again.status != 200 || string(again.body) != string(first.body) {
				t.Errorf("%s with %s: %d", path, match, again.status)
			}
		}
	}
	tag := p.get("/api/v1/workers/email-processing").header.Get("ETag")
	p.command("/api/v1/workers/email-processing/pause", "")
	if a := p.get("/api/v1/workers/email-processing", header("If-None-Match", tag)); a.status != 200 {
		t.Errorf("what has changed is not sent: %d", a.status)
	}
	if a := p.get("/api/v1/workers/x", header("If-None-Match", "*")); a.status != 404 || a.header.Get("ETag") != "" {
		t.Errorf("a refusal: %d %v", a.status, a.header)
	}
	if a := p.do(http.MethodHead, "/api/v1/workers/mail-polling", ""); a.status != 200 || a.header.Get("ETag") == "" || len(a.body) > 0 {
		t.Errorf("HEAD: %d %v", a.status, a.header)
	}
}
