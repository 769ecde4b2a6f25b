package mailserver

import (
	"errors"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/emersion/go-imap/v2"
)

const (
	inbox   = "INBOX"
	maxMail = 100 << 20 // bytes of one mail
)

// account is all that the server keeps: the folders of its one user and what was sent. One lock guards it; it is never
// held while something is written to a client.
type account struct {
	mu       sync.Mutex
	validity uint32 // the last UIDVALIDITY that was given out
	changes  uint64 // counts changes of flags
	folders  map[string]*folder
	sessions map[*session]struct{}
	sent     []Sent
}

type folder struct {
	name     string
	validity uint32
	next     imap.UID
	mails    []*mail // in the order of their UIDs
}

type mail struct {
	uid     imap.UID
	raw     []byte // never changed
	at      time.Time
	flags   []imap.Flag
	changed uint64   // account.changes when the flags last changed
	by      *session // who changed them
}

var (
	errNoFolder  = refusal(imap.ResponseCodeNonExistent, "There is no such folder")
	errTryCreate = refusal(imap.ResponseCodeTryCreate, "There is no such folder")
	errExists    = refusal(imap.ResponseCodeAlreadyExists, "The folder exists")
)

// refusal is a tagged NO that tells the client why.
func refusal(code imap.ResponseCode, text string) *imap.Error {
	return &imap.Error{Type: imap.StatusResponseTypeNo, Code: code, Text: text}
}

func newAccount(validity uint32, names []string) *account {
	a := &account{validity: validity, folders: make(map[string]*folder), sessions: make(map[*session]struct{})}
	for _, name := range append([]string{inbox}, names...) {
		a.folders[canonical(name)] = a.newFolder(canonical(name))
	}
	return a
}

// canonical spells INBOX, the one folder name that is not case-sensitive.
func canonical(name string) string {
	if strings.EqualFold(name, inbox) {
		return inbox
	}
	return name
}

// The methods below up to deliver need the lock.

func (a *account) newFolder(name string) *folder {
	a.validity++
	return &folder{name: name, validity: a.validity, next: 1}
}

func (a *account) folder(name string) (*folder, *imap.Error) {
	f, ok := a.folders[canonical(name)]
	if !ok {
		return nil, errNoFolder
	}
	return f, nil
}

// add stores a mail as the folder's newest and wakes who looks at the folder.
func (a *account) add(f *folder, raw []byte, at time.Time, flags []imap.Flag) imap.UID {
	m := &mail{uid: f.next, raw: raw, at: at, flags: slices.Clone(flags)}
	f.next++
	f.mails = append(f.mails, m)
	a.wake(f)
	return m.uid
}

// remove takes mails out of a folder.
func (a *account) remove(f *folder, gone func(*mail) bool) {
	f.mails = slices.DeleteFunc(f.mails, gone)
	a.wake(f)
}

func (a *account) wake(f *folder) {
	for s := range a.sessions {
		if s.folder == f {
			select {
			case s.woken <- struct{}{}:
			default: // it is going to look anyway
			}
		}
	}
}

func (f *folder) find(uid imap.UID) *mail {
	i, ok := slices.BinarySearchFunc(f.mails, uid, func(m *mail, uid imap.UID) int { return int(int64(m.uid) - int64(uid)) })
	if !ok {
		return nil
	}
	return f.mails[i]
}

func (m *mail) has(flag imap.Flag) bool {
	return slices.ContainsFunc(m.flags, func(f imap.Flag) bool { return strings.EqualFold(string(f), string(flag)) })
}

func (m *mail) set(flag imap.Flag, on bool) {
	m.flags = slices.DeleteFunc(slices.Clone(m.flags), func(f imap.Flag) bool { return strings.EqualFold(string(f), string(flag)) })
	if on {
		m.flags = append(m.flags, flag)
	}
}

func (a *account) deliver(raw []byte) *imap.AppendData {
	a.mu.Lock()
	defer a.mu.Unlock()
	f := a.folders[inbox]
	return &imap.AppendData{UIDValidity: f.validity, UID: a.add(f, raw, time.Now(), nil)}
}

// accept takes a mail that arrived by SMTP: into INBOX for the account's own address, else among the sent ones.
func (a *account) accept(own, from string, to []string, raw []byte) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, recipient := range to {
		if own != "" && strings.EqualFold(recipient, own) {
			a.add(a.folders[inbox], raw, time.Now(), nil)
			continue
		}
		a.sent = append(a.sent, Sent{From: from, To: recipient, Data: raw})
	}
}

func (a *account) append(name string, raw []byte, at time.Time, flags []imap.Flag) (*imap.AppendData, error) {
	a.mu.Lock()
	defer a.mu.Unlock()
	f, err := a.folder(name)
	if err != nil {
		return nil, errTryCreate
	}
	return &imap.AppendData{UIDValidity: f.validity, UID: a.add(f, raw, at, flags)}, nil
}

func (a *account) create(name string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	name = canonical(strings.TrimSuffix(name, delimiter))
	if name == "" {
		return refusal(imap.ResponseCodeCannot, "A folder needs a name")
	}
	if _, ok := a.folders[name]; ok {
		return errExists
	}
	a.folders[name] = a.newFolder(name)
	return nil
}

// delete removes a folder and its mails; a session that has it open sees it empty.
func (a *account) delete(name string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	f, err := a.folder(name)
	if err != nil {
		return err
	}
	if f.name == inbox {
		return refusal(imap.ResponseCodeCannot, "INBOX cannot be deleted")
	}
	delete(a.folders, f.name)
	a.remove(f, func(*mail) bool { return true })
	return nil
}

func (a *account) rebuild(name string) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	old, err := a.folder(name)
	if err != nil {
		return errors.New("there is no such folder")
	}
	f := a.newFolder(old.name)
	for _, m := range old.mails {
		a.add(f, m.raw, m.at, m.flags)
	}
	a.folders[f.name], old.mails = f, nil
	for s := range a.sessions {
		if s.folder == old {
			cut(s.conn)
		}
	}
	return nil
}
