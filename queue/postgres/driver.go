package postgres

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"sync"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/plba/plba/queue"
)

// Defaults of the settings.
const (
	DefaultSchema      = "plba"
	DefaultConnections = 10
	DefaultPoll        = time.Second
	DefaultTimeout     = 15 * time.Second
)

// Settings is what operators say of a queue in PostgreSQL.
type Settings struct {
	queue.Common `koanf:",squash"`
	// URL says where the database is, as a URL or as "key=value" pairs: postgres://user:password@host:5432/name?sslmode=verify-full. Keep the password out
	// of files: ${VARIABLE}. Default "": the pool that the driver borrowed (see [Pool]), or else what the environment variables of PostgreSQL's own
	// programs say (PGHOST, PGUSER, PGPASSFILE …).
	URL string `koanf:"url" secret:"true"`
	// Schema is where the tables are; it is made when it is missing. Applications that share a database use different ones, or share their queues.
	// Default: [DefaultSchema].
	Schema string `koanf:"schema"`
	// Connections is how many connections the queues with the same URL and Schema use at most, together, in this process. Default: [DefaultConnections], at
	// least 2. It has no meaning for a borrowed pool. One of them is kept for notifications.
	Connections int `koanf:"connections"`
	// Poll is how often the queue is looked at when no notification comes: it bounds how late a task is when one was lost, how late a delayed task is
	// that another process published, and how soon a lease that ended in another process is noticed. Default: [DefaultPoll].
	Poll time.Duration `koanf:"poll"`
	// Timeout bounds each operation on the database, so that a connection that died silently holds up nobody for longer. Default: [DefaultTimeout].
	Timeout time.Duration `koanf:"timeout"`
	// StartWithout lets the application start while the database cannot be reached: every operation fails with [ErrUnavailable] until it can.
	// Default false: the start fails.
	StartWithout bool `koanf:"start_without"`
}

// SetDefaults fills in the defaults.
func (s *Settings) SetDefaults() {
	s.Common.SetDefaults()
	s.Schema, s.Connections, s.Poll, s.Timeout = DefaultSchema, DefaultConnections, DefaultPoll, DefaultTimeout
}

var schemaName = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`)

// Validate finds what cannot be.
func (s *Settings) Validate() error {
	faults := []error{s.Common.Validate()}
	refuse := func(bad bool, format string, args ...any) {
		if bad {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	refuse(!schemaName.MatchString(s.Schema), "schema is %q: it must be of a-z, 0-9 and _, up to 63 of them, and not begin with a digit", s.Schema)
	refuse(s.Connections < 2, "connections is %d: it must be at least 2", s.Connections)
	refuse(s.Poll < time.Millisecond, "poll is %s: it must be at least 1ms", s.Poll)
	refuse(s.Timeout < time.Millisecond, "timeout is %s: it must be at least 1ms", s.Timeout)
	if s.URL != "" {
		if _, err := pgxpool.ParseConfig(s.URL); err != nil {
			faults = append(faults, errors.New("url cannot be read: it is to be like postgres://user:password@host:5432/name")) // err may show it
		}
	}
	return errors.Join(faults...)
}

// Option changes the driver.
type Option func(*driver)

// Pool lets queues without a URL of their own use the application's pool. It is not closed by this package. It needs room for a connection that is kept for
// notifications, and a few more; with less than 2 it is refused, and so is one whose connections have synchronous_commit off ([ErrUnsafe]).
func Pool(p *pgxpool.Pool) Option { return func(d *driver) { d.pool = p } }

// Driver returns the driver "postgres". It is safe for concurrent use. Queues with the same URL and schema share their connections.
func Driver(opts ...Option) queue.Driver {
	d := &driver{open: map[place]*shared{}}
	for _, o := range opts {
		o(d)
	}
	return d
}

type driver struct {
	pool *pgxpool.Pool // borrowed; nil without

	mu   sync.Mutex
	open map[place]*shared
}

// place is where tables are; queues with the same one share a store.
type place struct{ url, schema string }

// shared is a store and how many engines use it.
type shared struct {
	store *store
	users int
}

func (d *driver) Name() string { return "postgres" }

func (d *driver) Capabilities() queue.Capabilities {
	return queue.Durable | queue.Transactional | queue.Grouped | queue.Checkpointed | queue.ClusterWide
}

func (d *driver) Settings() queue.Settings {
	s := new(Settings)
	s.SetDefaults()
	return s
}

// Open connects, brings the tables to the version of this package if need be, and opens the queue.
//
// Errors: [ErrUnavailable], [ErrNewer], [ErrUnsafe], ctx's, the server's.
func (d *driver) Open(ctx context.Context, o queue.Opening) (queue.Engine, error) {
	if o.Settings == nil {
		o.Settings = d.Settings()
	}
	s, ok := o.Settings.(*Settings)
	if !ok {
		return nil, fmt.Errorf("queue %s: settings of a queue in PostgreSQL are a *postgres.Settings, not a %T", o.Queue, o.Settings)
	}
	e, err := d.openEngine(ctx, o, s)
	if err != nil {
		return nil, fmt.Errorf("queue %s: %w", o.Queue, err)
	}
	return e, nil
}

func (d *driver) openEngine(ctx context.Context, o queue.Opening, s *Settings) (*engine, error) {
	if err := s.Validate(); err != nil {
		return nil, err
	}
	st, release, err := d.share(s)
	if err != nil {
		return nil, err
	}
	e := newEngine(st, o, s, release)
	if !s.StartWithout {
		if _, err := e.queueID(ctx); err != nil {
			release()
			return nil, err
		}
	}
	e.start()
	return e, nil
}

// share gives the store that the settings name; release is to be called once, when it is no longer used.
func (d *driver) share(s *Settings) (st *store, release func(), err error) {
	d.mu.Lock()
	defer d.mu.Unlock()
	at := place{s.URL, s.Schema}
	sh := d.open[at]
	if sh == nil {
		st, err := d.openStore(s)
		if err != nil {
			return nil, nil, err
		}
		sh = &shared{store: st}
		d.open[at] = sh
	}
	sh.users++
	return sh.store, func() { d.release(at, sh) }, nil
}

func (d *driver) release(at place, sh *shared) {
	d.mu.Lock()
	defer d.mu.Unlock()
	if sh.users--; sh.users == 0 {
		delete(d.open, at)
		sh.store.close()
	}
}

// openStore makes the pool; nothing is connected yet.
func (d *driver) openStore(s *Settings) (*store, error) {
	if s.URL == "" && d.pool != nil {
		pool, err := borrow(d.pool, s.Timeout)
		if err != nil {
			return nil, err
		}
		return newStore(pool, s), nil
	}
	config, err := pgxpool.ParseConfig(s.URL)
	if err != nil {
		return nil, errors.New("the environment variables of PostgreSQL (PGHOST, PGPORT, …) cannot be read")
	}
	config.MaxConns = int32(min(s.Connections, 10_000)) //nolint:gosec // bounded
	config.PingTimeout = max(s.Timeout/time.Duration(2*s.Connections), minPing)
	config.AfterConnect = commitSafely
	config.ConnConfig.RuntimeParams["application_name"] = "plba"
	config.ConnConfig.ConnectTimeout = s.Timeout
	pool, err := dial(config, s.Timeout)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrUnavailable, err)
	}
	return newStore(pool, s), nil
}

// minPing is the least that an idle connection is given to show that it lives. It is given no more than an operation can spend on all that have died.
const minPing = 500 * time.Millisecond

// commitSafely lets the connection wait for the disk at each commit, whatever the server, the database or the user is set to. Stricter settings stay.
func commitSafely(ctx context.Context, c *pgx.Conn) error {
	_, err := c.Exec(ctx, "SELECT set_config('synchronous_commit', 'on', false) WHERE current_setting('synchronous_commit') = 'off'")
	return err
}
