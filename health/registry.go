package health

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"sync"
	"time"
)

// Change is a component, or the whole, that went from one state to another.
type Change struct {
	Name     string    `json:"name,omitempty"` // of the component; empty for the whole
	Critical bool      `json:"critical"`       // whether the component is critical; false for the whole
	From     State     `json:"from"`
	To       State     `json:"to"`
	Reason   string    `json:"reason,omitempty"` // why it is not ok now; empty when it is
	At       time.Time `json:"at"`
}

// Registry collects how the parts of an application are. All methods are safe
// for concurrent use. The zero value is not usable; make one with
// [NewRegistry].
type Registry struct {
	log      *slog.Logger
	onChange func(Change)
	wake     chan struct{} // holds one token when there is something new to observe

	mu      sync.Mutex // guards what follows; never held while foreign code runs
	entries []*entry
	whole   Report // as last observed, without components
	run     *run   // the latest
}

// entry is one registered component.
type entry struct {
	name     string
	critical bool
	groups   []Group
	check    *Check        // nil for a source
	source   func() Report // nil for a check

	// Guarded by the registry's mutex.
	report Report // latest result of a check; of a source, as last observed
	told   State  // what the last Change said
	call   *call  // latest run of the check; nil before the first
}

// NewRegistry makes an empty registry that does not run yet. Changes and panics
// go to log, changes to onChange as well; either may be nil. onChange is not
// called concurrently with itself; it may use the registry, but if it calls
// Stop it waits for itself until the context of that Stop ends.
func NewRegistry(log *slog.Logger, onChange func(Change)) *Registry {
	if log == nil {
		log = slog.New(slog.DiscardHandler)
	}
	if onChange == nil {
		onChange = func(Change) {}
	}
	return &Registry{
		log:      log,
		onChange: onChange,
		wake:     make(chan struct{}, 1),
		whole:    Report{State: StateOK, Since: time.Now()},
		run:      endedRun(),
	}
}

// Add registers a check. If the registry runs, the check begins at once. The
// error names the check and what is wrong with it; it wraps [ErrDuplicate] if
// the name is taken by a check or a source.
func (r *Registry) Add(c Check) error {
	if err := c.complete(); err != nil {
		return fmt.Errorf("health: check %q: %w", c.Name, err)
	}
	return r.register(&entry{name: c.Name, critical: c.Critical, groups: groupsOf(c.Critical, c.Groups), check: &c}, "not checked yet")
}

// Source registers a component that knows how it is. The function is called for
// each report, and every second while the registry runs; it must not block and
// must be safe for concurrent use. Where the report that it returns leaves Since
// or LastOK zero, the registry fills them in. Of the groups a source can belong
// to [Readiness] only, since a short ok of it may go by unseen. The error wraps
// [ErrDuplicate] if the name is taken by a check or a source.
func (r *Registry) Source(name string, critical bool, f func() Report, groups ...Group) error {
	if f == nil {
		return fmt.Errorf("health: source %q: it has no function", name)
	}
	for _, g := range groups {
		if g != Readiness {
			return fmt.Errorf("health: source %q: it cannot belong to the group %q", name, g)
		}
	}
	return r.register(&entry{name: name, critical: critical, groups: groupsOf(critical, groups), source: f}, "")
}

func (r *Registry) register(e *entry, reason string) error {
	if e.name == "" {
		return errors.New("health: a component needs a name")
	}
	e.told = StateOK
	e.report = Report{State: StateOK, Reason: reason, Since: time.Now()}

	r.mu.Lock()
	defer r.mu.Unlock()
	if slices.ContainsFunc(r.entries, func(other *entry) bool { return other.name == e.name }) {
		return fmt.Errorf("health: component %q: %w", e.name, ErrDuplicate)
	}
	r.entries = append(r.entries, e)
	if e.check != nil && r.run.active() {
		run := r.run
		run.loops.Go(func() { r.loop(run.ctx, e) })
	}
	return nil
}

// Report tells how everything is now: the whole, and its components in order of
// registration. It does not wait for checks, and works whether the registry
// runs or not.
func (r *Registry) Report() Report {
	report, _ := r.look(time.Now())
	return report
}

// look combines what is known with what the sources say. It changes nothing.
// The entries are those that the components were made from, in the same order.
func (r *Registry) look(now time.Time) (Report, []*entry) {
	r.mu.Lock()
	entries := slices.Clone(r.entries)
	whole := r.whole
	components := make([]Component, len(entries))
	for i, e := range entries {
		components[i] = Component{Name: e.name, Critical: e.critical, Groups: e.groups, Report: e.report}
	}
	r.mu.Unlock()

	for i, e := range entries {
		if e.source != nil {
			components[i].Report = components[i].follow(r.ask(e), now)
		}
	}
	return whole.follow(aggregate(components), now), entries
}

// ask calls a source and makes something of whatever it does.
func (r *Registry) ask(e *entry) (report Report) {
	defer func() {
		if p := recover(); p != nil {
			report = panicked(r.log, e.name, p)
		}
	}()
	report = e.source()
	switch report.State {
	case StateOK, StateDegraded, StateUnhealthy:
		return report
	default:
		return Report{State: StateUnhealthy, Reason: fmt.Sprintf("its source reports the unknown state %q", report.State)}
	}
}

// record takes the result of a check.
func (r *Registry) record(e *entry, result Report) {
	now := time.Now()
	r.mu.Lock()
	e.report = e.report.follow(result, now)
	r.mu.Unlock()
	r.Look()
}

// Look asks the registry to look for changes soon instead of within a second: for a
// source that knows it has changed, so that a short change is not missed. It does
// not wait for that. While the registry does not run, nothing changes.
func (r *Registry) Look() {
	select {
	case r.wake <- struct{}{}:
	default: // what is to be observed already includes this
	}
}

// observe looks once and tells what has changed since the last time. Only the
// watching goroutine calls it.
func (r *Registry) observe(ctx context.Context) {
	now := time.Now()
	report, entries := r.look(now)
	var changes []Change

	r.mu.Lock()
	for i, e := range entries {
		c := report.Components[i]
		if e.source != nil {
			e.report = c.Report
		}
		if c.State != e.told {
			changes = append(changes, Change{Name: c.Name, Critical: c.Critical, From: e.told, To: c.State, Reason: c.Reason, At: c.Since})
			e.told = c.State
		}
	}
	if report.State != r.whole.State {
		changes = append(changes, Change{From: r.whole.State, To: report.State, Reason: report.Reason, At: report.Since})
	}
	r.whole = report
	r.whole.Components = nil
	r.mu.Unlock()

	for _, c := range changes {
		r.tell(ctx, c)
	}
}

func (r *Registry) tell(ctx context.Context, c Change) {
	level := slog.LevelError
	switch c.To {
	case StateOK:
		level = slog.LevelInfo
	case StateDegraded:
		level = slog.LevelWarn
	case StateUnhealthy:
	}
	subject := slog.String("component", c.Name)
	if c.Name == "" {
		subject = slog.String("component", "(all)")
	}
	r.log.LogAttrs(ctx, level, "health changed", subject, slog.Bool("critical", c.Critical),
		slog.String("from", string(c.From)), slog.String("to", string(c.To)), slog.String("reason", c.Reason))

	defer func() {
		if p := recover(); p != nil {
			panicked(r.log, "(change callback)", p)
		}
	}()
	r.onChange(c)
}
