package queue

import (
	"bytes"
	"errors"
	"sync"
)

// parcel is one message on its way into a pipe, and the putter that waits for it.
// The outlet's lock guards it.
type parcel struct {
	place[*parcel]
	msg    []byte
	framed int  // bytes of msg that are in the outlet's buffer or were sent
	start  int  // where its frames begin in the buffer
	end    int  // where they end, once whole
	whole  bool // all of it is framed
	begun  bool // some of it is in the pipe: it can no longer be recalled

	try    bool // do not wait for room
	recall bool // the putter leaves, if none of it is in the pipe

	done  bool
	err   error
	woken chan struct{} // done, or to lead; nil if it leads from the start
	sent  chan struct{} // of an orphan: closed when it is done
}

// errRecalled marks a parcel whose putter's context ended; the putter knows more.
var errRecalled = errors.New("recalled")

var parcels = sync.Pool{New: func() any { return new(parcel) }}

func newParcel(msg []byte, try bool) *parcel {
	p := parcels.Get().(*parcel)
	*p = parcel{msg: msg, try: try}
	p.who = p
	return p
}

// release is called when nobody will wake p any more.
func (p *parcel) release() {
	p.msg, p.woken = nil, nil
	parcels.Put(p)
}

// inBuffer reports whether some of p has been framed.
func (p *parcel) inBuffer() bool { return p.framed > 0 || p.whole || p.begun }

// orphan returns the rest of a begun parcel, which goes on without its putter.
func (p *parcel) orphan() *parcel {
	o := &parcel{
		msg: bytes.Clone(p.msg[p.framed:]), start: p.start, end: p.end, whole: p.whole, begun: true,
		sent: make(chan struct{}),
	}
	o.who = o
	return o
}
