package control

import (
	"encoding/json"
	"time"

	"github.com/plba/plba/health"
	"github.com/plba/plba/pipeline"
	"github.com/plba/plba/queue"
	"github.com/plba/plba/runtime"
	"github.com/plba/plba/tracing"
	"github.com/plba/plba/workers"
)

// The examples of the document tell of one application at one moment: a mail bot that was restarted by an operator a minute ago.

// exampleTime is that moment, minus the given seconds.
func exampleTime(ago int) time.Time {
	return time.Date(2025, 3, 14, 9, 26, 53, 0, time.UTC).Add(-time.Duration(ago) * time.Second)
}

func exampleRuntime() RuntimeInfo {
	start := exampleStart()
	start.State, start.EndedAt = OperationSucceeded, exampleTime(59)
	return RuntimeInfo{
		Status: runtime.Status{
			Name: "mail_order_bot", State: workers.Busy, Since: exampleTime(59), StartedAt: exampleTime(59), Ready: true,
			Workers: []workers.Status{
				{Name: "mail-polling", Kind: "poll", State: workers.Idle, Since: exampleTime(14), Done: 4},
				{Name: "email-processing", Kind: "consume", State: workers.Busy, Since: exampleTime(3), InFlight: 2, Done: 17, Failed: 1, Concurrency: 3,
					LastError: "shop: no answer", LastErrorAt: exampleTime(31)},
			},
			LastStop: exampleReceipt(),
		},
		LastOperation: &start,
	}
}

func exampleReceipt() *runtime.Receipt {
	return &runtime.Receipt{
		Clean: true, Reason: "new price list (asked for by ops)", TookSeconds: 0.8,
		Workers: []runtime.WorkerReceipt{
			{Name: "mail-polling", Outcome: runtime.Drained, TookSeconds: 0.1},
			{Name: "email-processing", Outcome: runtime.Drained, TookSeconds: 0.7, Receipt: workers.Receipt{Finished: 3}},
		},
	}
}

const exampleID = "m8x2k1-17"

func exampleStart() Operation {
	return Operation{ID: "m8x2k1-18", Asked: askedStart, By: "ops", Reason: "the price list is there", State: OperationRunning, At: exampleTime(60)}
}

func exampleStop() Operation {
	return Operation{
		ID: exampleID, Asked: askedStop, By: "ops", Reason: "new price list", Mode: Graceful, TimeoutSeconds: 30, State: OperationRunning, At: exampleTime(90),
	}
}

func exampleStopped() Operation {
	o := exampleStop()
	o.State, o.EndedAt, o.Receipt = OperationSucceeded, exampleTime(89), exampleReceipt()
	return o
}

func exampleReload() Operation {
	return Operation{ID: "m8x2k1-19", Asked: askedReload, By: "ops", Reason: "new price list", State: OperationRunning, At: exampleTime(10)}
}

func exampleMoves() []runtime.Transition {
	return []runtime.Transition{
		{From: runtime.Stopped, To: runtime.Starting, Event: runtime.EventStart, At: exampleTime(60), HeldSeconds: 29},
		{From: runtime.Starting, To: runtime.Running, Event: runtime.EventStarted, At: exampleTime(59), HeldSeconds: 1},
	}
}

func exampleHealthChanges() []health.Change {
	return []health.Change{
		{Name: "mail-polling", Critical: true, From: health.StateUnhealthy, To: health.StateOK, At: exampleTime(59)},
		{Name: "mail-polling", Critical: true, From: health.StateOK, To: health.StateUnhealthy, Reason: "the mail server does not answer", At: exampleTime(91)},
	}
}

func exampleTask() Task {
	return Task{
		ID: "0196b1a4f3e27c9d8a51c0de0b2f4e11", Kind: "mails", State: queue.StateRetrying, Attempt: 1, MaxAttempts: 20, Unique: "orders/7/1204",
		Metadata: map[string]string{"traceparent": "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"}, EnqueuedAt: exampleTime(33), RunAt: exampleTime(-2),
		Failures: []queue.Failure{{Attempt: 1, At: exampleTime(31), Error: "shop: no answer"}},
	}
}

func exampleShown() queue.Shown {
	const payload = `{"account":"orders","uid":1204}`
	return queue.Shown{JSON: json.RawMessage(payload), Bytes: len(payload)}
}

func exampleHealth(state health.State) health.Report {
	r := health.Report{State: state, Since: exampleTime(59), LastOK: exampleTime(1)}
	polling := health.Report{State: health.StateOK, Since: exampleTime(59), LastOK: exampleTime(1)}
	if state == health.StateUnhealthy {
		r.Since, r.LastOK = exampleTime(20), exampleTime(21)
		r.Reason = "mail-polling is unhealthy: the mail server does not answer"
		polling = health.Report{State: state, Reason: "the mail server does not answer", Since: exampleTime(20), LastOK: exampleTime(21)}
	}
	r.Components = []health.Component{
		{Name: "mail-polling", Critical: true, Groups: []health.Group{health.Readiness}, Report: polling},
		{Name: "catalogue", Report: health.Report{State: health.StateOK, Since: exampleTime(59), LastOK: exampleTime(4)}},
	}
	return r
}

func exampleWorker() WorkerDetail {
	status := exampleRuntime().Workers[1]
	return WorkerDetail{
		runtime.WorkerInfo{
			Status: status, Critical: true, After: []string{"mail-polling"}, Restart: runtime.RestartInfo{Policy: "on-failure", MaxRestarts: 5, WindowSeconds: 60}, Health: health.Report{State: health.StateOK, Since: exampleTime(60), LastOK: exampleTime(1)},
			History: []workers.Transition{
				{From: workers.Stopped, To: workers.Starting, Event: workers.EventStart, At: exampleTime(60), HeldSeconds: 12.5},
				{From: workers.Starting, To: workers.Idle, Event: workers.EventReady, At: exampleTime(59), HeldSeconds: 1},
			},
			Activity: []workers.Transition{{From: workers.Idle, To: workers.Busy, Event: workers.EventWork, At: exampleTime(3), HeldSeconds: 56}},
		},
		lifecycleAt(workers.Lifecycle(), status.State),
	}
}

func exampleQueue() QueueDetail {
	return QueueDetail{
		runtime.QueueInfo{Name: "mails", Backend: "memory", Type: "domain.MailRef"}, QueueOpen,
		&queue.Stats{Ready: 3, Running: 2, Retrying: 1, Published: 23, Completed: 17, Capacity: 1000, OldestReady: 1500 * time.Millisecond},
	}
}

func exampleGraph() pipeline.Graph {
	return pipeline.Graph{
		Name: "orders", In: "domain.MailRef", Out: "pipeline.Done",
		Nodes: []pipeline.Node{
			{ID: "orders", Name: "orders", Kind: "pipeline", In: "domain.MailRef", Out: "pipeline.Done"},
			{ID: "orders/load", Parent: "orders", Name: "load", Kind: "map", In: "domain.MailRef", Out: "domain.Mail",
				Policies: map[string]string{"retry": "3", "timeout": "30s"}},
			{ID: "orders/store", Parent: "orders", Name: "store", Kind: "sink", In: "domain.Mail", Out: "pipeline.Done"},
		},
		Edges: []pipeline.Edge{
			{From: "orders", To: "orders/load", Type: "domain.MailRef"},
			{From: "orders/load", To: "orders/store", Type: "domain.Mail"},
		},
	}
}

// exampleCounters are those of exampleGraph: of 21 runs one waits for the mail server, one has failed there, and two mails were not orders.
func exampleCounters() map[string]pipeline.Counters {
	return map[string]pipeline.Counters{
		"orders":       {InFlight: 1, Done: 17, Failed: 1, Dropped: 2, Timed: 20, Nanos: 8_400_000_000},
		"orders/load":  {InFlight: 1, Done: 19, Failed: 1, Retried: 2, Timed: 20, Nanos: 8_000_000_000},
		"orders/store": {Done: 17, Dropped: 2, Timed: 19, Nanos: 380_000_000},
	}
}

func examplePipeline() PipelineSummary {
	g := exampleGraph()
	return PipelineSummary{Name: g.Name, In: g.In, Out: g.Out, Stages: len(g.Nodes) - 1, Counters: countersOf(exampleCounters()[g.Name])}
}

func exampleTrace() tracing.Trace {
	const id, root = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
	return tracing.Trace{
		Summary: tracing.Summary{TraceID: id, Kind: tracing.KindBusiness, Name: "process mails", Start: exampleTime(3), DurationSeconds: 0.42, SpanCount: 2},
		Spans: []tracing.Span{
			{TraceID: id, SpanID: root, Name: "process mails", Kind: "consumer", Scope: "github.com/plba/plba/tracing", Start: exampleTime(3),
				DurationSeconds: 0.42, Status: "unset", Attributes: map[string]any{"messaging.destination.name": "mails"}},
			{TraceID: id, SpanID: "53995c3f42cd8ad8", ParentID: root, Name: "load", Kind: "internal", Scope: "github.com/plba/plba/pipeline",
				Start: exampleTime(3), DurationSeconds: 0.3, Status: "ok", Attributes: map[string]any{"pipeline.name": "orders", "pipeline.stage": "load"}},
		},
	}
}

func exampleEvents() []Event {
	operation := exampleStop()
	return []Event{
		{ID: "m8x2k1-841", Type: EventWorker, At: exampleTime(3), Name: "email-processing", Worker: &workers.Transition{
			From: workers.Idle, To: workers.Busy, Event: workers.EventWork, At: exampleTime(3), HeldSeconds: 56,
		}},
		{ID: "m8x2k1-842", Type: EventOperation, At: operation.At, Operation: &operation},
	}
}

func exampleStream() string {
	var batch []*told
	for _, e := range exampleEvents() {
		batch = append(batch, &told{Event: e})
	}
	return string(serverSent(batch))
}

func exampleAudit() []AuditRecord {
	return []AuditRecord{
		{ID: "m8x2k1-32", At: exampleTime(90), By: "ops", Role: Operator, Channel: channelHTTP, From: "192.0.2.7", Asked: askedStop, Reason: "new price list",
			Outcome: AuditAccepted, Operation: exampleID},
		{ID: "m8x2k1-31", At: exampleTime(95), By: "dashboard", Role: Viewer, Channel: channelHTTP, From: "192.0.2.9", Asked: askedStop,
			Outcome: AuditDenied, Detail: `this needs the role operator; "dashboard" has the role viewer`},
	}
}
