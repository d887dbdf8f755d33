package broker

// line is a queue of tickets in the order in which they came. A place in it is
// part of the ticket, so that waiting allocates nothing and leaving from the
// middle is as cheap as from the front.
type line struct {
	head, tail *Ticket
	n          int
}

type place struct {
	prev, next *Ticket
}

func (l *line) empty() bool { return l.head == nil }

func (l *line) push(t *Ticket) {
	t.prev, t.next = l.tail, nil
	if l.tail != nil {
		l.tail.next = t
	} else {
		l.head = t
	}
	l.tail = t
	l.n++
}

func (l *line) remove(t *Ticket) {
	if t.prev != nil {
		t.prev.next = t.next
	} else {
		l.head = t.next
	}
	if t.next != nil {
		t.next.prev = t.prev
	} else {
		l.tail = t.prev
	}
	t.prev, t.next = nil, nil
	l.n--
}

// settleAll empties the line: everybody in it gets err.
func (l *line) settleAll(err error, out *settlements) {
	for t := l.head; t != nil; t = l.head {
		l.remove(t)
		t.leave()
		out.settle(t, err)
	}
}
