package runtime

import (
	"context"
	"fmt"
	"log/slog"
	"slices"
	"strings"

	"github.com/plba/plba/config"
	"github.com/plba/plba/logging"
)

// Reloaded tells what a reload changed.
type Reloaded struct {
	Changed []config.Change // settings that have changed and are in effect
	Restart []config.Change // settings that differ from those the application was made with and need a restart of the program
}

// ReloadError holds every fault of a configuration that was read again. It has no effect: everything stays as it was.
type ReloadError struct{ FaultError }

func (e *ReloadError) Error() string {
	return "the configuration is not reloaded:\n" + e.FaultError.Error()
}

// Unwrap gives the faults, for errors.As and errors.Is.
func (e *ReloadError) Unwrap() error { return &e.FaultError }

const levelKey = "log.level"

// ownKeys are the settings that the runtime itself follows.
var ownKeys = []string{
	levelKey,
	"platform.exit_on_critical_failure",
	"platform.shutdown.delay",
	"platform.shutdown.timeout",
	"platform.start.timeout",
}

// Reload reads all sources of the configuration again and checks all of it, as New did: every section, those of the platform too. When one fault is found it
// returns a *ReloadError and everything stays as it was. Else the sections that are followed (Live) change, all at once, and so do log.level,
// platform.shutdown, platform.start and platform.exit_on_critical_failure. Then the functions given to OnChange are called, in their order, one at a time; one that
// panics is logged, and the others are called all the same. Settings that only a restart of the program can change are named in the result. The log tells all of this too.
//
// Files are read anew; environment variables are those that New was given. Reload may be called in any state, and waits for its turn. ctx bounds the wait and
// the reading. When it ends after the new configuration took effect, Reload says so in its error, and whoever is to be told is told all the same.
// A function given to OnChange must not call it.
func (a *App) Reload(ctx context.Context) (Reloaded, error) { return a.reload(ctx, slog.LevelInfo) }

// reload is Reload; unchanged is the level at which the log says that there is nothing new.
func (a *App) reload(ctx context.Context, unchanged slog.Level) (Reloaded, error) {
	select {
	case a.reloadTurn <- struct{}{}:
	case <-ctx.Done():
		return Reloaded{}, fmt.Errorf("the configuration is not reloaded: another reload has not ended: %w", context.Cause(ctx))
	}
	read := call(ctx, a.log, "reading the configuration", func(context.Context) (*config.Reload, error) { return a.cfg.Reload() }, nil)
	if read.err == nil && ctx.Err() != nil {
		read.err = context.Cause(ctx)
	}
	if read.err != nil {
		<-a.reloadTurn
		return Reloaded{}, a.notReloaded(read.err)
	}
	r := read.value
	done := Reloaded{Changed: r.Live, Restart: slices.DeleteFunc(r.Restart, isOwn)}
	told := make(chan struct{})
	go func() {
		defer close(told)
		defer func() { <-a.reloadTurn }()
		notices := r.Apply()
		done.Changed = append(done.Changed, a.follow(r)...)
		slices.SortFunc(done.Changed, func(x, y config.Change) int { return strings.Compare(x.Key, y.Key) })
		a.logReload(done, unchanged)
		for _, n := range notices {
			a.tell(n)
		}
	}()
	select {
	case <-told:
		return done, nil
	case <-ctx.Done():
		return Reloaded{}, fmt.Errorf("the new configuration is in effect, but not everybody has been told yet: %w", context.Cause(ctx))
	}
}

func (a *App) notReloaded(err error) error {
	var f faults
	f.add(err)
	e := &ReloadError{FaultError{f.list}}
	a.log.Error("the configuration is not reloaded, everything stays as it was", "error", &e.FaultError)
	return e
}

func isOwn(c config.Change) bool { return slices.Contains(ownKeys, c.Key) }

// follow puts in effect what the runtime itself follows, and gives what changed of it.
func (a *App) follow(r *config.Reload) (changed []config.Change) {
	for _, c := range r.All {
		switch {
		case !isOwn(c):
			continue
		case c.Key != levelKey:
			if p, err := readPlatform(r.Config()); err == nil { // it was checked, like the level
				a.platform.Store(&p)
			}
		case a.logs == nil:
			continue // the application has its own logger
		default:
			if lc, err := readLog(r.Config()); err == nil {
				a.setLevel(lc.Level)
			}
		}
		changed = append(changed, c)
	}
	return changed
}

func (a *App) setLevel(name string) {
	if level, err := logging.ParseLevel(name); err == nil {
		a.logs.SetLevel(level)
	}
}

// tell calls a function given to OnChange.
func (a *App) tell(n config.Notice) {
	call := func(context.Context) error { n.Tell(); return nil }
	if err := do(context.Background(), a.log, fmt.Sprintf("OnChange of section %q", n.Section), call); err != nil {
		a.log.Error("who follows the configuration has failed", "section", n.Section, "error", err)
	}
}

func (a *App) logReload(done Reloaded, unchanged slog.Level) {
	if len(done.Changed) > 0 {
		a.log.Info("the configuration has changed", "settings", texts(done.Changed))
	} else {
		a.log.Log(context.Background(), unchanged, "the configuration was read again; nothing changes")
	}
	if len(done.Restart) > 0 {
		a.log.Warn("settings of the configuration need a restart of the program", "settings", texts(done.Restart))
	}
}

func texts(changes []config.Change) []string {
	out := make([]string, len(changes))
	for i, c := range changes {
		out[i] = c.String()
	}
	return out
}

// watcher watches the files of the configuration while the application runs.
type watcher struct {
	cancel context.CancelFunc
	done   chan struct{}
}

// beginWatch watches the files, with platform.reload.watch.
func (a *App) beginWatch() {
	if !a.watch {
		return
	}
	files := a.cfg.Files()
	if len(files) == 0 {
		a.log.Warn("platform.reload.watch is set, but the configuration comes from no file")
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	w := &watcher{cancel, make(chan struct{})}
	a.watcher = w
	go func() {
		defer close(w.done)
		err := config.Watch(ctx, files, func() { _, _ = a.reload(ctx, slog.LevelDebug) }) // it logs
		if err != nil {
			a.log.Error("the files of the configuration are not watched", "error", err)
		}
	}()
}

func (a *App) endWatch() {
	if w := a.watcher; w != nil {
		w.cancel()
		<-w.done
		a.watcher = nil
	}
}
