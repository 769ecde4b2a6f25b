package domain

import (
	"bytes"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	"golang.org/x/text/encoding/htmlindex"
	"golang.org/x/text/encoding/unicode"
)

// decodeText turns bytes in whatever charset into a string. Senders' labels are often wrong, so the bytes speak first:
// a byte-order mark, valid UTF-8, the zeros of UTF-16. Then the label is believed, unless it is one of the western
// kind that programs put on everything; then the letters decide between Cyrillic and Latin.
func decodeText(b []byte, label string) string {
	switch {
	case bytes.HasPrefix(b, []byte("\xef\xbb\xbf")):
		return strings.ToValidUTF8(string(b[3:]), "\uFFFD")
	case bytes.HasPrefix(b, []byte("\xff\xfe")), looksUTF16(b, 1):
		return decodeAs(unicode.UTF16(unicode.LittleEndian, unicode.UseBOM), b)
	case bytes.HasPrefix(b, []byte("\xfe\xff")), looksUTF16(b, 0):
		return decodeAs(unicode.UTF16(unicode.BigEndian, unicode.UseBOM), b)
	case utf8.Valid(b):
		return string(b)
	}
	named, err := htmlindex.Get(label)
	name, _ := htmlindex.Name(named)
	if err == nil && !habitual(name) {
		return decodeAs(named, b)
	}
	if looksCyrillic(b) {
		return decodeAs(charmap.Windows1251, b)
	}
	return decodeAs(charmap.Windows1252, b)
}

// habitual tells the labels that say nothing: what a program writes when it does not know, and UTF-8, which was just disproved.
func habitual(name string) bool {
	switch name {
	case "utf-8", "windows-1252", "iso-8859-15", "replacement", "x-user-defined":
		return true
	default:
		return false
	}
}

// decodeAs decodes; what the charset does not know becomes U+FFFD.
func decodeAs(e encoding.Encoding, b []byte) string {
	out, err := e.NewDecoder().Bytes(b)
	if err != nil {
		return strings.ToValidUTF8(string(b), "\uFFFD")
	}
	return string(out)
}

// looksUTF16 says whether every second byte of the beginning is zero, as in Latin text: the odd ones in little-endian text.
func looksUTF16(b []byte, parity int) bool {
	b = b[:min(len(b), 64)]
	if len(b) < 8 {
		return false
	}
	zeros := 0
	for i, c := range b {
		switch {
		case c == 0 && i%2 == parity:
			zeros++
		case c == 0:
			return false
		}
	}
	return zeros >= len(b)*3/8
}

// looksCyrillic tells Windows-1251 from Windows-1252 by neighbours: Cyrillic words consist of high letters alone,
// while accented Latin letters stand among plain ones.
func looksCyrillic(b []byte) bool {
	high, together := 0, 0
	for i, c := range b {
		if c < 0xC0 {
			continue
		}
		high++
		if (i > 0 && b[i-1] >= 0xC0) || (i+1 < len(b) && b[i+1] >= 0xC0) {
			together++
		}
	}
	return high > 0 && together*3 >= high*2
}

// charsetReader serves encoded words in the header.
func charsetReader(label string, in io.Reader) (io.Reader, error) {
	e, err := htmlindex.Get(label)
	if err != nil {
		return nil, fmt.Errorf("charset %q: %w", label, err)
	}
	return e.NewDecoder().Reader(in), nil
}
