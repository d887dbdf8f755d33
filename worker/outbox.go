package worker

import (
	"io"
	"sync"
	"syscall"
	"time"

	"github.com/feac4032/multiproc/ipc"
)

const (
	// flushAt is how much of the ring may be held back while jobs go on.
	flushAt = ipc.RingSize / 4

	// holdTick is half of the time for which a frame may be held back.
	holdTick = 500 * time.Microsecond

	// idleTicks is how long the flusher keeps its timer without having anything
	// to do, so that a steady flow of jobs does not start it anew each time.
	idleTicks = 8
)

// outbox is the worker's stream of frames to its supervisor. A frame is first
// appended to a ring, which is the supervisor's too if there is a shared page,
// and written to the pipe later, together with others.
//
// Offsets count the bytes of the stream from the ready frame on. The ring holds
// [sent, end); a part of it is used again only when the pipe has taken it, so
// that pipe and ring together always hold the whole stream.
type outbox struct {
	w    io.Writer
	raw  syscall.RawConn // of w, for writes that do not block; nil if it has none
	page *ipc.Page       // nil: the ring is private, and nothing is held back
	ring []byte

	mu      sync.Mutex
	room    sync.Cond // sent has moved, writing or wide has been cleared, or err is set
	end     uint64
	sent    uint64
	writing bool   // somebody is in a write of [sent, …)
	wide    bool   // frames are being written past the ring
	late    []byte // frames of putNow that found no room
	ticking bool   // the flusher watches the ring
	watched bool   // it was asked to go on since the last tick
	err     error  // sticky: the pipe's
	failed  chan struct{}
	handed  chan struct{} // to the writer: it owns writing
	watch   chan struct{} // to the flusher: something is held back
	quit    chan struct{}

	// ticked is called at each tick of the flusher, and says whether there is to be
	// another although nothing is held back; nil = nobody is. It is set before the
	// first put.
	ticked func() bool
}

// newOutbox starts the two goroutines that shut ends.
func newOutbox(w io.Writer, page *ipc.Page) *outbox {
	o := &outbox{
		w: w, page: page,
		failed: make(chan struct{}),
		handed: make(chan struct{}, 1),
		watch:  make(chan struct{}, 1),
		quit:   make(chan struct{}),
	}
	o.room.L = &o.mu
	if page != nil {
		o.ring = page.Ring()
	} else {
		o.ring = make([]byte, ipc.RingSize)
	}
	if sc, ok := w.(syscall.Conn); ok {
		if raw, err := sc.SyscallConn(); err == nil {
			o.raw = raw
		}
	}
	go o.write()
	go o.tick()
	return o
}

// shut ends the goroutines, without waiting: one that is in a write ends with
// the pipe.
func (o *outbox) shut() { close(o.quit) }

// failure is why the pipe takes no more, nil if it does.
func (o *outbox) failure() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.err
}

// put appends a frame; it blocks while the ring is full. It fails with ErrNoJob,
// and does nothing, if the frame belongs to a job that has been answered; last
// makes this frame the job's answer. j may be nil.
func (o *outbox) put(frame []byte, j *jobContext, last bool) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.err == nil && !o.takes(len(frame)) {
		o.send()
		if o.err == nil && !o.takes(len(frame)) {
			o.room.Wait()
		}
	}
	if o.err != nil {
		return o.err
	}
	if j != nil {
		if j.answered {
			return ErrNoJob
		}
		j.answered = last
	}
	if len(frame) > len(o.ring) {
		return o.putPast([][]byte{frame})
	}
	o.append(frame)
	switch {
	case o.page == nil || o.end-o.sent >= flushAt:
		o.send()
	case !o.ticking:
		o.ticking = true
		o.watch <- struct{}{}
	}
	return nil
}

// putChunks writes up to ipc.MaxChunks chunks of the front of payload.
func (o *outbox) putChunks(c *ipc.Chunks, id uint64, payload []byte) error {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.putPast(c.Cut(id, payload))
}

// putPast writes frames from where they are, and blocks until the pipe has taken
// them: the ring could not save what is larger than itself. Meanwhile nobody
// else appends. In the page the stream goes no further than the pipe's does. The
// caller holds mu, which is released meanwhile.
func (o *outbox) putPast(parts [][]byte) error {
	for o.err == nil && (o.wide || o.writing || len(o.late) > 0 || o.sent < o.end) {
		o.send()
		if o.err == nil && (o.wide || o.writing) {
			o.room.Wait()
		}
	}
	if o.err != nil {
		return o.err
	}
	o.wide, o.writing = true, true
	o.mu.Unlock()
	n, err := o.writeParts(parts)
	o.mu.Lock()
	o.wide, o.writing = false, false
	o.end += uint64(n)
	if o.page != nil {
		o.page.SetEnd(o.end)
	}
	o.wrote(n, err)
	o.send()
	o.room.Broadcast()
	return o.err
}

// writeParts returns how many bytes of parts were written.
func (o *outbox) writeParts(parts [][]byte) (n int, err error) {
	if o.raw != nil {
		return ipc.WriteParts(o.raw, parts)
	}
	for _, p := range parts {
		m, err := o.w.Write(p)
		if n += m; err != nil {
			return n, err
		}
	}
	return n, nil
}

// putNow appends a frame without ever blocking, for the goroutine that reads:
// if it waited for the supervisor, and that for the worker, both would wait for
// ever. What the supervisor has asked for bounds how much can wait here.
func (o *outbox) putNow(frame []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.err != nil {
		return
	}
	if len(frame) > o.free() || !o.takes(len(frame)) {
		o.late = append(o.late, frame...)
	} else {
		o.append(frame)
	}
	o.send()
}

// takes reports whether a frame of n bytes may be put now. One that is larger than
// the ring goes past it.
func (o *outbox) takes(n int) bool {
	return !o.wide && len(o.late) == 0 && (n <= o.free() || n > len(o.ring))
}

func (o *outbox) free() int { return len(o.ring) - int(o.end-o.sent) }

// append copies to the ring, which has room, and publishes. The caller holds mu.
func (o *outbox) append(p []byte) {
	at := int(o.end % uint64(len(o.ring)))
	n := copy(o.ring[at:], p)
	copy(o.ring, p[n:])
	o.end += uint64(len(p))
	if o.page != nil {
		o.page.SetEnd(o.end)
	}
}

// spill moves late frames to the ring as room comes up. The caller holds mu.
func (o *outbox) spill() {
	if o.wide || len(o.late) == 0 {
		return
	}
	n := min(o.free(), len(o.late))
	o.append(o.late[:n])
	if o.late = o.late[n:]; len(o.late) == 0 {
		o.late = nil
	}
}

// flush writes what is held back, without blocking: what the pipe has no room
// for now is written by another goroutine.
func (o *outbox) flush() {
	o.mu.Lock()
	o.send()
	o.mu.Unlock()
}

// send is flush; the caller holds mu, which is released during a write.
func (o *outbox) send() {
	if o.writing || o.end == o.sent || o.err != nil {
		return // a writer goes on until nothing is left
	}
	o.writing = true
	for o.raw != nil && o.sent < o.end && o.err == nil {
		p := o.unsent()
		o.mu.Unlock()
		n, err := tryWrite(o.raw, p)
		o.mu.Lock()
		o.wrote(n, err)
		if n < len(p) {
			break
		}
	}
	if o.sent < o.end && o.err == nil {
		o.handed <- struct{}{}
		return
	}
	o.writing = false
}

// unsent is the first stretch of the ring that is not yet written.
func (o *outbox) unsent() []byte {
	size := uint64(len(o.ring))
	from, to := o.sent%size, o.end%size
	if to <= from {
		to = size
	}
	return o.ring[from:to]
}

func (o *outbox) wrote(n int, err error) {
	o.sent += uint64(n)
	if err != nil && o.err == nil {
		o.err = err
		close(o.failed)
	}
	o.spill()
	if n > 0 || err != nil {
		o.room.Broadcast()
	}
}

// write is the goroutine that waits for the pipe so that no other has to.
func (o *outbox) write() {
	for {
		select {
		case <-o.handed:
		case <-o.quit:
			return
		}
		o.mu.Lock()
		for o.sent < o.end && o.err == nil {
			p := o.unsent()
			p = p[:min(len(p), flushAt)] // room comes up as the pipe takes it
			o.mu.Unlock()
			n, err := o.w.Write(p)
			o.mu.Lock()
			o.wrote(n, err)
		}
		o.writing = false
		o.room.Broadcast()
		o.mu.Unlock()
	}
}

// tick is the flusher: a goroutine that sees to it that no frame is held back
// for longer than two ticks, whatever the running job does. A timer for each job
// would cost more than the job.
func (o *outbox) tick() {
	timer := time.NewTimer(holdTick)
	timer.Stop()
	defer timer.Stop()
	for {
		select {
		case <-o.watch:
		case <-o.quit:
			return
		}
		var seen uint64
		for idle := 0; idle < idleTicks; {
			timer.Reset(holdTick)
			select {
			case <-timer.C:
			case <-o.quit:
				return
			}
			wanted := o.ticked != nil && o.ticked()
			o.mu.Lock()
			if wanted || o.watched {
				idle, o.watched = 0, false
			}
			switch {
			case o.sent == o.end:
				if idle++; idle == idleTicks {
					o.ticking = false
				}
			case o.sent < seen: // it was there a tick ago
				idle = 0
				o.send()
			default:
				idle = 0
			}
			seen = o.end
			o.mu.Unlock()
		}
	}
}

// keepTicking makes the flusher tick for as long as ticked says.
func (o *outbox) keepTicking() {
	o.mu.Lock()
	o.watched = true
	if !o.ticking {
		o.ticking = true
		o.watch <- struct{}{}
	}
	o.mu.Unlock()
}

// drain blocks until everything is in the pipe, or the pipe has failed.
func (o *outbox) drain() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	for o.err == nil && (o.sent < o.end || o.writing || len(o.late) > 0) {
		o.send()
		if o.writing {
			o.room.Wait()
		}
	}
	return o.err
}
