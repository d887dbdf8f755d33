package ipc

import (
	"runtime"
	"syscall"
	"time"
)

// To block until the other process has written costs a wake-up of a sleeping
// processor, tens of microseconds. An answer that takes less is better waited for
// awake. The time is bounded, and waits that were in vain make further ones rare,
// so that a processor that others need is given to them.
const (
	spinLimit = 100 * time.Microsecond
	spinTries = 8   // reads between two looks at the clock
	spinEager = 8   // times as many are those of a wait that begins eagerly
	spinRare  = 256 // at most this many waits go by without one that is spent awake
)

// spinner waits for a pipe awake. The zero value never does.
type spinner struct {
	raw      syscall.RawConn
	expected func() bool // something is about to come
	rest     int         // waits to pass by
	penalty  int         // how many after the next failure
	eager    bool        // the next wait is to begin before others have had their turn
}

// Spin lets the reader wait awake, for at most 100 µs at a time, before it blocks,
// when expected says that something is about to come. It is asked by the
// goroutine that reads, after all others that were ready to run have run. Sources
// that the runtime cannot poll are read as before.
func (r *Reader) Spin(expected func() bool) {
	c, ok := r.src.(syscall.Conn)
	if !ok {
		return
	}
	raw, err := c.SyscallConn()
	if err != nil || !nonblocking(raw) {
		return
	}
	r.spin = spinner{raw: raw, expected: expected}
}

// read returns how many bytes came while it waited; 0 says to block.
func (s *spinner) read(p []byte) int {
	if s.raw == nil {
		return 0
	}
	if s.rest > 0 {
		s.rest--
		return 0
	}
	if s.eager {
		s.eager = false
		if n := s.glance(p); n > 0 {
			s.penalty = 0
			return n
		}
	}
	runtime.Gosched()
	if !s.expected() {
		return 0
	}
	n := 0
	s.raw.Read(func(fd uintptr) bool {
		start := time.Now()
		for {
			for range spinTries {
				if n = readNow(fd, p); n != 0 {
					return true
				}
			}
			giveWay()
			if time.Since(start) > spinLimit {
				return true
			}
		}
	})
	if n > 0 {
		s.penalty = 0
		return n
	}
	s.penalty = min(2*s.penalty+1, spinRare)
	s.rest = s.penalty
	return 0
}

// glance reads for the few microseconds that a peer takes which was waiting for
// what it has just been sent.
func (s *spinner) glance(p []byte) (n int) {
	s.raw.Read(func(fd uintptr) bool {
		for range spinEager {
			for range spinTries {
				if n = readNow(fd, p); n != 0 {
					return true
				}
			}
			giveWay()
		}
		return true
	})
	return max(n, 0)
}

// Eager makes the next wait begin awake, for a few microseconds, before other
// goroutines have their turn: for who has just answered a peer that asks again and
// again, and has woken nobody else.
func (r *Reader) Eager() { r.spin.eager = r.spin.raw != nil }
