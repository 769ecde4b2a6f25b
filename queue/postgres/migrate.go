package postgres

import (
	"context"
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"
)

// migrations bring the tables from each version to the next. A process applies those that are missing when it opens its first queue, under a lock, each in a
// transaction of its own. What is written here stays as it is.
//
// An older version may still run meanwhile, and may be started again: so a migration only adds, with defaults. One that cannot do with that raises oldest in
// the same transaction, which is the oldest version of this package that can still work with the tables.
//
// {} stands for the schema.
//
// The states of a task are 1 scheduled, 2 ready, 3 running, 4 retrying, 5 undoing, 6 done, 7 dead, 8 cancelled. Its stand says where it can be found: 1 it waits
// for its time, 2 it can be claimed, 3 it can be claimed once its group has room, 0 none of these: it is leased or has ended.
var migrations = []string{`
CREATE SEQUENCE {}.place;

CREATE TABLE {}.queues (
	queue  integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
	name   text COLLATE "C" NOT NULL UNIQUE,
	paused boolean NOT NULL DEFAULT false,
	tokens double precision NOT NULL DEFAULT 0,
	filled timestamptz
);

CREATE TABLE {}.tasks (
	queue        integer NOT NULL,
	id           text COLLATE "C" NOT NULL,
	kind         text NOT NULL,
	uniq         text COLLATE "C",
	grp          text COLLATE "C",
	enqueued     timestamptz NOT NULL,
	due          timestamptz NOT NULL,
	leased_until timestamptz,
	ended        timestamptz,
	seq          bigint NOT NULL,
	lease        bigint NOT NULL DEFAULT 0,
	most         integer NOT NULL,
	attempt      integer NOT NULL DEFAULT 0,
	failed       integer NOT NULL DEFAULT 0,
	priority     smallint NOT NULL,
	state        smallint NOT NULL,
	stand        smallint NOT NULL,
	ends_as      smallint NOT NULL DEFAULT 0,
	undo         boolean NOT NULL DEFAULT false,
	begun        boolean NOT NULL DEFAULT false,
	cancelling   boolean NOT NULL DEFAULT false,
	kept         boolean NOT NULL DEFAULT false,
	cause        text,
	failures     jsonb,
	metadata     text,
	payload      bytea NOT NULL,
	PRIMARY KEY (queue, id)
) WITH (autovacuum_vacuum_scale_factor = 0.02, autovacuum_vacuum_insert_scale_factor = 0.1, autovacuum_analyze_scale_factor = 0.05);
CREATE INDEX tasks_open    ON {}.tasks (queue, priority DESC, due, seq) WHERE stand = 2;
CREATE INDEX tasks_waiting ON {}.tasks (queue, due, seq) WHERE stand = 1;
CREATE INDEX tasks_leased  ON {}.tasks (queue, leased_until) WHERE leased_until IS NOT NULL;
CREATE INDEX tasks_grouped ON {}.tasks (queue) WHERE stand = 2 AND grp IS NOT NULL;
CREATE INDEX tasks_parked  ON {}.tasks (queue, grp, priority DESC, due, seq) WHERE stand = 3;
CREATE INDEX tasks_begun   ON {}.tasks (queue, grp) WHERE begun AND grp IS NOT NULL;
CREATE INDEX tasks_ended   ON {}.tasks (queue, state, ended, seq) WHERE state >= 6;

CREATE TABLE {}.checkpoints (
	queue integer NOT NULL,
	id    text COLLATE "C" NOT NULL,
	path  text COLLATE "C" NOT NULL,
	value bytea NOT NULL,
	PRIMARY KEY (queue, id, path)
);

CREATE TABLE {}.keys (
	queue integer NOT NULL,
	key   text COLLATE "C" NOT NULL,
	id    text COLLATE "C" NOT NULL,
	live  boolean NOT NULL,
	until timestamptz NOT NULL,
	PRIMARY KEY (queue, key)
);
CREATE INDEX keys_ended ON {}.keys (queue, until) WHERE NOT live;
`}

// Locks of this package. Advisory locks have two numbers; this is the first. The second is a queue, or 0.
const (
	lockMigrate = 0x504c4241 + iota // "PLBA"
	lockLimits                      // who claims under limits, or changes what groups hold
	lockRoom                        // who fills a queue that has a capacity
)

// migrate brings the tables to this version.
func (s *store) migrate(ctx context.Context) error {
	return pgx.BeginFunc(ctx, s.pool, func(tx pgx.Tx) error {
		if err := isSafe(ctx, tx); err != nil {
			return err
		}
		if _, err := tx.Exec(ctx, "SELECT pg_advisory_xact_lock($1, hashtext($2))", lockMigrate, s.schema); err != nil {
			return err
		}
		version, oldest, err := s.version(ctx, tx)
		if err != nil {
			return err
		}
		if oldest > len(migrations) {
			return fmt.Errorf("%w: schema %s has version %d and works with %d and later, this program knows %d; run a newer program",
				ErrNewer, s.schema, version, oldest, len(migrations))
		}
		for v := version; v < len(migrations); v++ {
			if _, err := tx.Exec(ctx, s.sql(migrations[v])); err != nil {
				return fmt.Errorf("migration of schema %s to version %d: %w", s.schema, v+1, err)
			}
			if _, err := tx.Exec(ctx, s.sql("UPDATE {}.version SET version = $1"), v+1); err != nil {
				return err
			}
		}
		return nil
	})
}

// isSafe refuses connections whose commits are not on the disk when they are acknowledged. Those of our own pool are, unless a pooler is between.
func isSafe(ctx context.Context, tx pgx.Tx) error {
	var commit, user string
	if err := tx.QueryRow(ctx, "SELECT current_setting('synchronous_commit'), quote_ident(current_user)").Scan(&commit, &user); err != nil || commit != "off" {
		return err
	}
	return fmt.Errorf("%w: a crash of the server would lose acknowledged tasks; set it for the connections of the pool, or for the user: ALTER ROLE %s SET synchronous_commit = on",
		ErrUnsafe, user)
}

// version reads which version the tables have, and makes what is needed to say that.
func (s *store) version(ctx context.Context, tx pgx.Tx) (version, oldest int, err error) {
	var exists bool
	if err := tx.QueryRow(ctx, "SELECT to_regclass($1) IS NOT NULL", s.schema+".version").Scan(&exists); err != nil {
		return 0, 0, err
	}
	if !exists { // the right to make schemas is not needed where somebody made it before
		const begin = `CREATE SCHEMA IF NOT EXISTS {};
			CREATE TABLE {}.version (version integer NOT NULL, oldest integer NOT NULL);
			INSERT INTO {}.version VALUES (0, 1);`
		_, err := tx.Exec(ctx, s.sql(begin))
		return 0, 1, err
	}
	err = tx.QueryRow(ctx, s.sql("SELECT version, oldest FROM {}.version")).Scan(&version, &oldest)
	return version, oldest, err
}

// sql puts the schema's name, which is one that Validate let through, into a statement.
func (s *store) sql(text string) string {
	if known, ok := s.texts.Load(text); ok {
		return known.(string)
	}
	full := strings.ReplaceAll(text, "{}", s.schema)
	s.texts.Store(text, full)
	return full
}
