package queue

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
)

// readBytes is the size of the buffer that reads fill.
const readBytes = 64 << 10

// inlet is the getting half of a pipe. Getters stand in a line; the first of
// them leads: it reads, hands the items to those in the line in their order,
// and hands the lead on when it has its own. Nothing is read unless somebody
// waits for an item; what a read brought on top stays in buf for the next.
type inlet struct {
	end *end

	mu      sync.Mutex
	line    line[*seat]
	leader  *seat // it alone reads
	blocked bool  // the leader waits for bytes
	woken   bool  // and has been interrupted
	tries   int   // seats in the line that do not wait for bytes
	buf     []byte
	unread  []byte // part of buf
	parse   parser
	readErr error // what reads returned in the end
	err     error // sticky, once all whole items are taken
}

// seat is a getter that waits. The inlet's lock guards it.
type seat struct {
	place[*seat]
	buf   []byte // for the item, if it fits
	item  []byte
	try   bool
	done  bool
	err   error
	woken chan struct{} // done, or to lead; nil if it leads from the start
}

var seats = sync.Pool{New: func() any { return new(seat) }}

func newInlet(e *end) *inlet { return &inlet{end: e} }

// get returns the next item, in the capacity of buf if it fits there.
func (i *inlet) get(ctx context.Context, buf []byte, try bool) ([]byte, error) {
	if try && i.end.raw == nil {
		return nil, ErrUnsupported
	}
	i.mu.Lock()
	if try && i.blocked {
		i.mu.Unlock()
		return nil, ErrEmpty
	}
	s := seats.Get().(*seat)
	*s = seat{buf: buf, try: try}
	s.who = s
	i.line.push(&s.place)
	if try {
		i.tries++
	}
	if i.leader == nil {
		i.leader = s
	} else {
		s.woken = make(chan struct{}, 1)
		i.mu.Unlock()
		i.await(ctx, s) // returns with the lock held
	}
	if i.leader == s {
		i.lead(ctx, s)
	}
	i.mu.Unlock()
	item, err := s.item, s.err
	s.buf, s.item, s.woken = nil, nil, nil
	seats.Put(s)
	if err == errRecalled {
		err = ended(ctx)
	}
	return item, err
}

// await waits until s is done or leads. It takes the lock.
func (i *inlet) await(ctx context.Context, s *seat) {
	select {
	case <-s.woken:
		i.mu.Lock()
		return
	case <-ctx.Done():
		i.mu.Lock()
	}
	if !s.done && i.leader != s {
		i.line.remove(&s.place)
		i.finish(s, nil, errRecalled)
	}
	<-s.woken
}

// finish tells s, which has left the line, how it ended.
func (i *inlet) finish(s *seat, item []byte, err error) {
	s.item, s.done, s.err = item, true, err
	if s.try {
		i.tries--
	}
	if s != i.leader { // the leader is awake, or about to be
		s.woken <- struct{}{}
	}
}

// lead reads until s is done, and hands the lead on. It is called with the lock
// held, and releases it for every system call.
func (i *inlet) lead(ctx context.Context, s *seat) {
	for {
		i.serve()
		if s.done {
			break
		}
		if i.read(false) {
			continue
		}
		i.refuse(ctx, s)
		if s.done {
			break
		}
		i.wait(ctx, s)
	}
	i.leader = nil
	if head := i.line.head; head != nil {
		i.leader = head.who
		head.who.woken <- struct{}{}
	}
}

// refuse is called when nothing is there to be read: those who do not want to
// wait for it leave.
func (i *inlet) refuse(ctx context.Context, s *seat) {
	if ctx.Err() != nil {
		i.line.remove(&s.place)
		i.finish(s, nil, errRecalled)
	}
	for at := i.line.head; at != nil && i.tries > 0; {
		next := at.next
		if at.who.try {
			i.line.remove(at)
			i.finish(at.who, nil, ErrEmpty)
		}
		at = next
	}
}

// wait reads when there is something.
func (i *inlet) wait(ctx context.Context, s *seat) {
	i.blocked = true
	stop := context.AfterFunc(ctx, func() {
		i.mu.Lock()
		defer i.mu.Unlock()
		if i.blocked && i.leader == s && !i.woken {
			i.woken = true
			i.end.interrupt()
		}
	})
	i.read(true)
	stop()
	i.blocked = false
	if i.woken {
		i.woken = false
		i.end.resume()
	}
}

// read reads once, while it releases the lock. It returns false if there was
// nothing to be read.
func (i *inlet) read(wait bool) bool {
	if i.buf == nil {
		i.buf = make([]byte, readBytes)
	}
	i.mu.Unlock()
	n, err := i.end.read(i.buf, wait)
	i.mu.Lock()
	i.unread = i.buf[:n]
	if err == errWouldBlock || errors.Is(err, os.ErrDeadlineExceeded) {
		return false
	}
	if err != nil {
		i.readErr = err
	}
	return true
}

// serve hands what is there to those who wait for it. All that is whole is
// handed out before the end of the stream is.
func (i *inlet) serve() {
	for i.line.head != nil && i.err == nil {
		item, ok := i.next(i.line.head.who.buf)
		if !ok {
			break
		}
		s := i.line.head.who
		i.line.remove(&s.place)
		i.finish(s, item, nil)
	}
	if i.err == nil {
		return
	}
	for at := i.line.head; at != nil; at = i.line.head {
		i.line.remove(at)
		i.finish(at.who, nil, i.err)
	}
}

// next takes an item out of what has been read, into buf if it fits there, or
// finds that there will be none.
func (i *inlet) next(buf []byte) ([]byte, bool) {
	item, used, ok, owned, err := i.parse.next(i.unread)
	i.unread = i.unread[used:]
	switch {
	case err != nil:
		i.fail(err)
	case ok && owned:
		return item, true
	case ok:
		return append(buf[:0], item...), true
	case i.readErr == nil:
	case i.readErr != io.EOF:
		i.fail(fmt.Errorf("%w: %w", ErrLost, i.readErr))
	case i.parse.between():
		i.fail(ErrClosed)
	default:
		i.fail(fmt.Errorf("the other side ended inside an item: %w", ErrLost))
	}
	return nil, false
}

// fail ends the stream, and lets go of what it holds.
func (i *inlet) fail(err error) {
	i.err = err
	i.buf, i.unread, i.parse = nil, nil, parser{}
	i.end.close()
}

// more fills dst with items that are at hand and that nobody waits for.
func (i *inlet) more(dst [][]byte) int {
	i.mu.Lock()
	defer i.mu.Unlock()
	n := 0
	for n < len(dst) && i.leader == nil && i.err == nil {
		item, ok := i.next(dst[n])
		if !ok {
			break
		}
		dst[n] = item
		n++
	}
	return n
}

// shutdown drops what has been read, ends all who wait, and closes the end.
func (i *inlet) shutdown() error {
	i.mu.Lock()
	i.err = ErrClosed
	for at := i.line.head; at != nil; at = i.line.head {
		i.line.remove(at)
		i.finish(at.who, nil, i.err)
	}
	i.mu.Unlock()
	return i.end.close()
}
