package journal

// window holds old rows that were read and not matched yet, up to a bound. It
// finds one by its key, what is ok first. Which one of those that are ok does not
// matter.
type window struct {
	size int
	rows []candidate // grows to size
	free int32       // head of the list of free places, linked by next, +1
	live int
	good map[[16]byte]int32 // the first of a key that is ok
	bad  map[[16]byte]int32 // and that is not
}

// candidate is an old row.
type candidate struct {
	key     [16]byte
	row     int64
	index   int64
	job     int64
	stdout  int64
	segment int32 // −1 = not stored
	next    int32 // of the same key, +1; 0 = the last
	ok      bool
}

func newWindow(size int) window {
	return window{size: size, good: map[[16]byte]int32{}, bad: map[[16]byte]int32{}}
}

func (w *window) full() bool { return w.live == w.size }

func (w *window) add(c *candidate) {
	i := w.free - 1
	if i >= 0 {
		w.free = w.rows[i].next
	} else {
		i = int32(len(w.rows))
		w.rows = append(w.rows, candidate{})
	}
	w.rows[i] = *c
	w.rows[i].next = 0
	w.live++
	m := w.bad
	if c.ok {
		m = w.good
	}
	if first, found := m[c.key]; found {
		w.rows[i].next = w.rows[first].next
		w.rows[first].next = i + 1
	} else {
		m[c.key] = i
	}
}

// take removes a row of a key.
func (w *window) take(key [16]byte) (c candidate, found bool) {
	m := w.good
	i, found := m[key]
	if !found {
		m = w.bad
		if i, found = m[key]; !found {
			return c, false
		}
	}
	c = w.rows[i]
	if c.next == 0 {
		delete(m, key)
	} else {
		m[key] = c.next - 1
	}
	w.rows[i].next = w.free
	w.free = i + 1
	w.live--
	return c, true
}

// reset empties the window.
func (w *window) reset() {
	clear(w.good)
	clear(w.bad)
	w.rows, w.free, w.live = w.rows[:0], 0, 0
}
