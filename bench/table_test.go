package bench

import (
	"fmt"
	"io"
	"slices"
	"text/tabwriter"
)

// table gathers figures: rows in the order of their first one, a column for each side.
type table struct {
	rows    []string
	figures map[[2]string][]float64
}

func (t *table) add(row, side string, figure float64) {
	if !slices.Contains(t.rows, row) {
		t.rows = append(t.rows, row)
	}
	if t.figures == nil {
		t.figures = map[[2]string][]float64{}
	}
	t.figures[[2]string{row, side}] = append(t.figures[[2]string{row, side}], figure)
}

// print writes medians, least and most of each, and the ratio of the medians.
func (t *table) print(to io.Writer) {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	line := func(format string, args ...any) { _, _ = fmt.Fprintf(w, format, args...) }
	line("\t%s\t%s\tratio\n", "plba", "River")
	for _, row := range t.rows {
		ours, theirs := t.figures[[2]string{row, "plba"}], t.figures[[2]string{row, "River"}]
		line("%s\t%s\t%s\t", row, spread(ours), spread(theirs))
		if len(ours) > 0 && len(theirs) > 0 {
			line("%.2f", median(ours)/median(theirs))
		}
		line("\n")
	}
	_ = w.Flush()
}

func spread(figures []float64) string {
	if len(figures) == 0 {
		return ""
	}
	return fmt.Sprintf("%s (%s to %s)", short(median(figures)), short(slices.Min(figures)), short(slices.Max(figures)))
}

// short has three digits or so.
func short(f float64) string {
	if f < 100 {
		return fmt.Sprintf("%.2f", f)
	}
	return fmt.Sprintf("%.0f", f)
}

func median(figures []float64) float64 {
	sorted := slices.Sorted(slices.Values(figures))
	n := len(sorted)
	return (sorted[(n-1)/2] + sorted[n/2]) / 2
}
