package postgres_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/queue/postgres"
	"github.com/plba/plba/queue/postgres/pgtest"
	"github.com/plba/plba/task"
)

// TestCommitComesBeforeTheAcknowledgement kills a server that acknowledges commits before it writes them, as its administrator wants it: what queues acknowledged is there all
// the same. What others committed then is lost, or this would show nothing.
func TestCommitComesBeforeTheAcknowledgement(t *testing.T) {
	t.Parallel()
	s := pgtest.Start(t, "synchronous_commit=off", "wal_writer_delay=10s")
	url := s.Database(t)
	e := openWith(t, postgres.Driver(), "tests", url, postgres.DefaultPoll)
	execute(t, url, "CREATE TABLE others (n int)")
	const all = 20
	var token queue.Token
	for range all {
		if _, err := e.Publish(t.Context(), []queue.Record{newRecord()}, true); err != nil {
			t.Fatal(err)
		}
		token = receiveOne(t, e).Token
		if lost, err := e.Complete(t.Context(), []queue.Completion{{Token: token, Outcome: task.Dead, Cause: "kept"}}); err != nil || len(lost) > 0 {
			t.Fatal(lost, err)
		}
	}
	if err := e.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	c, err := pgx.Connect(t.Context(), url)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close(context.Background()) }()
	for n := range all {
		if _, err := c.Exec(t.Context(), "INSERT INTO others VALUES ($1)", n); err != nil {
			t.Fatal(err)
		}
	}
	s.Crash()
	s.Restart()
	again := openWith(t, postgres.Driver(), "tests", url, postgres.DefaultPoll)
	if st, err := again.Stats(t.Context()); err != nil || st.Dead != all {
		t.Errorf("%d tasks were acknowledged as dead, there are %+v, %v", all, st, err)
	}
	var others int
	if err := connect(t, url).QueryRow(t.Context(), "SELECT count(*) FROM others").Scan(&others); err != nil || others == all {
		t.Errorf("the server lost none of %d commits that it had not written, %v", others, err)
	}
	borrowedIsRefused(t, url)
}

// borrowedIsRefused borrows a pool whose connections do not wait for the disk.
func borrowedIsRefused(t *testing.T, url string) {
	t.Helper()
	_, err := postgres.Driver(postgres.Pool(connect(t, url))).Open(t.Context(), queue.Opening{Queue: "tests"})
	if !errors.Is(err, postgres.ErrUnsafe) || !strings.Contains(err.Error(), "ALTER ROLE plba SET synchronous_commit = on") {
		t.Errorf("a borrowed pool without synchronous commits: %v, expected ErrUnsafe and what to do", err)
	}
	config, err := pgxpool.ParseConfig(url)
	if err != nil {
		t.Fatal(err)
	}
	config.ConnConfig.RuntimeParams["synchronous_commit"] = "local"
	pool, err := pgxpool.NewWithConfig(t.Context(), config)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(pool.Close)
	e, err := postgres.Driver(postgres.Pool(pool)).Open(t.Context(), queue.Opening{Queue: "tests"})
	if err != nil {
		t.Fatalf("a borrowed pool with them: %v", err)
	}
	if err := e.Close(t.Context()); err != nil {
		t.Error(err)
	}
}
