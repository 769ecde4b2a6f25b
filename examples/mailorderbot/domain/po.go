package domain

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// maxPOLetters is the longest purchase-order number that is taken.
const maxPOLetters = 40

// purchaseOrder collects what a file says about its purchase-order number. All that it says must agree.
type purchaseOrder struct {
	number string
	doubt  string
}

func (p *purchaseOrder) add(number string, row int) {
	number = oneLine(number)
	switch {
	case number == "" || p.doubt != "":
	case len([]rune(number)) > maxPOLetters:
		p.doubt = fmt.Sprintf("row %d: purchase order %s is too long", row, quote(number))
	case p.number == "":
		p.number = number
	case !strings.EqualFold(p.number, number):
		p.doubt = fmt.Sprintf("row %d: purchase order %s after %s", row, quote(number), quote(p.number))
	}
}

// addAbove reads a number that stands above the table: "PO: 4711" in one cell, or "PO" in one and 4711 in the next.
func (p *purchaseOrder) addAbove(r row) {
	for i, c := range r.cells {
		title, value, _ := strings.Cut(c.shown, ":")
		if !poNames[columnKey(title)] {
			continue
		}
		for next := i + 1; strings.TrimSpace(value) == "" && next < len(r.cells); next++ {
			value = r.cells[next].text()
		}
		if value = oneLine(value); someDigit.MatchString(value) && !dateLike.MatchString(value) { // else a heading
			p.add(value, r.number)
		}
	}
}

// text is a number or name as the customer sees it. Long numbers are shown rounded ("4.00638E+12"): then it is what is stored.
func (c cell) text() string {
	if strings.Contains(c.shown, "E+") && strings.Trim(c.raw, "0123456789") == "" {
		return c.raw
	}
	return c.shown
}

var (
	joinedPO  = regexp.MustCompile(`(?i)^PO[-_/]?\d`)
	dateLike  = regexp.MustCompile(`^(\d{1,2}[./-]\d{1,2}[./-]\d{2,4}|\d{4}-\d{2}-\d{2})$`)
	someDigit = regexp.MustCompile(`\d`)
	idLike    = regexp.MustCompile(`^\pL.*\d.*\d.*\d|\d.*\d.*\d.*\d`)
)

// poInSubject finds the purchase-order number in a subject. It is "" when there is none, when there are several, and
// when a number may as well be a date or a count: "Order 100 boxes" names no order.
func poInSubject(subject string) string {
	words := strings.Fields(strings.NewReplacer(":", " ", "#", " ", "№", " ").Replace(subject))
	found := ""
	for i, w := range words {
		number := ""
		if w = trimWord(w); joinedPO.MatchString(w) {
			number = w
		} else {
			number = numberAfter(words, i)
		}
		switch {
		case number == "" || number == found:
		case found != "":
			return ""
		default:
			found = number
		}
	}
	return found
}

// numberAfter reads the number behind the label that words[i] may be, or "".
func numberAfter(words []string, i int) string {
	label := columnKey(words[i])
	if !poNames[label] && label != "order" {
		return ""
	}
	sure := label != "order" && label != "bestellung" && label != "auftrag" && label != "заказ"
	sure = sure || i > 0 && columnKey(words[i-1]) == "purchase"
	next := i + 1
	for next < len(words) && isNo(columnKey(words[next])) {
		sure = true
		next++
	}
	if next >= len(words) {
		return ""
	}
	number := trimWord(words[next])
	wanted := idLike
	if sure {
		wanted = someDigit
	}
	if !wanted.MatchString(number) || dateLike.MatchString(number) || len([]rune(number)) > maxPOLetters {
		return ""
	}
	return number
}

func isNo(key string) bool { return key == "no" || key == "nr" || key == "number" || key == "nummer" }

// trimWord takes off the punctuation around a word.
func trimWord(w string) string {
	return strings.TrimFunc(w, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
}
