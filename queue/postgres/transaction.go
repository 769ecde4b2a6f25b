package postgres

import (
	"context"
	"database/sql"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/plba/plba/queue"
)

// Tx is a transaction of the application's, in the database that the queue is in: a pgx.Tx is one, and [SQL] makes one of a *sql.Tx.
type Tx interface {
	QueryRow(ctx context.Context, sql string, args ...any) pgx.Row
}

var _ Tx = pgx.Tx(nil)

// SQL is a transaction of package database/sql, whatever its driver.
func SQL(tx *sql.Tx) Tx { return sqlTx{tx} }

type sqlTx struct{ *sql.Tx }

// QueryRow implements Tx.
func (t sqlTx) QueryRow(ctx context.Context, sql string, args ...any) pgx.Row {
	return t.QueryRowContext(ctx, sql, args...)
}

// PublishTx adds a task as a part of tx: it is there when tx is committed, together with all else that tx does, or not at all. It does not wait for room: a full
// queue is [queue.ErrFull]. Otherwise it is [queue.Queue.Send]: options, middleware, unique keys, trace. A receipt that says Existing holds as long as tx
// sees it.
//
// It is as safe as tx: with synchronous_commit off a crash of the server may lose both. A unique key is locked until tx ends: keep transactions short. Like with
// every statement, an error of the server leaves tx fit for a rollback only.
//
// Errors: those of Send, and one that says so when the queue is kept elsewhere; let the queue's Spec require [queue.Transactional], and that
// shows at registration.
func PublishTx[T any](ctx context.Context, tx Tx, q *queue.Queue[T], v T, opts ...queue.SendOption) (queue.Receipt, error) {
	receipts, err := q.PublishVia(ctx, []T{v}, opts, func(ctx context.Context, kept queue.Engine, rs []queue.Record) ([]queue.Receipt, error) {
		e, ok := kept.(*engine)
		if !ok {
			return nil, fmt.Errorf("%w: publishing in a transaction of PostgreSQL needs a queue with the backend postgres, this one is kept by %T", queue.ErrInvalid, kept)
		}
		return e.publishIn(ctx, tx, rs)
	})
	if err != nil {
		return queue.Receipt{}, err
	}
	return receipts[0], nil
}

// publishIn inserts records one by one, as a part of tx, which also tells everyone when it is committed.
func (e *engine) publishIn(ctx context.Context, tx Tx, rs []queue.Record) (receipts []queue.Receipt, err error) {
	err = e.with(ctx, func(ctx context.Context, id int32) error {
		for i := range rs {
			r, err := e.insertOne(ctx, tx, id, rs[i:i+1])
			if err != nil {
				return err
			}
			receipts = append(receipts, r)
		}
		var told int
		return tx.QueryRow(ctx, "SELECT 1 FROM pg_notify($1::text, $2::text)", e.channel(), "tx "+e.name).Scan(&told)
	})
	return receipts, err
}

func (e *engine) insertOne(ctx context.Context, tx Tx, id int32, one []queue.Record) (queue.Receipt, error) {
	r := queue.Receipt{ID: one[0].Info.ID}
	key := one[0].Info.Unique
	room, err := e.roomIn(ctx, tx, id)
	if err != nil {
		return r, err
	}
	if room {
		c, err := columnsOf(one)
		if err != nil {
			return r, err
		}
		var added bool
		err = tx.QueryRow(ctx, e.sql(insertOneSQL), append([]any{id}, c.first()...)...).Scan(&added)
		if err != nil || added {
			return r, err
		}
	}
	var holder string
	if key != "" {
		if err := tx.QueryRow(ctx, e.sql(holderSQL), id, key).Scan(&holder); err != nil {
			return r, err
		}
	}
	if holder == "" && !room {
		return r, queue.ErrFull
	}
	if r.Existing = true; holder != "" {
		r.ID = holder
	}
	return r, nil
}

// roomIn says whether the queue has room for one more.
func (e *engine) roomIn(ctx context.Context, tx Tx, id int32) (room bool, err error) {
	if e.limits.Capacity == 0 {
		return true, nil
	}
	var locked int
	if err := tx.QueryRow(ctx, "SELECT 1 FROM pg_advisory_xact_lock($1::int, $2::int)", lockRoom, id).Scan(&locked); err != nil {
		return false, err
	}
	err = tx.QueryRow(ctx, e.sql(roomLeftSQL), id, e.limits.Capacity).Scan(&room)
	return room, err
}
