package task

import (
	"context"
	"encoding/binary"
	"errors"
	"math"
)

// ErrNoRoom is the failure of an item whose result would make that of its job too
// large, or that stands behind such a one: it is to be run again in a smaller job.
var ErrNoRoom = errors.New("no room for this result beside those of other items")

// errItems is the cause of a failure of a whole job of items.
var errItems = errors.New("payload is no array of so many arguments")

// ItemContexts gives the items of a job their contexts, and learns of their ends.
// Both methods are called on the goroutine that runs the items.
type ItemContexts interface {
	// Begin is called before an item's argument is decoded. With ok false no
	// further items are run.
	Begin(item int) (ctx context.Context, ok bool)
	// End is called after each item that has begun, with its error.
	End(err error)
}

// Items runs a task on many arguments, one after the other, and collects their
// results. The zero Items has none.
type Items struct {
	def      *Def
	contexts ItemContexts
	ctx      context.Context
	args     reader
	n        int // items
	next     int // the first that has not begun
	start    int // where the argument of the one that runs begins
	running  bool
	full     bool // a result has found no room: those behind it are not run
	stopped  bool // by Begin
	broken   bool // an argument is no msgpack: none that follows can be found
	stage    Stage
	out      []byte
	before   int // bytes of out before the results
	valid    int // bytes of out up to the last whole result
	room     int // bytes that out may have, failures included
	failures []byte
	failed   int
}

// noRoomBytes is what the failure ErrNoRoom takes at most, and is kept free for
// each item that has not been run.
const noRoomBytes = 192

// Begin prepares to run d on the n arguments in payload, an array. Results are
// appended to dst; together with the failures they will have at most most bytes,
// as far as ErrNoRoom can see to it. An error is one of the whole job.
func (x *Items) Begin(d *Def, payload []byte, n int, dst []byte, most uint64, contexts ItemContexts) error {
	*x = Items{def: d, contexts: contexts, args: reader{data: payload}, n: n, failures: x.failures[:0]}
	x.room = int(min(most, math.MaxInt32))
	if h, err := x.args.head(); err != nil || h.kind != wireArray || h.size != n || n > x.args.left() {
		return &StageError{Task: d.name, Stage: StageArgument, Err: errItems}
	}
	dst = append(dst, 0x92)
	x.out = binary.BigEndian.AppendUint32(append(dst, 0xdd), uint32(n))
	x.before, x.valid = len(x.out), len(x.out)
	return nil
}

// Run runs the items that have not been run. A task that calls runtime.Goexit ends
// the calling goroutine; whoever notices calls Exited, and Run again.
func (x *Items) Run() {
	for !x.run() {
	}
}

// run goes on until all is done, or an item has panicked.
func (x *Items) run() (done bool) {
	defer func() {
		if v := recover(); v != nil {
			done = false
			x.fail(NewPanicError(v, packagePath()+defineFrame))
		}
	}()
	x.def.each(x)
	return true
}

// Exited fails the item that has ended its goroutine.
func (x *Items) Exited() {
	if x.running {
		x.fail(ErrGoexit)
	}
}

// begin makes the next item the one that runs.
func (x *Items) begin() bool {
	if x.next == x.n || x.full || x.broken {
		return false
	}
	ctx, ok := x.contexts.Begin(x.next)
	if !ok {
		x.stopped = true
		return false
	}
	x.ctx = ctx
	x.next++
	x.start = x.args.off
	x.stage = StageArgument
	x.running = true
	return true
}

// end keeps the result of the item.
func (x *Items) end() {
	if !x.fits(0) {
		x.full = len(x.out)-x.valid < x.room/2 // a larger one says nothing of those behind it
		x.fail(ErrNoRoom)
		return
	}
	x.valid = len(x.out)
	x.running = false
	x.contexts.End(nil)
}

// fits reports whether there is room for n more bytes.
func (x *Items) fits(n int) bool {
	return len(x.out)+len(x.failures)+n+(x.n-x.next+1)*noRoomBytes <= x.room
}

// misfit fails an item whose argument does not decode, and passes over that.
func (x *Items) misfit(err error) {
	x.passArgument()
	x.fail(within("args", err))
}

func (x *Items) passArgument() {
	x.args.rewind(x.start)
	x.broken = x.args.pass() != nil
	x.args.rewind(x.args.off)
}

// fail ends the item that runs with an error.
func (x *Items) fail(err error) {
	x.out = x.out[:x.valid]
	if x.stage == StageArgument {
		if _, panicked := err.(*PanicError); panicked || err == ErrGoexit {
			x.passArgument() // a method of its type has not come to its end
		}
	}
	x.running = false
	staged := &StageError{Task: x.def.name, Stage: x.stage, Err: err}
	x.note(x.next-1, staged)
	x.contexts.End(staged)
}

// note keeps the failure of an item, in place of a result.
func (x *Items) note(item int, err error) {
	failure := NewFailure(err).Append(make([]byte, 0, 256))
	if len(failure) > noRoomBytes && !x.fits(len(failure)) {
		failure = NewFailure(&StageError{Task: x.def.name, Stage: StageResult, Err: ErrNoRoom}).Append(failure[:0])
	}
	x.failures = appendUint(append(x.failures, 0x92), uint64(item))
	x.failures = appendBytes(x.failures, failure)
	x.failed++
	x.out = append(x.out, 0xc0)
	x.valid = len(x.out)
}

// Finish returns the job's result, appended to what Begin was given. An error is
// one of the whole job; ErrStopped if not all items were run because Begin of the
// contexts did not want it.
func (x *Items) Finish() ([]byte, error) {
	if x.stopped {
		return x.out, ErrStopped
	}
	if x.broken || x.next == x.n && x.args.left() > 0 {
		return x.out, &StageError{Task: x.def.name, Stage: StageArgument, Err: errItems}
	}
	for ; x.next < x.n; x.next++ {
		x.note(x.next, &StageError{Task: x.def.name, Stage: StageResult, Err: ErrNoRoom})
	}
	x.out = binary.BigEndian.AppendUint32(append(x.out, 0xdd), uint32(x.failed))
	x.out = append(x.out, x.failures...)
	if cap(x.failures) > 64<<10 {
		x.failures = nil
	}
	return x.out, nil
}

// ErrStopped is what Items.Finish returns when not all items were run.
var ErrStopped = errors.New("not all items were run")
