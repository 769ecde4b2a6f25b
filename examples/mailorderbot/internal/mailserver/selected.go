package mailserver

import (
	"slices"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
)

// numbered is a mail as one session sees it at one moment: what a response needs, without the lock.
type numbered struct {
	*mail
	seq   uint32
	flags []imap.Flag
}

// pick returns the mails of a set that still exist, in ascending order. It needs the lock.
func (s *session) pick(set imap.NumSet) []numbered {
	var last imap.UID
	if len(s.view) > 0 {
		last = s.view[len(s.view)-1]
	}
	contains := inSet(set, uint32(len(s.view)), uint32(last))
	var picked []numbered
	for i, uid := range s.view {
		seq := uint32(i) + 1
		if !contains(seq, uint32(uid)) {
			continue
		}
		if m := s.folder.find(uid); m != nil {
			picked = append(picked, numbered{mail: m, seq: seq, flags: m.flags})
		}
	}
	return picked
}

// inSet tells whether a mail belongs to a set of sequence numbers or UIDs, in which zero stands for the last one.
func inSet(set imap.NumSet, lastSeq, lastUID uint32) func(seq, uid uint32) bool {
	var ranges []imap.SeqRange
	last, byUID := lastSeq, false
	switch set := set.(type) {
	case imap.SeqSet:
		ranges = slices.Clone(set)
	case imap.UIDSet:
		last, byUID = lastUID, true
		for _, r := range set {
			ranges = append(ranges, imap.SeqRange{Start: uint32(r.Start), Stop: uint32(r.Stop)})
		}
	}
	for i := range ranges {
		r := &ranges[i]
		if r.Start == 0 {
			r.Start = last
		}
		if r.Stop == 0 {
			r.Stop = last
		}
		r.Start, r.Stop = min(r.Start, r.Stop), max(r.Start, r.Stop)
	}
	return func(seq, uid uint32) bool {
		n := seq
		if byUID {
			n = uid
		}
		return slices.ContainsFunc(ranges, func(r imap.SeqRange) bool { return r.Start <= n && n <= r.Stop })
	}
}

// Store implements imapserver.Session.
func (s *session) Store(w *imapserver.FetchWriter, set imap.NumSet, change *imap.StoreFlags, _ *imap.StoreOptions) error {
	s.account.mu.Lock()
	picked := s.pick(set)
	for i := range picked {
		m := picked[i].mail
		if change.Op == imap.StoreFlagsSet {
			m.flags = nil
		}
		for _, flag := range change.Flags {
			m.set(flag, change.Op != imap.StoreFlagsDel)
		}
		picked[i].flags = m.flags
		s.touch(m)
	}
	s.account.mu.Unlock()
	if change.Silent {
		return nil
	}
	for _, m := range picked {
		if err := writeMail(w, m, &imap.FetchOptions{UID: true, Flags: true}); err != nil {
			return err
		}
	}
	return nil
}

// touch marks flags as changed by this session. It needs the lock.
func (s *session) touch(m *mail) {
	s.account.changes++
	m.changed, m.by = s.account.changes, s
	s.account.wake(s.folder)
}

// Expunge implements imapserver.Session. The client hears of it by Poll.
func (s *session) Expunge(_ *imapserver.ExpungeWriter, uids *imap.UIDSet) error {
	s.account.mu.Lock()
	defer s.account.mu.Unlock()
	s.account.remove(s.folder, func(m *mail) bool {
		return m.has(imap.FlagDeleted) && (uids == nil || uids.Contains(m.uid))
	})
	return nil
}

// Copy implements imapserver.Session.
func (s *session) Copy(set imap.NumSet, dest string) (*imap.CopyData, error) {
	s.account.mu.Lock()
	defer s.account.mu.Unlock()
	return s.copy(set, dest)
}

// copy returns nil when nothing was copied or the client does not know UIDPLUS. It needs the lock.
func (s *session) copy(set imap.NumSet, dest string) (*imap.CopyData, error) {
	target, refused := s.account.folder(dest)
	if refused != nil {
		return nil, errTryCreate
	}
	data := &imap.CopyData{UIDValidity: target.validity}
	for _, m := range s.pick(set) {
		data.SourceUIDs.AddNum(m.uid)
		data.DestUIDs.AddNum(s.account.add(target, m.raw, m.at, m.flags))
	}
	if len(data.SourceUIDs) == 0 || !s.uidPlus {
		return nil, nil
	}
	return data, nil
}

// Move implements imapserver.SessionMove. All of it happens before the first byte of the answer; the client hears of the
// mails that left by Poll.
func (s *session) Move(w *imapserver.MoveWriter, set imap.NumSet, dest string) error {
	data, err := s.move(set, dest)
	if err != nil || data == nil {
		return err
	}
	return w.WriteCopyData(data)
}

func (s *session) move(set imap.NumSet, dest string) (*imap.CopyData, error) {
	s.account.mu.Lock()
	defer s.account.mu.Unlock()
	if canonical(dest) == s.folder.name {
		return nil, refusal(imap.ResponseCodeCannot, "The mails are in this folder already")
	}
	moved := s.pick(set)
	data, err := s.copy(set, dest)
	if err != nil {
		return nil, err
	}
	s.account.remove(s.folder, func(m *mail) bool {
		return slices.ContainsFunc(moved, func(n numbered) bool { return n.uid == m.uid })
	})
	return data, nil
}

// Idle implements imapserver.Session.
func (s *session) Idle(w *imapserver.UpdateWriter, stop <-chan struct{}) error {
	s.account.mu.Lock()
	if s.closed {
		s.account.mu.Unlock()
		return nil
	}
	s.idling.Add(1)
	s.account.mu.Unlock()
	defer s.idling.Done()
	for {
		if err := s.Poll(w, true); err != nil {
			return err
		}
		select {
		case <-s.woken:
		case <-stop:
			return nil
		}
	}
}

// Poll implements imapserver.Session: it tells the client what changed since it was last told.
func (s *session) Poll(w *imapserver.UpdateWriter, allowExpunge bool) error {
	news := s.catchUp(allowExpunge)
	for _, seq := range news.gone {
		if err := w.WriteExpunge(seq); err != nil {
			return err
		}
	}
	if news.came {
		if err := w.WriteNumMessages(news.total); err != nil {
			return err
		}
	}
	for _, m := range news.flagged {
		if err := w.WriteMessageFlags(m.seq, m.uid, m.flags); err != nil {
			return err
		}
	}
	return nil
}

type update struct {
	gone    []uint32 // sequence numbers from the highest down, so that each is right when it is told
	came    bool
	total   uint32
	flagged []numbered
}

// catchUp brings the view up to date and returns the difference.
func (s *session) catchUp(allowExpunge bool) update {
	s.account.mu.Lock()
	defer s.account.mu.Unlock()
	var news update
	if s.folder == nil {
		return news
	}
	if allowExpunge {
		for i := len(s.view) - 1; i >= 0; i-- {
			if s.folder.find(s.view[i]) == nil {
				news.gone = append(news.gone, uint32(i)+1)
				s.view = slices.Delete(s.view, i, i+1)
			}
		}
	}
	var last imap.UID
	if len(s.view) > 0 {
		last = s.view[len(s.view)-1]
	}
	for _, m := range s.folder.mails {
		if m.uid > last {
			s.view = append(s.view, m.uid)
			news.came = true
		}
	}
	news.total = uint32(len(s.view))
	for i, uid := range s.view {
		if m := s.folder.find(uid); m != nil && m.changed > s.seen && m.by != s {
			news.flagged = append(news.flagged, numbered{mail: m, seq: uint32(i) + 1, flags: m.flags})
		}
	}
	s.seen = s.account.changes
	return news
}
