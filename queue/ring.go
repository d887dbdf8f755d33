package queue

// ring is a growing ring buffer of messages. The zero value is empty.
type ring struct {
	buf  [][]byte // its length is zero or a power of two
	head int
	n    int
}

// keepRing is how many places an empty ring keeps.
const keepRing = 1024

func (r *ring) len() int { return r.n }

func (r *ring) push(msg []byte) {
	if r.n == len(r.buf) {
		grown := make([][]byte, max(16, 2*len(r.buf)))
		k := copy(grown, r.buf[r.head:])
		copy(grown[k:], r.buf[:r.head])
		r.buf, r.head = grown, 0
	}
	r.buf[(r.head+r.n)&(len(r.buf)-1)] = msg
	r.n++
}

// pop takes the oldest message of a ring that is not empty.
func (r *ring) pop() []byte {
	msg := r.buf[r.head]
	r.buf[r.head] = nil
	r.head = (r.head + 1) & (len(r.buf) - 1)
	r.n--
	if r.n == 0 && len(r.buf) > keepRing {
		*r = ring{}
	}
	return msg
}
