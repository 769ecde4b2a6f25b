package domain

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"strings"
)

// delimiters are tried in this order: the first under which the header of an order appears is the file's.
const delimiters = ";\t,|"

// readCSV reads a table from text in any charset and dialect. charset is what the sender says it is.
func readCSV(body []byte, charset string) table {
	if len(body) > maxTableBytes {
		return table{broken: "is larger than " + megabytes(maxTableBytes)}
	}
	text := decodeText(body, charset)
	if strings.ContainsRune(text, 0) {
		return table{broken: "is not text"}
	}
	text = strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")
	for _, d := range delimiters {
		t := splitCSV(text, d)
		if l, ok := t.find(); ok {
			return t.checkWidth(l)
		}
	}
	return table{}
}

// checkWidth doubts a table with a row that is wider than its header: a decimal comma may have been taken for a
// delimiter, and the cells behind it would count for something else.
func (t table) checkWidth(l layout) table {
	width := len(t.rows[l.head].cells)
	for _, r := range t.rows[l.head+1:] {
		for i := width; i < len(r.cells) && t.doubt == ""; i++ {
			if r.at(i).raw != "" {
				t.doubt = fmt.Sprintf("row %d: more columns than the header has", r.number)
			}
		}
	}
	return t
}

// splitCSV reads text under one delimiter. Quotation marks that do not follow the rules (5" pipe) are taken literally, but
// when that makes a field run over a line's end, a row may have vanished in it: then the rows cannot be trusted.
func splitCSV(text string, delimiter rune) table {
	t, err := csvRows(text, delimiter, false)
	if err == nil {
		return t
	}
	t, err = csvRows(text, delimiter, true)
	if err != nil {
		return table{broken: "cannot be read as a table"}
	}
	for _, r := range t.rows {
		for _, c := range r.cells {
			if strings.Contains(c.raw, "\n") {
				t.doubt = fmt.Sprintf("row %d: a quotation mark is not closed", r.number)
				return t
			}
		}
	}
	return t
}

func csvRows(text string, delimiter rune, lazy bool) (table, error) {
	in := csv.NewReader(strings.NewReader(text))
	in.Comma = delimiter
	in.FieldsPerRecord = -1
	in.LazyQuotes = lazy
	var t table
	for {
		fields, err := in.Read()
		if errors.Is(err, io.EOF) {
			return t, nil
		}
		if err != nil {
			return table{}, err
		}
		line, _ := in.FieldPos(0)
		if t = t.with(line, fields, fields); t.broken != "" {
			return t, nil
		}
	}
}

// with adds a row, unless it is empty, and sees to the limits.
func (t table) with(number int, shown, raw []string) table {
	r := row{number: number, cells: make([]cell, 0, len(shown))}
	for i := range min(max(len(shown), len(raw)), maxColumns) {
		r.cells = append(r.cells, cell{strings.TrimSpace(element(shown, i)), strings.TrimSpace(element(raw, i))})
	}
	if empty(shown) && empty(raw) {
		return t
	}
	switch {
	case len(t.rows) == maxRows:
		t.broken = fmt.Sprintf("has more than %d rows", maxRows)
	case !empty(shown[min(len(shown), maxColumns):]):
		t.broken = fmt.Sprintf("has more than %d columns", maxColumns)
	default:
		t.rows = append(t.rows, r)
	}
	return t
}

func element(values []string, i int) string {
	if i < len(values) {
		return values[i]
	}
	return ""
}

func empty(values []string) bool {
	for _, v := range values {
		if strings.TrimSpace(v) != "" {
			return false
		}
	}
	return true
}
