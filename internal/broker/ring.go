package broker

// ring is a growing ring buffer of items. The zero value is empty.
type ring struct {
	buf  [][]byte // its length is zero or a power of two
	head int
	n    int
}

// keepRing is how many places an empty ring keeps.
const keepRing = 1024

func (r *ring) len() int { return r.n }

func (r *ring) push(item []byte) {
	if r.n == len(r.buf) {
		grown := make([][]byte, max(16, 2*len(r.buf)))
		k := copy(grown, r.buf[r.head:])
		copy(grown[k:], r.buf[:r.head])
		r.buf, r.head = grown, 0
	}
	r.buf[(r.head+r.n)&(len(r.buf)-1)] = item
	r.n++
}

// pop takes the oldest item of a ring that is not empty.
func (r *ring) pop() []byte {
	item := r.buf[r.head]
	r.buf[r.head] = nil
	r.head = (r.head + 1) & (len(r.buf) - 1)
	r.n--
	if r.n == 0 && len(r.buf) > keepRing {
		*r = ring{}
	}
	return item
}
