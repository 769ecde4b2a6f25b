package shop

import (
	"context"
	"database/sql"

	"github.com/plba/plba/examples/mailorderbot/domain"
)

func insertOrder(ctx context.Context, tx *sql.Tx, arrival int64, o domain.Order) error {
	var id int64
	err := tx.QueryRowContext(ctx, `INSERT INTO orders (arrival, customer, po, po_key, file) VALUES (?, ?, ?, ?, ?) RETURNING id`,
		arrival, o.Customer, o.PO, fold(o.PO), o.File).Scan(&id)
	if err != nil {
		return wrap(err)
	}
	for i, l := range o.Lines {
		_, err := tx.ExecContext(ctx, `INSERT INTO order_lines (order_id, line, article, quantity, unit_price, file_row) VALUES (?, ?, ?, ?, ?, ?)`,
			id, i+1, l.Article, l.Quantity, l.UnitPrice, l.Row)
		if err != nil {
			return wrap(err)
		}
	}
	return nil
}

// orders reads the orders for which the condition holds (over orders o), with their lines, the oldest first.
func orders(ctx context.Context, db querier, where string, args ...any) ([]domain.Order, error) {
	type row struct {
		id int64
		o  domain.Order
		l  domain.Line
	}
	rows, err := db.QueryContext(ctx, `SELECT o.id, o.customer, o.po, o.file, l.article, l.quantity, l.unit_price, l.file_row
		FROM orders o JOIN order_lines l ON l.order_id = o.id WHERE `+where+` ORDER BY o.id, l.line`, args...)
	lines, err := collect(rows, err, func(rows *sql.Rows, r *row) error {
		return rows.Scan(&r.id, &r.o.Customer, &r.o.PO, &r.o.File, &r.l.Article, &r.l.Quantity, &r.l.UnitPrice, &r.l.Row)
	})
	if err != nil {
		return nil, err
	}
	var all []domain.Order
	for i, r := range lines {
		if i == 0 || r.id != lines[i-1].id {
			all = append(all, r.o)
		}
		last := &all[len(all)-1]
		last.Lines = append(last.Lines, r.l)
	}
	return all, nil
}
