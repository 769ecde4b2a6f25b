package postgres_test

import (
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/plba/plba/queue/postgres/pgtest"
)

// What was counted of many tasks is used again for a while; of fewer, every answer is new.
func TestStatsOfManyTasks(t *testing.T) {
	url := pgtest.Start(t).Database(t)
	e := openTest(t, "tests", url)
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close(t.Context()) }()
	add := func(first, last int) {
		t.Helper()
		if _, err := c.Exec(t.Context(), `INSERT INTO plba.tasks (queue, id, kind, enqueued, due, seq, most, priority, state, stand, payload)
			SELECT queue, 'x' || n, 'tests', now(), now(), n, 1, 0, 2, 2, '{}' FROM plba.queues, generate_series($1::int, $2::int) n`, first, last); err != nil {
			t.Fatal(err)
		}
	}
	ready := func(want int64) {
		t.Helper()
		if s, err := e.Stats(t.Context()); err != nil || s.Ready != want || s.OldestReady <= 0 {
			t.Errorf("%d ready, the oldest for %s, %v; want %d", s.Ready, s.OldestReady, err, want)
		}
	}
	add(1, 99_998)
	ready(99_998)
	add(99_999, 300_000)
	ready(300_000)
	add(300_001, 300_100)
	ready(300_000) // it is good for three seconds
	if err := e.Pause(t.Context()); err != nil {
		t.Fatal(err)
	}
	if s, err := e.Stats(t.Context()); err != nil || !s.Paused {
		t.Errorf("not paused: %v", err)
	}
}
