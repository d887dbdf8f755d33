package batch

import (
	"io"
	"sync"

	"github.com/feac4032/multiproc/pool"
)

// ledger writes everything that a run gives away: what instances wrote, the
// supervisor's own lines, and events. One goroutine writes, in turns: while a
// turn is being written the next one is collected, so that many small outputs
// cost one write. Who brings an output waits while too much is collected, and
// never holds a lock of the scheduler: a slow reader slows the run down, and
// makes nothing grow.
//
// Within a turn events are written last: an event of an instance's end says that
// its output is out.
type ledger struct {
	sinks  [3]io.Writer // by stream; nil = nothing is wanted
	onLost func(stream, error)

	mu        sync.Mutex
	work      sync.Cond // there is something to write, or no more will come
	room      sync.Cond // a turn was written
	next      turn
	number    uint64 // of the turn that is being collected
	written   uint64 // turns before this one are written
	closed    bool
	abandoned bool
	ended     chan struct{}
}

type stream uint8

const (
	toStdout stream = iota
	toStderr
	toEvents
)

func (s stream) String() string { return [...]string{"stdout", "stderr", "events"}[s] }

// turn is what is written together.
type turn struct {
	bytes  []byte
	parts  []part
	events []byte
}

// part is a stretch of bytes for one stream, or a large output.
type part struct {
	to    stream
	own   bool // the supervisor's own words, whose loss costs nothing
	n     int
	large *pool.Output
}

// Outputs up to maxCopy bytes are collected; larger ones are written from where
// they are. maxPending bytes are collected before who brings more has to wait.
const (
	maxCopy    = 64 << 10
	maxPending = 256 << 10
)

func newLedger(stdout, stderr, events io.Writer, onLost func(stream, error)) *ledger {
	l := &ledger{sinks: [3]io.Writer{stdout, stderr, events}, onLost: onLost, ended: make(chan struct{})}
	l.work.L, l.room.L = &l.mu, &l.mu
	go l.write()
	return l
}

// entry is what the end of an instance brings, in the order in which it is
// written.
type entry struct {
	stdout *pool.Output
	line   []byte // behind stdout: a task's result
	stderr *pool.Output
	note   []byte // the supervisor's own, to stderr
	event  []byte
}

// commit takes an entry over. It returns once the entry is written, or is kept
// and there is room for more.
func (l *ledger) commit(e *entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	large := false
	// Who was let go cannot wait until a large output is written, nor for room.
	if !l.abandoned || l.next.size() < maxPending {
		large = l.output(toStdout, e.stdout)
		l.text(toStdout, e.line, false)
		large = l.output(toStderr, e.stderr) || large
	}
	l.text(toStderr, e.note, true)
	l.next.events = append(l.next.events, e.event...)
	if l.next.empty() {
		return
	}
	l.work.Signal()
	mine := l.number
	for !l.abandoned && l.written <= mine && (large || mine == l.number && l.next.size() > maxPending) {
		l.room.Wait()
	}
}

// say writes a line of the supervisor's own to stderr. It never waits.
func (l *ledger) say(line string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text(toStderr, append([]byte(line), '\n'), true)
	l.work.Signal()
}

// event adds an event. It never waits: who calls it does so a bounded number of
// times for what a commit brings in the end.
func (l *ledger) event(b []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next.events = append(l.next.events, b...)
	l.work.Signal()
}

// close writes what is left and returns.
func (l *ledger) close() {
	l.mu.Lock()
	l.closed = true
	l.work.Signal()
	l.mu.Unlock()
	<-l.ended
}

// abandon lets everybody go who waits for a stream that may not move any more.
// What comes from then on is written only if it is small.
func (l *ledger) abandon() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.abandoned {
		return
	}
	l.abandoned = true
	l.room.Broadcast()
	l.work.Signal()
}

func (t *turn) empty() bool { return len(t.parts) == 0 && len(t.events) == 0 }

func (t *turn) size() int { return len(t.bytes) + len(t.events) }

func (l *ledger) text(to stream, b []byte, own bool) {
	if len(b) == 0 || l.sinks[to] == nil {
		return
	}
	t := &l.next
	t.bytes = append(t.bytes, b...)
	if n := len(t.parts); n > 0 {
		if last := &t.parts[n-1]; last.to == to && last.own == own && last.large == nil {
			last.n += len(b)
			return
		}
	}
	t.parts = append(t.parts, part{to: to, own: own, n: len(b)})
}

// output reports that the output is kept where it is, so that who brought it has
// to wait.
func (l *ledger) output(to stream, o *pool.Output) bool {
	if o == nil || o.Len() == 0 || l.sinks[to] == nil {
		return false
	}
	if b, ok := o.Bytes(maxCopy); ok {
		l.text(to, b, false)
		return false
	}
	if l.abandoned {
		return false
	}
	l.next.parts = append(l.next.parts, part{to: to, large: o})
	return true
}

func (l *ledger) write() {
	defer close(l.ended)
	var t turn
	var broken [3]bool
	l.mu.Lock()
	defer l.mu.Unlock()
	for {
		for l.next.empty() && !l.closed {
			l.work.Wait()
		}
		if l.next.empty() {
			return
		}
		t.bytes, t.parts, t.events = t.bytes[:0], t.parts[:0], t.events[:0]
		t, l.next = l.next, t
		l.number++
		l.mu.Unlock()
		l.writeTurn(&t, &broken)
		if cap(t.bytes) > 4*maxPending { // one outsized entry is not kept for ever
			t.bytes = nil
		}
		l.mu.Lock()
		l.written = l.number
		l.room.Broadcast()
	}
}

func (l *ledger) writeTurn(t *turn, broken *[3]bool) {
	rest := t.bytes
	for _, p := range t.parts {
		b := rest[:p.n]
		rest = rest[p.n:]
		if broken[p.to] {
			continue
		}
		var err error
		if p.large != nil {
			_, err = p.large.WriteTo(l.sinks[p.to])
		} else {
			_, err = l.sinks[p.to].Write(b)
		}
		if err != nil {
			broken[p.to] = true
			if !p.own {
				l.onLost(p.to, err)
			}
		}
	}
	if len(t.events) > 0 && l.sinks[toEvents] != nil && !broken[toEvents] {
		if _, err := l.sinks[toEvents].Write(t.events); err != nil {
			broken[toEvents] = true
			l.onLost(toEvents, err)
		}
	}
}
