package control

import (
	"reflect"
	"slices"
	"strings"

	"github.com/danielgtaylor/huma/v2"
	"github.com/plba/plba/fsm"
	"github.com/plba/plba/health"
	"github.com/plba/plba/pipeline"
	"github.com/plba/plba/queue"
	"github.com/plba/plba/runtime"
	"github.com/plba/plba/tracing"
	"github.com/plba/plba/workers"
)

// nameSchema names the schema of a type. Types of several packages meet in the document, so most carry the name of theirs.
func nameSchema(t reflect.Type, hint string) string {
	if t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch t {
	case reflect.TypeFor[runtime.Receipt]():
		return "StopReceipt"
	case reflect.TypeFor[runtime.WorkerReceipt]():
		return "WorkerReceipt"
	case reflect.TypeFor[workers.Status]():
		return "WorkerStatus"
	case reflect.TypeFor[workers.Transition]():
		return "WorkerTransition"
	case reflect.TypeFor[health.Report]():
		return "HealthReport"
	case reflect.TypeFor[health.Component]():
		return "HealthComponent"
	case reflect.TypeFor[queue.Stats]():
		return "QueueStats"
	case reflect.TypeFor[queue.Failure]():
		return "TaskFailure"
	case reflect.TypeFor[queue.Shown]():
		return "TaskPayload"
	case reflect.TypeFor[workers.Failure]():
		return "AttemptFailure"
	case reflect.TypeFor[runtime.Transition]():
		return "RuntimeTransition"
	case reflect.TypeFor[health.Change]():
		return "HealthChange"
	case reflect.TypeFor[Lifecycle[workers.State, workers.Event]]():
		return "WorkerLifecycle"
	case reflect.TypeFor[Move[workers.State, workers.Event]]():
		return "WorkerMove"
	case reflect.TypeFor[Move[runtime.State, runtime.Event]]():
		return "RuntimeMove"
	case reflect.TypeFor[pipeline.Edge]():
		return "PipelineEdge"
	case reflect.TypeFor[tracing.Summary]():
		return "TraceSummary"
	case reflect.TypeFor[tracing.Event]():
		return "SpanEvent"
	case reflect.TypeFor[tracing.Link]():
		return "SpanLink"
	}
	return huma.DefaultSchemaNamer(t, hint)
}

// aliasEnums gives the string types of other packages the schemas of the values that they have.
func aliasEnums(r huma.Registry) {
	alias[workers.State, workerStates](r)
	alias[workers.Event, workerEvents](r)
	alias[health.State, healthStates](r)
	alias[runtime.Outcome, outcomes](r)
	alias[tracing.Kind, traceKinds](r)
	alias[queue.State, taskStates](r)
	alias[runtime.State, runtimeStates](r)
	alias[runtime.Event, runtimeEvents](r)
}

func alias[T ~string, Schema huma.SchemaProvider](r huma.Registry) {
	r.RegisterTypeAlias(reflect.TypeFor[T](), reflect.TypeFor[Schema]())
}

type (
	workerStates string
	workerEvents string
	healthStates string
	outcomes     string
	traceKinds   string

	taskStates    string
	runtimeStates string
	runtimeEvents string
)

func (workerStates) Schema(r huma.Registry) *huma.Schema {
	return enum(r, "WorkerState", workers.Lifecycle().States()...)
}

func (workerEvents) Schema(r huma.Registry) *huma.Schema {
	return enum(r, "WorkerEvent", eventsOf(workers.Lifecycle())...)
}

func (runtimeStates) Schema(r huma.Registry) *huma.Schema {
	return enum(r, "RuntimeState", runtime.Lifecycle().States()...)
}

func (runtimeEvents) Schema(r huma.Registry) *huma.Schema {
	return enum(r, "RuntimeEvent", eventsOf(runtime.Lifecycle())...)
}

func (taskStates) Schema(r huma.Registry) *huma.Schema {
	return enum(r, "TaskState", queue.States().States()...)
}

// eventsOf are the events of a table, each once.
func eventsOf[S, E ~string](t *fsm.Table[S, E]) (events []E) {
	for _, e := range t.Edges() {
		if !slices.Contains(events, e.Event) {
			events = append(events, e.Event)
		}
	}
	return events
}

func (healthStates) Schema(r huma.Registry) *huma.Schema {
	return enum(r, "HealthState", health.StateOK, health.StateDegraded, health.StateUnhealthy)
}

func (outcomes) Schema(r huma.Registry) *huma.Schema {
	return enum(r, "StopOutcome", runtime.Drained, runtime.Forced, runtime.Abandoned)
}

func (traceKinds) Schema(r huma.Registry) *huma.Schema {
	return enum(r, "TraceKind", knownTraces...)
}

// Schema lists the states of a queue.
func (QueueState) Schema(r huma.Registry) *huma.Schema {
	return enum(r, "QueueState", queueStates...)
}

// Schema lists the states of an operation.
func (OperationState) Schema(r huma.Registry) *huma.Schema {
	return enum(r, "OperationState", OperationRunning, OperationSucceeded, OperationFailed)
}

// Schema lists the outcomes.
func (AuditOutcome) Schema(r huma.Registry) *huma.Schema {
	return enum(r, "AuditOutcome", auditOutcomes...)
}

// Schema lists the roles.
func (Role) Schema(r huma.Registry) *huma.Schema {
	return enum(r, "Role", Viewer, Operator, Admin)
}

// Schema lists the types of events.
func (EventType) Schema(r huma.Registry) *huma.Schema {
	return enum(r, "EventType", append(slices.Clone(eventTypes), EventMissed)...)
}

// Schema lists the modes of a stop.
func (StopMode) Schema(r huma.Registry) *huma.Schema {
	return enum(r, "StopMode", Graceful, Forced)
}

// enum keeps the values of a type under its name, and refers to them: a generated client has one type for all fields that hold one.
func enum[T ~string](r huma.Registry, name string, values ...T) *huma.Schema {
	if r.Map()[name] == nil {
		s := &huma.Schema{Type: huma.TypeString}
		for _, v := range values {
			s.Enum = append(s.Enum, string(v))
		}
		s.PrecomputeMessages()
		r.Map()[name] = s
	}
	return &huma.Schema{Ref: "#/components/schemas/" + name}
}

// settleSchemas says of answers what huma does not know: lists are never null, and more properties may come with later versions. What clients send stays
// strict; those types are named so.
func settleSchemas(r huma.Registry) {
	for name, s := range r.Map() {
		s.Description = describe(name, "")
		if strings.HasSuffix(name, "Body") {
			continue
		}
		s.AdditionalProperties = nil
		for field, p := range s.Properties {
			if p.Type == huma.TypeArray {
				p.Nullable = false
			}
			if d := describe(name, field); d != "" {
				p.Description = d
			}
		}
	}
}
