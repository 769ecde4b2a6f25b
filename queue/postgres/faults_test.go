package postgres_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/queue/postgres"
	"github.com/plba/plba/queue/postgres/pgtest"
	"github.com/plba/plba/task"
)

// What the server acknowledged before it was stopped and before it crashed is handed out when it is back, each task once; meanwhile every operation says that it
// is away.
func TestServerGoesAndComesBack(t *testing.T) {
	s := pgtest.Start(t, "fsync=on", "full_page_writes=on")
	url := s.Database(t)
	q := opened(t, postgres.Driver(), queue.Spec[payment]{}, func(set *postgres.Settings) { set.URL, set.Timeout = url, 2*time.Second })
	acknowledged := map[string]bool{}
	publish := func(n int) {
		t.Helper()
		for i := range n {
			r, err := q.Send(t.Context(), payment{fmt.Sprint(len(acknowledged), "-", i)})
			if err != nil {
				t.Fatalf("publish: %v", err)
			}
			acknowledged[r.ID] = true
		}
	}
	for _, end := range []func(){s.Stop, s.Kill} {
		publish(50)
		end()
		if err := q.Publish(t.Context(), payment{"away"}); !errors.Is(err, postgres.ErrUnavailable) {
			t.Errorf("publish while the server is away: %v, want ErrUnavailable", err)
		}
		if _, err := q.Stats(t.Context()); !errors.Is(err, postgres.ErrUnavailable) {
			t.Errorf("stats while the server is away: %v, want ErrUnavailable", err)
		}
		s.Restart()
	}
	publish(50)
	handled := map[string]int{}
	for len(handled) < len(acknowledged) {
		ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
		ds, err := q.Receive(ctx, 64, time.Minute)
		cancel()
		if err != nil {
			t.Fatalf("%d of %d tasks were handed out: %v", len(handled), len(acknowledged), err)
		}
		for _, d := range ds {
			handled[d.ID]++
			if lost, err := q.Complete(t.Context(), []queue.Completion{{Token: d.Token, Outcome: task.Done}}); err != nil || len(lost) > 0 {
				t.Errorf("complete: lost %v, %v", lost, err)
			}
		}
	}
	for id, n := range handled {
		if n != 1 || !acknowledged[id] {
			t.Errorf("task %s was handed out %d times, acknowledged: %t", id, n, acknowledged[id])
		}
	}
	if len(acknowledged) != 150 {
		t.Errorf("only %d tasks went through", len(acknowledged))
	}
}

// An application may start while its database is away, if it is told to; otherwise the start says what is wrong.
func TestStartWithoutTheDatabase(t *testing.T) {
	s := pgtest.Start(t)
	url := s.Database(t)
	s.Stop()
	settings := postgres.Driver().Settings().(*postgres.Settings)
	settings.URL = url
	if _, err := postgres.Driver().Open(t.Context(), queue.Opening{Queue: "q", Settings: settings}); !errors.Is(err, postgres.ErrUnavailable) {
		t.Errorf("open: %v, want ErrUnavailable", err)
	}
	q := opened(t, postgres.Driver(), queue.Spec[payment]{}, func(set *postgres.Settings) { set.URL, set.StartWithout = url, true })
	if err := q.Publish(t.Context(), payment{"early"}); !errors.Is(err, postgres.ErrUnavailable) {
		t.Errorf("publish: %v, want ErrUnavailable", err)
	}
	s.Restart()
	if err := q.Publish(t.Context(), payment{"now"}); err != nil {
		t.Errorf("publish when the database is there: %v", err)
	}
}

// Many processes that start at once make the tables once; a program that is too old for them is refused.
func TestMigration(t *testing.T) {
	url := pgtest.Start(t).Database(t)
	pool := connect(t, url)
	open := func() error {
		d := postgres.Driver()
		set := d.Settings().(*postgres.Settings)
		set.URL = url
		e, err := d.Open(t.Context(), queue.Opening{Queue: "q", Settings: set})
		if err == nil {
			err = e.Close(t.Context())
		}
		return err
	}
	var starts sync.WaitGroup
	for range 8 {
		starts.Go(func() {
			if err := open(); err != nil {
				t.Error(err)
			}
		})
	}
	starts.Wait()
	if _, err := pool.Exec(t.Context(), "UPDATE plba.version SET version = 1000, oldest = 1"); err != nil {
		t.Fatal(err)
	}
	if err := open(); err != nil {
		t.Errorf("tables of a newer version that says it can be shared: %v", err)
	}
	if _, err := pool.Exec(t.Context(), "UPDATE plba.version SET oldest = 1000"); err != nil {
		t.Fatal(err)
	}
	if err := open(); !errors.Is(err, postgres.ErrNewer) || !strings.Contains(err.Error(), "run a newer program") {
		t.Errorf("tables of a version that is too new: %v, want ErrNewer", err)
	}
}

func TestSettingsThatCannotBe(t *testing.T) {
	for want, change := range map[string]func(*postgres.Settings){
		`schema is "no-good"`: func(s *postgres.Settings) { s.Schema = "no-good" },
		"connections is 1":    func(s *postgres.Settings) { s.Connections = 1 },
		"poll is 0s":          func(s *postgres.Settings) { s.Poll = 0 },
		"timeout is -1s":      func(s *postgres.Settings) { s.Timeout = -time.Second },
		"url cannot be read":  func(s *postgres.Settings) { s.URL = "postgres://user:secret@host:port/name" },
		"capacity is -1":      func(s *postgres.Settings) { s.Capacity = -1 },
	} {
		s := postgres.Driver().Settings().(*postgres.Settings)
		if change(s); s.Validate() == nil || !strings.Contains(s.Validate().Error(), want) || strings.Contains(s.Validate().Error(), "secret") {
			t.Errorf("Validate: %v, want %q and no secret", s.Validate(), want)
		}
	}
}
