package sqlite

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	sqlite3 "modernc.org/sqlite/lib"
	"pgregory.net/rapid"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/task"
)

// TestInMemoryAsInTheFile does anything in any order on a disk that now and then refuses to write, and demands after each step that what is kept in memory is
// what the file says, and of every claim that it takes just the tasks that a look at all of them would choose.
func TestInMemoryAsInTheFile(t *testing.T) {
	inMemory(t)
	checks(t, volume(100, 20_000))
	steps := 0
	dir := t.TempDir()
	files := 0
	least := volume(1000, 200_000)
	explore := func(t *testing.T) {
		rapid.Check(struct{ rapid.TB }{t}, func(t *rapid.T) { // without Deadline, which a bubble does not have
			files++
			m := newMachine(t, filepath.Join(dir, fmt.Sprint(files, ".db")))
			defer m.close(t)
			t.Repeat(map[string]func(*rapid.T){
				"publish": m.publish, "receive": m.receive, "complete": m.complete, "save": m.save, "admin": m.admin, "pass": m.pass,
				"reopen": m.reopen, "": func(t *rapid.T) {
					steps++
					m.disk.refusing(nil)
					audit(t, m.e)
				},
			})
		})
	}
	for n := 0; n < 20 && steps < least && !t.Failed(); n++ { // rapid ends after a day, which soon passes in a bubble: a few bubbles
		synctest.Test(t, explore)
	}
	if steps < least {
		t.Errorf("%d steps were made, expected at least %d", steps, least)
	}
}

type machine struct {
	disk     *disk
	driver   *sqliteDriver
	settings *Settings
	order    queue.Order
	e        *engine
	made     int
	ids      []string
	tokens   []queue.Token
}

func newMachine(t *rapid.T, path string) *machine {
	d, err := makeDisk()
	if err != nil {
		t.Fatal(err)
	}
	m := &machine{disk: d, order: rapid.SampledFrom([]queue.Order{queue.Unordered, queue.Strict}).Draw(t, "order")}
	m.driver = newDriver(files{time: systemTime(), vfs: m.disk.name})
	m.settings = &Settings{Path: path}
	m.settings.GroupRunning = rapid.IntRange(1, 3).Draw(t, "group_running")
	m.settings.MaxRunning = rapid.SampledFrom([]int{0, 0, 4}).Draw(t, "max_running")
	m.settings.DeadLetters = rapid.SampledFrom([]int{0, 3}).Draw(t, "dead_letters")
	m.settings.KeepDone = rapid.SampledFrom([]time.Duration{0, 10 * time.Millisecond}).Draw(t, "keep_done")
	m.open(t)
	return m
}

var ctx = context.Background() // a rapid.T has none that fits a bubble

func (m *machine) open(t *rapid.T) {
	e, err := m.driver.Open(ctx, queue.Opening{Queue: "tests", Order: m.order, Settings: m.settings})
	if err != nil {
		t.Fatal(err)
	}
	m.e = e.(*engine)
}

func (m *machine) close(t *rapid.T) {
	m.disk.refusing(nil)
	if err := m.e.Close(ctx); err != nil {
		t.Fatal(err)
	}
}

// reopen may find other settings.
func (m *machine) reopen(t *rapid.T) {
	m.close(t)
	m.settings.GroupRunning = rapid.IntRange(1, 3).Draw(t, "group_running")
	m.order = rapid.SampledFrom([]queue.Order{queue.Unordered, queue.Strict}).Draw(t, "order")
	if rapid.Bool().Draw(t, "crashed") {
		m.driver = newDriver(m.driver.files) // it has no leases
	}
	m.open(t)
}

// unreliable lets the disk refuse to write at some point of what comes, or not at all.
func (m *machine) unreliable(t *rapid.T) {
	left := rapid.SampledFrom([]int{-1, -1, -1, 0, 1, 5}).Draw(t, "writes until the disk is full")
	m.disk.refusing(func(e *event) int32 {
		if e.op == opWrite && left >= 0 {
			if left--; left < 0 {
				left = 0
				return sqlite3.SQLITE_FULL
			}
		}
		return 0
	})
}

var times = rapid.SampledFrom([]time.Duration{0, 0, 0, time.Millisecond, 5 * time.Millisecond, time.Minute})

func (m *machine) publish(t *rapid.T) {
	m.unreliable(t)
	rs := make([]queue.Record, rapid.IntRange(1, 8).Draw(t, "n"))
	for i := range rs {
		m.made++
		rs[i] = queue.Record{Info: task.Info{
			ID: fmt.Sprintf("task-%06d", m.made), Kind: "test", MaxAttempts: rapid.IntRange(0, 2).Draw(t, "attempts"),
			Priority: rapid.IntRange(-1, 1).Draw(t, "priority"), Group: rapid.SampledFrom([]string{"", "a", "a", "b", "c"}).Draw(t, "group"),
			Unique: rapid.SampledFrom([]string{"", "", "", "x", "y"}).Draw(t, "key"),
		}, Delay: times.Draw(t, "delay"), UniqueFor: times.Draw(t, "unique for")}
		m.ids = append(m.ids, rs[i].Info.ID)
	}
	receipts, err := m.e.Publish(ctx, rs, true)
	if (err == nil) != (len(receipts) == len(rs)) {
		t.Fatalf("Publish: %v, %v", receipts, err)
	}
}

// receive compares with what a look at all tasks would choose.
func (m *machine) receive(t *rapid.T) {
	n := rapid.IntRange(1, 6).Draw(t, "max")
	want := m.choose(t, n)
	if len(want) == 0 {
		t.Skip("nothing can be claimed")
	}
	m.unreliable(t)
	ls, err := m.e.Receive(ctx, n, times.Filter(func(d time.Duration) bool { return d > 0 }).Draw(t, "lease"))
	if err != nil {
		return // the disk
	}
	var got []string
	for _, l := range ls {
		got = append(got, l.ID)
		m.tokens = append(m.tokens, l.Token)
	}
	if !slices.Equal(got, want) {
		t.Fatalf("Receive(%d) gave %v, expected %v", n, got, want)
	}
}

// choose goes through all tasks, in order, and takes those that their groups admit.
func (m *machine) choose(t *rapid.T, n int) (ids []string) {
	err := m.e.ask(ctx, &request{engine: m.e, do: func(b *batch) (bool, error) {
		ids = nil
		all := b.rows("SELECT " + rowColumns + " FROM tasks WHERE state <= 5")
		running, groups := 0, map[string]group{}
		for _, t := range all {
			g := groups[t.group]
			g.leased += number(t.leased())
			g.begun += number(t.begun)
			groups[t.group] = g
			running += int(number(t.leased()))
		}
		due := slices.DeleteFunc(all, func(t row) bool { return t.leased() || t.due > b.now })
		slices.SortFunc(due, func(a, b row) int {
			return cmp.Or(cmp.Compare(b.priority, a.priority), cmp.Compare(a.due, b.due), cmp.Compare(a.seq, b.seq))
		})
		for _, t := range due {
			g := groups[t.group]
			strict := m.order == queue.Strict
			switch {
			case len(ids) == n, m.settings.MaxRunning > 0 && running >= m.settings.MaxRunning:
				return true, nil
			case t.group == "":
			case strict && (g.leased > 0 || g.begun > 0 && !t.begun), !strict && g.leased >= int64(m.settings.GroupRunning):
				continue
			}
			g.leased++
			g.begun += 1 - number(t.begun)
			groups[t.group] = g
			running++
			ids = append(ids, t.id)
		}
		return true, nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

func (m *machine) complete(t *rapid.T) {
	if len(m.tokens) == 0 {
		t.Skip("nothing was ever claimed")
	}
	m.unreliable(t)
	cs := make([]queue.Completion, rapid.IntRange(1, 4).Draw(t, "n"))
	for i := range cs {
		cs[i] = queue.Completion{
			Token:   rapid.SampledFrom(m.tokens[max(0, len(m.tokens)-8):]).Draw(t, "token"),
			Outcome: task.Outcome(rapid.IntRange(int(task.Done), int(task.Cancelled)).Draw(t, "outcome")),
			After:   times.Draw(t, "after"), Counted: rapid.Bool().Draw(t, "counted"), Cause: "cause",
		}
	}
	_, _ = m.e.Complete(ctx, cs) // the audit tells
}

func (m *machine) save(t *rapid.T) {
	if len(m.tokens) == 0 {
		t.Skip("nothing was ever claimed")
	}
	m.unreliable(t)
	c := m.e.Checkpoints(rapid.SampledFrom(m.tokens).Draw(t, "token"))
	_ = c.Save(ctx, rapid.SampledFrom([]string{"a", task.UndoPrefix + "a"}).Draw(t, "path"), 1)
}

func (m *machine) admin(t *rapid.T) {
	if len(m.ids) == 0 {
		t.Skip("nothing was ever published")
	}
	m.unreliable(t)
	id := rapid.SampledFrom(m.ids).Draw(t, "id")
	some := queue.InState(rapid.SampledFrom([]queue.State{queue.StateReady, queue.StateDead, queue.StateCancelled, queue.StateScheduled}).Draw(t, "state"))
	switch rapid.IntRange(0, 5).Draw(t, "what") {
	case 0:
		_ = m.e.Cancel(ctx, id, "enough")
	case 1:
		_, _ = m.e.Requeue(ctx, some)
	case 2:
		_, _ = m.e.RunNow(ctx, queue.ByID(id))
	case 3:
		_, _ = m.e.Purge(ctx, queue.ByID(id))
	case 4:
		_, _ = m.e.Renew(ctx, m.tokens, times.Filter(func(d time.Duration) bool { return d > 0 }).Draw(t, "lease"))
	case 5:
		_, _ = m.e.Purge(ctx, some)
	}
}

// pass lets time go on, which in the bubble takes none.
func (m *machine) pass(t *rapid.T) {
	time.Sleep(rapid.SampledFrom([]time.Duration{time.Millisecond, 2 * time.Millisecond, 7 * time.Millisecond, time.Minute}).Draw(t, "time"))
}
