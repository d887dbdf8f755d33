package queue

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
)

// batchBytes is how many bytes of frames one write is made of, at least, when so
// many are waiting: what a pipe holds by default.
const batchBytes = 64 << 10

// outlet is the putting half of a pipe. Putters stand in a line; the first of
// them leads: it frames what stands in the line, its own message and those of
// others, writes it, tells each whose bytes are all in the pipe, and hands the
// lead on when its own are. So concurrent puts share system calls, and a put
// that finds nobody there costs one.
//
// A message of which no byte is in the pipe can be recalled. One that is torn
// when its putter leaves goes on as an orphan, which a goroutine of its own sends.
type outlet struct {
	end *end

	mu      sync.Mutex
	line    line[*parcel] // whole, torn, in the buffer, and waiting ones, in this order
	leader  *parcel       // it alone touches buf and the end
	blocked bool          // the leader waits for room
	woken   bool          // and has been interrupted
	tries   int           // parcels in the line that do not wait for room
	buf     []byte        // frames; buf[:pos] is in the pipe
	pos     int
	closed  bool
	err     error // sticky
}

func newOutlet(e *end) *outlet { return &outlet{end: e} }

// put returns when the bytes of all messages are in the pipe. It returns how many
// of them, from the first, were taken.
func (o *outlet) put(ctx context.Context, msgs [][]byte) (int, error) {
	var one [1]*parcel
	ps := one[:0]
	var refused error
	o.mu.Lock()
	for _, msg := range msgs {
		p, err := o.enter(msg, false)
		if err != nil {
			refused = err
			break
		}
		ps = append(ps, p)
	}
	n := 0
	for i := range ps {
		err := o.see(ctx, ps[i:])
		switch {
		case err == nil:
			n++
		case refused == nil || n == i: // the first that failed says why
			refused = err
		}
	}
	o.mu.Unlock()
	return n, refused
}

// tryPut returns false if there was no room.
func (o *outlet) tryPut(ctx context.Context, msg []byte) (bool, error) {
	if o.end.raw == nil {
		return false, ErrUnsupported
	}
	o.mu.Lock()
	p, err := o.enter(msg, true)
	if err == nil {
		err = o.see(ctx, []*parcel{p})
	}
	o.mu.Unlock()
	if errors.Is(err, ErrFull) {
		return false, nil
	}
	return err == nil, err
}

// enter puts a message at the end of the line. The lock is held.
func (o *outlet) enter(msg []byte, try bool) (*parcel, error) {
	switch {
	case len(msg) > MaxItem:
		return nil, tooLarge(len(msg))
	case o.closed:
		return nil, ErrClosed
	case o.err != nil:
		return nil, o.err
	case try && o.blocked:
		return nil, ErrFull
	}
	p := newParcel(msg, try)
	o.line.push(&p.place)
	if try {
		o.tries++
	}
	if o.leader == nil {
		o.leader = p
	} else {
		p.woken = make(chan struct{}, 1)
	}
	return p, nil
}

// see sees the first of a batch of parcels through: it waits for its turn to
// lead, or for its end. The others stand behind it. The lock is held, and
// released meanwhile.
func (o *outlet) see(ctx context.Context, ps []*parcel) error {
	p := ps[0]
	if p.woken != nil {
		o.mu.Unlock()
		select {
		case <-p.woken:
			o.mu.Lock()
		case <-ctx.Done():
			o.mu.Lock()
			o.recall(ps)
			o.mu.Unlock()
			<-p.woken
			o.mu.Lock()
		}
	}
	if o.leader == p {
		o.lead(ctx, ps)
	}
	err := p.err
	p.release()
	if err == errRecalled {
		return ended(ctx)
	}
	return err
}

// recall asks for a batch of parcels back, all at once, so that none of them is
// sent when one before it is not.
func (o *outlet) recall(ps []*parcel) {
	for _, p := range ps {
		switch {
		case p.done:
		case p.inBuffer() || p == o.leader:
			p.recall = true
		default:
			o.line.remove(&p.place)
			o.finish(p, errRecalled)
		}
	}
	o.wake()
}

// wake makes a leader that waits for room look at its line again.
func (o *outlet) wake() {
	if o.blocked && !o.woken {
		o.woken = true
		o.end.interrupt()
	}
}

// finish tells the putter of p, which has left the line, how it ended.
func (o *outlet) finish(p *parcel, err error) {
	p.done, p.err = true, err
	if p.try {
		o.tries--
	}
	if p.sent != nil {
		close(p.sent)
	}
	if p != o.leader && p.sent == nil { // the leader is awake
		p.woken <- struct{}{}
	}
}

// lead writes until the first of a batch of parcels is done, and hands the lead
// on. It is called with the lock held, and releases it for every system call.
func (o *outlet) lead(ctx context.Context, ps []*parcel) {
	p := ps[0]
	for !p.done {
		if o.pos == len(o.buf) {
			o.frame()
		}
		o.mu.Unlock()
		n, err := o.end.write(o.buf[o.pos:], false)
		o.mu.Lock()
		o.sent(n, err)
		if err != errWouldBlock || p.done {
			continue
		}
		if ctx.Err() != nil {
			o.recall(ps)
		}
		o.sort()
		if !p.done && o.pos < len(o.buf) {
			o.wait(ctx, p)
		}
	}
	o.handOn()
}

// wait writes when there is room.
func (o *outlet) wait(ctx context.Context, p *parcel) {
	o.blocked = true
	stop := context.AfterFunc(ctx, func() {
		o.mu.Lock()
		defer o.mu.Unlock()
		if o.leader == p {
			o.wake()
		}
	})
	o.mu.Unlock()
	n, err := o.end.write(o.buf[o.pos:], true)
	stop()
	o.mu.Lock()
	o.blocked = false
	if o.woken {
		o.woken = false
		o.end.resume()
	}
	o.sent(n, err)
}

// handOn gives the lead to the next in the line.
func (o *outlet) handOn() {
	o.leader = nil
	head := o.line.head
	if head == nil {
		if o.closed || o.err != nil {
			o.end.close()
		}
		return
	}
	next := head.who
	o.leader = next
	if next.sent != nil { // an orphan has nobody to lead for it
		go func() {
			o.mu.Lock()
			defer o.mu.Unlock()
			o.lead(context.Background(), []*parcel{next})
		}()
		return
	}
	next.woken <- struct{}{}
}

// frame fills the empty buffer from the line.
func (o *outlet) frame() {
	o.buf, o.pos = o.buf[:0], 0
	o.line.head.who.start = 0 // where the rest of a torn one goes on
	for at := o.line.head; at != nil && len(o.buf) < batchBytes; {
		p := at.who
		if !p.inBuffer() {
			p.start = len(o.buf)
		}
		var n int
		o.buf, n = appendPart(o.buf, p.msg[p.framed:])
		p.framed += n
		if p.framed == len(p.msg) {
			p.whole, p.end = true, len(o.buf)
			at = at.next
			if o.end.raw == nil {
				// Such a write returns only when all is read: nobody must
				// wait for the bytes of those behind him.
				return
			}
		}
	}
}

// sent accounts for a write.
func (o *outlet) sent(n int, err error) {
	o.pos += n
	for at := o.line.head; at != nil; at = o.line.head {
		p := at.who
		if p.whole && p.end <= o.pos {
			o.line.remove(at)
			o.finish(p, nil)
			continue
		}
		if p.inBuffer() && p.start < o.pos {
			p.begun = true
		}
		break
	}
	if err == nil || err == errWouldBlock || errors.Is(err, os.ErrDeadlineExceeded) {
		return
	}
	if o.err == nil {
		o.err = fmt.Errorf("%w: %w", ErrLost, err)
	}
	o.drop(o.err)
	o.buf, o.pos = o.buf[:0], 0
}

// drop ends all that stand in the line.
func (o *outlet) drop(err error) {
	for at := o.line.head; at != nil; at = o.line.head {
		o.line.remove(at)
		o.finish(at.who, err)
	}
}

// sort is called when the pipe is full. It takes those out who do not want to
// wait for room: recalled ones, tries, and after Close all, but for one that is
// torn.
func (o *outlet) sort() {
	cut := len(o.buf)
	for at := o.line.head; at != nil; {
		p, next := at.who, at.next
		if !p.inBuffer() && o.tries == 0 {
			break // those behind it wait for room, or leave by themselves
		}
		var err error
		switch {
		case p.recall:
			err = errRecalled
		case p.try:
			err = ErrFull
		case o.closed:
			err = ErrClosed
		}
		switch {
		case err == nil || p.sent != nil:
		case p.begun && err == ErrClosed: // its putter waits for the rest
		case p.begun:
			orphan := p.orphan()
			o.line.replace(at, &orphan.place)
			o.finish(p, nil)
		default:
			if p.inBuffer() {
				cut = min(cut, p.start)
			}
			o.line.remove(at)
			o.finish(p, err)
		}
		at = next
	}
	if cut == len(o.buf) {
		return
	}
	// Those behind the first that left are framed again.
	o.buf = o.buf[:cut]
	for at := o.line.head; at != nil && at.who.inBuffer(); at = at.next {
		if p := at.who; p.start >= cut && !p.begun {
			p.framed, p.whole, p.start, p.end = 0, false, 0, 0
		}
	}
}

// flush waits until no orphan is left.
func (o *outlet) flush(ctx context.Context) error {
	o.mu.Lock()
	var sent chan struct{}
	if head := o.line.head; head != nil {
		sent = head.who.sent
	}
	o.mu.Unlock()
	if sent != nil {
		select {
		case <-sent:
		case <-ctx.Done():
			return ended(ctx)
		}
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	if errors.Is(o.err, ErrLost) {
		return o.err
	}
	return nil
}

// close refuses puts; the end is closed once no item is torn.
func (o *outlet) close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.closed {
		return nil
	}
	o.closed = true
	for at := o.line.head; at != nil; {
		p, next := at.who, at.next
		if !p.inBuffer() {
			o.line.remove(at)
			o.finish(p, ErrClosed)
		}
		at = next
	}
	o.wake()
	if o.leader == nil {
		return o.end.close()
	}
	return nil
}

// shutdown refuses puts and closes the end, whatever stands in the line.
func (o *outlet) shutdown() error {
	o.mu.Lock()
	o.closed = true
	if o.err == nil {
		o.err = ErrClosed
	}
	o.drop(ErrClosed)
	o.mu.Unlock()
	return o.end.close()
}
