package memory

import (
	"slices"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// A line gives tasks in the order of their places, whatever comes late and goes early, and each is where it believes to be.
func TestLineKeepsTheOrder(t *testing.T) {
	steps, late := 0, 0
	rapid.Check(t, func(t *rapid.T) {
		l := line{expiring: rapid.Bool().Draw(t, "expiring")}
		var all []*entry // in order
		seq := uint64(0)
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				seq++
				p := place{at: time.Duration(rapid.IntRange(0, 3).Draw(t, "at")) + time.Duration(seq/8), seq: seq}
				x := &entry{index: -1}
				x.place, x.expiry = p, p
				l.add(x)
				if x.index >= 0 {
					late++
				}
				at, _ := slices.BinarySearchFunc(all, x, func(a, b *entry) int {
					if a.place.before(b.place) {
						return -1
					}
					return 1
				})
				all = slices.Insert(all, at, x)
			},
			"take": func(t *rapid.T) {
				if x := l.first(); x != nil {
					l.remove(x)
					all = all[1:]
				}
			},
			"remove": func(t *rapid.T) {
				if len(all) == 0 {
					t.Skip()
				}
				i := rapid.IntRange(0, len(all)-1).Draw(t, "which")
				l.remove(all[i])
				all = slices.Delete(all, i, i+1)
			},
			"": func(t *rapid.T) {
				steps++
				switch first := l.first(); {
				case l.len() != len(all):
					t.Fatalf("%d in line, want %d", l.len(), len(all))
				case len(all) == 0 && first != nil, len(all) > 0 && first != all[0]:
					t.Fatal("the first is another one")
				case len(all) > 0 && (l.due(first.place.at-1) != nil || l.due(first.place.at) != first):
					t.Fatal("due at another instant")
				}
			},
		})
	})
	if steps < 500 || late < 20 {
		t.Errorf("only %d steps, %d came late", steps, late)
	}
}

// Gaps are closed up, so that one task which stays for long does not keep room for all that came and went behind it.
func TestLineClosesGaps(t *testing.T) {
	var l line
	add := func(i int) *entry {
		x := &entry{index: -1}
		x.place = place{at: time.Duration(i)}
		l.add(x)
		return x
	}
	stays := add(0)
	for i := range 100_000 {
		l.remove(add(i + 1))
	}
	if l.first() != stays || l.len() != 1 || cap(l.row) > 64 {
		t.Errorf("%d in line, room for %d", l.len(), cap(l.row))
	}
	var many []*entry
	for i := range 10_000 {
		many = append(many, add(200_000+i))
	}
	for _, x := range many {
		l.remove(x)
	}
	for i := range 30_000 {
		l.remove(add(300_000 + i))
	}
	if l.first() != stays || cap(l.row) > 4096 {
		t.Errorf("room for %d is kept for one", cap(l.row))
	}
}

func TestIndex(t *testing.T) {
	finds := 0
	rapid.Check(t, func(t *rapid.T) {
		x, want := newIndex(), map[string]*entry{}
		t.Repeat(map[string]func(*rapid.T){
			"add": func(t *rapid.T) {
				for range rapid.IntRange(1, 30).Draw(t, "many") {
					id := strconv.Itoa(rapid.IntRange(0, 200).Draw(t, "id"))
					if want[id] == nil {
						want[id] = &entry{}
						want[id].info.ID = id
						x.add(want[id], x.hash(id))
					}
				}
			},
			"remove": func(t *rapid.T) {
				for id, e := range want {
					if rapid.Bool().Draw(t, "go") {
						x.remove(e)
						delete(want, id)
					}
				}
			},
			"": func(t *rapid.T) {
				for i := range 201 {
					id := strconv.Itoa(i)
					if x.find(id) != want[id] {
						t.Fatalf("found another task for %s", id)
					}
					finds++
				}
				n := 0
				for e := range x.all() {
					if n++; want[e.info.ID] != e {
						t.Fatalf("%s should not be there", e.info.ID)
					}
				}
				if n != len(want) || x.size != n {
					t.Fatalf("%d tasks, size %d, want %d", n, x.size, len(want))
				}
			},
		})
	})
	if finds < 100_000 {
		t.Errorf("only %d looks", finds)
	}
}

func TestIndexShrinks(t *testing.T) {
	x := newIndex()
	var all []*entry
	for i := range 50_000 {
		e := &entry{}
		e.info.ID = strconv.Itoa(i)
		x.add(e, x.hash(e.info.ID))
		all = append(all, e)
	}
	large := len(x.chains)
	for _, e := range all[10:] {
		x.remove(e)
	}
	if large < 50_000 || len(x.chains) > 1024 || x.find("9") != all[9] {
		t.Errorf("%d chains of %d for ten tasks", len(x.chains), large)
	}
}
