package shop

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
	"unicode"

	"github.com/plba/plba/examples/mailorderbot/domain"
)

// Store makes the decision final, in one transaction: against what was ordered before, with its orders and its answer. What it returns is what
// is so. ErrLeft and ErrEarlierMail are to be expected.
func (s *Shop) Store(ctx context.Context, d domain.Decision) (domain.Decision, error) {
	timer := time.NewTimer(turnPause)
	defer timer.Stop()
	for {
		decided := s.turns.next()
		final, err := s.store(ctx, d)
		if !errors.Is(err, ErrEarlierMail) {
			return final, err
		}
		select {
		case <-decided:
		case <-timer.C:
			return d, err
		case <-ctx.Done():
			return d, context.Cause(ctx)
		}
	}
}

func (s *Shop) store(ctx context.Context, d domain.Decision) (domain.Decision, error) {
	var a arrival
	err := s.inTx(ctx, func(tx *sql.Tx) (err error) {
		var known, elsewhere bool
		if a, known, err = arrivalAt(ctx, tx, d.Mail.Ref); err != nil {
			return err
		}
		if a.folder.Valid {
			d.Folder, d.Reason, d.Orders, d.Answer = domain.Folder(a.folder.String), a.reason.String, nil, domain.AnswerNone
			return nil
		}
		if !known || a.leftAt.Valid {
			return fmt.Errorf("mail %d: %w", d.Mail.Ref.UID, ErrLeft)
		}
		if elsewhere, err = decidedElsewhere(ctx, tx, a); err != nil {
			return err
		}
		// What Load took for a duplicate was not read, so it stays one.
		if elsewhere || d.Mail.Ref.Duplicate {
			d = s.duplicate(d)
			return s.conclude(ctx, tx, a, d)
		}
		if err := s.checkTurn(ctx, tx, a); err != nil {
			return err
		}
		return s.settle(ctx, tx, a, &d)
	})
	if err == nil {
		s.turns.done(a.seq)
	}
	return d, err
}

// duplicate is the decision about a content that another arrival has decided.
func (s *Shop) duplicate(d domain.Decision) domain.Decision {
	raw := domain.Raw{Ref: d.Mail.Ref}
	raw.Ref.Duplicate = true
	var sheets []domain.Sheet
	for _, p := range s.desk.Parse(raw) {
		sheets = append(sheets, s.desk.Decode(p))
	}
	as := s.desk.Decide(sheets)
	d.Mail.Ref, d.Folder, d.Reason, d.Orders, d.Answer = raw.Ref, as.Folder, as.Reason, nil, as.Answer
	return d
}

// settle decides about a content.
func (s *Shop) settle(ctx context.Context, tx *sql.Tx, a arrival, d *domain.Decision) error {
	var known []domain.Order
	for _, o := range d.Orders {
		same, err := orders(ctx, tx, `o.customer = ? AND o.po_key = ?`, o.Customer, fold(o.PO))
		if err != nil {
			return err
		}
		known = append(known, same...)
	}
	*d = d.Against(known)
	d.At = s.now()
	for _, o := range d.Orders {
		if err := insertOrder(ctx, tx, a.seq, o); err != nil {
			return err
		}
	}
	if err := s.queueAnswer(ctx, tx, a, *d); err != nil {
		return err
	}
	return s.conclude(ctx, tx, a, *d)
}

func (s *Shop) conclude(ctx context.Context, tx *sql.Tx, a arrival, d domain.Decision) error {
	_, err := tx.ExecContext(ctx, `UPDATE arrivals SET folder = ?, reason = ?, subject = ?, duplicate = ? WHERE seq = ?`,
		d.Folder, d.Reason, d.Mail.Subject, d.Mail.Ref.Duplicate, a.seq)
	return wrap(err)
}

// fold makes equal what strings.EqualFold calls equal, in every script. (SQLite's NOCASE knows ASCII alone.)
func fold(s string) string {
	return strings.Map(func(r rune) rune {
		least := r
		for next := unicode.SimpleFold(r); next != r; next = unicode.SimpleFold(next) {
			least = min(least, next)
		}
		return least
	}, s)
}
