package memory

// linked is what the list needs of its elements: the two neighbours, kept inside the element.
type linked[E any] interface {
	*E
	links() *link[E]
}

type link[E any] struct {
	prev, next *E
}

// list is a doubly linked list of elements that are in at most one list at a time. The zero value is empty.
type list[E any, P linked[E]] struct {
	head, tail *E
	size       int
}

func (l *list[E, P]) pushBack(e *E) {
	P(e).links().prev = l.tail
	if l.tail == nil {
		l.head = e
	} else {
		P(l.tail).links().next = e
	}
	l.tail = e
	l.size++
}

func (l *list[E, P]) popFront() *E {
	e := l.head
	if e != nil {
		l.remove(e)
	}
	return e
}

// remove takes e out; it must be in this list.
func (l *list[E, P]) remove(e *E) {
	n := P(e).links()
	if n.prev == nil {
		l.head = n.next
	} else {
		P(n.prev).links().next = n.next
	}
	if n.next == nil {
		l.tail = n.prev
	} else {
		P(n.next).links().prev = n.prev
	}
	*n = link[E]{}
	l.size--
}
