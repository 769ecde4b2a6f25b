package pgtest_test

import (
	"context"
	"testing"

	"github.com/jackc/pgx/v5"

	"github.com/plba/plba/queue/postgres/pgtest"
)

// A server keeps its data over a stop and a crash, and every database is empty at first.
func TestServerKeepsItsDataAndDatabasesAreSeparate(t *testing.T) {
	s := pgtest.Start(t)
	dsn := s.Database(t)
	exec(t, dsn, "CREATE TABLE kept (n int); INSERT INTO kept VALUES (1)")
	for _, end := range []func(){s.Stop, s.Kill, s.Crash} {
		end()
		if c, err := pgx.Connect(t.Context(), dsn); err == nil {
			_ = c.Close(t.Context())
			t.Fatal("the server still takes connections")
		}
		s.Restart()
		exec(t, dsn, "INSERT INTO kept SELECT count(*) FROM kept")
	}
	s.CrashPart()
	if got := count(t, dsn, "SELECT count(*) FROM kept"); got != 4 {
		t.Errorf("%d rows after a stop and three crashes, want 4", got)
	}
	if got := count(t, s.Database(t), "SELECT count(*) FROM pg_tables WHERE tablename = 'kept'"); got != 0 {
		t.Error("a new database holds what is in another one")
	}
}

func exec(t *testing.T, dsn, sql string) {
	t.Helper()
	with(t, dsn, func(ctx context.Context, c *pgx.Conn) error {
		_, err := c.Exec(ctx, sql)
		return err
	})
}

func count(t *testing.T, dsn, sql string) (n int) {
	t.Helper()
	with(t, dsn, func(ctx context.Context, c *pgx.Conn) error { return c.QueryRow(ctx, sql).Scan(&n) })
	return n
}

func with(t *testing.T, dsn string, do func(context.Context, *pgx.Conn) error) {
	t.Helper()
	ctx := t.Context()
	c, err := pgx.Connect(ctx, dsn)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close(ctx) }()
	if err := do(ctx, c); err != nil {
		t.Fatal(err)
	}
}
