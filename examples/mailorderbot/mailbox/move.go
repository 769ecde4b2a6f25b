package mailbox

import (
	"context"
	"errors"
	"strings"

	"github.com/emersion/go-imap/v2"
)

// Move moves a mail from INBOX into a folder. Errors to expect: ErrGone, ErrUIDValidity, ErrNoFolder; with any error the
// mail is either still in INBOX or, if the connection broke in the middle, in the folder.
func (m *Mailbox) Move(ctx context.Context, uidValidity, uid uint32, folder string) error {
	what := Error{Op: "move", Folder: Inbox, UID: uid, Target: folder}
	err := known(uidValidity, uid)
	if err == nil && (folder == "" || strings.EqualFold(folder, Inbox)) {
		err = errors.New("the target must be a folder other than INBOX")
	}
	if err != nil {
		what.Server, what.Err = m.cfg.Address, err
		return &what
	}
	return m.do(ctx, what, func(s *session) error {
		if err := s.open(Inbox, uidValidity); err != nil {
			return err
		}
		if err := s.absent(imap.UID(uid), nil); err != nil {
			return err
		}
		// imapclient's Move, where the server has no MOVE, sends COPY, STORE \Deleted and EXPUNGE in one go and does
		// not wait whether the copy succeeded: that loses mails. So it is called only where the server has MOVE.
		if s.client.Caps().Has(imap.CapMove) {
			return s.move(imap.UID(uid), folder)
		}
		return s.copyAndRemove(imap.UID(uid), folder)
	})
}

func (s *session) move(uid imap.UID, folder string) error {
	data, err := s.client.Move(imap.UIDSetNum(uid), folder).Wait()
	if err != nil {
		return missingFolder(expunged(err))
	}
	if moved, ok := data.SourceUIDs.(imap.UIDSet); ok && moved.Contains(uid) {
		return nil
	}
	if s.client.Caps().Has(imap.CapUIDPlus) {
		return s.absent(uid, errStillThere) // nothing was moved: another client was faster
	}
	return s.left(uid) // the server does not tell what it moved
}

// copyAndRemove is for servers without MOVE. Each step waits for the one before. COPYUID is the server's word that the copy
// exists, and under which UID; without it the mail stays where it is.
func (s *session) copyAndRemove(uid imap.UID, folder string) error {
	only := imap.UIDSetNum(uid)
	data, err := s.client.Copy(only, folder).Wait()
	if err != nil {
		return missingFolder(expunged(err))
	}
	if !data.SourceUIDs.Contains(uid) || len(data.DestUIDs) == 0 {
		return errors.New("the server did not confirm the copy (COPYUID), so the mail was left in INBOX")
	}
	deleted := &imap.StoreFlags{Op: imap.StoreFlagsAdd, Silent: true, Flags: []imap.Flag{imap.FlagDeleted}}
	if err := s.client.Store(only, deleted, nil).Close(); err != nil {
		return err
	}
	if err := s.client.UIDExpunge(only).Close(); err != nil {
		return err
	}
	return s.left(uid)
}

var errStillThere = errors.New("the server says that it moved the mail, but it is still in INBOX")

// left makes sure that the mail is not in INBOX any more.
func (s *session) left(uid imap.UID) error {
	err := s.absent(uid, errStillThere)
	if errors.Is(err, ErrGone) {
		return nil
	}
	return err
}
