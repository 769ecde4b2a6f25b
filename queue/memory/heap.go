package memory

import "time"

// place is a position in an order: by instant, then by arrival.
type place struct {
	at  time.Duration // since the engine was opened
	seq uint64
}

func (p place) before(q place) bool { return p.at < q.at || p.at == q.at && p.seq < q.seq }

// heapItem is told where it stands, so that it can be moved or removed; -1 means not in a heap.
type heapItem interface{ moved(index int) }

type heapSlot[E heapItem] struct {
	place
	item E
}

// heap gives items in the order of their places. The zero value is empty.
type heap[E heapItem] struct{ slots []heapSlot[E] }

func (h *heap[E]) len() int { return len(h.slots) }

// first is where the first item stands; the heap must not be empty.
func (h *heap[E]) first() place { return h.slots[0].place }

// due says whether the first item's instant has come.
func (h *heap[E]) due(now time.Duration) bool { return len(h.slots) > 0 && h.slots[0].at <= now }

func (h *heap[E]) push(item E, p place) {
	h.slots = append(h.slots, heapSlot[E]{p, item})
	h.up(len(h.slots) - 1)
}

func (h *heap[E]) pop() E {
	item := h.slots[0].item
	h.remove(0)
	return item
}

func (h *heap[E]) remove(index int) {
	last := len(h.slots) - 1
	h.slots[index].item.moved(-1)
	moved := h.slots[last]
	h.slots[last] = heapSlot[E]{}
	h.slots = h.slots[:last]
	if index < last {
		h.slots[index] = moved
		h.settle(index)
	}
	if cap(h.slots) > 1024 && len(h.slots) < cap(h.slots)/4 {
		h.slots = append(make([]heapSlot[E], 0, cap(h.slots)/2), h.slots...)
	}
}

// settle restores the order after the slot at index changed.
func (h *heap[E]) settle(index int) {
	if index > 0 && h.slots[index].before(h.slots[(index-1)/2].place) {
		h.up(index)
	} else {
		h.down(index)
	}
}

func (h *heap[E]) up(index int) {
	s := h.slots[index]
	for index > 0 {
		parent := (index - 1) / 2
		if !s.before(h.slots[parent].place) {
			break
		}
		h.put(index, h.slots[parent])
		index = parent
	}
	h.put(index, s)
}

func (h *heap[E]) down(index int) {
	s := h.slots[index]
	for {
		child := 2*index + 1
		if child >= len(h.slots) {
			break
		}
		if right := child + 1; right < len(h.slots) && h.slots[right].before(h.slots[child].place) {
			child = right
		}
		if !h.slots[child].before(s.place) {
			break
		}
		h.put(index, h.slots[child])
		index = child
	}
	h.put(index, s)
}

func (h *heap[E]) put(index int, s heapSlot[E]) {
	h.slots[index] = s
	s.item.moved(index)
}
