package shop

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"

	_ "modernc.org/sqlite" // the driver "sqlite"
)

// schema is created when the file is new. Times are Unix milliseconds, money is in cents.
const schema = `
CREATE TABLE IF NOT EXISTS mails (          -- contents
	seq     INTEGER PRIMARY KEY AUTOINCREMENT,
	account TEXT NOT NULL,
	sha256  TEXT NOT NULL,
	sender  TEXT NOT NULL,
	raw     BLOB,                           -- as long as the inbox has it
	UNIQUE (account, sha256)
);
CREATE TABLE IF NOT EXISTS arrivals (       -- seq is the order of arrival
	seq          INTEGER PRIMARY KEY AUTOINCREMENT,
	account      TEXT NOT NULL,
	uid_validity INTEGER NOT NULL,
	uid          INTEGER NOT NULL,
	mail         INTEGER NOT NULL REFERENCES mails (seq),
	oversize     INTEGER NOT NULL,          -- bytes, when only the header was fetched
	arrived_at   INTEGER NOT NULL,
	subject      TEXT NOT NULL DEFAULT '',
	folder       TEXT,                      -- the decision; NULL while there is none
	reason       TEXT,
	duplicate    INTEGER NOT NULL DEFAULT 0,-- decided by another arrival of the same content
	left_at      INTEGER,                   -- when it was moved, or taken out of the inbox by others
	UNIQUE (account, uid_validity, uid)
);
CREATE INDEX IF NOT EXISTS arrivals_of ON arrivals (mail);
CREATE INDEX IF NOT EXISTS arrivals_here ON arrivals (account, mail) WHERE left_at IS NULL;
CREATE TABLE IF NOT EXISTS orders (
	id       INTEGER PRIMARY KEY AUTOINCREMENT,
	arrival  INTEGER NOT NULL REFERENCES arrivals (seq),
	customer TEXT NOT NULL,
	po       TEXT NOT NULL,
	po_key   TEXT NOT NULL,                 -- po without the difference between capitals and small letters
	file     TEXT NOT NULL,
	UNIQUE (customer, po_key)
);
CREATE INDEX IF NOT EXISTS orders_of ON orders (arrival);
CREATE TABLE IF NOT EXISTS order_lines (
	order_id   INTEGER NOT NULL REFERENCES orders (id),
	line       INTEGER NOT NULL,
	article    TEXT NOT NULL,
	quantity   INTEGER NOT NULL,
	unit_price INTEGER NOT NULL,
	file_row   INTEGER NOT NULL,
	PRIMARY KEY (order_id, line)
);
CREATE TABLE IF NOT EXISTS outbox (         -- at most one answer to a content
	mail      INTEGER PRIMARY KEY REFERENCES mails (seq),
	arrival   INTEGER NOT NULL UNIQUE REFERENCES arrivals (seq),
	recipient TEXT NOT NULL,
	message   BLOB NOT NULL,
	queued_at INTEGER NOT NULL,
	sent_at   INTEGER,
	failure   TEXT                          -- why it is never sent
);
CREATE INDEX IF NOT EXISTS outbox_to ON outbox (recipient, queued_at);
CREATE INDEX IF NOT EXISTS outbox_waiting ON outbox (mail) WHERE sent_at IS NULL AND failure IS NULL;
`

// openStore opens the file, or creates it for its owner alone: it holds the mails of customers. One connection is enough for one inbox, and makes
// every transaction the only one.
func openStore(ctx context.Context, path string) (*sql.DB, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE, 0o600)
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		return nil, wrap(err)
	}
	q := url.Values{"_txlock": {"immediate"}, "_pragma": {"journal_mode(WAL)", "synchronous(FULL)", "busy_timeout(10000)", "foreign_keys(ON)"}}
	db, err := sql.Open("sqlite", "file:"+(&url.URL{Path: path}).EscapedPath()+"?"+q.Encode())
	if err != nil {
		return nil, fmt.Errorf("store %s: %w", path, err)
	}
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(ctx, schema); err != nil {
		return nil, errors.Join(fmt.Errorf("store %s: %w", path, err), db.Close())
	}
	return db, nil
}

// inTx runs f in a transaction.
func (s *Shop) inTx(ctx context.Context, f func(*sql.Tx) error) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return wrap(err)
	}
	defer tx.Rollback() // after a commit it does nothing
	if err := f(tx); err != nil {
		return err
	}
	return wrap(tx.Commit())
}

// wrap says whose error it is.
func wrap(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("store: %w", err)
}

// changes says whether a statement changed anything.
func changes(res sql.Result, err error) (bool, error) {
	if err != nil {
		return false, wrap(err)
	}
	n, err := res.RowsAffected()
	return n > 0, wrap(err)
}

// collect scans all rows.
func collect[T any](rows *sql.Rows, err error, scan func(*sql.Rows, *T) error) ([]T, error) {
	if err != nil {
		return nil, wrap(err)
	}
	defer rows.Close() // Err tells what went wrong
	var all []T
	for rows.Next() {
		var v T
		if err := scan(rows, &v); err != nil {
			return nil, wrap(err)
		}
		all = append(all, v)
	}
	return all, wrap(rows.Err())
}
