package sqlite

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// applicationID marks a database as ours, in its header: "PLBA".
const applicationID = 0x504c4241

// migrations bring a file from each version of the schema to the next; its version is how many were applied (PRAGMA user_version). What is written here stays
// as it is: files out there were made by it, and are compared with it when they are opened.
//
// Every row has a checksum over all that it says, in sum. Times are the store's (see clock), in nanoseconds.
//
// The states of a task are 1 scheduled, 2 ready, 3 running, 4 retrying, 5 undoing, 6 done, 7 dead, 8 cancelled. The stand says where it can be found:
// 1 it waits for its time, 2 it can be claimed, 3 it can be claimed once its group has room, 0 none of these, because it is leased or has ended.
var migrations = []string{`
CREATE TABLE store (
	one   INTEGER PRIMARY KEY CHECK (one = 1),
	clock INTEGER NOT NULL,
	wall  INTEGER NOT NULL,
	seq   INTEGER NOT NULL,
	sum   INTEGER NOT NULL
) STRICT;

CREATE TABLE queues (
	queue  INTEGER PRIMARY KEY,
	name   TEXT NOT NULL UNIQUE,
	paused INTEGER NOT NULL,
	sum    INTEGER NOT NULL
) STRICT;

CREATE TABLE tasks (
	n          INTEGER PRIMARY KEY,
	queue      INTEGER NOT NULL,
	id         TEXT    NOT NULL,
	kind       TEXT    NOT NULL,
	uniq       TEXT,
	grp        TEXT,
	enqueued   INTEGER NOT NULL,
	most       INTEGER NOT NULL,
	priority   INTEGER NOT NULL,
	state      INTEGER NOT NULL,
	stand      INTEGER NOT NULL,
	due        INTEGER NOT NULL,
	seq        INTEGER NOT NULL,
	lease      INTEGER NOT NULL,
	attempt    INTEGER NOT NULL,
	failed     INTEGER NOT NULL,
	undo       INTEGER NOT NULL,
	begun      INTEGER NOT NULL,
	cancelling INTEGER NOT NULL,
	ends_as    INTEGER NOT NULL,
	cause      TEXT,
	ended      INTEGER NOT NULL,
	failures   INTEGER NOT NULL,
	kept       INTEGER NOT NULL,
	sum        INTEGER NOT NULL
) STRICT;
CREATE UNIQUE INDEX tasks_id ON tasks (queue, id);
CREATE INDEX tasks_state ON tasks (queue, state, id);
CREATE INDEX tasks_open ON tasks (queue, priority DESC, due, seq) WHERE stand = 2;
CREATE INDEX tasks_waiting ON tasks (queue, due, seq) WHERE stand = 1;
CREATE INDEX tasks_parked ON tasks (queue, grp, priority DESC, due, seq) WHERE stand = 3;
CREATE INDEX tasks_parked_due ON tasks (queue, due) WHERE stand = 3;
CREATE INDEX tasks_begun ON tasks (queue, grp) WHERE begun = 1 AND grp IS NOT NULL;
CREATE INDEX tasks_done ON tasks (queue, seq) WHERE state = 6;
CREATE INDEX tasks_buried ON tasks (queue, seq) WHERE state > 6;

CREATE TABLE bodies (
	n        INTEGER PRIMARY KEY,
	metadata TEXT,
	payload  BLOB NOT NULL,
	sum      INTEGER NOT NULL
) STRICT;

CREATE TABLE failures (
	n       INTEGER NOT NULL,
	i       INTEGER NOT NULL,
	attempt INTEGER NOT NULL,
	at      INTEGER NOT NULL,
	undo    INTEGER NOT NULL,
	error   TEXT    NOT NULL,
	sum     INTEGER NOT NULL,
	PRIMARY KEY (n, i)
) STRICT, WITHOUT ROWID;

CREATE TABLE checkpoints (
	n     INTEGER NOT NULL,
	path  TEXT    NOT NULL,
	value BLOB    NOT NULL,
	sum   INTEGER NOT NULL,
	PRIMARY KEY (n, path)
) STRICT, WITHOUT ROWID;

CREATE TABLE keys (
	queue INTEGER NOT NULL,
	key   TEXT    NOT NULL,
	id    TEXT    NOT NULL,
	live  INTEGER NOT NULL,
	until INTEGER NOT NULL,
	sum   INTEGER NOT NULL,
	PRIMARY KEY (queue, key)
) STRICT, WITHOUT ROWID;
CREATE INDEX keys_ended ON keys (queue, until) WHERE live = 0;
`}

// migrate brings the database to that version.
func migrate(c *conn, to int) error {
	from, err := c.number("PRAGMA user_version")
	if err != nil {
		return err
	}
	for v := int(from); v < to; v++ {
		if err := c.script(fmt.Sprintf("BEGIN IMMEDIATE; %s PRAGMA user_version = %d; COMMIT;", migrations[v], v+1)); err != nil {
			_ = c.script("ROLLBACK") // the error is what counts
			return fmt.Errorf("the schema cannot be brought to version %d: %w", v+1, err)
		}
	}
	return nil
}

// checkSchema compares the schema in the file, word by word, with what the migrations to its version make: a flipped bit in the condition of an index would
// let tasks disappear from it.
func checkSchema(ctx context.Context, c *conn) error {
	version, err := c.number("PRAGMA user_version")
	switch {
	case err != nil:
		return err
	case version < 1:
		return fmt.Errorf("%w: it has no version of the schema", ErrDamaged)
	case version > int64(len(migrations)):
		return fmt.Errorf("%w: it has version %d of the schema, this program knows %d", ErrNewer, version, len(migrations))
	}
	want, err := madeBy(ctx, version)
	if err != nil {
		return err
	}
	got, err := c.schema(ctx)
	if err != nil {
		return err
	}
	if !slices.Equal(got, want) {
		return fmt.Errorf("%w: its schema is not the one that this program made", ErrDamaged)
	}
	return nil
}

// madeBy is the schema that the migrations to a version make.
func madeBy(ctx context.Context, version int64) (lines []string, err error) {
	fresh, err := openConn(":memory:")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, fresh.close()) }()
	if err := migrate(fresh, int(version)); err != nil {
		return nil, err
	}
	return fresh.schema(ctx)
}

// schema is what the database says of itself.
func (c *conn) schema(ctx context.Context) (lines []string, err error) {
	const all = "SELECT type, name, tbl_name, ifnull(sql, '') FROM sqlite_schema ORDER BY type, name"
	err = c.each(ctx, all, nil, func(row columns) error {
		lines = append(lines, strings.Join([]string{row.text(0), row.text(1), row.text(2), row.text(3)}, "\n"))
		return nil
	})
	return lines, err
}
