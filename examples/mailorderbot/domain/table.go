package domain

import (
	"fmt"
	"strings"
	"unicode"
)

// What a table may hold. Orders are far smaller; whatever is larger is no order.
const (
	maxRows       = 2_000
	maxColumns    = 64
	maxTableBytes = 4 << 20 // of a CSV file, and of the text read from a workbook
	headerWithin  = 30      // rows from the top in which the header is looked for
)

// table is an order file as rows of cells, whatever it was written in.
type table struct {
	rows   []row
	broken string // why it cannot be read at all: the file is rejected
	doubt  string // why its rows cannot be trusted: the file goes to Review
}

type row struct {
	number int // as a person sees it: the line of a CSV file, the row of a sheet
	cells  []cell
}

// cell is one value. In a workbook, shown is what the customer sees ("04711") and raw what is stored ("4711"): article
// numbers count as shown, quantities as stored. In a CSV file both are the same.
type cell struct{ shown, raw string }

// at returns the cell in a column; an empty one where the row ends before it or the table has no such column.
func (r row) at(column int) cell {
	if column < 0 || column >= len(r.cells) {
		return cell{}
	}
	return r.cells[column]
}

// layout says where things stand in a table.
type layout struct {
	head                         int // index of the header row
	article, quantity, price, po int // columns, -1 where there is none
	doubt                        string
}

// find looks for the header: the first row with a column for the article and one for the quantity.
func (t table) find() (layout, bool) {
	for i, r := range t.rows[:min(len(t.rows), headerWithin)] {
		if l, ok := readLayout(r); ok {
			l.head = i
			return l, true
		}
	}
	return layout{}, false
}

func readLayout(r row) (layout, bool) {
	var l layout
	strong, weak := -1, -1
	for _, c := range []struct {
		column *int
		names  map[string]bool
		what   string
	}{
		{&strong, articleNumberNames, "the article number"},
		{&weak, articleNames, "the article"},
		{&l.quantity, quantityNames, "the quantity"},
		{&l.price, priceNames, "the price"},
		{&l.po, poNames, "the purchase order"},
	} {
		var twice bool
		*c.column, twice = column(r, c.names)
		// Where the number has a column of its own, "Article" is the description.
		if twice && (c.column != &weak || strong < 0) {
			l.doubt = fmt.Sprintf("two columns for %s", c.what)
		}
	}
	if l.article = strong; strong < 0 {
		l.article = weak
	}
	return l, l.article >= 0 && l.quantity >= 0
}

// column finds the first column with one of the names, and whether there is a second.
func column(r row, names map[string]bool) (first int, twice bool) {
	first = -1
	for i, c := range r.cells {
		switch {
		case !names[columnKey(c.shown)]:
		case first < 0:
			first = i
		default:
			twice = true
		}
	}
	return first, twice
}

// The names of columns, as columnKey writes them.
var (
	articleNumberNames = nameSet("articleno articlenumber articlenr articlecode artikelnr artikelnummer artikelno artnr artno " +
		"sku itemno itemnumber itemnr itemcode partno partnumber productno productnumber productcode materialnr materialnummer артикул кодтовара")
	articleNames  = nameSet("article artikel item product produkt material товар номенклатура")
	quantityNames = nameSet("quantity qty orderqty orderquantity menge bestellmenge anzahl stück stueck stk pieces pcs количество колво")
	priceNames    = nameSet("price unitprice netprice preis einzelpreis stückpreis nettopreis цена")
	poNames       = nameSet("po pono ponr ponumber purchaseorder purchaseorderno purchaseordernumber orderno ordernumber orderref " +
		"bestellnummer bestellnr bestellungnr bestellung auftragsnummer auftragsnr auftrag номерзаказа заказа заказ")
)

func nameSet(names string) map[string]bool {
	set := map[string]bool{}
	for _, name := range strings.Fields(names) {
		set[name] = true
	}
	return set
}

// columnKey reduces a column's title to its letters: "Art.-Nr." and "ART NR" are the same, "Menge (Stk.)" is "menge".
func columnKey(title string) string {
	title, _, _ = strings.Cut(cut(title, 60), "(")
	return strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) {
			return unicode.ToLower(r)
		}
		return -1
	}, title)
}
