package postgres_test

import (
	"fmt"
	"testing"
	"time"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/queue/postgres"
	"github.com/plba/plba/queue/postgres/pgtest"
	"github.com/plba/plba/task"
)

// movable lets the clock of a database be moved, as queues see it: what they ask for the time are functions in front of the server's own.
func movable(t *testing.T, url string) (move func(by time.Duration)) {
	t.Helper()
	pool := connect(t, url)
	run := func(sql string) {
		t.Helper()
		if _, err := pool.Exec(t.Context(), sql); err != nil {
			t.Fatal(err)
		}
	}
	run(`CREATE SCHEMA moved; CREATE TABLE moved.clock (by interval NOT NULL); INSERT INTO moved.clock VALUES ('0')`)
	for _, name := range []string{"now", "clock_timestamp"} {
		run(fmt.Sprintf(`CREATE FUNCTION moved.%[1]s() RETURNS timestamptz STABLE LANGUAGE sql AS 'SELECT pg_catalog.%[1]s() + by FROM moved.clock'`, name))
	}
	run("DO $$ BEGIN EXECUTE 'ALTER DATABASE ' || current_database() || ' SET search_path = moved, pg_catalog, public'; END $$")
	return func(by time.Duration) {
		t.Helper()
		run(fmt.Sprintf("UPDATE moved.clock SET by = '%d seconds'", int(by.Seconds())))
	}
}

// TestMovedClock lets the clock of the application and that of the database differ by an hour, both ways: leases, delays and retries are as long as they were to be, and what
// is due at an instant is due when the database's clock says so.
func TestMovedClock(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t)
	for _, by := range []time.Duration{time.Hour, -time.Hour} {
		t.Run(by.String(), func(t *testing.T) {
			t.Parallel()
			url := s.Database(t)
			move := movable(t, url)
			move(by)
			clockDiffers(t, openWith(t, postgres.Driver(), "tests", url, 100*time.Millisecond), by)
		})
	}
}

func clockDiffers(t *testing.T, e queue.Engine, by time.Duration) {
	t.Helper()
	const soon = 700 * time.Millisecond
	long, delayed, past, future := newRecord(), newRecord(), newRecord(), newRecord()
	long.Delay, delayed.Delay = 30*time.Minute, soon
	past.Info.RunAt, future.Info.RunAt = time.Now().Add(by-time.Minute), time.Now().Add(by+30*time.Minute) // by the clock of the database
	began := time.Now()
	if _, err := e.Publish(t.Context(), []queue.Record{long, delayed, past, future}, true); err != nil {
		t.Fatal(err)
	}
	count(t, e, queue.Stats{Ready: 1, Scheduled: 3})
	held := receiveOne(t, e)
	if held.ID != past.Info.ID || held.Info.EnqueuedAt.Sub(began.Add(by)).Abs() > 10*time.Minute {
		t.Errorf("first came %s, enqueued at %s, expected %s at about %s", held.ID, held.Info.EnqueuedAt, past.Info.ID, began.Add(by))
	}
	if l := receiveOne(t, e); l.ID != delayed.Info.ID || time.Since(began) < soon {
		t.Errorf("%s came after %s, expected %s after %s", l.ID, time.Since(began), delayed.Info.ID, soon)
	} else if lost, err := e.Complete(t.Context(), []queue.Completion{{Token: l.Token, Outcome: task.Retry, Counted: true, After: soon}}); err != nil || len(lost) > 0 {
		t.Error(lost, err)
	}
	began = time.Now()
	l := receiveOne(t, e)
	if l.ID != delayed.Info.ID || l.Info.Attempt != 2 || time.Since(began) < soon/2 {
		t.Errorf("%s came after %s with attempt %d, expected %s after %s with 2", l.ID, time.Since(began), l.Info.Attempt, delayed.Info.ID, soon)
	}
	if r, err := e.Renew(t.Context(), []queue.Token{held.Token, l.Token}, soon); err != nil || len(r.Lost) > 0 {
		t.Errorf("renewing leases of a minute: %+v, %v", r, err)
	}
	began = time.Now()
	for range 2 { // they expire, neither earlier nor an hour later
		if l := receiveOne(t, e); time.Since(began) < soon/2 || l.ID == long.Info.ID || l.ID == future.Info.ID {
			t.Errorf("%s came after %s", l.ID, time.Since(began))
		}
	}
	count(t, e, queue.Stats{Running: 2, Scheduled: 2})
}

// TestDatabaseClockJumps moves the clock of the database while tasks are under leases. Forward, all leases end at once: others take the tasks over, and late answers are refused.
// Back, what was handed out stays handed out for that much longer, unless it is answered; what is ready stays ready, and new leases are as long as they are to be.
func TestDatabaseClockJumps(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t)
	url := s.Database(t)
	move := movable(t, url)
	e := openWith(t, postgres.Driver(), "tests", url, 100*time.Millisecond)
	if _, err := e.Publish(t.Context(), []queue.Record{newRecord(), newRecord()}, true); err != nil {
		t.Fatal(err)
	}
	before := []queue.Lease{receiveOne(t, e), receiveOne(t, e)}
	move(time.Hour)
	after := []queue.Lease{receiveOne(t, e), receiveOne(t, e)}
	for _, l := range before {
		if lost, err := e.Complete(t.Context(), []queue.Completion{{Token: l.Token, Outcome: task.Done}}); err != nil || len(lost) != 1 {
			t.Errorf("the answer for a lease that ended by a jump: lost %v, %v", lost, err)
		}
	}
	if _, err := e.Publish(t.Context(), []queue.Record{newRecord()}, true); err != nil {
		t.Fatal(err)
	}
	move(-time.Hour)
	last := receiveOne(t, e)
	if r, err := e.Renew(t.Context(), []queue.Token{last.Token, after[0].Token}, time.Second); err != nil || len(r.Lost) > 0 {
		t.Errorf("renewing after a jump back: %+v, %v", r, err)
	}
	for range 2 {
		if l := receiveOne(t, e); l.ID != last.ID && l.ID != after[0].ID {
			t.Errorf("%s came, whose lease was not to end", l.ID)
		}
	}
	if lost, err := e.Complete(t.Context(), []queue.Completion{{Token: after[1].Token, Outcome: task.Done}}); err != nil || len(lost) > 0 {
		t.Errorf("the answer for a lease from before a jump back: lost %v, %v", lost, err)
	}
	count(t, e, queue.Stats{Running: 2})
}

// count expects these counts.
func count(t *testing.T, e queue.Engine, want queue.Stats) {
	t.Helper()
	s, err := e.Stats(t.Context())
	if err != nil || s.Scheduled != want.Scheduled || s.Ready != want.Ready || s.Running != want.Running || s.Unfinished() != want.Unfinished() {
		t.Errorf("Stats: %+v, %v; expected %+v", s, err, want)
	}
}
