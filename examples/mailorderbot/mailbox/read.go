package mailbox

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapclient"
)

// maxHeader is how much of a header Header reads, in bytes.
const maxHeader = 256 << 10

// Item is one mail in a folder.
type Item struct {
	UIDValidity, UID uint32
	Size             int64  // bytes, as the server announces them
	Folder           string // "" means INBOX
}

func (i Item) folder() string { return cmp.Or(i.Folder, Inbox) }

// slack is by how much a mail may exceed its announced size, in bytes: some servers count line ends differently.
func slack(size int64) int64 { return 64<<10 + size/16 }

// List returns the mails of a folder in ascending order of their UIDs. A missing folder is ErrNoFolder.
func (m *Mailbox) List(ctx context.Context, folder string) ([]Item, error) {
	var items []Item
	err := m.do(ctx, Error{Op: "list", Folder: folder}, func(s *session) (err error) {
		if err = s.open(folder, 0); err == nil {
			items, err = s.list()
		}
		return err
	})
	return items, err
}

// list leaves out mails without a size: the answer for them was mixed up with news about their flags, and the next list
// has them.
func (s *session) list() ([]Item, error) {
	all := imap.UIDSet{{Start: 1}} // up to the last; of an empty folder that is nothing
	cmd := s.client.Fetch(all, &imap.FetchOptions{UID: true, RFC822Size: true})
	var items []Item
	for msg := cmd.Next(); msg != nil; msg = cmd.Next() {
		item := Item{UIDValidity: s.validity, Size: -1}
		if s.folder != Inbox {
			item.Folder = s.folder
		}
		for data := msg.Next(); data != nil; data = msg.Next() {
			switch data := data.(type) {
			case imapclient.FetchItemDataUID:
				item.UID = uint32(data.UID)
			case imapclient.FetchItemDataRFC822Size:
				item.Size = data.Size
			}
		}
		if item.UID != 0 && item.Size >= 0 {
			items = append(items, item)
		}
	}
	if err := cmd.Close(); err != nil {
		return nil, err
	}
	slices.SortFunc(items, func(a, b Item) int { return cmp.Compare(a.UID, b.UID) })
	return items, nil
}

// Fetch returns the bytes of a mail as the server holds them, without marking it as read. The item must come from List:
// its size limits how much is read (ErrTooLarge). Other errors to expect are ErrGone and ErrUIDValidity.
func (m *Mailbox) Fetch(ctx context.Context, item Item) ([]byte, error) {
	section := &imap.FetchItemBodySection{Peek: true}
	return m.section(ctx, "fetch", item, section, item.Size+slack(item.Size))
}

// Header returns the header of a mail with its closing empty line, at most its first 256 KiB, without marking the mail as
// read.
func (m *Mailbox) Header(ctx context.Context, item Item) ([]byte, error) {
	section := &imap.FetchItemBodySection{
		Peek: true, Specifier: imap.PartSpecifierHeader, Partial: &imap.SectionPartial{Size: maxHeader},
	}
	return m.section(ctx, "fetch the header of", item, section, maxHeader)
}

func (m *Mailbox) section(ctx context.Context, op string, item Item, section *imap.FetchItemBodySection, limit int64) ([]byte, error) {
	var raw []byte
	what := Error{Op: op, Folder: item.folder(), UID: item.UID}
	if err := known(item.UIDValidity, item.UID); err != nil {
		what.Server, what.Err = m.cfg.Address, err
		return nil, &what
	}
	err := m.do(ctx, what, func(s *session) (err error) {
		if err = s.use(item.folder(), item.UIDValidity); err == nil {
			raw, err = s.section(imap.UID(item.UID), section, limit)
		}
		return err
	})
	return raw, err
}

// known refuses zeros. UID 0 in particular stands for the last mail of the folder in a set.
func known(validity, uid uint32) error {
	if validity == 0 || uid == 0 {
		return fmt.Errorf("a mail needs a UIDVALIDITY and a UID, not %d and %d", validity, uid)
	}
	return nil
}

// section reads one section of one mail. All answers are read to the end, else the client's reader would wait for ever.
func (s *session) section(uid imap.UID, section *imap.FetchItemBodySection, limit int64) ([]byte, error) {
	cmd := s.client.Fetch(imap.UIDSetNum(uid), &imap.FetchOptions{UID: true, BodySection: []*imap.FetchItemBodySection{section}})
	var raw []byte
	for msg := cmd.Next(); msg != nil; msg = cmd.Next() {
		for data := msg.Next(); data != nil; data = msg.Next() {
			body, ok := data.(imapclient.FetchItemDataBodySection)
			if !ok || body.Literal == nil {
				continue
			}
			var err error
			if raw, err = s.literal(body.Literal, limit); err != nil {
				return nil, err
			}
		}
	}
	switch err := cmd.Close(); {
	case err != nil:
		return nil, expunged(err)
	case raw != nil:
		return raw, nil
	}
	return nil, s.absent(uid, errors.New("the server has the mail but does not send it"))
}

// literal trusts neither the announced size nor that a literal that ends is complete: imapclient ends one that was cut off
// in the same way. After an error the whole command must be left alone: with the first failed read imapclient's own reader
// goes on, and reading on beside it would be a data race.
func (s *session) literal(lit imap.LiteralReader, limit int64) ([]byte, error) {
	if lit.Size() > limit {
		_ = s.socket.Close()            // nothing more of it is downloaded
		_, _ = io.Copy(io.Discard, lit) // what had arrived; the client's reader waits for this
		return nil, fmt.Errorf("%w: the server sends %d bytes, at most %d were expected", ErrTooLarge, lit.Size(), limit)
	}
	raw := make([]byte, lit.Size())
	if _, err := io.ReadFull(lit, raw); err != nil {
		return nil, err
	}
	return raw, nil
}

// absent asks whether a mail is there: ErrGone if not, else otherwise.
func (s *session) absent(uid imap.UID, otherwise error) error {
	cmd := s.client.Fetch(imap.UIDSetNum(uid), &imap.FetchOptions{UID: true})
	there := cmd.Next() != nil
	if err := cmd.Close(); err != nil {
		return expunged(err)
	}
	if !there {
		return ErrGone
	}
	return otherwise
}

// expunged recognizes the answer that another client removed the mail in this moment.
func expunged(err error) error {
	if answer, ok := errors.AsType[*imap.Error](err); ok && answer.Code == "EXPUNGEISSUED" {
		return fmt.Errorf("%w: %w", ErrGone, err)
	}
	return err
}

// Count returns the number of mails in a folder. A missing folder is ErrNoFolder.
func (m *Mailbox) Count(ctx context.Context, folder string) (int, error) {
	var n int
	err := m.do(ctx, Error{Op: "count", Folder: folder}, func(s *session) error {
		data, err := s.client.Status(folder, &imap.StatusOptions{NumMessages: true}).Wait()
		if err != nil {
			return s.whyNot(folder, err)
		}
		if data.NumMessages == nil {
			return errors.New("the server does not say how many mails there are")
		}
		n = int(*data.NumMessages)
		return nil
	})
	return n, err
}
