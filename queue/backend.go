package queue

import (
	"context"

	"github.com/feac4032/multiproc/internal/broker"
	"github.com/feac4032/multiproc/ipc"
)

// MaxItem is the largest encoded item in bytes.
const MaxItem = ipc.MaxMessage

// Backend moves encoded items. A link of package ipc is one, and so a worker's
// stdin and stdout are; [Memory] and [Pipes] are the ones of this package.
//
// A backend says how many callers it takes at once: an ipc.Link takes one putter
// and one getter; Memory, Pipes, and all that pass package queuetest take any
// number of both, and serve those who wait first come, first served.
type Backend interface {
	// PutBatch puts messages in their order and blocks until all are taken,
	// the context ends, or the backend fails. It returns how many, from the
	// first, were taken: these will be delivered, the others were not sent.
	// The messages are the caller's again when it returns.
	PutBatch(ctx context.Context, msgs [][]byte) (int, error)

	// GetBatch blocks until there is a message, and stores it in dst[0], and
	// behind it as many more as are at hand, up to len(dst). It returns how
	// many. A context that ended first has taken nothing out. ErrClosed or
	// io.EOF says that there will be no more. Messages are
	// valid until the same caller's next GetBatch; the backend may store them
	// in the capacity of the slices that dst holds.
	GetBatch(ctx context.Context, dst [][]byte) (int, error)
}

// What a backend may have beyond Backend. A Queue answers ErrUnsupported for
// what it has not.
type (
	// TryPutter takes messages without waiting for room. Fewer than all with a
	// nil error says that there was no room for the rest.
	TryPutter interface {
		TryPutBatch(ctx context.Context, msgs [][]byte) (int, error)
	}

	// TryGetter is GetBatch without waiting for a message: 0 with a nil error
	// says that there is none.
	TryGetter interface {
		TryGetBatch(ctx context.Context, dst [][]byte) (int, error)
	}

	// Lener knows how many items are queued.
	Lener interface {
		Len(ctx context.Context) (int, error)
	}

	// Fuller knows whether a put would wait.
	Fuller interface {
		Full(ctx context.Context) (bool, error)
	}

	// Flusher may hold back, in this process, what a put was told was taken;
	// Flush waits until it does not.
	Flusher interface {
		Flush(ctx context.Context) error
	}

	// Closer refuses puts from then on; gets drain what is queued.
	Closer interface {
		Close() error
	}

	// Shutdowner closes, drops what is queued, and wakes all that wait.
	Shutdowner interface {
		Shutdown() error
	}

	// Leaser hands messages out for a time, as a [Joinable] queue needs it. Who has
	// one is the owner that ctx carries: ErrNoOwner without one, ErrEnded if it
	// has ended. What an owner has leased when it ends goes back to the head.
	Leaser interface {
		// Lease is GetBatch of one message that is kept until it is done. Of a
		// queue that is closed and empty it waits for what other owners have
		// leased, which may come back, unless ctx's owner has a lease itself.
		Lease(ctx context.Context) (Leased, error)

		// TryLease is Lease that does not wait: false says that there is none.
		TryLease(ctx context.Context) (Leased, bool, error)

		// Done ends a lease: the message was dealt with. ErrTooManyDone says
		// that the owner has no such lease.
		Done(ctx context.Context, lease uint64) error

		// TaskDone is Done of the lease that ctx's owner has had for longest.
		TaskDone(ctx context.Context) error

		// Return ends a lease: the message goes back to the head, before all
		// that were put after it.
		Return(ctx context.Context, lease uint64) error

		// Join blocks until all messages that were put are done, and returns
		// ErrClosed if Shutdown has dropped some.
		Join(ctx context.Context) error

		// Unfinished knows how many messages are queued or leased.
		Unfinished(ctx context.Context) (int, error)
	}
)

// Leased is a message that a Leaser has handed out: Item, which is only to be
// read, Lease, the number that Done and Return take, and Delivery, which counts
// how often it was handed out, this time included.
type Leased = broker.Leased
