package memory

import (
	"cmp"
	"slices"
	"testing"
	"time"

	"pgregory.net/rapid"
)

type thing struct {
	place place
	index int
}

func (h *thing) moved(index int) { h.index = index }

// TestHeap does to a heap what is done to a sorted list, with sizes at which its memory shrinks again.
func TestHeap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var h heap[*thing]
		var all []*thing
		seq := uint64(0)
		newPlace := func() place {
			seq++
			return place{time.Duration(rapid.IntRange(0, 50).Draw(t, "at")), seq}
		}
		gone := func(x *thing) {
			all = slices.DeleteFunc(all, func(y *thing) bool { return x == y })
			if x.index != -1 {
				t.Fatalf("a removed item believes to be at %d", x.index)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"push": func(t *rapid.T) {
				x := &thing{place: newPlace()}
				all = append(all, x)
				h.push(x, x.place)
			},
			"pop": func(t *rapid.T) {
				if len(all) == 0 {
					t.Skip()
				}
				first := slices.MinFunc(all, byPlace)
				if h.first() != first.place || !h.due(first.place.at) || h.due(first.place.at-1) {
					t.Fatalf("first is %v, expected %v", h.first(), first.place)
				}
				if x := h.pop(); x != first {
					t.Fatalf("popped %v, expected %v", x.place, first.place)
				}
				gone(first)
			},
			"remove": func(t *rapid.T) {
				if len(all) == 0 {
					t.Skip()
				}
				x := rapid.SampledFrom(all).Draw(t, "item")
				h.remove(x.index)
				gone(x)
			},
			"": func(t *rapid.T) {
				if h.len() != len(all) {
					t.Fatalf("%d items, expected %d", h.len(), len(all))
				}
				for _, x := range all {
					if h.slots[x.index].item != x || h.slots[x.index].place != x.place {
						t.Fatalf("item %v is not where it believes to be", x.place)
					}
				}
			},
		})
	})
}

func byPlace(a, b *thing) int {
	return cmp.Or(cmp.Compare(a.place.at, b.place.at), cmp.Compare(a.place.seq, b.place.seq))
}

func TestHeapShrinks(t *testing.T) {
	var h heap[*thing]
	const n = 10_000
	for i := range n {
		h.push(new(thing), place{at: time.Duration((i * 7919) % n)})
	}
	large := cap(h.slots)
	for i := range n {
		if at := h.first().at; at != time.Duration(i) {
			t.Fatalf("item %d is at %d", i, at)
		}
		h.pop()
	}
	if cap(h.slots) > large/4 {
		t.Errorf("room for %d items is kept of %d", cap(h.slots), large)
	}
}

// Taking from the ready tasks must not get slower with their number, so those that come in their turn stay out of the heap.
func TestTasksInTheirTurnStayInLine(t *testing.T) {
	var r readyTasks
	for i := range 100 {
		r.add(&entry{index: -1, progress: progress{place: place{at: time.Duration(i / 3), seq: uint64(i)}}})
	}
	l := r.level(0)
	if l.size != 100 || l.late.len() != 0 {
		t.Errorf("%d in line, %d in the heap", l.size, l.late.len())
	}
}
