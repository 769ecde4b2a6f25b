package sqlite

import (
	"path/filepath"
	"sync/atomic"
	"testing"
	"time"

	"github.com/plba/plba/queue"
)

// movable is a wall clock that can be moved, beside a monotonic one that cannot.
func movable() (read reading, move func(time.Duration)) {
	var moved atomic.Int64
	system := systemTime()
	return func() (time.Time, time.Duration) {
		wall, elapsed := system()
		return wall.Add(time.Duration(moved.Load())), elapsed
	}, func(d time.Duration) { moved.Add(int64(d)) }
}

// TestMovedClock moves the wall clock by an hour, in both directions, while the queue is open and while it is closed.
func TestMovedClock(t *testing.T) {
	for _, by := range []time.Duration{time.Hour, -time.Hour} {
		t.Run(by.String(), func(t *testing.T) {
			read, move := movable()
			d := newDriver(files{time: read})
			path := filepath.Join(t.TempDir(), "queue.db")
			e := openQueue(t, d, path)
			delayed, ordered := newRecord(), newRecord()
			delayed.Delay = 30 * time.Minute
			publish(t, e, delayed, ordered)
			held := receive(t, e, 1)[0]
			move(by)
			if r, err := e.Renew(t.Context(), []queue.Token{held.Token}, time.Minute); err != nil || len(r.Lost) > 0 {
				t.Errorf("a lease of a minute, when the clock is moved by %s: %+v, %v", by, r, err)
			}
			expect(t, e, queue.Stats{Scheduled: 1, Running: 1})
			at := newRecord()
			wall, _ := read()
			at.Info.RunAt = wall.Add(-time.Minute) // past, by the clock as it is now
			publish(t, e, at)
			shown, err := e.Task(t.Context(), at.Info.ID)
			if err != nil || shown.Info.EnqueuedAt.Sub(wall).Abs() > 10*time.Second {
				t.Errorf("it was published at %s, and that is shown as %s, %v", wall, shown.Info.EnqueuedAt, err)
			}
			complete(t, e, queue.Completion{Token: held.Token})
			for range 2 { // back, and then with the old time
				if err := e.Close(t.Context()); err != nil {
					t.Fatal(err)
				}
				if by < 0 {
					move(by) // forward nobody can tell from time that has passed
				}
				e = openQueue(t, d, path)
				expect(t, e, queue.Stats{Scheduled: 1, Ready: 1})
			}
			later := newRecord()
			publish(t, e, later)
			for i, l := range receive(t, e, 2) {
				if want := []string{at.Info.ID, later.Info.ID}[i]; l.ID != want {
					t.Errorf("task number %d is %s, expected %s: what was published first comes first", i, l.ID, want)
				}
			}
			if err := e.Close(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
}

func expect(t *testing.T, e queue.Engine, want queue.Stats) {
	t.Helper()
	s, err := e.Stats(t.Context())
	if err != nil || s.Scheduled != want.Scheduled || s.Ready != want.Ready || s.Running != want.Running {
		t.Errorf("Stats: %+v, %v; expected %+v", s, err, want)
	}
}
