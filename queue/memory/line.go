package memory

import "time"

// line keeps tasks in the order of their places: those that come in their turn in a row, which is sorted because they come in their turn, so that adding and
// taking cost the same with ten tasks and with a million; the others in a heap beside it. Whoever is removed from the middle leaves a gap, and the row is closed up
// when it is full. Its zero value, for the order in which tasks became due, is empty.
type line struct {
	expiring bool // the order is that in which leases end
	row      []*entry
	head     int   // what stands before it has gone
	size     int   // of the row, without gaps
	last     place // of whoever came last
	late     heap[*entry]
}

func (l *line) place(t *entry) place {
	if l.expiring {
		return t.expiry
	}
	return t.place
}

func (l *line) len() int { return l.size + l.late.len() }

func (l *line) add(t *entry) {
	p := l.place(t)
	if l.size > 0 && p.before(l.last) {
		l.late.push(t, p)
		return
	}
	if len(l.row) == cap(l.row) {
		l.closeUp()
	}
	t.at = len(l.row)
	l.row = append(l.row, t)
	l.last = p
	l.size++
}

// closeUp makes room in the row.
func (l *line) closeUp() {
	row := l.row[:0]
	if c := cap(l.row); l.size > c/2 || c > 1024 && l.size < c/8 {
		row = make([]*entry, 0, max(16, 2*l.size))
	}
	for _, t := range l.row[l.head:] {
		if t != nil {
			t.at = len(row)
			row = append(row, t)
		}
	}
	if len(row) < len(l.row) && cap(row) == cap(l.row) {
		clear(l.row[len(row):])
	}
	l.row, l.head = row, 0
}

// first is the next task, nil when there is none.
func (l *line) first() *entry {
	var t *entry
	if l.size > 0 {
		for l.row[l.head] == nil {
			l.head++
		}
		t = l.row[l.head]
	}
	if l.late.len() > 0 && (t == nil || l.late.first().before(l.place(t))) {
		return l.late.slots[0].item
	}
	return t
}

func (l *line) remove(t *entry) {
	if t.index >= 0 {
		l.late.remove(t.index)
		return
	}
	l.row[t.at] = nil
	if l.size--; l.size == 0 {
		l.row, l.head = l.row[:0], 0
	}
}

// due is the next task if its instant has come, else nil.
func (l *line) due(now time.Duration) *entry {
	if t := l.first(); t != nil && l.place(t).at <= now {
		return t
	}
	return nil
}
