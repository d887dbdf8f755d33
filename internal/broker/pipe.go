package broker

import (
	"io"
	"strconv"
	"sync"
)

// PipeEnd is one end of a pipe of messages that goes both ways. Each direction
// is a queue, bounded by MemoryLimit.
type PipeEnd struct {
	name    string
	in, out *Queue

	mu      sync.Mutex
	holders int
}

// NewPipe returns the two ends of a pipe.
func NewPipe(name string) (a, b *PipeEnd) {
	x, y := NewQueue(name, 0), NewQueue(name, 0)
	return &PipeEnd{name: name, in: x, out: y}, &PipeEnd{name: name, in: y, out: x}
}

// Name is what the pipe was called when it was made.
func (e *PipeEnd) Name() string { return e.name }

// Resource is what messages call it.
func (e *PipeEnd) Resource() string { return "pipe " + strconv.Quote(e.name) }

// Put sends a message. ErrClosed says that this end was closed, ErrLost that the
// other one was: nobody will get it.
func (e *PipeEnd) Put(t *Ticket, msg []byte) { e.out.Put(t, msg) }

// TryPut is Put that does not wait: false if there is no room.
func (e *PipeEnd) TryPut(msg []byte) (bool, error) { return e.out.TryPut(msg) }

// Get receives the next message of the other end: t.Item. io.EOF says that the
// other end was closed, and that all it sent was got; ErrClosed that this one was.
func (e *PipeEnd) Get(t *Ticket) { e.in.Get(t) }

// TryGet is Get that does not wait: false if there is nothing.
func (e *PipeEnd) TryGet() (msg []byte, ok bool, err error) { return e.in.TryGet() }

// TryGetBatch receives as many messages as there are, up to len(dst), and returns
// how many.
func (e *PipeEnd) TryGetBatch(dst [][]byte) (int, error) { return e.in.TryGetBatch(dst) }

// Close closes this end, for all that hold it: its calls are ErrClosed, what came
// and was not got is dropped, the other end gets what was sent, then io.EOF.
func (e *PipeEnd) Close() {
	e.out.end(ending{put: ErrClosed, get: io.EOF})
	e.in.end(ending{put: ErrLost, get: ErrClosed, drop: true})
}

// Remove ends the pipe, both ends of it: all who wait get cause, and so does every
// later request.
func (e *PipeEnd) Remove(cause error) {
	e.out.Remove(cause)
	e.in.Remove(cause)
}

// Retain notes that one more process holds this end.
func (e *PipeEnd) Retain() {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.holders++
}

// Release undoes one Retain; the last one closes the end. An end that was never
// retained is held by the process that made it, until it closes it.
func (e *PipeEnd) Release() {
	e.mu.Lock()
	e.holders--
	last := e.holders == 0
	e.mu.Unlock()
	if last {
		e.Close()
	}
}
