package memory

// link is a place in a list, kept inside the element. Its zero value is in no list.
type link[E any] struct {
	prev, next *link[E]
	of         *E // the element, while it is in a list
}

// list is a doubly linked list of elements that are in at most one list at a time. The zero value is empty.
type list[E any] struct {
	head, tail *link[E]
	size       int
}

// first is the element at the front, nil when there is none.
func (l *list[E]) first() *E {
	if l.head == nil {
		return nil
	}
	return l.head.of
}

func (l *list[E]) pushBack(n *link[E], of *E) {
	n.prev, n.of = l.tail, of
	if l.tail == nil {
		l.head = n
	} else {
		l.tail.next = n
	}
	l.tail = n
	l.size++
}

func (l *list[E]) popFront() *E {
	n := l.head
	if n == nil {
		return nil
	}
	of := n.of
	l.remove(n)
	return of
}

// remove takes n out; it must be in this list.
func (l *list[E]) remove(n *link[E]) {
	if n.prev == nil {
		l.head = n.next
	} else {
		n.prev.next = n.next
	}
	if n.next == nil {
		l.tail = n.prev
	} else {
		n.next.prev = n.prev
	}
	*n = link[E]{}
	l.size--
}
