package runtime

import (
	"slices"
	"time"

	"github.com/plba/plba/health"
	"github.com/plba/plba/workers"
)

// Status is what the application is doing right now. It is not its health.
type Status struct {
	Name      string           `json:"name"`
	State     workers.State    `json:"state"` // starting, idle, busy, stopping, stopped
	Since     time.Time        `json:"since,omitzero"`
	StartedAt time.Time        `json:"started_at,omitzero"` // end of the last successful start
	Ready     bool             `json:"ready"`
	NotReady  string           `json:"not_ready,omitempty"` // why not
	Workers   []workers.Status `json:"workers"`
	LastStop  *Receipt         `json:"last_stop,omitempty"` // also of a start that was rolled back
}

// Status answers at once; it takes no lock that a start or a stop holds.
func (a *App) Status() Status {
	state := a.machine.State()
	s := Status{Name: a.name, Since: a.machine.Since(), LastStop: a.lastReceipt.Load()}
	s.NotReady = a.notReady(state)
	s.Ready = s.NotReady == ""
	if at := a.startedAt.Load(); at != nil {
		s.StartedAt = *at
	}
	s.Workers = make([]workers.Status, len(a.reg.workers))
	for i, w := range a.reg.workers {
		s.Workers[i] = w.status()
	}
	s.State = derive(state, s.Workers)
	return s
}

// derive is the one state of the whole: its own while it starts or stops, else busy when any worker is.
func derive(own State, ws []workers.Status) workers.State {
	switch own {
	case Stopped:
		return workers.Stopped
	case Starting:
		return workers.Starting
	case Stopping:
		return workers.Stopping
	case Running:
	}
	for _, w := range ws {
		if w.State == workers.Busy {
			return workers.Busy
		}
	}
	return workers.Idle
}

// Health aggregates the workers, resources and checks. It answers at once.
func (a *App) Health() health.Report { return a.health.Report() }

// WorkerNames are the workers in the order of their registration.
func (a *App) WorkerNames() []string {
	names := make([]string, len(a.reg.workers))
	for i, s := range a.reg.workers {
		names[i] = s.w.Name()
	}
	return names
}

// WorkerInfo is all that is known of one worker.
type WorkerInfo struct {
	workers.Status
	Critical bool                 `json:"critical"`
	After    []string             `json:"after,omitempty"` // the workers that start before it and stop after it
	Restart  RestartInfo          `json:"restart"`
	Health   health.Report        `json:"health"`
	History  []workers.Transition `json:"history"`  // start, ready, stop, halt, fail; the last 100, oldest first
	Activity []workers.Transition `json:"activity"` // work and rest; the last 100, oldest first
}

// RestartInfo is how the supervisor restarts a worker, the configuration taken into account.
type RestartInfo struct {
	Policy        string  `json:"policy"` // on-failure, always or never
	MaxRestarts   int     `json:"max_restarts"`
	WindowSeconds float64 `json:"window_seconds"` // after more restarts than that within it the worker is given up
}

// Worker describes one worker; false when there is none of that name.
func (a *App) Worker(name string) (WorkerInfo, bool) {
	for _, s := range a.reg.workers {
		if s.w.Name() != name {
			continue
		}
		info := WorkerInfo{
			Status: s.status(), Critical: s.critical, After: slices.Clone(s.after), Health: s.health(),
			Restart: RestartInfo{s.restart.Policy.String(), s.restart.Max, s.restart.Window.Seconds()},
		}
		if rec, ok := s.w.(workers.Recorder); ok {
			info.History, info.Activity = rec.History()
		}
		return info, true
	}
	return WorkerInfo{}, false
}

// WorkerHandle gives the worker itself, for what only its kind can do (workers.Ticker); false when there is none of that name. Starting and
// stopping it is the runtime's.
func (a *App) WorkerHandle(name string) (workers.Worker, bool) {
	for _, s := range a.reg.workers {
		if s.w.Name() == name {
			return s.w, true
		}
	}
	return nil, false
}
