package mailserver

import (
	"bufio"
	"bytes"
	"io"

	"github.com/emersion/go-imap/v2"
	"github.com/emersion/go-imap/v2/imapserver"
	"github.com/emersion/go-message/textproto"
)

// Fetch implements imapserver.Session. The mails are picked under the lock and written without it.
func (s *session) Fetch(w *imapserver.FetchWriter, set imap.NumSet, opts *imap.FetchOptions) error {
	reads := false // whether the client reads the mails in the sense of the protocol
	for _, section := range opts.BodySection {
		if len(section.Part) > 0 || section.Specifier == imap.PartSpecifierMIME {
			return refusal(imap.ResponseCodeCannot, "Parts of mails are not served here, only whole mails, headers and texts")
		}
		reads = reads || !section.Peek
	}
	if opts.BodyStructure != nil || len(opts.BinarySection) > 0 || len(opts.BinarySectionSize) > 0 {
		return refusal(imap.ResponseCodeCannot, "The structure of mails is not served here, only whole mails, headers and texts")
	}
	s.account.mu.Lock()
	picked := s.pick(set)
	if reads {
		for i := range picked {
			if m := picked[i].mail; !m.has(imap.FlagSeen) {
				m.set(imap.FlagSeen, true)
				picked[i].flags = m.flags
				s.touch(m)
				opts.Flags = true
			}
		}
	}
	s.account.mu.Unlock()
	for _, m := range picked {
		if err := writeMail(w, m, opts); err != nil {
			return err
		}
	}
	return nil
}

// writeMail writes one response. The UID comes first: clients need it before the first literal.
func writeMail(fw *imapserver.FetchWriter, m numbered, opts *imap.FetchOptions) error {
	w := fw.CreateMessage(m.seq)
	if opts.UID {
		w.WriteUID(m.uid)
	}
	if opts.Flags {
		w.WriteFlags(m.flags)
	}
	if opts.InternalDate {
		w.WriteInternalDate(m.at)
	}
	if opts.RFC822Size {
		w.WriteRFC822Size(int64(len(m.raw)))
	}
	if opts.Envelope {
		w.WriteEnvelope(envelope(m.raw))
	}
	var failed error
	for _, section := range opts.BodySection {
		if failed = writeLiteral(w, section, m.raw); failed != nil {
			break
		}
	}
	if err := w.Close(); err != nil && failed == nil { // closed in any case: it holds the connection
		failed = err
	}
	return failed
}

func writeLiteral(w *imapserver.FetchResponseWriter, section *imap.FetchItemBodySection, raw []byte) error {
	data := cutSection(raw, section)
	lit := w.WriteBodySection(section, int64(len(data)))
	_, err := lit.Write(data)
	if closeErr := lit.Close(); err == nil {
		err = closeErr
	}
	return err
}

// cutSection returns the bytes of a section as they are in the mail. Only a choice of header fields goes through a
// parser, since that is no run of the mail's bytes.
func cutSection(raw []byte, section *imap.FetchItemBodySection) []byte {
	data := raw
	switch {
	case len(section.HeaderFields) > 0 || len(section.HeaderFieldsNot) > 0:
		whole := *section
		whole.Partial = nil
		data = imapserver.ExtractBodySection(bytes.NewReader(raw), &whole)
	case section.Specifier == imap.PartSpecifierHeader:
		data = raw[:headerLength(raw)]
	case section.Specifier == imap.PartSpecifierText:
		data = raw[headerLength(raw):]
	}
	if p := section.Partial; p != nil {
		size := int64(len(data))
		start := min(max(p.Offset, 0), size)
		data = data[start : start+min(max(p.Size, 0), size-start)]
	}
	return data
}

// headerLength counts the bytes up to and with the first empty line; without one the whole mail is header.
func headerLength(raw []byte) int {
	for at := 0; at < len(raw); {
		end := bytes.IndexByte(raw[at:], '\n')
		if end < 0 {
			break
		}
		line := raw[at : at+end]
		at += end + 1
		if len(line) == 0 || string(line) == "\r" {
			return at
		}
	}
	return len(raw)
}

// envelope reads what it can; an unreadable header gives an empty envelope.
func envelope(raw []byte) *imap.Envelope {
	header, err := textproto.ReadHeader(bufio.NewReader(io.LimitReader(bytes.NewReader(raw), 1<<20)))
	if err != nil {
		return nil
	}
	return imapserver.ExtractEnvelope(header)
}
