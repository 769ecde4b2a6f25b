package control

import (
	"slices"
	"strconv"
	"time"

	"github.com/plba/plba/runtime"
)

// OperationState says how far an operation has come.
type OperationState string

// The states of an operation.
const (
	OperationRunning   OperationState = "running"
	OperationSucceeded OperationState = "succeeded"
	OperationFailed    OperationState = "failed" // also one that forced, lost or abandoned something
)

// Operation is something that was asked of the application and accepted: by whom, why, how far it is, and what came of it.
type Operation struct {
	ID             string                 `json:"id"`
	Asked          string                 `json:"asked"`            // the operation of the control plane: startRuntime, stopWorker …
	Target         string                 `json:"target,omitempty"` // the worker or queue that it is about
	Task           string                 `json:"task,omitempty"`   // the task that it is about
	By             string                 `json:"by"`               // the name of who asked
	Reason         string                 `json:"reason,omitempty"` // as given
	Mode           StopMode               `json:"mode,omitempty"`   // of a stop
	TimeoutSeconds float64                `json:"timeout_seconds,omitempty"`
	Exit           bool                   `json:"exit,omitempty"` // of a stop that ends the process too
	Concurrency    int                    `json:"concurrency,omitempty"`
	Tasks          int                    `json:"tasks,omitempty"` // how many tasks it changed
	State          OperationState         `json:"state"`
	At             time.Time              `json:"at"`
	EndedAt        time.Time              `json:"ended_at,omitzero"` // zero while it goes on
	Error          string                 `json:"error,omitempty"`   // why it failed
	Receipt        *runtime.Receipt       `json:"receipt,omitempty"` // of a stop of the runtime
	WorkerReceipt  *runtime.WorkerReceipt `json:"worker_receipt,omitempty"`
	Reloaded       *ReloadReceipt         `json:"reloaded,omitempty"` // of a reload that took effect
}

// why is the reason that logs and receipts show.
func (o *Operation) why() string {
	if o.Reason == "" {
		return "asked for by " + o.By
	}
	return o.Reason + " (asked for by " + o.By + ")"
}

// keptOperations is how many operations are remembered, at least; those that run are never forgotten.
const keptOperations = 1000

// underway is an operation that was accepted.
type underway struct {
	operation Operation     // guarded by Service.mu
	done      chan struct{} // closed when it has ended
}

// accept books an operation, unless the service is closed.
func (s *Service) accept(o Operation) (*underway, error) {
	o.At, o.State = time.Now().UTC(), OperationRunning
	if err := s.closing(); err != nil {
		return nil, err
	}
	s.mu.Lock()
	s.lastID++
	o.ID = s.epoch + "-" + strconv.FormatUint(s.lastID, 10)
	u := &underway{operation: o, done: make(chan struct{})}
	s.forget()
	s.operations = append(s.operations, u)
	s.tell(o)
	s.mu.Unlock()
	s.app.Logger().Info("control command", "operation", o.ID, "asked", o.Asked, "target", o.Target, "by", o.By, "mode", string(o.Mode), "exit", o.Exit, "reason", o.Reason)
	return u, nil
}

// closing refuses commands to a service that is closed.
func (s *Service) closing() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return &Error{Kind: ErrConflict, Detail: "the control plane is closing"}
	}
	return nil
}

// forget makes room for one more. The caller holds mu.
func (s *Service) forget() {
	if len(s.operations) < keptOperations {
		return
	}
	for i, u := range s.operations {
		if u.operation.State != OperationRunning {
			s.operations = slices.Delete(s.operations, i, i+1)
			return
		}
	}
}

// ended books the end of an operation and gives it as it is now. more, which may be nil, adds what came of it.
func (s *Service) ended(u *underway, err error, more func(*Operation)) Operation {
	s.mu.Lock()
	defer s.mu.Unlock()
	o := &u.operation
	o.EndedAt, o.State = time.Now().UTC(), OperationSucceeded
	if err != nil {
		o.State, o.Error = OperationFailed, err.Error()
	}
	if more != nil {
		more(o)
	}
	close(u.done)
	s.tell(*o)
	return *o
}

// tell publishes an operation as it is now. The caller holds mu, so that what happened first is told first.
func (s *Service) tell(o Operation) {
	at := o.At
	if !o.EndedAt.IsZero() {
		at = o.EndedAt
	}
	s.hub.publish(Event{Type: EventOperation, At: at, Name: o.Target, Operation: &o})
}

// now gives the operation as it is.
func (s *Service) now(u *underway) Operation {
	s.mu.Lock()
	defer s.mu.Unlock()
	return u.operation
}

// Operation gives one of the operations that are remembered: the last 1000, and all that run.
func (s *Service) Operation(id string) (Operation, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, u := range slices.Backward(s.operations) {
		if u.operation.ID == id {
			return u.operation, nil
		}
	}
	return Operation{}, noSuch("operation", id, nil)
}

// OperationFilter chooses operations. Its zero value chooses the latest 100.
type OperationFilter struct {
	State  OperationState // "" for all
	Asked  string         // "" for all
	Target string         // "" for all
	Before string         // the ID of the one before which to begin, "" for the latest
	Limit  int            // 1 to 1000; more counts as 1000, 0 as 100
}

// Operations gives those that are remembered, the latest first. next is the Before that goes on, "" at the end.
func (s *Service) Operations(f OperationFilter) (list []Operation, next string, err error) {
	if f.State != "" && f.State != OperationRunning && f.State != OperationSucceeded && f.State != OperationFailed {
		return nil, "", invalid("state", "state must be running, succeeded or failed")
	}
	limit, err := pageSize(f.Limit)
	if err != nil {
		return nil, "", err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	from := len(s.operations)
	if f.Before != "" {
		if from = slices.IndexFunc(s.operations, func(u *underway) bool { return u.operation.ID == f.Before }); from < 0 {
			return nil, "", invalid("before", "there is no such operation any more; begin anew without before")
		}
	}
	list = []Operation{}
	for _, u := range slices.Backward(s.operations[:from]) {
		o := u.operation
		if f.State != "" && o.State != f.State || f.Asked != "" && o.Asked != f.Asked || f.Target != "" && o.Target != f.Target {
			continue
		}
		if len(list) == limit {
			return list, list[limit-1].ID, nil
		}
		list = append(list, o)
	}
	return list, "", nil
}
