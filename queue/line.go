package queue

// line is a queue of those who wait, in the order in which they came. A place
// in it is part of the waiter, so that waiting allocates nothing and leaving
// from the middle is as cheap as from the front.
type line[W any] struct {
	head, tail *place[W]
}

type place[W any] struct {
	who        W
	prev, next *place[W]
	in         bool
}

func (l *line[W]) push(p *place[W]) {
	p.in = true
	p.prev, p.next = l.tail, nil
	if l.tail != nil {
		l.tail.next = p
	} else {
		l.head = p
	}
	l.tail = p
}

func (l *line[W]) remove(p *place[W]) {
	if p.prev != nil {
		p.prev.next = p.next
	} else {
		l.head = p.next
	}
	if p.next != nil {
		p.next.prev = p.prev
	} else {
		l.tail = p.prev
	}
	p.prev, p.next, p.in = nil, nil, false
}

// replace puts p where old stands.
func (l *line[W]) replace(old, p *place[W]) {
	p.prev, p.next, p.in = old.prev, old.next, true
	if p.prev != nil {
		p.prev.next = p
	} else {
		l.head = p
	}
	if p.next != nil {
		p.next.prev = p
	} else {
		l.tail = p
	}
	old.prev, old.next, old.in = nil, nil, false
}
