package remote

import (
	"errors"
	"fmt"
	"strings"

	"github.com/feac4032/multiproc/internal/broker"
	"github.com/feac4032/multiproc/internal/owner"
	"github.com/feac4032/multiproc/task"
)

// The codes of the errors that a request can end with, so that errors.Is holds
// on the other side. A worker's functions return them as their own, too.
func init() {
	for code, err := range map[string]error{
		"psync.ErrEnded":            broker.ErrEnded,
		"psync.ErrNoOwner":          broker.ErrNoOwner,
		"psync.ErrNotLocked":        broker.ErrNotLocked,
		"psync.ErrTakenAway":        broker.ErrTakenAway,
		"psync.ErrNotOwner":         broker.ErrNotOwner,
		"psync.ErrReleasedTooOften": broker.ErrReleasedTooOften,
		"psync.ErrBroken":           broker.ErrBroken,
		"psync.ErrOverflow":         broker.ErrOverflow,
		"psync.ErrRange":            broker.ErrRange,
		"psync.ErrDeadlock":         owner.ErrDeadlock,
		"queue.ErrClosed":           broker.ErrClosed,
		"queue.ErrTooLarge":         broker.ErrTooLarge,
		"queue.ErrTooManyDone":      broker.ErrTooManyDone,
		"queue.ErrWouldBlock":       broker.ErrWouldBlock,
		"queue.ErrFull":             broker.ErrFull,
		"queue.ErrEmpty":            broker.ErrEmpty,
		"manager.ErrMismatch":       broker.ErrMismatch,
		"manager.ErrNotFound":       broker.ErrNotFound,
		"manager.ErrExists":         broker.ErrExists,
		"manager.ErrRemoved":        broker.ErrRemoved,
		"manager.ErrNotShared":      broker.ErrNotShared,
		"manager.ErrNoManager":      broker.ErrNoManager,
		"manager.ErrLost":           broker.ErrLost,
	} {
		task.DefineError(code, err)
	}
}

// errCancelled is what a ticket is withdrawn with when its caller asks for that.
// The caller knows why.
var errCancelled = errors.New("cancelled by its caller")

// errNoTable is what a worker hears whose supervisor has nothing to share.
var errNoTable = fmt.Errorf("%w: whoever started this process gave it none, with process.WithManager or pool.Config.Manager", broker.ErrNoManager)

// errOtherTable is what it hears of an object that it has received from elsewhere,
// such as from a worker of its own.
var errOtherTable = fmt.Errorf("%w for this object: it is one of another manager than that which this process was given", broker.ErrNoManager)

// appendError writes what a call failed with: a failure, or, for a deadlock, an
// array of the failure and the cycle.
func appendError(b []byte, err error) []byte {
	var deadlock *owner.DeadlockError
	if !errors.As(err, &deadlock) {
		return task.NewFailure(err).Append(b)
	}
	b = appendArray(b, 2)
	b = appendBin(b, task.NewFailure(err).Append(nil))
	b = appendArray(b, len(deadlock.Cycle))
	for _, e := range deadlock.Cycle {
		b = appendArray(b, 3)
		b = appendIdentity(b, e.Waiter)
		b = appendText(b, e.Resource)
		b = appendIdentity(b, e.Holder)
	}
	return b
}

// maxCycle bounds the waits of a deadlock.
const maxCycle = 1 << 16

// decodeError reads what appendError has written. What cannot be read is an
// error of another kind: the second result.
func decodeError(b []byte) (failed, bad error) {
	if len(b) == 0 || b[0] != 0x92 {
		f, err := task.DecodeFailure(b)
		if err != nil {
			return nil, err
		}
		return known(f), nil
	}
	s := scanner{b: b[1:]}
	f, err := task.DecodeFailure(s.bin())
	if err != nil {
		return nil, err
	}
	cycle := make([]owner.Edge, 0, 4)
	for n := min(s.array(), maxCycle); n > 0 && !s.bad; n-- {
		s.arrayOf(3)
		cycle = append(cycle, owner.Edge{Waiter: s.identity(), Resource: s.text(2 * maxName), Holder: s.identity()})
	}
	if !s.done() {
		return nil, errors.New("cycle of a deadlock: not as it should be")
	}
	return &relayedDeadlock{f, &owner.DeadlockError{Cycle: cycle}}, nil
}

// known gives a failure back as the sentinel that it is, if it says no more.
func known(f *task.Failure) error {
	for _, err := range f.Unwrap() {
		if err.Error() == f.Msg {
			return err
		}
	}
	return f
}

// relayedDeadlock has the text of the failure, which names the object, and the
// type of its cause.
type relayedDeadlock struct {
	*task.Failure
	cycle *owner.DeadlockError
}

func (e *relayedDeadlock) Unwrap() []error { return []error{e.cycle} }

func appendIdentity(b []byte, i owner.Identity) []byte {
	b = appendArray(b, 3)
	b = appendText(b, bounded(i.Name))
	b = appendInt(b, int64(i.PID))
	return appendText(b, bounded(i.Job))
}

func (s *scanner) identity() (i owner.Identity) {
	s.arrayOf(3)
	i.Name = s.text(maxName)
	i.PID = s.int()
	i.Job = s.text(maxName)
	return i
}

// bounded makes a text one that the other side takes.
func bounded(text string) string {
	text = strings.ToValidUTF8(text, "\uFFFD")
	if len(text) > maxName {
		text = strings.ToValidUTF8(text[:maxName], "")
	}
	return text
}

// appendAbandoned writes who has left an object behind; nil is nobody.
func appendAbandoned(b []byte, a *owner.Abandoned) []byte {
	if a == nil {
		return appendNil(b)
	}
	b = appendArray(b, 2)
	b = appendIdentity(b, a.Identity)
	return appendCause(b, a.Cause)
}

func (s *scanner) abandoned() *owner.Abandoned {
	if s.null() {
		return nil
	}
	s.arrayOf(2)
	a := &owner.Abandoned{Identity: s.identity()}
	a.Cause = s.cause()
	return a
}

// cause reads how an owner has ended.
func (s *scanner) cause() error {
	if s.null() {
		return nil
	}
	f, err := task.DecodeFailure(s.bin())
	if err != nil {
		s.fail()
		return nil
	}
	return f
}

func appendCause(b []byte, cause error) []byte {
	if cause == nil {
		return appendNil(b)
	}
	return appendBin(b, task.NewFailure(cause).Append(nil))
}
