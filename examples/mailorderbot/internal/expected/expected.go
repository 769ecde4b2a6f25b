// Package expected reads the table that says what must become of every sample mail: testdata/expected.csv. The table is
// kept by hand; its notation is described in testdata/README.md. Tests of several packages compare what they did with it.
package expected

import (
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Oversized is the name of the row for the mail that is not a file: one larger than the bot reads, made when needed.
const Oversized = "(oversized)"

// Row says what must become of one mail.
type Row struct {
	Mail   string // the file's name, or Oversized
	Folder string // Processed, Rejected or Review
	Reason string // exactly; empty when all was taken as it came
	Orders []Order
}

// Order is one order that must have been stored.
type Order struct {
	PO    string
	Lines []Line
}

// Line is one line of an order.
type Line struct {
	Article  string
	Quantity int
}

// String writes the order in the table's notation: "4711: A-100×10; B-200×5".
func (o Order) String() string {
	lines := make([]string, len(o.Lines))
	for i, l := range o.Lines {
		lines[i] = fmt.Sprintf("%s×%d", l.Article, l.Quantity)
	}
	return o.PO + ": " + strings.Join(lines, "; ")
}

// Notation writes the row's orders as the table does, "" for none.
func (r Row) Notation() string {
	orders := make([]string, len(r.Orders))
	for i, o := range r.Orders {
		orders[i] = o.String()
	}
	return strings.Join(orders, " | ")
}

// Read reads the table: CSV with the columns mail, folder, reason and orders. Its errors name the line, all at once.
func Read(r io.Reader) ([]Row, error) {
	in := csv.NewReader(r)
	in.FieldsPerRecord = 4
	records, err := in.ReadAll()
	if err != nil {
		return nil, fmt.Errorf("expected.csv: %w", err)
	}
	if len(records) == 0 || !slices.Equal(records[0], []string{"mail", "folder", "reason", "orders"}) {
		return nil, errors.New("expected.csv: the first line must be mail,folder,reason,orders")
	}
	var rows []Row
	var faults []error
	known := map[string]bool{}
	for i, f := range records[1:] {
		row, err := readRow(f)
		if err == nil && known[row.Mail] {
			err = errors.New("the mail is there twice")
		}
		if err != nil {
			faults = append(faults, fmt.Errorf("expected.csv record %d (%s): %w", i+2, f[0], err))
		}
		known[row.Mail] = true
		rows = append(rows, row)
	}
	return rows, errors.Join(faults...)
}

func readRow(f []string) (Row, error) {
	row := Row{Mail: f[0], Folder: f[1], Reason: f[2]}
	if !slices.Contains([]string{"Processed", "Rejected", "Review"}, row.Folder) {
		return row, fmt.Errorf("folder %q is none of Processed, Rejected, Review", row.Folder)
	}
	if f[3] == "" {
		return row, nil
	}
	for text := range strings.SplitSeq(f[3], "|") {
		o, err := readOrder(strings.TrimSpace(text))
		if err != nil {
			return row, err
		}
		row.Orders = append(row.Orders, o)
	}
	return row, nil
}

var line = regexp.MustCompile(`^(\S.*)×([1-9][0-9]*)$`)

func readOrder(text string) (Order, error) {
	po, list, ok := strings.Cut(text, ": ")
	if !ok || po == "" {
		return Order{}, fmt.Errorf("order %q is not of the form PO: article×quantity; …", text)
	}
	o := Order{PO: po}
	for item := range strings.SplitSeq(list, ";") {
		m := line.FindStringSubmatch(strings.TrimSpace(item))
		if m == nil {
			return Order{}, fmt.Errorf("line %q of order %s is not of the form article×quantity", item, po)
		}
		n, err := strconv.Atoi(m[2])
		if err != nil {
			return Order{}, fmt.Errorf("line %q of order %s: %w", item, po, err)
		}
		o.Lines = append(o.Lines, Line{Article: m[1], Quantity: n})
	}
	return o, nil
}
