package runtime

import (
	"errors"
	"fmt"
	"strings"

	"github.com/plba/plba/config"
)

// FaultError holds every fault of configuration and registration that New found. Nothing was started.
type FaultError struct{ Faults []error }

func (e *FaultError) Error() string {
	lines := make([]string, len(e.Faults))
	for i, f := range e.Faults {
		lines[i] = f.Error()
	}
	return strings.Join(lines, "\n")
}

// Unwrap gives the faults, for errors.As and errors.Is.
func (e *FaultError) Unwrap() []error { return e.Faults }

// faults collects; joined errors are taken apart so that each fault is one line, and told once.
type faults struct {
	list []error
	seen map[string]bool
}

func (f *faults) add(err error) {
	if err == nil {
		return
	}
	if parts := config.Parts(err); parts != nil {
		for _, e := range parts {
			f.add(e)
		}
		return
	}
	if f.seen == nil {
		f.seen = map[string]bool{}
	}
	if text := err.Error(); !f.seen[text] {
		f.seen[text] = true
		f.list = append(f.list, err)
	}
}

func (f *faults) addf(format string, args ...any) { f.add(fmt.Errorf(format, args...)) }

func (f *faults) err() error {
	if len(f.list) == 0 {
		return nil
	}
	return &FaultError{config.Parts(config.Join(f.list...))} // those of the configuration first, by file and line
}

// StartError says what did not start. Everything that had started before it was stopped again.
type StartError struct {
	Kind string // "queue", "resource", "health", "control channel" or "worker"
	Name string
	Err  error
}

func (e *StartError) Error() string {
	return fmt.Sprintf("start failed at %s %q: %v", e.Kind, e.Name, e.Err)
}
func (e *StartError) Unwrap() error { return e.Err }

// CriticalError is what Run returns when platform.exit_on_critical_failure is set and a critical worker was given up.
type CriticalError struct {
	Worker string
	Why    string // "after 5 restarts within 1m0s"
	Err    error  // the last failure; nil when a worker with Restart(Always) ended cleanly too often
}

func (e *CriticalError) Error() string {
	return fmt.Sprintf("critical worker %q was given up %s: %s", e.Worker, e.Why, reason(e.Err))
}
func (e *CriticalError) Unwrap() error { return e.Err }

// ErrNotClean is what Run returns when a stop forced, lost or abandoned something, or a part failed to stop.
var ErrNotClean = errors.New("the stop was not clean")
