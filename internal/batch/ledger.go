package batch

import (
	"bytes"
	"io"
	"sync"
	"sync/atomic"
	"time"

	"github.com/feac4032/multiproc/internal/journal"
	"github.com/feac4032/multiproc/internal/mask"
	"github.com/feac4032/multiproc/internal/report"
	"github.com/feac4032/multiproc/pool"
)

// ledger records and writes everything that a run gives away: the journal's rows,
// what instances wrote, the supervisor's own lines, the rows of result files, and
// events. One goroutine writes, in turns: while a turn is being written the next
// one is collected, so that many small outputs cost one write, and many rows one
// commit. Who brings an output waits while too much is collected, and never holds
// a lock of the scheduler: a slow reader slows the run down, and makes nothing
// grow.
//
// A turn is committed first, then printed, and its events come last: an event of
// an instance's end says that it is recorded and its output is out. What could not
// be committed is not printed.
type ledger struct {
	sinks  [3]io.Writer  // by stream; nil = nothing is wanted
	files  []report.Sink // told of the end of each instance; nil = it is broken
	onLost func(stream, error)
	tag    func(*Instance) string // nil = outputs are printed as they are
	mask   *mask.Masker           // hides secrets in the supervisor's own lines; nil = there are none

	journal   *journal.Run // nil = none
	lost      bool         // it cannot be written any more; read when the ledger is closed
	onBroken  func(error)  // the journal cannot be written
	order     *order       // nil = outputs are printed as they come
	committed time.Time    // the last turn was

	printing atomic.Int64 // since when a write to stdout goes on, in Unix ns; 0 = none does

	mu        sync.Mutex
	work      sync.Cond // there is something to write, or no more will come
	space     sync.Cond // a turn was written
	next      turn
	number    uint64 // of the turn that is being collected
	recorded  uint64 // turns before this one are in the journal
	written   uint64 // and written
	due       bool   // the time between two commits is over
	pauses    bool   // and is waited for
	closed    bool
	abandoned bool
	ended     chan struct{}
}

type stream uint8

const (
	toStdout stream = iota
	toStderr
	toEvents
	toFiles // of results, reports and the like
)

func (s stream) String() string { return [...]string{"stdout", "stderr", "events", "results"}[s] }

// turn is what is written together.
type turn struct {
	bytes  []byte
	parts  []part
	marks  []mark // of instances whose outputs have a place in the order
	events []byte
	tales  []tale
	batch  journal.Batch
	tries  int  // attempts in the batch
	large  bool // somebody waits for it
}

// part is a stretch of bytes for one stream, or a large output.
type part struct {
	to    stream
	own   bool // the supervisor's own words, whose loss costs nothing
	n     int
	large *pool.Output
	tag   string
	last  bool // behind the output of its instance
}

// mark says whose the parts from one on are. The supervisor's own words belong to
// nobody.
type mark struct {
	place       int // the job's in the order
	index       int64
	first, last int // parts
	row         int // in the batch, -1 = none
	tag         string
}

// Outputs up to maxCopy bytes are collected; larger ones are written from where
// they are. maxPending bytes are collected before who brings more has to wait, and
// with a journal maxJournaled. A row counts rowSize beside its outputs.
const (
	maxCopy      = 64 << 10
	maxPending   = 256 << 10
	maxJournaled = 2 << 20
	rowSize      = 400
)

// commitEvery is how long the journal waits for company between two commits. Who
// looks at it sees an instance that has ended within a few times that.
const commitEvery = 30 * time.Millisecond

func newLedger(stdout, stderr, events io.Writer, onLost func(stream, error)) *ledger {
	l := &ledger{sinks: [3]io.Writer{stdout, stderr, events}, onLost: onLost, ended: make(chan struct{})}
	l.work.L, l.space.L = &l.mu, &l.mu
	return l
}

// start begins to write. What the ledger is told to do differently is set before.
func (l *ledger) start() { go l.write() }

// entry is what the end of an instance brings, in the order in which it is
// written.
type entry struct {
	in             *Instance // nil: the job as one
	stdout, stderr *pool.Output
	quiet          bool   // they are for the journal alone
	line           []byte // behind stdout: a task's result
	note           []byte // the supervisor's own, to stderr
	event          []byte
	row            *report.Row
	record         *journal.Row
	claim          *journal.Claim // what an earlier run has recorded, in place of a record
}

// commit takes an entry over. It returns once the entry is written, or is kept
// and there is room for more.
func (l *ledger) commit(e *entry) {
	l.mu.Lock()
	defer l.mu.Unlock()
	t := &l.next
	// Who was let go cannot wait until a large output is written, nor for room.
	keep := !l.abandoned || t.size() < maxPending
	row, large, again := l.record(e, keep)
	lent := large // to the journal
	first := len(t.parts)
	if keep && !again {
		tag := ""
		if l.tag != nil && e.in != nil {
			tag = l.tag(e.in)
		}
		if !e.quiet {
			large = l.output(toStdout, e.stdout, tag) || large
		}
		l.line(e.line, tag)
		if !e.quiet {
			large = l.output(toStderr, e.stderr, tag) || large
		}
		if l.order != nil && e.in != nil {
			t.marks = append(t.marks, mark{e.in.state.place, e.in.Index, first, len(t.parts), row, tag})
		}
	}
	if e.row != nil {
		t.tales = append(t.tales, tale{row: e.row})
	}
	l.text(toStderr, e.note, "", true)
	if !again {
		t.events = append(t.events, e.event...)
	}
	if t.empty() {
		return
	}
	t.large = t.large || large
	l.wake()
	limit := maxPending
	if l.journal != nil {
		limit = maxJournaled
	}
	mine := l.number
	for !l.abandoned && l.written <= mine && (large || mine == l.number && t.size() > limit) {
		l.space.Wait()
	}
	if !large || l.written > mine {
		return
	}
	// Let go, it may not leave behind what it takes away.
	if mine == l.number {
		for i := range t.parts[first:] {
			if p := &t.parts[first+i]; p.large == e.stdout || p.large == e.stderr {
				p.large = nil
			}
		}
		if lent {
			t.batch.TakeBack(row, e.record.Outcome == string(pool.OK))
		}
	}
	for l.recorded <= mine && mine < l.number {
		l.space.Wait() // for the disk
	}
}

// record gives the row of an entry to the journal, and with keep its outputs. It
// reports whether one is kept where it is; and again for what is not recorded, since
// it was ok and its outputs are given up: a later run is to make them.
func (l *ledger) record(e *entry, keep bool) (row int, large, again bool) {
	b := &l.next.batch
	switch {
	case l.journal == nil:
		return -1, false, false
	case e.claim != nil:
		b.Carry(*e.claim, e.in.state.at, e.in.Index)
		return -1, false, false
	case e.record == nil:
		return -1, false, false
	}
	if e.stdout == nil || e.stdout.Len()+e.stderr.Len() == 0 {
		return b.Add(e.record, nil, nil), false, false
	}
	out, ok1 := e.stdout.Bytes(maxCopy)
	errs, ok2 := e.stderr.Bytes(maxCopy)
	switch {
	case keep && ok1 && ok2:
		return b.Add(e.record, out, errs), false, false
	case !l.abandoned:
		return b.AddContent(e.record, e.stdout, e.stderr), true, false
	case e.record.Outcome == string(pool.OK):
		return -1, false, true
	}
	return b.Add(e.record, nil, nil), false, false
}

// attempt gives an attempt that is followed by another one to the journal.
func (l *ledger) attempt(a *journal.Attempt) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.journal != nil {
		l.next.batch.AddAttempt(a)
		l.next.tries++
		l.wake()
	}
}

// tell has something told to the files.
func (l *ledger) tell(t tale) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next.tales = append(l.next.tales, t)
	l.wake()
}

// patience is how long a write to stdout may take before words for people go past
// it.
const patience = 250 * time.Millisecond

// say writes a line of the supervisor's own to stderr. It never waits, and neither
// does the line for a stdout that does not move.
func (l *ledger) say(line string) {
	b := append([]byte(l.mask.Text(line)), '\n')
	if since := l.printing.Load(); since != 0 && time.Now().UnixNano()-since > int64(patience) && l.sinks[toStderr] != nil {
		go l.sinks[toStderr].Write(b) // which may not move either
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.text(toStderr, b, "", true)
	l.wake()
}

// event adds an event. It never waits: who calls it does so a bounded number of
// times for what a commit brings in the end.
func (l *ledger) event(b []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.next.events = append(l.next.events, b...)
	l.wake()
}

// stream prints what an instance has just written. It returns when there is room
// for more.
func (l *ledger) stream(to stream, b []byte) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.abandoned && l.next.size() >= maxPending {
		return
	}
	l.text(to, b, "", false)
	l.wake()
	mine := l.number
	for !l.abandoned && l.written <= mine && mine == l.number && l.next.size() > maxPending {
		l.next.large = true // it is waited for
		l.wake()
		l.space.Wait()
	}
}

// close writes what is left and returns.
func (l *ledger) close() {
	l.mu.Lock()
	l.closed = true
	l.wake()
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
	l.space.Broadcast()
	l.wake()
}

func (t *turn) empty() bool {
	return len(t.parts) == 0 && len(t.events) == 0 && len(t.tales) == 0 && len(t.marks) == 0 && t.batch.Len() == 0 && t.tries == 0
}

func (t *turn) size() int {
	return len(t.bytes) + len(t.events) + rowSize*(len(t.tales)+len(t.marks)+t.batch.Len()+t.tries) + t.batch.Bytes()
}

// reset makes the turn ready for use again.
func (t *turn) reset() {
	clear(t.parts)
	clear(t.tales)
	t.bytes, t.parts, t.marks, t.events, t.tales = t.bytes[:0], t.parts[:0], t.marks[:0], t.events[:0], t.tales[:0]
	t.batch.Reset()
	t.tries, t.large = 0, false
}

// line adds what stands behind the output of an instance: a task's result, behind
// the end of a line that was not finished. With a tag that is ended anyway.
func (l *ledger) line(b []byte, tag string) {
	if tag != "" {
		b = bytes.TrimPrefix(b, newline)
	}
	n := len(l.next.parts)
	l.text(toStdout, b, tag, false)
	if len(l.next.parts) > n {
		l.next.parts[n].last = true
	}
}

func (l *ledger) text(to stream, b []byte, tag string, own bool) {
	if len(b) == 0 || l.sinks[to] == nil {
		return
	}
	t := &l.next
	t.bytes = append(t.bytes, b...)
	if n := len(t.parts); n > 0 && l.order == nil && tag == "" {
		if p := &t.parts[n-1]; p.to == to && p.own == own && p.large == nil && p.tag == "" {
			p.n += len(b)
			return
		}
	}
	t.parts = append(t.parts, part{to: to, own: own, n: len(b), tag: tag})
}

// output reports that the output is kept where it is, so that who brought it has
// to wait.
func (l *ledger) output(to stream, o *pool.Output, tag string) bool {
	if o == nil || o.Len() == 0 || l.sinks[to] == nil {
		return false
	}
	if b, ok := o.Bytes(maxCopy); ok {
		l.text(to, b, tag, false)
		return false
	}
	if l.abandoned {
		return false
	}
	l.next.parts = append(l.next.parts, part{to: to, large: o, tag: tag})
	return true
}

// jobEnded is told that no more instances of a job come.
func (l *ledger) jobEnded(js *jobState) {
	if l.order == nil {
		return
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	l.order.end(js.place, js.index)
	l.wake()
}

// room reports whether the next instance of a job may start, which it may not with
// too many that wait for their place in the order.
func (l *ledger) room(js *jobState) bool {
	return l.order == nil || l.order.room(spot{js.place, js.index})
}

// urgent reports that a turn is not to wait for company.
func (l *ledger) urgent() bool {
	return l.journal == nil || l.closed || l.abandoned || l.next.large || l.next.size() > maxJournaled/2
}

// wake tells the goroutine that writes that there is something for it, unless it
// would only look and go on waiting. The caller holds mu.
func (l *ledger) wake() {
	if !l.pauses || l.urgent() {
		l.work.Signal()
	}
}

// await waits for a turn that is to be written, false = there will be none. The
// caller holds mu.
func (l *ledger) await() bool {
	for l.next.empty() && !l.closed && !(l.order != nil && l.order.moves()) {
		l.work.Wait()
	}
	if wait := commitEvery - time.Since(l.committed); wait > 0 && !l.urgent() {
		l.due, l.pauses = false, true
		timer := time.AfterFunc(wait, func() {
			l.mu.Lock()
			l.due = true
			l.work.Signal()
			l.mu.Unlock()
		})
		for !l.due && !l.urgent() {
			l.work.Wait()
		}
		timer.Stop()
		l.pauses = false
	}
	return !l.next.empty() || !l.closed || l.order != nil && l.order.moves()
}

// isRecorded says that the journal has what it gets of the turn that is being written.
func (l *ledger) isRecorded() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.recorded = l.number
	if l.abandoned {
		l.space.Broadcast()
	}
}

// givesUp reports whether outputs that are kept where they are may be there no more.
func (l *ledger) givesUp() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.abandoned
}

func (l *ledger) write() {
	defer close(l.ended)
	w := writer{ledger: l}
	t := new(turn)
	l.mu.Lock()
	defer l.mu.Unlock()
	for l.await() {
		t.reset()
		*t, l.next = l.next, *t
		l.number++
		l.mu.Unlock()
		w.turn(t)
		if cap(t.bytes) > 4*maxPending { // one outsized entry is not kept for ever
			t.bytes = nil
		}
		l.mu.Lock()
		l.committed = time.Now()
		l.written = l.number
		l.space.Broadcast()
	}
	l.mu.Unlock()
	w.end()
	l.mu.Lock()
}
