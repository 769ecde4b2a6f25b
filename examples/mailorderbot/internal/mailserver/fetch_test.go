package mailserver

import (
	"bytes"
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/emersion/go-imap/v2"
	"pgregory.net/rapid"
)

func whole() *imap.FetchItemBodySection { return &imap.FetchItemBodySection{Peek: true} }

// oddMails are mails that parsers change, complete or refuse.
func oddMails() map[string][]byte {
	junk := make([]byte, 100_000)
	rng := rand.NewChaCha8([32]byte{1})
	_, _ = rng.Read(junk)
	junk = bytes.ReplaceAll(junk, []byte{0}, []byte{1})
	return map[string][]byte{
		"ordinary":             []byte("From: a@b.test\r\nSubject: order\r\n\r\nhello\r\n"),
		"empty":                {},
		"one byte":             []byte("x"),
		"only a header":        []byte("Subject: order\r\n"),
		"no header":            []byte("\r\nhello"),
		"no final newline":     []byte("Subject: order\r\n\r\nhello"),
		"bare line feeds":      []byte("Subject: order\n\nhello\nworld"),
		"bare returns":         []byte("Subject: order\r\rhello\rworld"),
		"mixed line ends":      []byte("Subject: a\nX: b\r\n\nhello\r\n"),
		"8 bit":                []byte("Subject: Bestellung f\xfcr M\xfcller\r\n\r\n\xc4\xd6\xdc \xe2\x82\xac"),
		"binary":               junk,
		"a huge line":          []byte("Subject: order\r\n\r\n" + strings.Repeat("x", 3<<20)),
		"a huge header":        []byte("Subject: " + strings.Repeat("x ", 1<<19) + "\r\n\r\nhello"),
		"a broken header":      []byte("Subject order\r\n: nothing\r\n\r\nhello"),
		"an unclosed part":     []byte("Content-Type: multipart/mixed; boundary=x\r\n\r\n--x\r\n\r\nhello"),
		"an odd charset":       []byte("Content-Type: text/plain; charset=nonsense\r\n\r\nhello"),
		"what looks like IMAP": []byte("Subject: x\r\n\r\n)\r\n* 1 EXISTS\r\na1 OK done {10}\r\n"),
	}
}

func TestMailsComeBackExactly(t *testing.T) {
	s := start(t, Config{})
	c := dial(t, s, nil)
	for name, raw := range oddMails() {
		t.Run(name, func(t *testing.T) {
			uid := imap.UID(s.Deliver(raw))
			must(t, c.Noop().Wait())
			if got := fetch(t, c, uid, whole()); !bytes.Equal(got, raw) {
				t.Errorf("got %d bytes %.80q, want %d bytes %.80q", len(got), got, len(raw), raw)
			}
			header := fetch(t, c, uid, &imap.FetchItemBodySection{Peek: true, Specifier: imap.PartSpecifierHeader})
			text := fetch(t, c, uid, &imap.FetchItemBodySection{Peek: true, Specifier: imap.PartSpecifierText})
			if !bytes.Equal(append(header, text...), raw) {
				t.Errorf("header and text are not the mail: %.80q and %.80q", header, text)
			}
			msgs, err := c.Fetch(imap.UIDSetNum(uid), &imap.FetchOptions{RFC822Size: true, Flags: true, Envelope: true, InternalDate: true}).Collect()
			must(t, err)
			if len(msgs) != 1 || msgs[0].RFC822Size != int64(len(raw)) || len(msgs[0].Flags) != 0 {
				t.Errorf("got %+v, want size %d and no flags", msgs, len(raw))
			}
		})
	}
}

func TestEnvelopeAndFields(t *testing.T) {
	s := start(t, Config{})
	c := dial(t, s, nil)
	uid := imap.UID(s.Deliver([]byte("From: Ann <ann@b.test>\r\nTo: c@d.test\r\nSubject: order\r\nMessage-ID: <1@b.test>\r\n\r\nhello\r\n")))
	must(t, c.Noop().Wait())
	msgs, err := c.Fetch(imap.UIDSetNum(uid), &imap.FetchOptions{Envelope: true}).Collect()
	must(t, err)
	if e := msgs[0].Envelope; e.Subject != "order" || e.From[0].Addr() != "ann@b.test" || e.MessageID != "1@b.test" {
		t.Errorf("envelope %+v", e)
	}
	fields := &imap.FetchItemBodySection{Peek: true, Specifier: imap.PartSpecifierHeader, HeaderFields: []string{"subject", "to"}}
	if got, want := string(fetch(t, c, uid, fields)), "To: c@d.test\r\nSubject: order\r\n\r\n"; got != want {
		t.Errorf("fields %q, want %q", got, want)
	}
	_, err = c.Fetch(imap.UIDSetNum(uid), &imap.FetchOptions{BodySection: []*imap.FetchItemBodySection{{Part: []int{1}}}}).Collect()
	wantCode(t, err, imap.ResponseCodeCannot)
	_, err = c.Fetch(imap.UIDSetNum(uid), &imap.FetchOptions{BodyStructure: &imap.FetchItemBodyStructure{}}).Collect()
	wantCode(t, err, imap.ResponseCodeCannot)
}

func TestOnlyReadingWithoutPeekMarksAsSeen(t *testing.T) {
	s := start(t, Config{})
	c := dial(t, s, nil)
	uid := imap.UID(s.Deliver([]byte("Subject: order\r\n\r\n")))
	must(t, c.Noop().Wait())
	fetch(t, c, uid, whole())
	wantUIDs(t, uids(t, c, &imap.SearchCriteria{NotFlag: []imap.Flag{imap.FlagSeen}}), uid)
	fetch(t, c, uid, &imap.FetchItemBodySection{})
	wantUIDs(t, uids(t, c, &imap.SearchCriteria{Flag: []imap.Flag{imap.FlagSeen}}), uid)
}

func TestPartialRanges(t *testing.T) {
	s := start(t, Config{})
	c := dial(t, s, nil)
	uid := imap.UID(s.Deliver([]byte("0123456789")))
	must(t, c.Noop().Wait())
	for _, tc := range []struct {
		offset, size int64
		want         string
	}{{0, 4, "0123"}, {8, 4, "89"}, {10, 4, ""}, {11, 4, ""}, {0, 1 << 40, "0123456789"}} {
		section := whole()
		section.Partial = &imap.SectionPartial{Offset: tc.offset, Size: tc.size}
		if got := string(fetch(t, c, uid, section)); got != tc.want {
			t.Errorf("<%d.%d> is %q, want %q", tc.offset, tc.size, got, tc.want)
		}
	}
}

// A mail is its header and its text, wherever the line between them is, and a range is that run of bytes.
func TestSectionsAreRunsOfTheMail(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		raw := []byte(rapid.StringOf(rapid.SampledFrom([]rune("a:\r\n é"))).Draw(t, "raw"))
		n := headerLength(raw)
		if header := raw[:n]; n < len(raw) && !bytes.HasSuffix(header, []byte("\n")) {
			t.Fatalf("the header %q does not end with a line", header)
		}
		if before := raw[:max(n-1, 0)]; headerLength(before) != len(before) {
			t.Fatalf("there is an earlier empty line in %q", raw[:n])
		}
		offset, size := rapid.Int64Range(-2, 20).Draw(t, "offset"), rapid.Int64Range(-2, 20).Draw(t, "size")
		part := cutSection(raw, &imap.FetchItemBodySection{Partial: &imap.SectionPartial{Offset: offset, Size: size}})
		if int64(len(part)) > max(size, 0) || !bytes.HasPrefix(raw[min(max(offset, 0), int64(len(raw))):], part) {
			t.Fatalf("<%d.%d> of %q is %q", offset, size, raw, part)
		}
	})
}

func FuzzSection(f *testing.F) {
	f.Add([]byte("Subject: a\r\n b\r\n\r\ntext"), "subject", int64(0), int64(5))
	f.Fuzz(func(t *testing.T, raw []byte, field string, offset, size int64) {
		for _, section := range []*imap.FetchItemBodySection{
			{Partial: &imap.SectionPartial{Offset: offset, Size: size}},
			{Specifier: imap.PartSpecifierHeader, HeaderFields: []string{field}},
			{Specifier: imap.PartSpecifierHeader, HeaderFieldsNot: []string{field}, Partial: &imap.SectionPartial{Offset: offset, Size: size}},
		} {
			cutSection(raw, section)
		}
		envelope(raw)
		matchesText(raw, &imap.SearchCriteria{Header: []imap.SearchCriteriaHeaderField{{Key: field, Value: field}}})
	})
}
