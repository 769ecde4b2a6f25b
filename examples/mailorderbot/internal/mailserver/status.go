package mailserver

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
)

// Status is everything the server holds at one moment: no mail that moves between folders is missing in it or doubled.
type Status struct {
	Folders map[string][]Mail `json:"folders"` // by name, mails in the order of their UIDs
	Sent    []Sent            `json:"sent"`
}

// Mail identifies a stored mail.
type Mail struct {
	UID    uint32 `json:"uid"`
	Size   int    `json:"size"`   // bytes
	SHA256 string `json:"sha256"` // of the raw mail, in hex
}

// Sent is one mail for one recipient that the SMTP server accepted, in the order of acceptance.
type Sent struct {
	From string `json:"from"` // the envelope's sender; "" is the null sender of automatic answers
	To   string `json:"to"`
	Data []byte `json:"data"` // base64 in JSON
}

// Status returns what the server holds now.
func (s *Server) Status() Status {
	s.account.mu.Lock()
	defer s.account.mu.Unlock()
	st := Status{Folders: make(map[string][]Mail, len(s.account.folders)), Sent: s.account.copySent()}
	for name, f := range s.account.folders {
		mails := make([]Mail, 0, len(f.mails))
		for _, m := range f.mails {
			sum := sha256.Sum256(m.raw)
			mails = append(mails, Mail{UID: uint32(m.uid), Size: len(m.raw), SHA256: hex.EncodeToString(sum[:])})
		}
		st.Folders[name] = mails
	}
	return st
}

// Folders returns copies of all mails by folder, in the order of their UIDs.
func (s *Server) Folders() map[string][][]byte {
	s.account.mu.Lock()
	defer s.account.mu.Unlock()
	folders := make(map[string][][]byte, len(s.account.folders))
	for name, f := range s.account.folders {
		folders[name] = make([][]byte, 0, len(f.mails))
		for _, m := range f.mails {
			folders[name] = append(folders[name], bytes.Clone(m.raw))
		}
	}
	return folders
}

// Counts returns the number of mails by folder.
func (s *Server) Counts() map[string]int {
	s.account.mu.Lock()
	defer s.account.mu.Unlock()
	counts := make(map[string]int, len(s.account.folders))
	for name, f := range s.account.folders {
		counts[name] = len(f.mails)
	}
	return counts
}

// Sent returns the mails that the SMTP server accepted, one entry for each recipient.
func (s *Server) Sent() []Sent {
	s.account.mu.Lock()
	defer s.account.mu.Unlock()
	return s.account.copySent()
}

func (a *account) copySent() []Sent {
	sent := make([]Sent, 0, len(a.sent))
	for _, m := range a.sent {
		sent = append(sent, Sent{From: m.From, To: m.To, Data: bytes.Clone(m.Data)})
	}
	return sent
}
