package sqlite

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"strings"

	"modernc.org/sqlite"
)

// conn is one connection to the database, for one goroutine at a time. It stands on database/sql/driver, one step below database/sql: the writer has one
// connection for its whole life and runs some ten statements for each task, so it does without the pool and its locks.
type conn struct {
	raw   driver.Conn
	stmts map[string]statement // prepared, by their text
	args  []driver.NamedValue
}

// statement is what the driver's prepared statements can do.
type statement interface {
	driver.StmtExecContext
	driver.StmtQueryContext
	Close() error
}

// openConn opens a connection; dsn is what dsnOf makes.
func openConn(dsn string) (*conn, error) {
	raw, err := (&sqlite.Driver{}).Open(dsn)
	if err != nil {
		return nil, err
	}
	return &conn{raw: raw, stmts: map[string]statement{}}, nil
}

// settings of all connections. synchronous=FULL syncs the write-ahead log in each commit, fullfsync lets that reach the disk on macOS too. The busy
// timeout is for tools of operators: we ourselves have one writer, which never waits for another.
const common = "busy_timeout=5000&synchronous=FULL&fullfsync=1&checkpoint_fullfsync=1&cell_size_check=1&trusted_schema=0&temp_store=MEMORY"

// dsnOf names the database to the driver. The file must be there.
func dsnOf(path string, vfs string, pragmas ...string) string {
	slashed := filepath.ToSlash(path)
	if !strings.HasPrefix(slashed, "/") {
		slashed = "/" + slashed // C:/… on Windows
	}
	q := url.Values{"mode": {"rw"}}
	if vfs != "" {
		q.Set("vfs", vfs)
	}
	for _, p := range append(strings.Split(common, "&"), pragmas...) {
		q.Add("_pragma", p)
	}
	return "file://" + (&url.URL{Path: slashed}).EscapedPath() + "?" + q.Encode()
}

func (c *conn) close() error {
	for _, s := range c.stmts {
		_ = s.Close() // the connection's own Close tells
	}
	return c.raw.Close()
}

// prepared gives the prepared statement of that text.
func (c *conn) prepared(sql string) (statement, error) {
	if s, ok := c.stmts[sql]; ok {
		return s, nil
	}
	raw, err := c.raw.Prepare(sql)
	if err != nil {
		return nil, fmt.Errorf("%w in %q", err, sql)
	}
	s, ok := raw.(statement)
	if !ok {
		return nil, fmt.Errorf("the driver's %T lacks a method", raw)
	}
	c.stmts[sql] = s
	return s, nil
}

// script runs statements without arguments that are not worth preparing.
func (c *conn) script(sql string) error {
	raw, ok := c.raw.(driver.ExecerContext)
	if !ok {
		return fmt.Errorf("the driver's %T lacks a method", c.raw)
	}
	_, err := raw.ExecContext(context.Background(), sql, nil)
	return err
}

// exec runs a statement and says how many rows it changed.
func (c *conn) exec(sql string, args ...driver.Value) (int64, error) {
	s, err := c.prepared(sql)
	if err != nil {
		return 0, err
	}
	result, err := s.ExecContext(context.Background(), c.named(args))
	if err != nil {
		return 0, err
	}
	return result.RowsAffected()
}

// each calls f with every row that a query gives.
func (c *conn) each(ctx context.Context, sql string, args []driver.Value, f func(columns) error) (err error) {
	s, err := c.prepared(sql)
	if err != nil {
		return err
	}
	rows, err := s.QueryContext(ctx, c.named(args))
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	row := make(columns, len(rows.Columns()))
	for {
		switch err := rows.Next(row); {
		case errors.Is(err, io.EOF):
			return nil
		case err != nil:
			return err
		}
		if err := f(row); err != nil {
			return err
		}
	}
}

// number is the one number that a query gives.
func (c *conn) number(sql string, args ...driver.Value) (n int64, err error) {
	found := false
	err = c.each(context.Background(), sql, args, func(row columns) error {
		n, found = row.int(0), true
		return nil
	})
	if err == nil && !found {
		err = fmt.Errorf("%q gave nothing", sql)
	}
	return n, err
}

func (c *conn) named(values []driver.Value) []driver.NamedValue {
	c.args = c.args[:0]
	for i, v := range values {
		c.args = append(c.args, driver.NamedValue{Ordinal: i + 1, Value: v})
	}
	return c.args
}

// columns are those of one row. They are valid until the next one.
type columns []driver.Value

// int is an integer column; one that holds something else, or NULL, is 0, which the row's checksum finds.
func (c columns) int(i int) int64 {
	n, _ := c[i].(int64)
	return n
}

func (c columns) bool(i int) bool { return c.int(i) != 0 }

func (c columns) text(i int) string {
	s, _ := c[i].(string)
	return s
}

func (c columns) bytes(i int) []byte {
	b, _ := c[i].([]byte)
	return b
}
