package ipc

import "sync"

// Large buffers are used again: memory that is new to the process costs a fault
// for each of its pages, which takes longer than to copy a payload.
var spares sync.Pool // of *[]byte

// spareMax is the capacity up to which a buffer is kept.
const spareMax = 4 << 20

// Spare returns an empty buffer that was given to Recycle, for about n bytes: one
// that would hold more than twice as many, and MaxInline, is left to others. It
// returns nil if there is none.
func Spare(n uint64) []byte {
	b, ok := spares.Get().(*[]byte)
	if !ok {
		return nil
	}
	if uint64(cap(*b)) > 2*n+MaxInline {
		spares.Put(b)
		return nil
	}
	return (*b)[:0]
}

// Recycle gives a buffer away, such as the Body of a message that came in chunks,
// to be used for others. Nobody may use it afterwards. Small and very large ones
// are left to the garbage collector.
func Recycle(b []byte) {
	if cap(b) > MaxInline && cap(b) <= spareMax {
		spares.Put(&b)
	}
}
