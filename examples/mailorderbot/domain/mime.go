package domain

import (
	"bytes"
	"errors"
	"fmt"
	"mime"
	"net/textproto"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/jhillyerd/enmime/v2"
	"github.com/jhillyerd/enmime/v2/mediatype"
)

// What a mail may consist of. Reading time is exponential in the depth of multiparts that are not closed, and superlinear in
// the number of parts, so both are limited before they can cost anything.
const (
	maxMultiparts  = 15      // with those of attached messages
	maxLeaves      = 1_000   // parts, counted by their delimiters
	maxMessages    = 3       // depth of messages within messages
	maxMediaType   = 4 << 10 // bytes of a Content-Type or Content-Disposition
	maxOrderFiles  = 20      // files that are looked at
	maxNameLetters = 80      // of a file name
)

// Why a mail cannot be taken apart.
var (
	errTooNested  = fmt.Errorf("the mail is nested too deeply (more than %d multiparts)", maxMultiparts)
	errTooMany    = fmt.Errorf("the mail has too many parts (more than %d)", maxLeaves)
	errUnreadable = errors.New("the mail cannot be read: its parts are broken")
)

// leaf is a part of a mail that holds content, wherever in the tree it hangs.
type leaf struct {
	name        string // as sent, decoded; may be empty
	contentType string // lower-case, without parameters; "" when not given
	charset     string
	attached    bool // Content-Disposition: attachment
	body        []byte
}

// leaves takes a mail apart, attached messages included.
func leaves(raw []byte) ([]leaf, error) {
	return new(guard).leaves(raw, 1)
}

// guard watches the parser while it reads: every Content-Type it meets passes through mediaType, where boundaries and the
// delimiters that belong to them are counted before the parser descends. Nothing a header hides behind encodings escapes it.
type guard struct {
	raw        []byte          // the message being read
	boundaries map[string]bool // of this message
	seen       int             // media types with a boundary, in all messages; the parser looks at each twice
	parts      int             // delimiters, in all messages
	fault      error
}

func (g *guard) leaves(raw []byte, depth int) (all []leaf, err error) {
	g.raw, g.boundaries = raw, map[string]bool{}
	root, err := g.read(raw)
	if err != nil {
		return nil, err
	}
	for _, l := range flatten(root, nil) {
		if l.contentType != "message/rfc822" && l.contentType != "message/global" {
			all = append(all, l)
			continue
		}
		if depth == maxMessages {
			return nil, errTooNested
		}
		inner, err := g.leaves(l.body, depth+1)
		if err != nil {
			return nil, err
		}
		all = append(all, inner...)
	}
	return all, nil
}

// read runs the parser. A panic of the parser is the mail's fault: the mail is unreadable.
func (g *guard) read(raw []byte) (root *enmime.Part, err error) {
	defer func() {
		if recover() != nil {
			root, err = nil, errUnreadable
		}
	}()
	parser := enmime.NewParser(
		enmime.RawContent(true), // the parser would guess charsets and keep a note of every odd byte: decodeTransfer and decodeText do it
		enmime.MultipartWOBoundaryAsSinglePart(true),
		enmime.SkipMalformedParts(false),
		enmime.MaxStoredPartErrors(1),
		enmime.SetCustomParseMediaType(g.mediaType),
	)
	root, err = parser.ReadParts(bytes.NewReader(raw))
	switch {
	case g.fault != nil:
		return nil, g.fault
	case err != nil:
		return nil, errUnreadable
	}
	return root, nil
}

// mediaType parses a Content-Type or Content-Disposition for the parser; one that cannot be parsed reads as missing.
func (g *guard) mediaType(value string) (string, map[string]string, []string, error) {
	if g.fault != nil {
		return "", nil, nil, g.fault
	}
	media, params := parseMediaType(value)
	boundary := params["boundary"]
	if boundary == "" {
		return media, params, nil, nil
	}
	if !g.boundaries[boundary] {
		g.boundaries[boundary] = true
		g.parts += bytes.Count(g.raw, []byte("--"+boundary))
	}
	switch g.seen++; {
	case g.seen > 2*maxMultiparts:
		g.fault = errTooNested
	case g.parts > maxLeaves:
		g.fault = errTooMany
	}
	return media, params, nil, g.fault
}

func parseMediaType(value string) (string, map[string]string) {
	if len(value) > maxMediaType {
		return "", nil
	}
	media, params, _, err := mediatype.Parse(value)
	if err != nil {
		return "", nil
	}
	return strings.ToLower(media), params
}

// flatten lists the leaves of a tree in the order of the mail.
func flatten(p *enmime.Part, all []leaf) []leaf {
	for ; p != nil; p = p.NextSibling {
		if p.FirstChild != nil {
			all = flatten(p.FirstChild, all)
			continue
		}
		all = append(all, newLeaf(p))
	}
	return all
}

// newLeaf reads the part's own header: the parser leaves names out where Content-Type is missing.
func newLeaf(p *enmime.Part) leaf {
	media, params := parseMediaType(p.Header.Get("Content-Type"))
	disposition, dparams := parseMediaType(p.Header.Get("Content-Disposition"))
	name := dparams["filename"]
	if name == "" {
		name = params["name"]
	}
	return leaf{
		name:        decodeWords(name),
		contentType: media,
		charset:     params["charset"],
		attached:    disposition == "attachment",
		body:        decodeTransfer(transferEncoding(p.Header), p.Content),
	}
}

func transferEncoding(h textproto.MIMEHeader) string {
	return strings.ToLower(strings.TrimSpace(h.Get("Content-Transfer-Encoding")))
}

// label is the content type with the charset, as Part carries it.
func (l leaf) label() string {
	media := l.contentType
	if media == "" {
		media = "application/octet-stream"
	}
	if l.charset == "" {
		return media
	}
	return mime.FormatMediaType(media, map[string]string{"charset": l.charset})
}

// baseName strips whatever path a sender put before a file name, with either kind of slash, and what cannot be shown.
func baseName(name string) string {
	name = strings.ReplaceAll(strings.ToValidUTF8(name, "_"), `\`, "/")
	name = path.Base(oneLine(name))
	if name == "." || name == ".." || name == "/" {
		return ""
	}
	if extra := utf8.RuneCountInString(name) - maxNameLetters; extra > 0 {
		ext := cut(path.Ext(name), 10)
		name = cut(strings.TrimSuffix(name, path.Ext(name)), maxNameLetters-utf8.RuneCountInString(ext)) + ext
	}
	return name
}
