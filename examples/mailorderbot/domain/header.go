package domain

import (
	"bytes"
	"mime"
	"net/mail"
	"strings"
	"unicode"
	"unicode/utf8"
)

// header is a mail's header, unfolded and undecoded, in the order in which it was written. Lines that are no fields are skipped.
type header []field

type field struct{ name, value string } // name is lower-cased

// maxHeaderBytes is how much of a header is read; what follows is ignored.
const maxHeaderBytes = 256 << 10

// readHeader reads up to the first empty line. It takes either kind of line ending.
func readHeader(raw []byte) header {
	raw = raw[:min(len(raw), maxHeaderBytes)]
	var h header
	for line := range bytes.Lines(raw) {
		text := strings.TrimRight(string(line), "\r\n")
		if text == "" {
			break
		}
		if text[0] == ' ' || text[0] == '\t' {
			if len(h) > 0 {
				h[len(h)-1].value += " " + strings.TrimSpace(text)
			}
			continue
		}
		name, value, ok := strings.Cut(text, ":")
		if name = strings.ToLower(strings.TrimSpace(name)); ok && name != "" && !strings.ContainsAny(name, " \t") {
			h = append(h, field{name, strings.TrimSpace(value)})
		}
	}
	return h
}

// all returns the values of a field, topmost first.
func (h header) all(name string) []string {
	var values []string
	for _, f := range h {
		if f.name == name {
			values = append(values, f.value)
		}
	}
	return values
}

// get returns the topmost value of a field.
func (h header) get(name string) (string, bool) {
	for _, f := range h {
		if f.name == name {
			return f.value, true
		}
	}
	return "", false
}

// text returns the topmost value of a field, decoded, on one line and cut to a sane length.
func (h header) text(name string) string {
	value, _ := h.get(name)
	return cut(oneLine(decodeWords(value)), 200)
}

// messageID returns the mail's Message-ID when it is fit to be quoted in an answer.
func (h header) messageID() string {
	id, _ := h.get("message-id")
	odd := func(r rune) bool { return r <= ' ' || r > '~' }
	if len(id) < 5 || len(id) > 250 || id[0] != '<' || id[len(id)-1] != '>' || strings.ContainsFunc(id, odd) ||
		strings.ContainsAny(id[1:len(id)-1], "<>") {
		return ""
	}
	return id
}

// Sender returns the address in From, lower-cased. It is "" when there is no From or more than one, when it names
// several addresses, or when it cannot be read: a sender in doubt is no sender.
func Sender(head []byte) string { return readHeader(head).sender() }

func (h header) sender() string {
	from := h.all("from")
	if len(from) != 1 {
		return ""
	}
	list, err := (&mail.AddressParser{WordDecoder: wordDecoder()}).ParseList(from[0])
	switch {
	case err == nil && len(list) == 1:
		return plainAddress(list[0].Address)
	case err == nil:
		return ""
	}
	// Names with raw 8-bit letters or bare commas are common: read what stands in the one pair of angle brackets.
	name, rest, ok := strings.Cut(from[0], "<")
	address, tail, closed := strings.Cut(rest, ">")
	if !ok || !closed || strings.TrimSpace(tail) != "" || strings.Contains(name, "@") {
		return ""
	}
	return plainAddress(address)
}

// plainAddress returns an address in lower case, or "" when it is not of the plain form local@domain.
func plainAddress(a string) string {
	a = strings.ToLower(strings.TrimSpace(a))
	local, domain, ok := strings.Cut(a, "@")
	odd := func(r rune) bool {
		return r <= ' ' || r == 0x7f || r == utf8.RuneError || strings.ContainsRune(`<>()[],;:\"@`, r)
	}
	if !ok || local == "" || domain == "" || len(a) > 254 || strings.ContainsFunc(local+domain, odd) {
		return ""
	}
	return a
}

func wordDecoder() *mime.WordDecoder { return &mime.WordDecoder{CharsetReader: charsetReader} }

// decodeWords decodes RFC 2047 encoded words; where there are none, raw 8-bit text is decoded by its looks.
func decodeWords(value string) string {
	if decoded, err := wordDecoder().DecodeHeader(value); err == nil && utf8.ValidString(decoded) {
		return decoded
	}
	return decodeText([]byte(value), "")
}

// oneLine replaces what would break a line or hide in it by spaces.
func oneLine(s string) string {
	s = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, s)
	return strings.Join(strings.Fields(s), " ")
}
