package sqlite

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"

	"github.com/plba/plba/queue"
)

// DefaultPath is the database of queues whose settings name none, in the working directory of the process.
const DefaultPath = "data/plba.db"

// Settings is what operators say of a queue in SQLite.
type Settings struct {
	queue.Common `koanf:",squash"`
	// Path is the database file. Default: [DefaultPath]. Queues may share one: then they share the cost of syncing it, and one backup has them all. It
	// belongs on a disk of the machine, not on a network file system. Beside it are its lock and its write-ahead log. The directory is made
	// when it is missing.
	Path string `koanf:"path"`
}

// SetDefaults fills in the defaults: those of all engines, and the path.
func (s *Settings) SetDefaults() {
	s.Common.SetDefaults()
	s.Path = DefaultPath
}

// Validate finds what cannot be.
func (s *Settings) Validate() error {
	var path error
	switch {
	case s.Path == "":
		path = errors.New("path is empty: name the database file, for instance " + DefaultPath)
	case strings.HasPrefix(s.Path, ":memory:"), strings.HasPrefix(s.Path, "file:"):
		path = fmt.Errorf("path is %q: it is the name of a file, not a URL; for a queue that is kept in memory use the backend memory", s.Path)
	}
	return errors.Join(s.Common.Validate(), path)
}

// Driver returns the driver "sqlite". It is safe for concurrent use. Queues of one driver may share a file; another driver, or another process, that opens
// the file is refused with [ErrInUse].
func Driver() queue.Driver { return newDriver(files{time: systemTime()}) }

func newDriver(f files) *sqliteDriver { return &sqliteDriver{files: f, open: map[string]*shared{}} }

type sqliteDriver struct {
	files files

	mu   sync.Mutex
	open map[string]*shared // by canonical path
}

// shared is one file and who uses it. Its place in the channel is held by whoever opens or closes.
type shared struct {
	turn   chan struct{}
	store  *store // nil when it is not open
	queues map[string]bool
	left   map[string]map[string]held // leases of queues that were closed
}

func (d *sqliteDriver) Name() string { return "sqlite" }

func (d *sqliteDriver) Capabilities() queue.Capabilities {
	return queue.Durable | queue.Checkpointed | queue.Grouped
}

func (d *sqliteDriver) Settings() queue.Settings {
	s := new(Settings)
	s.SetDefaults()
	return s
}

// Open opens the queue, and the file, if no other queue has it open. That reads all of it to find damage: ten to twenty seconds for a million tasks.
//
// Errors: [ErrInUse], [ErrDamaged], [ErrNoSpace], those of the file system, ctx's.
func (d *sqliteDriver) Open(ctx context.Context, o queue.Opening) (queue.Engine, error) {
	if o.Settings == nil {
		o.Settings = d.Settings()
	}
	s, ok := o.Settings.(*Settings)
	if !ok {
		return nil, fmt.Errorf("queue %s: settings of a queue in SQLite are a *sqlite.Settings, not a %T", o.Queue, o.Settings)
	}
	e, err := d.openEngine(ctx, o, s)
	if err != nil {
		return nil, fmt.Errorf("queue %s: %w", o.Queue, err)
	}
	return e, nil
}

func (d *sqliteDriver) openEngine(ctx context.Context, o queue.Opening, s *Settings) (*engine, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	path, err := canonical(s.Path)
	if err != nil {
		return nil, err
	}
	f := d.shared(path)
	if err := f.enter(ctx); err != nil {
		return nil, err
	}
	defer f.exit()
	if f.queues[o.Queue] {
		return nil, fmt.Errorf("it is open already in %s", path)
	}
	if f.store == nil {
		if f.store, err = d.files.openStore(ctx, path); err != nil {
			f.store = nil
			return nil, err
		}
	}
	e := &engine{store: f.store, name: o.Queue, limits: *s.Limits(), order: o.Order, carried: f.left[o.Queue]}
	e.release = func(ctx context.Context) error { return f.release(ctx, e) }
	if err := e.enter(ctx); err != nil {
		return nil, errors.Join(err, f.closeUnused(context.WithoutCancel(ctx)))
	}
	f.queues[o.Queue] = true
	delete(f.left, o.Queue)
	return e, nil
}

// shared is the file at that path.
func (d *sqliteDriver) shared(path string) *shared {
	d.mu.Lock()
	defer d.mu.Unlock()
	f := d.open[path]
	if f == nil {
		f = &shared{turn: make(chan struct{}, 1), queues: map[string]bool{}, left: map[string]map[string]held{}}
		d.open[path] = f
	}
	return f
}

// enter waits for the turn to open or close. A file that is being closed is waited for.
func (f *shared) enter(ctx context.Context) error {
	select {
	case f.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	if err := f.closeUnused(ctx); err != nil && ctx.Err() != nil {
		f.exit()
		return err
	}
	return nil
}

func (f *shared) exit() { <-f.turn }

// closeUnused closes the file if no queue in it is open.
func (f *shared) closeUnused(ctx context.Context) error {
	if f.store == nil || len(f.queues) > 0 {
		return nil
	}
	err := f.store.close(ctx)
	select {
	case <-f.store.ended:
		f.store = nil
	default: // ctx ended first; whoever opens the file again waits for the rest
	}
	return err
}

// release says that a queue is closed.
func (f *shared) release(ctx context.Context, e *engine) error {
	select {
	case f.turn <- struct{}{}:
	case <-ctx.Done():
		return ctx.Err()
	}
	defer f.exit()
	delete(f.queues, e.name)
	f.left[e.name] = e.leases.carry(e.clock.base)
	return f.closeUnused(ctx)
}
