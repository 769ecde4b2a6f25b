package control

import (
	"context"
	"sync"

	"github.com/plba/plba/health"
	"github.com/plba/plba/runtime"
)

// Service is what operators may see and do, without any protocol: channels carry it to them. All methods are safe for concurrent use and, but for
// Close, answer at once. Errors are of type *Error.
//
// Who may do what is the channel's to decide before it calls; what each operation demands is declared in one place (see Access).
type Service struct {
	app *runtime.App

	ctx    context.Context // of commands under way
	cancel context.CancelFunc

	commands sync.Mutex // one command after the other, until the runtime shows it

	mu       sync.Mutex // guards what follows; never held while calling the runtime
	closed   bool
	last     *underway // the command accepted last
	underway map[*underway]struct{}
}

// NewService makes the service of an application. Close ends it.
func NewService(a *runtime.App) *Service {
	s := &Service{app: a, underway: map[*underway]struct{}{}}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	return s
}

// RuntimeInfo is what the application is doing, and how the last command went.
type RuntimeInfo struct {
	runtime.Status
	LastCommand *Command `json:"last_command,omitempty"`
}

// Runtime tells what the application is doing.
func (s *Service) Runtime() RuntimeInfo {
	info := RuntimeInfo{Status: s.app.Status()}
	if rec := info.LastStop; rec != nil && rec.Workers == nil {
		whole := *rec
		whole.Workers = []runtime.WorkerReceipt{}
		info.LastStop = &whole
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.last != nil {
		last := s.last.command
		info.LastCommand = &last
	}
	return info
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
