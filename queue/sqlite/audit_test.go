package sqlite

import (
	"context"
	"fmt"
	"maps"
)

// audit compares what the engine keeps in memory with what is in the file.
func audit(t interface {
	Helper()
	Errorf(format string, args ...any)
}, e *engine) {
	t.Helper()
	var wrong []string
	check := func(what string, memory, file any) {
		if fmt.Sprint(memory) != fmt.Sprint(file) {
			wrong = append(wrong, fmt.Sprintf("%s: in memory %v, in the file %v", what, memory, file))
		}
	}
	err := e.ask(context.Background(), &request{engine: e, do: func(b *batch) (bool, error) {
		wrong = nil
		filed := &engine{store: e.store, id: e.id, name: e.name, groups: map[string]group{}}
		filed.touched = b // a stranger to the batch: nothing to put back
		filed.loadCounts(b)
		filed.loadGroups(b)
		leases := map[string]int64{}
		for _, s := range []state{running, undoing} {
			for _, t := range b.rows(leasedRows, e.id, int64(s)) {
				leases[t.id] = t.lease
				filed.leased++
				if t.group != "" {
					g := filed.groups[t.group]
					g.leased++
					filed.groups[t.group] = g
				}
			}
		}
		held := map[string]int64{}
		for id, h := range e.leases.carry(0) {
			held[id] = h.task.lease
			row, _ := e.find(b, id)
			check("leased task "+id, h.task, row)
		}
		memory, file := e.counts, filed.counts
		memory[0], file[0] = 0, 0
		check("states", memory, file)
		check("stands", e.stands[waiting:], filed.stands[waiting:])
		check("leased", e.leased, filed.leased)
		check("leases", held, leases)
		if !maps.Equal(e.groups, filed.groups) {
			check("groups", e.groups, filed.groups)
		}
		if first := e.firstDue(b); e.nextDue > first {
			check("next due", e.nextDue, first)
		}
		return true, nil
	}})
	if err != nil {
		t.Errorf("audit: %v", err)
	}
	for _, w := range wrong {
		t.Errorf("%s", w)
	}
}
