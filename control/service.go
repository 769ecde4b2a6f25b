package control

import (
	"context"
	"fmt"
	"strconv"
	"sync"
	"time"

	"github.com/plba/plba/health"
	"github.com/plba/plba/runtime"
)

// Service is what operators may see and do, without any protocol: channels carry it to them. All methods are safe for concurrent use and, but for
// Close, answer at once. Errors are of type *Error.
//
// The typed methods do what they are asked; who may ask is decided before, by Call, or by a channel with the Access that each operation declares.
type Service struct {
	app   *runtime.App
	epoch string // begins the IDs that this service gives
	auth  *authority
	hub   hub
	audit audit

	entries []entry // all operations

	commands sync.Mutex // one command to the runtime after the other, until the runtime shows it

	mu         sync.Mutex // guards what follows; never held while calling the runtime
	ctx        context.Context
	cancel     context.CancelFunc // ends the commands under way
	closed     bool
	lastID     uint64
	operations []*underway // the oldest first
}

// NewService makes the service of an application, for channels that find out by themselves who asks. Close ends it.
func NewService(a *runtime.App) *Service {
	return newService(a, newAuthority(Config{}, nil), nil, Config{})
}

func newService(a *runtime.App, auth *authority, file *auditFile, cfg Config) *Service {
	s := &Service{app: a, auth: auth, entries: catalogue(cfg), epoch: strconv.FormatInt(time.Now().UnixMilli(), 36)}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.hub.epoch = s.epoch
	s.audit.epoch, s.audit.log, s.audit.file = s.epoch, a.Logger(), file
	a.Observe(s.hub.observer()) // for as long as the application lives: what is told goes into a ring that belongs to the service
	return s
}

// reopen lets a closed service accept commands again; what it remembers stays.
func (s *Service) reopen() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		s.ctx, s.cancel = context.WithCancel(context.Background())
		s.closed = false
	}
}

// Close ends subscriptions, refuses further commands, gives up those under way, and waits for stops among them or for the end of ctx; the error names what it did not wait for.
// For a start nobody must wait here: one that App.Stop interrupts takes down what it has begun, and so stops the channel that calls Close, itself.
// App.Stop waits for that.
func (s *Service) Close(ctx context.Context) error {
	s.mu.Lock()
	s.closed = true
	cancel := s.cancel
	var stops []*underway
	for _, u := range s.operations {
		if o := u.operation; o.State == OperationRunning && o.Asked == askedStop {
			stops = append(stops, u)
		}
	}
	s.mu.Unlock()
	cancel()
	for _, u := range stops {
		select {
		case <-u.done:
		case <-ctx.Done():
			return fmt.Errorf("the stop asked for by %s has not ended: %w", s.now(u).By, context.Cause(ctx))
		}
	}
	return nil
}

// life is the context of commands that are accepted now.
func (s *Service) life() context.Context {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.ctx
}

// RuntimeInfo is what the application is doing, and how the last operation went.
type RuntimeInfo struct {
	runtime.Status
	LastOperation *Operation `json:"last_operation,omitempty"`
}

// Runtime tells what the application is doing.
func (s *Service) Runtime() RuntimeInfo {
	info := RuntimeInfo{Status: s.app.Status()}
	info.LastStop = wholeReceipt(info.LastStop)
	s.mu.Lock()
	defer s.mu.Unlock()
	if n := len(s.operations); n > 0 {
		last := s.operations[n-1].operation
		info.LastOperation = &last
	}
	return info
}

// wholeReceipt has no list that is null.
func wholeReceipt(rec *runtime.Receipt) *runtime.Receipt {
	if rec == nil || rec.Workers != nil {
		return rec
	}
	whole := *rec
	whole.Workers = []runtime.WorkerReceipt{}
	return &whole
}

// Health aggregates the application's components.
func (s *Service) Health() health.Report { return s.app.Health() }

// Ready tells whether the application may get work; the reason says why not.
func (s *Service) Ready() (ok bool, reason string) {
	reason = s.app.NotReady()
	return reason == "", reason
}

// Started tells whether the application has ever come up; the reason says why not.
func (s *Service) Started() (ok bool, reason string) {
	reason = s.app.NotStarted()
	return reason == "", reason
}
