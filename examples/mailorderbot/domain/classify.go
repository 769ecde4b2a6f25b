package domain

import (
	"fmt"
	"mime"
	"strings"
)

// Reasons that concern a mail as a whole.
const (
	reasonDuplicate = "the same mail was received before"
	reasonEmpty     = "the mail is empty"
	reasonReport    = "a delivery or read report about a mail of ours"
	reasonNoReturn  = "an automatic mail: its return path is empty"
	reasonOwn       = "a mail from our own address"
	reasonList      = "a mail of a mailing list"
	reasonNoSender  = "the sender's address cannot be read"
	reasonNothing   = "no order file is attached"
)

// automatic finds mail that no person wrote to us: it is never an order and never answered, or two programs
// would write to each other for ever. What may hide a need for action goes to Review, mere noise is rejected.
func (d *Desk) automatic(h header, from string) *Verdict {
	review := func(reason string) *Verdict { return &Verdict{Folder: FolderReview, Reason: reason} }
	reject := func(reason string) *Verdict { return &Verdict{Folder: FolderRejected, Reason: reason} }

	returnPath, hasReturnPath := h.get("return-path")
	local, _, _ := strings.Cut(from, "@")
	submitted, _ := h.get("auto-submitted")
	submitted, _, _ = strings.Cut(strings.ToLower(withoutComments(submitted)), ";")
	submitted = strings.TrimSpace(submitted)

	switch {
	case isReport(h), local == "mailer-daemon":
		return review(reasonReport)
	case from != "" && strings.EqualFold(from, d.policy.OwnAddress):
		return review(reasonOwn)
	case submitted == "auto-replied":
		return reject("an automatic reply (Auto-Submitted: auto-replied)")
	case submitted != "" && submitted != "no":
		return review(fmt.Sprintf("an automatic mail (Auto-Submitted: %s)", cut(oneLine(submitted), 30)))
	case isList(h):
		return reject(reasonList)
	case hasReturnPath && strings.Trim(returnPath, " <>") == "":
		return review(reasonNoReturn)
	default:
		return nil
	}
}

func isReport(h header) bool {
	value, _ := h.get("content-type")
	media, _, _ := mime.ParseMediaType(value)
	return media == "multipart/report" || media == "message/delivery-status"
}

func isList(h header) bool {
	for _, name := range []string{"list-id", "list-unsubscribe", "list-post"} {
		if _, ok := h.get(name); ok {
			return true
		}
	}
	precedence, _ := h.get("precedence")
	switch strings.ToLower(precedence) {
	case "bulk", "list", "junk":
		return true
	default:
		return false
	}
}

// stranger finds senders who may not order: unknown ones, and those whose address nobody vouches for. They get no answer,
// for an answer to a forged address hits somebody else.
func (d *Desk) stranger(h header, mail Envelope) *Verdict {
	reason := ""
	switch {
	case mail.From == "":
		reason = reasonNoSender
	case mail.Customer == "":
		reason = fmt.Sprintf("the sender %s is not a known customer", cut(mail.From, 80))
	case !dmarcPass(h, d.policy.AuthservID, mail.From):
		reason = fmt.Sprintf("the sender %s is not authenticated (no DMARC pass)", cut(mail.From, 80))
	default:
		return nil
	}
	return &Verdict{Folder: FolderReview, Reason: reason}
}

// dmarcPass says whether the server authservID, and it alone, found that the mail is from the domain of its From. A
// server removes forged results that bear its name; should one slip through, it stands beside the server's own, so all that
// bear the name must agree.
func dmarcPass(h header, authservID, from string) bool {
	if authservID == "" {
		return false
	}
	_, domain, _ := strings.Cut(from, "@")
	passed := false
	for _, value := range h.all("authentication-results") {
		statements := strings.Split(withoutComments(value), ";")
		id := strings.Fields(statements[0]) // the name, perhaps with a version behind it
		if len(id) == 0 || !strings.EqualFold(strings.Trim(id[0], `"`), authservID) {
			continue
		}
		for _, s := range statements[1:] {
			words := strings.Fields(strings.ReplaceAll(strings.ReplaceAll(strings.ToLower(s), " =", "="), "= ", "="))
			if len(words) == 0 || !strings.HasPrefix(words[0], "dmarc=") {
				continue
			}
			if words[0] != "dmarc=pass" || !aboutDomain(words[1:], domain) {
				return false
			}
			passed = true
		}
	}
	return passed
}

// aboutDomain says whether the properties of a result name the domain; a result that names none is about From anyway.
func aboutDomain(properties []string, domain string) bool {
	for _, p := range properties {
		if named, ok := strings.CutPrefix(p, "header.from="); ok {
			named = strings.Trim(named, `"`)
			return named[strings.LastIndexByte(named, '@')+1:] == domain
		}
	}
	return true
}

// withoutComments takes out what stands in parentheses, which may be nested.
func withoutComments(s string) string {
	var b strings.Builder
	depth := 0
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && depth > 0:
			i++
		case s[i] == '(':
			depth++
		case s[i] == ')' && depth > 0:
			depth--
			b.WriteByte(' ')
		case depth == 0:
			b.WriteByte(s[i])
		}
	}
	return b.String()
}
