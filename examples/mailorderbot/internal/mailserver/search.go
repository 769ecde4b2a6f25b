package mailserver

import (
	"bytes"
	"slices"
	"time"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
)

// Search implements imapserver.Session. Texts are compared with the raw bytes of the mail, regardless of case.
func (s *session) Search(kind imapserver.NumKind, criteria *imap.SearchCriteria, _ *imap.SearchOptions) (*imap.SearchData, error) {
	if !searchable(criteria) {
		return nil, refusal(imap.ResponseCodeCannot, "This search is not served here")
	}
	s.account.mu.Lock()
	defer s.account.mu.Unlock()
	var seqs imap.SeqSet
	var uids imap.UIDSet
	data := &imap.SearchData{}
	for _, m := range s.pick(imap.SeqSet{{Start: 1}}) {
		if !s.matches(m, criteria) {
			continue
		}
		n := m.seq
		if kind == imapserver.NumKindUID {
			n = uint32(m.uid)
		}
		seqs.AddNum(m.seq)
		uids.AddNum(m.uid)
		if data.Count == 0 {
			data.Min = n
		}
		data.Max = n
		data.Count++
	}
	data.All = seqs
	if kind == imapserver.NumKindUID {
		data.All = uids
	}
	return data, nil
}

func searchable(c *imap.SearchCriteria) bool {
	if !c.SentSince.IsZero() || !c.SentBefore.IsZero() || c.ModSeq != nil || slices.ContainsFunc(c.UID, imapSearchRes) {
		return false
	}
	for i := range c.Not {
		if !searchable(&c.Not[i]) {
			return false
		}
	}
	for i := range c.Or {
		if !searchable(&c.Or[i][0]) || !searchable(&c.Or[i][1]) {
			return false
		}
	}
	return true
}

// imapSearchRes tells the marker "the last search" from a set, which is an extension that is not served.
func imapSearchRes(set imap.UIDSet) bool { return imap.IsSearchRes(set) }

// matches needs the lock.
func (s *session) matches(m numbered, c *imap.SearchCriteria) bool {
	return s.matchesSets(m, c) && matchesFlags(m, c) && matchesDates(m.at, c) && matchesText(m.raw, c) &&
		(c.Larger == 0 || int64(len(m.raw)) > c.Larger) &&
		(c.Smaller == 0 || int64(len(m.raw)) < c.Smaller) &&
		!slices.ContainsFunc(c.Not, func(not imap.SearchCriteria) bool { return s.matches(m, &not) }) &&
		!slices.ContainsFunc(c.Or, func(or [2]imap.SearchCriteria) bool { return !s.matches(m, &or[0]) && !s.matches(m, &or[1]) })
}

func (s *session) matchesSets(m numbered, c *imap.SearchCriteria) bool {
	lastSeq, lastUID := uint32(len(s.view)), uint32(s.view[len(s.view)-1])
	for _, set := range c.SeqNum {
		if !inSet(set, lastSeq, lastUID)(m.seq, uint32(m.uid)) {
			return false
		}
	}
	for _, set := range c.UID {
		if !inSet(set, lastSeq, lastUID)(m.seq, uint32(m.uid)) {
			return false
		}
	}
	return true
}

func matchesFlags(m numbered, c *imap.SearchCriteria) bool {
	return !slices.ContainsFunc(c.Flag, func(f imap.Flag) bool { return !m.has(f) }) &&
		!slices.ContainsFunc(c.NotFlag, m.has)
}

// matchesDates compares days; times of day and zones do not count.
func matchesDates(at time.Time, c *imap.SearchCriteria) bool {
	day := time.Date(at.Year(), at.Month(), at.Day(), 0, 0, 0, 0, time.UTC)
	return (c.Since.IsZero() || !day.Before(c.Since)) && (c.Before.IsZero() || day.Before(c.Before))
}

func matchesText(raw []byte, c *imap.SearchCriteria) bool {
	raw = bytes.ToLower(raw)
	header := headerLength(raw)
	contains := func(where []byte, what string) bool { return bytes.Contains(where, bytes.ToLower([]byte(what))) }
	for _, text := range c.Text {
		if !contains(raw, text) {
			return false
		}
	}
	for _, text := range c.Body {
		if !contains(raw[header:], text) {
			return false
		}
	}
	for _, field := range c.Header {
		key := append(append([]byte("\n"), bytes.ToLower([]byte(field.Key))...), ':')
		value := fieldValue(append([]byte("\n"), raw[:header]...), key)
		if value == nil || !contains(value, field.Value) {
			return false
		}
	}
	return true
}

// fieldValue returns the first field of that name with its folded lines; key is "\nname:".
func fieldValue(header, key []byte) []byte {
	_, value, ok := bytes.Cut(header, key)
	if !ok {
		return nil
	}
	for at := 0; ; {
		end := bytes.IndexByte(value[at:], '\n')
		if end < 0 {
			return value
		}
		at += end + 1
		if at == len(value) || value[at] != ' ' && value[at] != '\t' {
			return value[:at]
		}
	}
}
