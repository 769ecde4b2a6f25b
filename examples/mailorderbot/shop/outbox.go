package shop

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"time"

	"github.com/plba/plba/examples/mailorderbot/domain"
	"github.com/plba/plba/examples/mailorderbot/mailbox"
)

// queueAnswer puts the answer to a decision into the outbox. When its address has had enough of them lately, that is noted instead.
func (s *Shop) queueAnswer(ctx context.Context, tx *sql.Tx, a arrival, d domain.Decision) error {
	message, ok := d.Reply(s.cfg.Account)
	if !ok {
		return nil
	}
	var lately int
	err := tx.QueryRowContext(ctx, `SELECT count(*) FROM outbox WHERE recipient = ? AND queued_at > ? AND (sent_at IS NOT NULL OR failure IS NULL)`,
		d.Mail.From, d.At.Add(-time.Hour).UnixMilli()).Scan(&lately)
	if err != nil {
		return wrap(err)
	}
	var failure sql.NullString
	if lately >= s.cfg.AnswersPerHour {
		failure = sql.NullString{String: fmt.Sprintf("not sent: %d answers in the last hour are the limit", s.cfg.AnswersPerHour), Valid: true}
	}
	_, err = tx.ExecContext(ctx, `INSERT INTO outbox (mail, arrival, recipient, message, queued_at, failure) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT (mail) DO NOTHING`,
		a.mail, a.seq, d.Mail.From, message, d.At.UnixMilli(), failure)
	return wrap(err)
}

// answer is a message that waits to be sent.
type answer struct {
	mail    int64
	to      string
	message []byte
}

// waitingAnswer finds the answer that waits to be sent for a content.
func (s *Shop) waitingAnswer(ctx context.Context, ref domain.MailRef) (a answer, found bool, err error) {
	err = s.db.QueryRowContext(ctx, `SELECT o.mail, o.recipient, o.message FROM outbox o JOIN mails m ON m.seq = o.mail
		WHERE m.account = ? AND m.sha256 = ? AND o.sent_at IS NULL AND o.failure IS NULL`, ref.Account, ref.SHA256).
		Scan(&a.mail, &a.to, &a.message)
	if errors.Is(err, sql.ErrNoRows) {
		return a, false, nil
	}
	return a, err == nil, wrap(err)
}

// Confirm sends the answer that waits for this mail, if any, and notes it. An address that refuses it for good is noted too: the mail is dealt
// with all the same.
func (s *Shop) Confirm(ctx context.Context, d domain.Decision) (domain.Decision, error) {
	if d.Mail.Ref.Duplicate { // the first arrival of the content sends it
		return d, nil
	}
	a, found, err := s.waitingAnswer(ctx, d.Mail.Ref)
	if err != nil || !found {
		return d, err
	}
	err = s.sender.Send(ctx, a.to, a.message)
	if refused, ok := errors.AsType[*mailbox.SendError](err); ok && refused.Permanent() {
		_, err = s.db.ExecContext(ctx, `UPDATE outbox SET failure = ? WHERE mail = ?`, refused.Error(), a.mail)
		return d, wrap(err)
	}
	if err != nil {
		return d, err
	}
	_, err = s.db.ExecContext(ctx, `UPDATE outbox SET sent_at = ? WHERE mail = ?`, s.now().UnixMilli(), a.mail)
	return d, wrap(err)
}
