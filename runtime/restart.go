package runtime

import (
	"encoding"
	"errors"
	"fmt"
	"time"

	"github.com/plba/plba/config"
)

// RestartPolicy says when the supervisor starts a worker again whose life has ended by itself. Its texts, in configuration too, are on-failure, always and
// never.
type RestartPolicy uint8

const (
	// OnFailure restarts after an error or a panic (default).
	OnFailure RestartPolicy = iota
	// Always restarts after a clean return too.
	Always
	// Never leaves the worker stopped.
	Never
)

var _ encoding.TextUnmarshaler = (*RestartPolicy)(nil)

// String is the policy as the configuration says it.
func (p RestartPolicy) String() string {
	switch p {
	case OnFailure:
		return "on-failure"
	case Always:
		return "always"
	case Never:
		return "never"
	}
	return fmt.Sprintf("RestartPolicy(%d)", uint8(p))
}

// UnmarshalText reads what String says.
func (p *RestartPolicy) UnmarshalText(text []byte) error {
	for _, known := range []RestartPolicy{OnFailure, Always, Never} {
		if string(text) == known.String() {
			*p = known
			return nil
		}
	}
	return errors.New("want on-failure, always or never")
}

func (p RestartPolicy) worker(s *supervised) { s.restart.Policy = p }

// Restart sets the restart policy of a worker. platform.workers.<name>.restart overrides it.
func Restart(p RestartPolicy) WorkerOption { return p }

type restartLimit struct {
	restarts int
	within   time.Duration
}

func (l restartLimit) worker(s *supervised) { s.restart.Max, s.restart.Window = l.restarts, l.within }

// RestartLimit sets after how many restarts within which time a worker that ends once more is given up (default 5 within a minute; at least 1, and more than
// 0). The waits between restarts grow to a minute, so a worker with, say, 20 within a minute is never given up. platform.workers.<name>.max_restarts and
// restart_window override it, each for itself.
func RestartLimit(restarts int, within time.Duration) WorkerOption {
	return restartLimit{restarts, within}
}

// restart is how a worker is restarted: first as the code says, and what platform.workers.<name> says over that.
type restart struct {
	Policy RestartPolicy `koanf:"restart"`
	Max    int           `koanf:"max_restarts"`
	Window time.Duration `koanf:"restart_window"`
}

// restartKeys are the keys of platform.workers.<name> that are for the supervisor; all others are the worker's.
var restartKeys = []string{"restart", "max_restarts", "restart_window"}

func defaultRestart() restart { return restart{Policy: OnFailure, Max: 5, Window: time.Minute} }

// Validate refuses what could not be meant.
func (r *restart) Validate() error {
	var errs []error
	if r.Policy > Never {
		errs = append(errs, fmt.Errorf("restart is %s, which is no policy", r.Policy))
	}
	if r.Max < 1 {
		errs = append(errs, fmt.Errorf("max_restarts must be at least 1, not %d (restart: never does without)", r.Max))
	}
	if r.Window <= 0 {
		errs = append(errs, fmt.Errorf("restart_window must be more than 0, not %s", r.Window))
	}
	return errors.Join(errs...)
}

// checkRestart checks what the code says.
func (s *supervised) checkRestart() error {
	err := s.restart.Validate()
	if err == nil {
		return nil
	}
	s.restart = defaultRestart()
	var faults []error
	for _, part := range config.Parts(err) {
		faults = append(faults, fmt.Errorf("worker %q: in the code: %w", s.w.Name(), part))
	}
	return errors.Join(faults...)
}
