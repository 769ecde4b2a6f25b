package postgres_test

import (
	"errors"
	"net"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/plba/plba/queue"
	"github.com/plba/plba/queue/postgres"
	"github.com/plba/plba/queue/postgres/pgtest"
)

// guarded is a server on which one user needs a password.
func guarded(t *testing.T) *pgtest.Server {
	t.Helper()
	dir, err := os.MkdirTemp("", "guarded") //nolint:usetesting // the server's user cannot enter what t.TempDir makes
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	rules := filepath.Join(dir, "hba.conf")
	const text = "host all locked all scram-sha-256\nhost all all all trust\n"
	if err := errors.Join(os.Chmod(dir, 0o755), os.WriteFile(rules, []byte(text), 0o644)); err != nil { //nolint:gosec // the server's user reads it
		t.Fatal(err)
	}
	return pgtest.Start(t, "hba_file="+rules)
}

// TestServerRefuses opens queues that the server does not want to open, or that there is no server for. Each error says what is wrong and where, and shows no password.
func TestServerRefuses(t *testing.T) {
	t.Parallel()
	s := guarded(t)
	home := s.Database(t)
	execute(t, home, `CREATE ROLE locked LOGIN PASSWORD 'right'; CREATE ROLE poor LOGIN; CREATE ROLE crowd LOGIN CONNECTION LIMIT 0;
		CREATE ROLE replica LOGIN SUPERUSER; ALTER ROLE replica SET default_transaction_read_only = on;
		CREATE SCHEMA foreign_schema; CREATE TABLE foreign_schema.version (version int, oldest int)`)
	as := func(user, host, database string) string {
		u := url.URL{Scheme: "postgres", Host: host, Path: "/" + database, RawQuery: "sslmode=disable"}
		if u.User = url.User(user); user == "locked" {
			u.User = url.UserPassword(user, "wrong-secret")
		}
		return u.String()
	}
	name := home[strings.LastIndex(home, "/")+1 : strings.Index(home, "?")]
	silent, err := net.Listen("tcp", "127.0.0.1:0") // takes connections, and says nothing
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = silent.Close() })
	cases := map[string]struct {
		url, schema string
		unavailable bool
		says        []string
	}{
		"the password is wrong":    {as("locked", s.Addr(), name), "plba", false, []string{`password authentication failed for user "locked"`, s.Addr()}},
		"no such user":             {as("nobody", s.Addr(), name), "plba", false, []string{`role "nobody" does not exist`}},
		"no such database":         {as("plba", s.Addr(), "nowhere"), "plba", false, []string{`database "nowhere" does not exist`}},
		"no right to make schemas": {as("poor", s.Addr(), name), "plba", false, []string{"permission denied for database " + name, "42501"}},
		"no right on the schema":   {as("poor", s.Addr(), name), "foreign_schema", false, []string{"permission denied for schema foreign_schema"}},
		"no connection left":       {as("crowd", s.Addr(), name), "plba", true, []string{`too many connections for role "crowd"`}},
		"only a replica":           {as("replica", s.Addr(), name), "plba", true, []string{"read-only transaction"}},
		"nobody listens":           {as("plba", "127.0.0.1:1", name), "plba", true, []string{"127.0.0.1:1", "refused"}},
		"no such host":             {as("plba", "nowhere.invalid:5432", name), "plba", true, []string{"nowhere.invalid"}},
		"no answer":                {as("plba", silent.Addr().String(), name), "plba", true, []string{"the database is unavailable"}},
	}
	for what, c := range cases {
		t.Run(what, func(t *testing.T) {
			set := postgres.Driver().Settings().(*postgres.Settings)
			set.URL, set.Schema, set.Timeout = c.url, c.schema, time.Second
			_, err := postgres.Driver().Open(t.Context(), queue.Opening{Queue: "mails", Settings: set})
			if err == nil || errors.Is(err, postgres.ErrUnavailable) != c.unavailable {
				t.Fatalf("%v; unavailable is to be %t", err, c.unavailable)
			}
			for _, want := range append(c.says, "queue mails: ") {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("%q does not say %q", err, want)
				}
			}
			if strings.Contains(err.Error(), "secret") {
				t.Errorf("%q shows the password", err)
			}
		})
	}
}

// execute runs statements.
func execute(t *testing.T, url, sql string) {
	t.Helper()
	if _, err := connect(t, url).Exec(t.Context(), sql); err != nil {
		t.Fatal(err)
	}
}
