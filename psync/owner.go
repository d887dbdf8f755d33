package psync

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"

	"github.com/feac4032/multiproc/internal/owner"
)

// Abandoned says whose end has released what was acquired then: its name, pid, job
// and the cause of its end, nil if it just returned. What it protects may be half
// done.
type Abandoned = owner.Abandoned

// DeadlockError is the refusal of a wait that would never end. Its Cycle names who
// waits for what, and who holds that, all the way round; the first is the wait
// that was refused. It is ErrDeadlock.
type DeadlockError = owner.DeadlockError

var unnamed atomic.Uint64

// WithOwner makes its caller an owner: what is acquired with the context that it
// returns is held by that owner, until it is released or end is called. Jobs,
// threads and the main function of a process.Main have an owner already; any other
// goroutine that is to hold something needs one of its own.
//
// end releases what is still held and marks it as abandoned, with the cause of
// ctx's end if ctx has ended by then. It is idempotent, and usually deferred. The
// end of ctx alone does not release anything: the goroutine may still be at work.
//
// [Named] gives the owner its name in messages.
func WithOwner(ctx context.Context, opts ...Option) (_ context.Context, end func()) {
	name := nameOf(opts)
	if name == "" {
		name = fmt.Sprintf("goroutine-%d", unnamed.Add(1))
	}
	who := owner.Identity{Name: name, PID: os.Getpid()}
	if outer := owner.From(ctx); outer != nil {
		who.Job = outer.Identity().Job
	}
	o := owner.New(who)
	return owner.With(ctx, o), func() { o.End(context.Cause(ctx)) }
}
