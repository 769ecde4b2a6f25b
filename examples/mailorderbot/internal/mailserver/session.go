package mailserver

import (
	"crypto/subtle"
	"fmt"
	"io"
	"maps"
	"net"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
)

const delimiter = "/"

// session is one IMAP connection. Its commands come one after the other; only Idle runs beside the end of the
// connection.
type session struct {
	cfg     *Config
	account *account
	conn    net.Conn
	uidPlus bool
	woken   chan struct{} // holds one wake-up call
	idling  sync.WaitGroup

	// The lock of the account guards these.
	closed bool
	folder *folder    // nil when none is selected
	view   []imap.UID // what the client knows: sequence number n is view[n-1]
	seen   uint64     // account.changes that the client knows
}

var _ imapserver.SessionMove = (*session)(nil)

func newSession(c *imapserver.Conn, a *account, cfg *Config, uidPlus bool) *session {
	s := &session{cfg: cfg, account: a, conn: c.NetConn(), uidPlus: uidPlus, woken: make(chan struct{}, 1)}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.sessions[s] = struct{}{}
	return s
}

// Close implements imapserver.Session. It cuts the connection first: an idling session may be stuck in writing to it.
func (s *session) Close() error {
	s.account.mu.Lock()
	s.closed = true
	delete(s.account.sessions, s)
	s.account.mu.Unlock()
	cut(s.conn)
	s.idling.Wait()
	return nil
}

// lets compares in constant time, as a server on a network should.
func (c *Config) lets(username, password string) bool {
	user := subtle.ConstantTimeCompare([]byte(username), []byte(c.Username))
	pass := subtle.ConstantTimeCompare([]byte(password), []byte(c.Password))
	return user&pass == 1
}

// Login implements imapserver.Session.
func (s *session) Login(username, password string) error {
	if !s.cfg.lets(username, password) {
		return imapserver.ErrAuthFailed
	}
	return nil
}

// Select implements imapserver.Session.
func (s *session) Select(name string, _ *imap.SelectOptions) (*imap.SelectData, error) {
	s.account.mu.Lock()
	defer s.account.mu.Unlock()
	f, refused := s.account.folder(name)
	if refused != nil {
		return nil, refused
	}
	s.folder, s.seen = f, s.account.changes
	s.view = make([]imap.UID, 0, len(f.mails))
	for _, m := range f.mails {
		s.view = append(s.view, m.uid)
	}
	flags := []imap.Flag{imap.FlagSeen, imap.FlagAnswered, imap.FlagFlagged, imap.FlagDeleted, imap.FlagDraft}
	return &imap.SelectData{
		Flags:          flags,
		PermanentFlags: append(slices.Clone(flags), imap.FlagWildcard),
		NumMessages:    uint32(len(s.view)),
		UIDNext:        f.next,
		UIDValidity:    f.validity,
	}, nil
}

// Unselect implements imapserver.Session.
func (s *session) Unselect() error {
	s.account.mu.Lock()
	defer s.account.mu.Unlock()
	s.folder, s.view = nil, nil
	return nil
}

// Create implements imapserver.Session.
func (s *session) Create(name string, _ *imap.CreateOptions) error { return s.account.create(name) }

// Delete implements imapserver.Session.
func (s *session) Delete(name string) error { return s.account.delete(name) }

// Rename implements imapserver.Session.
func (s *session) Rename(string, string, *imap.RenameOptions) error {
	return refusal(imap.ResponseCodeCannot, "Folders cannot be renamed here")
}

// Subscribe implements imapserver.Session: every folder is subscribed, always.
func (s *session) Subscribe(name string) error {
	s.account.mu.Lock()
	defer s.account.mu.Unlock()
	if _, refused := s.account.folder(name); refused != nil {
		return refused
	}
	return nil
}

// Unsubscribe implements imapserver.Session.
func (s *session) Unsubscribe(string) error {
	return refusal(imap.ResponseCodeCannot, "Folders are always subscribed here")
}

// List implements imapserver.Session.
func (s *session) List(w *imapserver.ListWriter, ref string, patterns []string, _ *imap.ListOptions) error {
	if len(patterns) == 0 { // the client asks for the delimiter
		return w.WriteList(&imap.ListData{Attrs: []imap.MailboxAttr{imap.MailboxAttrNoSelect}, Delim: rune(delimiter[0])})
	}
	s.account.mu.Lock()
	names := slices.Sorted(maps.Keys(s.account.folders))
	s.account.mu.Unlock()
	for _, name := range names {
		matches := func(pattern string) bool {
			return imapserver.MatchList(name, rune(delimiter[0]), ref, pattern) || strings.EqualFold(ref+pattern, name) && name == inbox
		}
		if !slices.ContainsFunc(patterns, matches) {
			continue
		}
		if err := w.WriteList(&imap.ListData{Delim: rune(delimiter[0]), Mailbox: name}); err != nil {
			return err
		}
	}
	return nil
}

// Status implements imapserver.Session.
func (s *session) Status(name string, _ *imap.StatusOptions) (*imap.StatusData, error) {
	s.account.mu.Lock()
	defer s.account.mu.Unlock()
	f, refused := s.account.folder(name)
	if refused != nil {
		return nil, refused
	}
	var unseen, deleted, recent uint32
	var size, storage int64
	for _, m := range f.mails {
		size += int64(len(m.raw))
		if !m.has(imap.FlagSeen) {
			unseen++
		}
		if m.has(imap.FlagDeleted) {
			deleted++
			storage += int64(len(m.raw))
		}
	}
	total := uint32(len(f.mails))
	return &imap.StatusData{
		Mailbox: f.name, NumMessages: &total, NumRecent: &recent, NumUnseen: &unseen, NumDeleted: &deleted,
		UIDNext: f.next, UIDValidity: f.validity, Size: &size, DeletedStorage: &storage,
	}, nil
}

// Append implements imapserver.Session. The library reports the end of a connection inside the mail as the end of the
// mail, so the length decides.
func (s *session) Append(name string, r imap.LiteralReader, opts *imap.AppendOptions) (*imap.AppendData, error) {
	raw, err := io.ReadAll(r)
	if err != nil {
		return nil, err
	}
	if int64(len(raw)) != r.Size() {
		return nil, fmt.Errorf("the client went away after %d of %d bytes: %w", len(raw), r.Size(), io.ErrUnexpectedEOF)
	}
	at := opts.Time
	if at.IsZero() {
		at = time.Now()
	}
	data, err := s.account.append(name, raw, at, opts.Flags)
	if err != nil || !s.uidPlus {
		return nil, err
	}
	return data, nil
}
