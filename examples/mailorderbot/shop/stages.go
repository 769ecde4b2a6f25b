package shop

import (
	"context"
	"errors"
	"fmt"

	"github.com/plba/plba/examples/mailorderbot/domain"
	"github.com/plba/plba/examples/mailorderbot/mailbox"
)

var (
	// ErrEarlierMail: an older mail of the same sender is not decided yet. It is not a failure: try again in a moment.
	ErrEarlierMail = errors.New("an earlier mail of the same sender is not decided yet")
	// ErrLeft: the mail is not where the reference says: it was dealt with, taken out of the inbox, or lies in another place. It is not a failure:
	// Search finds whatever there is left to do.
	ErrLeft = errors.New("the mail is not at this place of the inbox any more")
)

// Load fetches the stored bytes of a mail, and sees whether it is a duplicate. ErrLeft is to be expected.
func (s *Shop) Load(ctx context.Context, ref domain.MailRef) (domain.Raw, error) {
	raw := domain.Raw{Ref: ref}
	a, known, err := arrivalAt(ctx, s.db, ref)
	if err != nil {
		return raw, err
	}
	if !known || a.leftAt.Valid {
		if _, waits, err := s.waitingAnswer(ctx, ref); err != nil {
			return raw, err
		} else if !known || !waits {
			return raw, fmt.Errorf("mail %d: %w", ref.UID, ErrLeft)
		}
	}
	raw.Ref.Duplicate = a.duplicate
	if !a.folder.Valid {
		if raw.Ref.Duplicate, err = decidedElsewhere(ctx, s.db, a); err != nil {
			return raw, err
		}
	}
	err = s.db.QueryRowContext(ctx, `SELECT raw FROM mails WHERE seq = ?`, a.mail).Scan(&raw.Bytes)
	return raw, wrap(err)
}

// Parse takes a mail apart.
func (s *Shop) Parse(_ context.Context, raw domain.Raw) ([]domain.Part, error) {
	return s.desk.Parse(raw), nil
}

// Decode reads one file of a mail.
func (s *Shop) Decode(_ context.Context, p domain.Part) (domain.Sheet, error) {
	return s.desk.Decode(p), nil
}

// Decide makes one decision of what the files say.
func (s *Shop) Decide(_ context.Context, sheets []domain.Sheet) (domain.Decision, error) {
	return s.desk.Decide(sheets), nil
}

// Move puts the mail into its folder: the last step. It says whether it did: a mail that is gone was moved before, or by others, and one whose mailbox
// was rebuilt is found again by the next Search.
func (s *Shop) Move(ctx context.Context, d domain.Decision) (moved bool, err error) {
	ref := d.Mail.Ref
	box, err := s.inbox(ctx)
	if err != nil {
		return false, err
	}
	err = box.Move(ctx, ref.UIDValidity, ref.UID, string(d.Folder))
	switch {
	case errors.Is(err, mailbox.ErrUIDValidity):
		return false, nil
	case err != nil && !errors.Is(err, mailbox.ErrGone):
		return false, err
	}
	moved = err == nil
	a, known, err := arrivalAt(ctx, s.db, ref)
	if err != nil || !known || a.leftAt.Valid {
		return moved, err
	}
	return moved, s.leave(ctx, a.seq)
}

// InboxCount is how many mails lie in the inbox now.
func (s *Shop) InboxCount(ctx context.Context) (int, error) {
	box, err := s.inbox(ctx)
	if err != nil {
		return 0, err
	}
	return box.Count(ctx, mailbox.Inbox)
}
