package shop

import (
	"context"
	"database/sql"
	"errors"

	"github.com/plba/plba/examples/mailorderbot/domain"
	"github.com/plba/plba/examples/mailorderbot/mailbox"
)

// querier is a database or a transaction.
type querier interface {
	QueryContext(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRowContext(ctx context.Context, query string, args ...any) *sql.Row
	ExecContext(ctx context.Context, query string, args ...any) (sql.Result, error)
}

// arrival is a row of arrivals with what is needed of its content.
type arrival struct {
	seq, mail      int64
	sha256, sender string
	oversize       int64
	folder, reason sql.NullString
	duplicate      bool
	leftAt         sql.NullInt64
}

// arrivalAt finds the arrival at a place; false when nothing is known to lie there.
func arrivalAt(ctx context.Context, db querier, ref domain.MailRef) (a arrival, found bool, err error) {
	err = db.QueryRowContext(ctx, `SELECT a.seq, a.mail, m.sha256, m.sender, a.oversize, a.folder, a.reason, a.duplicate, a.left_at
		FROM arrivals a JOIN mails m ON m.seq = a.mail WHERE a.account = ? AND a.uid_validity = ? AND a.uid = ?`,
		ref.Account, ref.UIDValidity, ref.UID).
		Scan(&a.seq, &a.mail, &a.sha256, &a.sender, &a.oversize, &a.folder, &a.reason, &a.duplicate, &a.leftAt)
	if errors.Is(err, sql.ErrNoRows) {
		return a, false, nil
	}
	return a, err == nil, wrap(err)
}

// decidedElsewhere says whether another arrival has decided about the content. One for Review has not: somebody may move it back, or
// the sender may send it again, to have it decided anew. Until it is moved there checkTurn lets the others wait.
func decidedElsewhere(ctx context.Context, db querier, a arrival) (bool, error) {
	var n int
	err := db.QueryRowContext(ctx, `SELECT count(*) FROM arrivals
		WHERE mail = ? AND seq <> ? AND duplicate = 0 AND folder IS NOT NULL AND folder <> ?`,
		a.mail, a.seq, domain.FolderReview).Scan(&n)
	return n > 0, wrap(err)
}

// arrive notes that a mail with these bytes lies at ref: an arrival that was believed to have left, or one that lay elsewhere before the mailbox was rebuilt, or a
// new one.
func (s *Shop) arrive(ctx context.Context, ref domain.MailRef, raw []byte) error {
	return s.inTx(ctx, func(tx *sql.Tx) error {
		var mail int64
		err := tx.QueryRowContext(ctx, `INSERT INTO mails (account, sha256, sender, raw) VALUES (?, ?, ?, ?)
			ON CONFLICT (account, sha256) DO UPDATE SET raw = excluded.raw RETURNING seq`,
			ref.Account, ref.SHA256, domain.Sender(raw), raw).Scan(&mail)
		if err != nil {
			return wrap(err)
		}
		known, err := changes(tx.ExecContext(ctx, `UPDATE arrivals SET left_at = NULL WHERE account = ? AND uid_validity = ? AND uid = ? AND mail = ?`,
			ref.Account, ref.UIDValidity, ref.UID, mail))
		if known || err != nil {
			return err
		}
		known, err = changes(tx.ExecContext(ctx, `UPDATE arrivals SET uid_validity = ?, uid = ? WHERE seq =
			(SELECT min(seq) FROM arrivals WHERE mail = ? AND left_at IS NULL AND uid_validity <> ?)`,
			ref.UIDValidity, ref.UID, mail, ref.UIDValidity))
		if known || err != nil {
			return err
		}
		_, err = tx.ExecContext(ctx, `INSERT INTO arrivals (account, uid_validity, uid, mail, oversize, arrived_at) VALUES (?, ?, ?, ?, ?, ?)`,
			ref.Account, ref.UIDValidity, ref.UID, mail, ref.Oversize, s.now().UnixMilli())
		return wrap(err)
	})
}

// settleDepartures notes that arrivals are not in the inbox any more: moved by a run that did not live to note it, or taken by others. As long as new
// mails are not known yet (allSeen is false), one that lay in a mailbox that was rebuilt since may still be found in its new place.
func (s *Shop) settleDepartures(ctx context.Context, inbox []mailbox.Item, allSeen bool) error {
	type place struct{ validity, uid uint32 }
	type row struct {
		seq int64
		at  place
	}
	rows, err := s.db.QueryContext(ctx, `SELECT seq, uid_validity, uid FROM arrivals WHERE account = ? AND left_at IS NULL`, s.cfg.Account)
	waiting, err := collect(rows, err, func(rows *sql.Rows, r *row) error { return rows.Scan(&r.seq, &r.at.validity, &r.at.uid) })
	if err != nil {
		return err
	}
	here := make(map[place]bool, len(inbox))
	for _, i := range inbox {
		here[place{i.UIDValidity, i.UID}] = true
	}
	for _, w := range waiting {
		rebuilt := len(inbox) > 0 && inbox[0].UIDValidity != w.at.validity
		if here[w.at] || rebuilt && !allSeen {
			continue
		}
		if err := s.leave(ctx, w.seq); err != nil {
			return err
		}
	}
	return nil
}

// leave notes that an arrival has left the inbox, and forgets the bytes when it was the last one of its content.
func (s *Shop) leave(ctx context.Context, seq int64) error {
	err := s.inTx(ctx, func(tx *sql.Tx) error {
		if _, err := tx.ExecContext(ctx, `UPDATE arrivals SET left_at = ? WHERE seq = ?`, s.now().UnixMilli(), seq); err != nil {
			return wrap(err)
		}
		_, err := tx.ExecContext(ctx, `UPDATE mails SET raw = NULL WHERE seq = (SELECT mail FROM arrivals WHERE seq = ?)
			AND NOT EXISTS (SELECT 1 FROM arrivals a WHERE a.mail = mails.seq AND a.left_at IS NULL)`, seq)
		return wrap(err)
	})
	if err == nil {
		s.turns.done(seq)
	}
	return err
}
