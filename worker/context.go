package worker

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"github.com/feac4032/multiproc/internal/owner"
	"github.com/feac4032/multiproc/ipc"
)

// jobContext is the context of one job. Most jobs never look at theirs, so that
// a real one, with its channel and timer, is only made when something asks for
// it.
type jobContext struct {
	srv  *server
	info Job

	started  time.Time // zero without a limit
	limit    time.Duration
	answered bool // guarded by the outbox

	over   atomic.Bool // cause is set
	mu     sync.Mutex
	inner  context.Context // nil until it is needed
	cancel context.CancelCauseFunc
	stop   context.CancelFunc // of the deadline's timer
	cause  error              // why the context has ended, nil if it has not

	owner    *owner.Owner // nil until it is needed
	released bool         // the function has returned
}

// jobKey finds the jobContext in contexts derived from it.
type jobKey struct{}

func contextOf(ctx context.Context) *jobContext {
	c, _ := ctx.Value(jobKey{}).(*jobContext)
	return c
}

// real makes the inner context. It is package context's own, so that contexts
// derived from it hang below it without a goroutine, and context.Cause works.
func (c *jobContext) real() context.Context {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.inner == nil {
		ctx, cancel := context.WithCancelCause(context.Background())
		c.inner, c.cancel = ctx, cancel
		if c.limit > 0 {
			c.inner, c.stop = context.WithDeadlineCause(ctx, c.started.Add(c.limit), ErrTimeout)
		}
		if c.cause != nil {
			cancel(c.cause)
		}
	}
	return c.inner
}

// end ends the context for the given reason, if nothing has ended it before.
func (c *jobContext) end(cause error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.cause != nil {
		return
	}
	c.cause = cause
	c.over.Store(true)
	if c.inner != nil {
		c.cancel(cause)
		if c.stop != nil {
			c.stop()
		}
	}
}

// cancelled reports whether the job was cancelled, or is over its time limit.
func (c *jobContext) cancelled() bool { return c.Err() != nil }

func (c *jobContext) Deadline() (time.Time, bool) {
	if c.limit <= 0 {
		return time.Time{}, false
	}
	return c.started.Add(c.limit), true
}

func (c *jobContext) Done() <-chan struct{} { return c.real().Done() }

func (c *jobContext) Err() error {
	c.mu.Lock()
	inner, cause := c.inner, c.cause
	c.mu.Unlock()
	switch {
	case inner != nil:
		return inner.Err()
	case cause != nil:
		return context.Canceled
	case c.limit > 0 && time.Since(c.started) >= c.limit:
		return c.real().Err()
	}
	return nil
}

// Value knows the job's own keys; any other may be one of package context's.
func (c *jobContext) Value(key any) any {
	switch key.(type) {
	case jobKey:
		return c
	case owner.Key:
		return c.holder()
	case ipc.CallerKey:
		return c.srv.client
	}
	return c.real().Value(key)
}

func (c *jobContext) String() string { return "worker.job(" + c.info.Task + ")" }
