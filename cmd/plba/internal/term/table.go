package term

import (
	"fmt"
	"strings"
)

// Cell is a text of a table.
type Cell struct {
	Text  string
	Style Style
}

// Table is rows under titles. Columns are as wide as they must be; when the terminal is narrower the last one is cut, and the one before it if need be.
type Table struct {
	titles []string
	rows   [][]Cell
}

// NewTable makes a table. A title that begins with > has its column to the right, as numbers have.
func NewTable(titles ...string) *Table { return &Table{titles: titles} }

// Row adds a row: a Cell, or anything else that is printed as it is. Rows may be shorter than the titles.
func (t *Table) Row(cells ...any) {
	row := make([]Cell, len(t.titles))
	for i, c := range cells {
		cell, ok := c.(Cell)
		if !ok {
			cell.Text = fmt.Sprint(c)
		}
		cell.Text = Clean(cell.Text)
		row[i] = cell
	}
	t.rows = append(t.rows, row)
}

const (
	gap       = "  "
	leastCut  = 12 // columns are not made narrower than that
	tableLeft = "  "
)

// Print writes the table, with an indent. Columns without any text are left out, and so is a table without rows.
func (t *Terminal) Print(table *Table) {
	if len(table.rows) == 0 {
		return
	}
	widths := table.widths(t.Width)
	line := func(cells []Cell) {
		text, room := "", 0
		for i, w := range widths {
			if w == 0 {
				continue
			}
			c := cells[i]
			shown := cut(c.Text, w)
			space := strings.Repeat(" ", w-columns(shown))
			if strings.HasPrefix(table.titles[i], ">") {
				text += strings.Repeat(" ", room) + space + t.Paint(c.Style, shown)
				room = 0
			} else {
				text += strings.Repeat(" ", room) + t.Paint(c.Style, shown)
				room = len(space)
			}
			room += len(gap)
		}
		fmt.Fprintln(t.Out, strings.TrimRight(tableLeft+text, " "))
	}
	titles := make([]Cell, len(table.titles))
	for i, title := range table.titles {
		titles[i] = Cell{strings.TrimPrefix(title, ">"), Faint}
	}
	line(titles)
	for _, row := range table.rows {
		line(row)
	}
}

// widths are those of the columns, 0 for one that is left out.
func (t *Table) widths(terminal int) []int {
	widths := make([]int, len(t.titles))
	total := len(tableLeft) - len(gap)
	for i, title := range t.titles {
		for _, row := range t.rows {
			widths[i] = max(widths[i], columns(row[i].Text))
		}
		if widths[i] > 0 {
			widths[i] = max(widths[i], columns(strings.TrimPrefix(title, ">")))
			total += len(gap) + widths[i]
		}
	}
	for i := len(widths) - 1; i >= 0 && terminal > 0 && total > terminal; i-- {
		if less := min(total-terminal, widths[i]-leastCut); less > 0 && !strings.HasPrefix(t.titles[i], ">") {
			widths[i] -= less
			total -= less
		}
	}
	return widths
}
