package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
)

// check refuses a database that is not as it was written. SQLite's own check finds what is wrong with pages and indexes, the checksums what is wrong within
// rows; together they read everything that is in use. logged says that there was a write-ahead log, which may hold the end of the file.
func (s *store) check(ctx context.Context, logged bool) error {
	if err := s.checkLength(logged); err != nil {
		return err
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	rows := make(chan error, 1)
	go func() { rows <- s.readers.snapshot(ctx, func(c *conn) error { return checkRows(ctx, c) }) }()
	pages := s.checkPages(ctx)
	if pages != nil {
		cancel() // no need to go on
	}
	if err := <-rows; pages == nil {
		return err
	}
	return pages
}

func (s *store) checkLength(logged bool) error {
	pages, err := s.db.number("PRAGMA page_count")
	if err != nil {
		return err
	}
	size, err := s.db.number("PRAGMA page_size")
	if err != nil {
		return err
	}
	info, err := os.Stat(s.path)
	if err != nil {
		return err
	}
	if !logged && info.Size() != pages*size {
		return fmt.Errorf("%w: it has %d bytes, and says of itself that it has %d", ErrDamaged, info.Size(), pages*size)
	}
	return nil
}

func (s *store) checkPages(ctx context.Context) error {
	var faults []string
	err := s.db.each(ctx, "PRAGMA integrity_check(5)", nil, func(row columns) error {
		if text := row.text(0); text != "ok" {
			faults = append(faults, text)
		}
		return nil
	})
	if err == nil && len(faults) > 0 {
		err = fmt.Errorf("%w: %s", ErrDamaged, strings.Join(faults, "; "))
	}
	return errors.Join(err, ctx.Err())
}

// checkRows compares every row with its checksum, and that every task has its body.
func checkRows(ctx context.Context, c *conn) error {
	rows := map[string]int{}
	for table, columns := range map[string]string{
		"store": "clock, wall, seq, sum", "queues": "queue, name, paused, sum", "tasks": rowColumns, "bodies": bodyColumns,
		"failures": failureColumns, "checkpoints": checkpointColumns, "keys": keyColumns,
	} {
		n, err := checkTable(ctx, c, table, columns)
		if err != nil {
			return err
		}
		rows[table] = n
	}
	if rows["tasks"] != rows["bodies"] {
		return fmt.Errorf("%w: it has %d tasks and %d bodies of tasks", ErrDamaged, rows["tasks"], rows["bodies"])
	}
	return nil
}

func checkTable(ctx context.Context, c *conn, table, names string) (n int, err error) {
	sum := strings.Count(names, ",")
	err = c.each(ctx, "SELECT "+names+" FROM "+table, nil, func(row columns) error {
		n++
		if n%1000 == 0 && ctx.Err() != nil {
			return ctx.Err()
		}
		return checkSum(row, sum, func() string { return fmt.Sprintf("row %d of table %s", n, table) })
	})
	return n, err
}
