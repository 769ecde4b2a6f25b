package main

import (
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/queue/postgres"
	"github.com/plba/plba/queue/postgres/pgtest"
	"github.com/plba/plba/queue/sqlite"
)

// engine makes a new place for a bot's queue.
type engine func(testing.TB) place

// place is where a bot's queue is. Nothing but settings in a bot's configuration knows.
type place struct {
	settings string
	driver   queue.Driver // nil for a queue that ends with its process
	opening  queue.Settings
}

func inMemory(testing.TB) place { return place{settings: "{backend: memory}"} }

func inSQLite(t testing.TB) place {
	path := filepath.Join(t.TempDir(), "queue.db")
	s := &sqlite.Settings{}
	s.SetDefaults()
	s.Path = path
	return place{fmt.Sprintf("{backend: sqlite, path: '%s', keep_done: 1h}", path), sqlite.Driver(), s}
}

func inPostgres(server *pgtest.Server) engine {
	return func(t testing.TB) place {
		url := server.Database(t)
		s := &postgres.Settings{}
		s.SetDefaults()
		s.URL = url
		return place{fmt.Sprintf("{backend: postgres, url: '%s', poll: 100ms, keep_done: 1h}", url), postgres.Driver(), s}
	}
}

// check looks into the place when the bot has ended: all mails went through it, and nothing is left to do. A task whose mail had been moved when its process was
// killed may still be under the lease that nobody answers.
func (p place) check(t testing.TB, mails [][]byte) {
	t.Helper()
	if p.driver == nil {
		return
	}
	p.opening.Limits().KeepDone = time.Hour
	e, err := p.driver.Open(t.Context(), queue.Opening{Queue: "mails", Settings: p.opening})
	must(t, err)
	defer func() { must(t, e.Close(t.Context())) }()
	stats, err := e.Stats(t.Context())
	must(t, err)
	if int(stats.Done+stats.Running) < len(mails) || stats.Unfinished() != stats.Running || int(stats.Running) > len(mails)/10 || stats.Dead != 0 {
		t.Errorf("of %d mails, the queue has %+v", len(mails), stats)
	}
}

// TestEngines runs one program under three configurations. Wherever the queue is, the same becomes of the same mails.
func TestEngines(t *testing.T) {
	mails := variants(120)
	want := undisturbed(t, mails, inMemory)
	for name, in := range map[string]func(*testing.T) engine{
		"sqlite":   func(*testing.T) engine { return inSQLite },
		"postgres": func(t *testing.T) engine { return inPostgres(pgtest.Start(t)) },
	} {
		t.Run(name, func(t *testing.T) {
			got := undisturbed(t, mails, in(t))
			got.equal(t, want)
			for id, n := range got.answers {
				if n != 1 {
					t.Errorf("the answer %s was sent %d times", id, n)
				}
			}
		})
	}
}

// What the queue keeps is no reason to lose or to repeat anything when the bot dies: neither in a file that the next process opens, nor in a database that
// waits for the ends of the leases.
func TestKilledWithDurableQueue(t *testing.T) {
	kills, volume := 6, 80
	if longTest() {
		kills, volume = 60, 300
	}
	t.Run("sqlite", func(t *testing.T) { killed(t, inSQLite, kills, volume) })
	t.Run("postgres", func(t *testing.T) {
		if !longTest() {
			t.Skip("a kill leaves leases that end after half a minute: PLBA_TEST_LONG=1 runs this")
		}
		killed(t, inPostgres(pgtest.Start(t)), 30, volume)
	})
}
