package domain

import (
	"fmt"
	"strings"
)

// Cents is an amount of money in hundredths of the catalogue's currency.
type Cents int64

// String writes the amount with two decimals.
func (c Cents) String() string {
	sign := ""
	if c < 0 {
		sign, c = "-", -c
	}
	return fmt.Sprintf("%s%d.%02d", sign, c/100, c%100)
}

// Line is one line of an order.
type Line struct {
	Article   string // as the catalogue spells it
	Quantity  int    // in single pieces, 1 or more
	UnitPrice Cents  // the catalogue's
	Row       int    // of the file, counted from 1
}

// Order is what one order file asks for.
type Order struct {
	Customer string // the customer's number
	PO       string // the customer's own number for this order; never empty
	File     string
	Lines    []Line // in the order of the file, never empty
}

// Total is the value of the order at the catalogue's prices.
func (o Order) Total() Cents {
	var sum Cents
	for _, l := range o.Lines {
		sum += l.UnitPrice * Cents(l.Quantity)
	}
	return sum
}

// String writes the order in one line: "4711: A-100×10; B-200×5".
func (o Order) String() string {
	var b strings.Builder
	b.WriteString(o.PO + ":")
	for i, l := range o.Lines {
		if i > 0 {
			b.WriteByte(';')
		}
		fmt.Fprintf(&b, " %s×%d", l.Article, l.Quantity)
	}
	return b.String()
}

// SamePO says whether two orders carry the same number of the same customer.
func (o Order) SamePO(p Order) bool {
	return o.Customer == p.Customer && strings.EqualFold(o.PO, p.PO)
}

// SameLines says whether two orders ask for the same quantities of the same articles, in whatever order and however split.
func (o Order) SameLines(p Order) bool {
	sum := make(map[string]int, len(o.Lines))
	for _, l := range o.Lines {
		sum[l.Article] += l.Quantity
	}
	for _, l := range p.Lines {
		sum[l.Article] -= l.Quantity
	}
	for _, n := range sum {
		if n != 0 {
			return false
		}
	}
	return true
}
