package domain

import (
	"fmt"
	"path"
	"strings"
)

// Parse opens a mail. It returns the files that are to be decoded, or one part with the verdict when the mail's header
// or its structure has already decided about it. It takes any bytes.
func (d *Desk) Parse(raw Raw) []Part {
	h := readHeader(raw.Bytes)
	mail := d.envelope(raw.Ref, h)
	only := func(v *Verdict) []Part { return []Part{{Mail: mail, Verdict: v}} }

	if v := d.atTheDoor(raw, h, mail); v != nil {
		return only(v)
	}
	// From here on the sender is a customer and authenticated, so that a rejection may be answered.
	all, err := leaves(raw.Bytes)
	if err != nil {
		return only(&Verdict{Folder: FolderRejected, Reason: err.Error(), Answer: AnswerRejected})
	}
	parts := orderFiles(mail, all)
	switch {
	case len(parts) == 0:
		return only(&Verdict{Folder: FolderReview, Reason: reasonNothing})
	case len(parts) > maxOrderFiles:
		return only(&Verdict{Folder: FolderReview, Reason: fmt.Sprintf("more than %d files are attached", maxOrderFiles)})
	}
	return parts
}

func (d *Desk) envelope(ref MailRef, h header) Envelope {
	mail := Envelope{Ref: ref, From: h.sender(), Subject: h.text("subject"), MessageID: h.messageID()}
	if c, ok := d.customers.Find(mail.From); ok && mail.From != "" {
		mail.Customer, mail.CustomerName = c.Number, c.Name
	}
	return mail
}

// atTheDoor decides what the header alone can decide.
func (d *Desk) atTheDoor(raw Raw, h header, mail Envelope) *Verdict {
	if raw.Ref.Duplicate {
		return &Verdict{Folder: FolderProcessed, Reason: reasonDuplicate}
	}
	if v := d.automatic(h, mail.From); v != nil {
		return v
	}
	stranger := d.stranger(h, mail)
	switch {
	case max(raw.Ref.Oversize, int64(len(raw.Bytes))) > d.policy.MaxMailBytes, raw.Ref.Oversize > 0:
		v := &Verdict{Folder: FolderRejected, Reason: "the mail is larger than " + megabytes(d.policy.MaxMailBytes), Answer: AnswerRejected}
		if stranger != nil {
			v.Answer = AnswerNone
		}
		return v
	case len(raw.Bytes) == 0:
		return &Verdict{Folder: FolderRejected, Reason: reasonEmpty}
	}
	return stranger
}

// megabytes writes a limit as people do: "25 MB"; one that is no whole number of megabytes in bytes.
func megabytes(n int64) string {
	if n >= 1<<20 && n%(1<<20) == 0 {
		return fmt.Sprintf("%d MB", n>>20)
	}
	return fmt.Sprintf("%d bytes", n)
}

// orderFiles picks the leaves that may hold an order, or that somebody may believe to hold one, and gives them names
// that are unique within the mail.
func orderFiles(mail Envelope, all []leaf) []Part {
	var parts []Part
	taken := map[string]bool{}
	for _, l := range all {
		name := baseName(l.name)
		k := kindOf(name, l.contentType, l.body)
		if k == kindMaybeCSV {
			k = settle(l, name)
		}
		if k == kindIgnored {
			continue
		}
		if name == "" {
			name = "attachment" + extension(k)
		}
		parts = append(parts, Part{Mail: mail, Name: unique(name, taken), ContentType: l.label(), Body: l.body})
		if len(parts) > maxOrderFiles {
			break
		}
	}
	return parts
}

// settle decides about text that is not labelled as a table. A body is no file. An attached text is an order when it has
// the header of one; otherwise it is a notice that some gateway added, unless its label says that a program wrote it.
func settle(l leaf, name string) kind {
	text := l.contentType == "text/plain" || l.contentType == ""
	if text && name == "" && !l.attached {
		return kindIgnored
	}
	if _, ok := readCSV(l.body, l.charset).find(); ok {
		return kindCSV
	}
	if text || strings.EqualFold(path.Ext(name), ".txt") {
		return kindIgnored
	}
	return kindOther
}

func extension(k kind) string {
	switch k {
	case kindCSV:
		return ".csv"
	case kindWorkbook:
		return ".xlsx"
	case kindPDF:
		return ".pdf"
	default:
		return ""
	}
}

// unique returns name, or name with a number when the mail has another file of that name.
func unique(name string, taken map[string]bool) string {
	ext := path.Ext(name)
	stem := strings.TrimSuffix(name, ext)
	for n := 2; taken[strings.ToLower(name)]; n++ {
		name = fmt.Sprintf("%s (%d)%s", stem, n, ext)
	}
	taken[strings.ToLower(name)] = true
	return name
}
