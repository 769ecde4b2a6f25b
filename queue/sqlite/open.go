package sqlite

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	goruntime "runtime"
	"slices"
	"sync"

	"github.com/plba/plba/queue"
)

// files is how a driver reaches files and the time; tests put something between.
type files struct {
	time reading
	vfs  string   // of SQLite; "": its own
	more []string // pragmas
}

func (f files) connect(path string, pragmas ...string) (*conn, error) {
	return openConn(dsnOf(path, f.vfs, append(pragmas, f.more...)...))
}

// openStore opens the database at a canonical path, makes it if there is none, and starts its writer.
func (f files) openStore(ctx context.Context, path string) (s *store, err error) {
	lock, err := lockFile(path)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			err = errors.Join(explain(path, err), lock.Unlock())
		}
	}()
	found, logged, err := f.find(path)
	if err == nil && !found {
		err = f.create(path)
	}
	if err != nil {
		return nil, err
	}
	db, err := f.connect(path)
	if err != nil {
		return nil, err
	}
	readers := newPool(func() (*conn, error) { return f.connect(path, "query_only=1") })
	defer func() {
		if err != nil {
			err = errors.Join(err, readers.close(), db.close())
		}
	}()
	s = &store{path: path, lock: lock, db: db, readers: readers, wake: make(chan struct{}, 1), ended: make(chan struct{})}
	s.newer = sync.NewCond(&s.mu)
	if err := f.prepare(ctx, s, logged); err != nil {
		return nil, err
	}
	go s.run()
	return s, nil
}

// find looks for the database, and refuses what cannot be one before SQLite sees it, because that would make an empty one of it.
func (f files) find(path string) (found, logged bool, err error) {
	log := path + "-wal"
	info, err := os.Stat(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		if left, err := os.Stat(log); err == nil && left.Size() > 0 {
			return false, true, fmt.Errorf("%w: it is gone, but its write-ahead log %s is there; to begin anew remove that", ErrDamaged, log)
		}
		return false, false, nil
	case err != nil:
		return false, false, err
	case !info.Mode().IsRegular():
		return false, false, fmt.Errorf("%s is no file: set the path of a database", path)
	case info.Size() == 0:
		return false, false, fmt.Errorf("%w: it is empty, which no database is; to begin anew remove it", ErrDamaged)
	}
	logged, err = checkLog(log)
	return true, logged, err
}

// create makes an empty database beside the path and then moves it there, so that at the path there is never a half of one.
func (f files) create(path string) error {
	draft := path + ".new"
	if err := os.Remove(draft); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	file, err := os.OpenFile(draft, os.O_CREATE|os.O_EXCL|os.O_RDWR, 0o640)
	if err != nil {
		return fmt.Errorf("%s cannot be made: %w", path, err)
	}
	if err := file.Close(); err != nil {
		return err
	}
	if err := f.fill(draft); err != nil {
		return errors.Join(explain(path, err), os.Remove(draft))
	}
	if err := os.Rename(draft, path); err != nil {
		return err
	}
	return syncDir(filepath.Dir(path))
}

func (f files) fill(draft string) (err error) {
	c, err := f.connect(draft)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, c.close()) }()
	m := newClock(f.time, mark{}).mark()
	return errors.Join(
		c.script(fmt.Sprintf("PRAGMA application_id = %d", applicationID)),
		migrate(c, len(migrations)),
		c.script(fmt.Sprintf("INSERT INTO store VALUES (1, %d, %d, 0, %d)", m.store, m.wall, sumOf(m.store, m.wall, int64(0)))),
	)
}

// prepare checks the database, brings it up to date and goes on where the last process stopped.
func (f files) prepare(ctx context.Context, s *store, logged bool) error {
	if id, err := s.db.number("PRAGMA application_id"); err != nil {
		return err
	} else if id != applicationID {
		return fmt.Errorf("%w: it is a database, but not one of queues", ErrDamaged)
	}
	err := checkSchema(ctx, s.db)
	if err == nil {
		err = migrate(s.db, len(migrations))
	}
	if err == nil {
		err = s.check(ctx, logged)
	}
	if err != nil {
		return err
	}
	if err := logAhead(s.db, logged); err != nil {
		return err
	}
	last, err := s.load()
	if err != nil {
		return err
	}
	s.clock, s.version = newClock(f.time, last), last.store
	return nil
}

// logAhead lets the database have a write-ahead log; a new one and a backup have none. One that is there begins anew: what a power cut left at its end must not
// stand behind what comes.
func logAhead(c *conn, logged bool) error {
	mode := ""
	err := c.each(context.Background(), "PRAGMA journal_mode = WAL", nil, func(row columns) error {
		mode = row.text(0)
		return nil
	})
	switch {
	case err != nil:
		return err
	case mode != "wal":
		return fmt.Errorf("there can be no write-ahead log here, only the journal mode %q: is the file on a local disk?", mode)
	case logged:
		return c.script("PRAGMA wal_checkpoint(TRUNCATE)")
	default:
		return nil
	}
}

// load reads where the last process stopped.
func (s *store) load() (last mark, err error) {
	err = s.db.each(context.Background(), "SELECT clock, wall, seq, sum FROM store", nil, func(row columns) error {
		last, s.last.seq = mark{row.int(0), row.int(1)}, row.int(2)
		return checkSum(row, 3, func() string { return "the clock" })
	})
	if err != nil {
		return last, err
	}
	s.last.n, err = s.db.number("SELECT ifnull(max(n), 0) FROM tasks")
	return last, err
}

// enter makes the engine one of the store's, and goes on with what is in its queue.
func (e *engine) enter(ctx context.Context) error {
	return e.ask(ctx, &request{engine: e, do: func(b *batch) (bool, error) {
		e.touch(b)
		e.groups, e.leases = map[string]group{}, leases{}
		e.loadQueue(b)
		e.loadCounts(b)
		e.loadGroups(b)
		e.takeBack(b)
		e.unparkAll(b)
		e.nextDue, e.nextSweep = e.firstDue(b), 0
		e.bucket = bucket{float64(e.limits.Rate.Tokens()), b.now}
		if b.err == nil {
			b.engines = append(b.engines, e)
			b.onUndo(func() { b.engines = b.engines[:len(b.engines)-1] })
		}
		return true, nil
	}})
}

func (e *engine) loadQueue(b *batch) {
	const query = "SELECT queue, name, paused, sum FROM queues WHERE name = ?"
	b.each(func(row columns) error {
		e.id, e.paused = row.int(0), row.bool(2)
		return checkSum(row, 3, func() string { return "queue " + e.name })
	}, query, e.name)
	if e.id == 0 {
		e.id = b.number("SELECT ifnull(max(queue), 0) + 1 FROM queues")
		b.onUndo(func() { e.id = 0 })
		b.exec("INSERT INTO queues VALUES (?,?,0,?)", e.id, e.name, sumOf(e.id, e.name, int64(0)))
	}
}

func (e *engine) loadCounts(b *batch) {
	b.each(func(row columns) error {
		e.counts[row.int(0)] = row.int(1)
		return nil
	}, "SELECT state, count(*) FROM tasks INDEXED BY tasks_state WHERE queue = ? GROUP BY state", e.id)
	for s, query := range map[stand]string{
		waiting: "SELECT count(*) FROM tasks INDEXED BY tasks_waiting WHERE queue = ? AND stand = 1",
		open:    "SELECT count(*) FROM tasks INDEXED BY tasks_open WHERE queue = ? AND stand = 2",
		parked:  "SELECT count(*) FROM tasks INDEXED BY tasks_parked_due WHERE queue = ? AND stand = 3",
	} {
		e.stands[s] = b.number(query, e.id)
	}
}

func (e *engine) loadGroups(b *batch) {
	b.each(func(row columns) error {
		e.groups[row.text(0)] = group{begun: row.int(1)}
		return nil
	}, "SELECT grp, count(*) FROM tasks INDEXED BY tasks_begun WHERE queue = ? AND begun = 1 AND grp IS NOT NULL GROUP BY grp", e.id)
}

const leasedRows = "SELECT " + rowColumns + " FROM tasks INDEXED BY tasks_state WHERE queue = ? AND state = ? AND stand = 0"

// takeBack takes the tasks back that are leased to nobody in this process: whoever had them is gone.
func (e *engine) takeBack(b *batch) {
	var lost []row
	for _, t := range append(b.rows(leasedRows, e.id, int64(running)), b.rows(leasedRows, e.id, int64(undoing))...) {
		e.leased++
		if t.group != "" {
			g := e.groups[t.group]
			g.leased++
			e.groups[t.group] = g
		}
		if h, ok := e.carried[t.id]; ok && h.task.lease == t.lease {
			b.onCommit(func() { e.leases.add(&held{task: t, until: h.until + e.clock.base}) })
		} else {
			lost = append(lost, t)
		}
	}
	for _, t := range lost {
		e.rescue(b, t)
	}
}

// unparkAll lets parked tasks of every group be claimed, as many as there is room for: the settings may be others now.
func (e *engine) unparkAll(b *batch) {
	for name := ""; e.stands[parked] > 0 && b.err == nil; {
		found := false
		b.each(func(row columns) error {
			name, found = row.text(0), true
			return nil
		}, nextParked, e.id, name)
		if !found {
			return
		}
		for before := int64(-1); before != e.stands[parked] && b.err == nil; {
			before = e.stands[parked]
			e.unpark(b, name)
		}
	}
}

// farewell lets go of an engine that is closed. Those who wait are told, and last the one who closes.
func (s *store) farewell(closing *request) {
	e := closing.engine
	s.engines = slices.DeleteFunc(s.engines, func(other *engine) bool { return other == e })
	for _, l := range []*line{&e.publishers, &e.receivers} {
		for _, r := range s.inLine(l) {
			s.answer(r, queue.ErrClosed)
		}
	}
	s.answer(closing, nil)
}

// Close implements queue.Engine. What is under a lease has lost it when the queue is opened again. The last queue of a file closes that.
func (e *engine) Close(ctx context.Context) error {
	e.mu.Lock()
	closed := e.closed
	e.closed = true
	e.mu.Unlock()
	if closed {
		return nil
	}
	err := e.ask(ctx, &request{engine: e, closes: true, do: func(*batch) (bool, error) { return true, nil }})
	return errors.Join(err, e.release(ctx))
}

// syncDir lets a new name in a directory survive a power cut. Windows does that by itself, and cannot be asked to.
func syncDir(dir string) error {
	if goruntime.GOOS == "windows" {
		return nil
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	return errors.Join(d.Sync(), d.Close())
}
