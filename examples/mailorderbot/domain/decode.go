package domain

import (
	"cmp"
	"fmt"
	"mime"
	"strings"
)

// maxFaultsNamed is how many bad rows a reason names; it counts the others.
const maxFaultsNamed = 3

// Decode reads one file. Whatever is wrong with it is said by the sheet's verdict. It takes any part.
func (d *Desk) Decode(p Part) Sheet {
	p.Name = oneLine(p.Name)
	s := Sheet{Mail: p.Mail, File: p.Name, Verdict: p.Verdict}
	if p.Verdict != nil {
		return s
	}
	t, k := openTable(p)
	refused := cmp.Or(k.refusal(), t.broken)
	if refused != "" {
		s.Verdict = &Verdict{Folder: FolderRejected, Reason: p.Name + " " + refused, Answer: AnswerRejected}
		return s
	}
	order, faults, doubt := d.readOrder(p, t)
	switch {
	case doubt != "":
		s.Verdict = &Verdict{Folder: FolderReview, Reason: joinFaults(append(faults, p.Name+" "+doubt))}
	case len(faults) == 0:
		s.Order = &order
	case d.policy.Partial && len(order.Lines) > 0:
		s.Order, s.Notes = &order, faults
	default:
		s.Verdict = &Verdict{Folder: FolderReview, Reason: joinFaults(faults)}
	}
	return s
}

// openTable reads the file as what it is.
func openTable(p Part) (table, kind) {
	switch k := kindOf(p.Name, p.ContentType, p.Body); k {
	case kindWorkbook:
		return readWorkbook(p.Body), k
	case kindCSV, kindMaybeCSV, kindIgnored:
		_, params, _ := mime.ParseMediaType(p.ContentType)
		t := readCSV(p.Body, params["charset"])
		if _, ok := t.find(); !ok && k != kindCSV {
			return t, kindOther
		}
		return t, kindCSV
	default:
		return table{}, k
	}
}

// readOrder reads the lines of a table. faults are the rows that cannot be taken; doubt is what makes all of them doubtful.
func (d *Desk) readOrder(p Part, t table) (order Order, faults []string, doubt string) {
	l, ok := t.find()
	switch {
	case !ok:
		return order, nil, "has no header row with an article and a quantity"
	case t.doubt != "":
		return order, nil, t.doubt
	case l.doubt != "":
		return order, nil, fmt.Sprintf("row %d: %s", t.rows[l.head].number, l.doubt)
	}
	order = Order{Customer: p.Mail.Customer, File: p.Name}
	var po purchaseOrder
	for _, r := range t.rows[:l.head] {
		po.addAbove(r)
	}
	for _, r := range t.rows[l.head+1:] {
		if r.at(l.article).text() == "" && r.at(l.quantity).raw == "" {
			continue // a sum, a remark
		}
		po.add(r.at(l.po).text(), r.number)
		line, err := d.readLine(r, l)
		if err != nil {
			faults = append(faults, fmt.Sprintf("%s row %d: %s", p.Name, r.number, err))
			continue
		}
		order.Lines = append(order.Lines, line)
	}
	order.PO = cmp.Or(po.number, poInSubject(p.Mail.Subject))
	switch {
	case po.doubt != "":
		doubt = po.doubt
	case len(order.Lines)+len(faults) == 0:
		doubt = "has no order lines"
	case order.PO == "":
		doubt = "has no purchase-order number, nor has the subject"
	}
	return order, faults, doubt
}

// readLine checks one row against the catalogue.
func (d *Desk) readLine(r row, l layout) (Line, error) {
	number := r.at(l.article).text()
	if number == "" {
		return Line{}, fmt.Errorf("no article number")
	}
	article, ok := d.catalogue.Find(number)
	if !ok {
		return Line{}, fmt.Errorf("unknown article %s", quote(number))
	}
	asked := r.at(l.quantity).raw
	if asked == "" {
		return Line{}, fmt.Errorf("no quantity for %s", article.Number)
	}
	n, err := parseQuantity(asked)
	if err != nil {
		return Line{}, fmt.Errorf("quantity %w", err)
	}
	if n%article.Pack != 0 {
		return Line{}, fmt.Errorf("%d of %s is not a multiple of its pack of %d", n, article.Number, article.Pack)
	}
	if stated := r.at(l.price).raw; stated != "" {
		price, err := parsePrice(stated)
		if err != nil {
			return Line{}, fmt.Errorf("price %w", err)
		}
		if price != article.Price {
			return Line{}, fmt.Errorf("price %s of %s is not the catalogue's %s", price, article.Number, article.Price)
		}
	}
	return Line{Article: article.Number, Quantity: n, UnitPrice: article.Price, Row: r.number}, nil
}

// joinFaults makes one reason of several.
func joinFaults(faults []string) string {
	if more := len(faults) - maxFaultsNamed; more > 0 {
		return fmt.Sprintf("%s; and %d more", strings.Join(faults[:maxFaultsNamed], "; "), more)
	}
	return strings.Join(faults, "; ")
}
