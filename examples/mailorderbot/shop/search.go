package shop

import (
	"context"
	"crypto/sha256"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"

	"github.com/plba/plba/examples/mailorderbot/domain"
	"github.com/plba/plba/examples/mailorderbot/mailbox"
)

// Intake is where references to mails go. One that is on its way already must be recognised there.
type Intake interface {
	Publish(context.Context, domain.MailRef) error
}

// searchLimit bounds how many new mails one Search fetches; the next one goes on.
const searchLimit = 200

// Found is what a Search saw.
type Found struct {
	New   int // mails that were fetched
	Inbox int // mails in the inbox
}

// Search looks into the inbox: new mails are stored, then all that wait are handed to the intake, the oldest first. A mail that
// cannot be fetched does not keep the others from being found; the error names it. Calls must not overlap.
func (s *Shop) Search(ctx context.Context, in Intake) (Found, error) {
	box, err := s.inbox(ctx)
	if err != nil {
		return Found{}, err
	}
	items, err := box.List(ctx, mailbox.Inbox)
	if err != nil {
		return Found{}, err
	}
	if err := s.settleDepartures(ctx, items, false); err != nil {
		return Found{}, err
	}
	if err := s.publishUnanswered(ctx, in); err != nil {
		return Found{}, err
	}
	found := Found{Inbox: len(items)}
	var faults []error
	for _, item := range items {
		if found.New == searchLimit {
			return found, errors.Join(faults...)
		}
		ref, isNew, err := s.receive(ctx, box, item)
		if isNew {
			found.New++
		}
		switch {
		case err == nil:
			if err := in.Publish(ctx, ref); err != nil {
				return found, err
			}
		case errors.Is(err, mailbox.ErrGone):
		case s.isAboutTheMail(ctx, box):
			faults = append(faults, fmt.Errorf("mail %d of the inbox: %w", item.UID, err))
		default:
			return found, err
		}
	}
	if len(faults) == 0 {
		err = s.settleDepartures(ctx, items, true)
	}
	return found, errors.Join(append(faults, err)...)
}

// isAboutTheMail tells a mail that cannot be fetched from a server or a store that cannot be reached.
func (s *Shop) isAboutTheMail(ctx context.Context, box *mailbox.Mailbox) bool {
	return s.CheckStore(ctx) == nil && box.Ping(ctx) == nil
}

// receive stores a mail that is not known at its place and gives its reference; mailbox.ErrGone when it left since it was listed.
func (s *Shop) receive(ctx context.Context, box *mailbox.Mailbox, item mailbox.Item) (ref domain.MailRef, isNew bool, err error) {
	ref = domain.MailRef{Account: s.cfg.Account, UIDValidity: item.UIDValidity, UID: item.UID}
	a, known, err := arrivalAt(ctx, s.db, ref)
	if err != nil {
		return ref, false, err
	}
	if known && !a.leftAt.Valid {
		ref.SHA256, ref.Oversize = a.sha256, a.oversize
		return ref, false, nil
	}
	// It is new, or it was believed to have left: it did since it was listed (ErrGone), or an earlier list was not whole.
	raw, err := s.fetch(ctx, box, item, &ref)
	if err != nil {
		return ref, false, err
	}
	err = s.arrive(ctx, ref, raw)
	return ref, err == nil, err
}

// fetch gets the bytes; of a mail that is too large only the header, which with the size stands for its content.
func (s *Shop) fetch(ctx context.Context, box *mailbox.Mailbox, item mailbox.Item, ref *domain.MailRef) ([]byte, error) {
	h := sha256.New()
	var raw []byte
	var err error
	if item.Size > s.cfg.MaxMailBytes {
		ref.Oversize = item.Size
		fmt.Fprintf(h, "%d bytes beginning with\n", item.Size)
		raw, err = box.Header(ctx, item)
	} else {
		raw, err = box.Fetch(ctx, item)
	}
	h.Write(raw)
	ref.SHA256 = hex.EncodeToString(h.Sum(nil))
	return raw, err
}

// publishUnanswered hands over mails that others took out of the inbox after they were decided and before they were answered.
func (s *Shop) publishUnanswered(ctx context.Context, in Intake) error {
	rows, err := s.db.QueryContext(ctx, `SELECT a.uid_validity, a.uid, m.sha256, a.oversize
		FROM outbox o JOIN mails m ON m.seq = o.mail JOIN arrivals a ON a.seq = o.arrival
		WHERE o.sent_at IS NULL AND o.failure IS NULL AND m.account = ? AND a.left_at IS NOT NULL`,
		s.cfg.Account)
	refs, err := collect(rows, err, func(rows *sql.Rows, ref *domain.MailRef) error {
		ref.Account = s.cfg.Account
		return rows.Scan(&ref.UIDValidity, &ref.UID, &ref.SHA256, &ref.Oversize)
	})
	if err != nil {
		return err
	}
	for _, ref := range refs {
		if err := in.Publish(ctx, ref); err != nil {
			return err
		}
	}
	return nil
}
