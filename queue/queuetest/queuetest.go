package queuetest

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/feac4032/multiproc/internal/owner"
	"github.com/feac4032/multiproc/queue"
)

// Harness opens what one backend has. Each function registers what has to be
// cleaned up with the test, and each call gives something new. What is nil is not
// checked.
type Harness struct {
	// Open opens a queue of size items, size ≤ 0 for no such bound, and returns
	// the side that puts and the side that gets, which may be the same. Queues and
	// simple queues are checked with it.
	Open func(size int) (put, get queue.Backend)

	// OpenJoinable opens a joinable queue in the same way. Both sides are a
	// queue.Leaser.
	OpenJoinable func(size int) (put, get queue.Backend)

	// OpenPipe opens a pipe, and returns its ends, as queue.OverEnd takes them.
	OpenPipe func() (a, b queue.Backend)

	// Owner makes an owner: the context of its calls, and a function that is its
	// end. The leases of a backend are of the owners that it knows; nil stands for
	// those of this module, which are the ones of psync.WithOwner.
	Owner func(ctx context.Context) (owned context.Context, end func())

	// Context makes the context of every call, for a backend that is reached
	// through it. It carries no owner. nil leaves it as it is.
	Context func(ctx context.Context) context.Context

	// Exact says that size is kept exactly. A pipe holds what it holds, which
	// must be three items of 1 KiB at least.
	Exact bool

	// Bubble says that all may be opened in a bubble of testing/synctest: all
	// that waits, waits in Go. Behaviours that need to know who waits, and
	// since when, are skipped without it.
	Bubble bool
}

// wait bounds what should not take long at all.
const wait = 30 * time.Second

type behaviour struct {
	name   string
	of     subject
	bubble bool // runs in a bubble
	check  func(*bench)
}

// subject is what a behaviour is of.
type subject int

const (
	aQueue subject = iota
	aJoinable
	aPipe
)

// has reports whether the backend has what a behaviour is of.
func (h Harness) has(b behaviour) bool {
	switch b.of {
	case aJoinable:
		return h.OpenJoinable != nil
	case aPipe:
		return h.OpenPipe != nil
	}
	return h.Open != nil
}

// behaviours are all that is asked of a backend, in the order of its life.
var behaviours = []behaviour{
	{name: "ItemIsSnapshot", check: itemIsSnapshot},
	{name: "EncodeErrorComesFromPutAndNamesTheField", check: encodeError},
	{name: "DecodeErrorSpendsOnlyThatItem", check: decodeError},
	{name: "EmptyMessagesCount", check: emptyMessages},
	{name: "BatchesKeepOrder", check: batchesKeepOrder},
	{name: "BigItemsArriveWhole", check: bigItems},
	{name: "FIFOPerProducer", check: fifoPerProducer},
	{name: "TryGetOfEmptyIsErrEmpty", check: tryGetEmpty},
	{name: "TryPutOfFullIsErrFull", check: tryPutFull},
	{name: "LenEmptyFullAreExactOrUnsupported", check: lenEmptyFull},
	{name: "PutBlocksWhenFull", check: putBlocksWhenFull},
	{name: "EndedContextComesFirst", check: endedContext},
	{name: "CancelledPutChangesNothing", check: cancelledPut},
	{name: "CancelledGetTakesNothing", check: cancelledGet},
	{name: "CancelsThatRaceLoseNothing", check: cancelRace},
	{name: "JoinOfPutterBeforeGetIsNoDeadlock", check: joinBeforeGet},
	{name: "CloseRefusesPutsAndDrains", check: closeDrains},
	{name: "CloseWakesPutters", check: closeWakesPutters},
	{name: "ShutdownWakesAll", check: shutdownWakesAll},
	{name: "AllRangesUntilClosed", check: allUntilClosed},
	{name: "LeavingAllLosesNothing", check: leavingAll},
	{name: "SimpleQueuePutsGetsAndCloses", check: simpleQueue},
	{name: "GettersAreServedInOrder", bubble: true, check: gettersInOrder},
	{name: "PuttersAreServedInOrder", bubble: true, check: puttersInOrder},
	{name: "GetWaitsForItsWholeTimeout", bubble: true, check: getTimeout},
	{name: "PutWaitsForItsWholeTimeout", bubble: true, check: putTimeout},

	{name: "LeaseNeedsAnOwner", of: aJoinable, check: leaseNeedsOwner},
	{name: "TaskDoneIsOfTheOldestItem", of: aJoinable, check: taskDoneOldest},
	{name: "OneTooManyDoneIsAnError", of: aJoinable, check: oneTooManyDone},
	{name: "JoinWaitsUntilAllIsDone", of: aJoinable, check: joinWaits},
	{name: "CancelledJoinChangesNothing", of: aJoinable, check: cancelledJoin},
	{name: "LeasedItemsAreNotQueued", of: aJoinable, check: leasedAreNotQueued},
	{name: "ReturnedItemIsTheNext", of: aJoinable, check: returnedIsNext},
	{name: "LeaseOutlivesTheContextOfItsGetting", of: aJoinable, check: leaseOutlivesContext},
	{name: "UndecodableItemIsDone", of: aJoinable, check: undecodableIsDone},
	{name: "CancelledLeaseTakesNothing", of: aJoinable, check: cancelledLease},
	{name: "EndedOwnersItemsGoBackInOrder", of: aJoinable, check: endedOwnersItems},
	{name: "WhoWaitsGetsWhatComesBack", of: aJoinable, check: waitingLease},
	{name: "EndedOwnerGetsNothing", of: aJoinable, check: endedOwnerGetsNothing},
	{name: "ItemThatKillsIsGivenUp", of: aJoinable, check: poisonedItem},
	{name: "CloseDrainsWhatComesBack", of: aJoinable, check: closeDrainsLeases},
	{name: "ShutdownWakesWhoJoins", of: aJoinable, check: shutdownWakesJoin},
	{name: "OwnersThatEndLoseNothing", of: aJoinable, check: endingOwners},

	{name: "PipeGoesBothWays", of: aPipe, check: pipeBothWays},
	{name: "PipeMessagesNeverMerge", of: aPipe, check: pipeMessages},
	{name: "PipeEndsWithEOFOnceDrained", of: aPipe, check: pipeEOF},
	{name: "PipePutToAClosedEndIsErrLost", of: aPipe, check: pipeLost},
	{name: "PipeCloseWakesBothEnds", of: aPipe, check: pipeCloseWakes},
	{name: "PipeAllRangesUntilClosed", of: aPipe, check: pipeAll},
	{name: "PipeCancelledGetTakesNothing", of: aPipe, check: pipeCancelledGet},
}

// Behaviours returns the names of all behaviours, as Run names its subtests.
func Behaviours() []string {
	names := make([]string, len(behaviours))
	for i, b := range behaviours {
		names[i] = b.name
	}
	return names
}

// Run checks every behaviour of the backend that open gives, each with a harness
// of its own.
func Run(t *testing.T, open func(*testing.T) Harness) {
	first := open(t)
	for _, b := range behaviours {
		if b.bubble && !first.Bubble || !first.has(b) {
			continue
		}
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			if !b.bubble {
				run(t.Context(), t, b, open(t))
				return
			}
			synctest.Test(t, func(t *testing.T) { run(t.Context(), t, b, open(t)) })
		})
	}
}

func run(ctx context.Context, t reporter, b behaviour, h Harness) {
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	if h.Owner == nil {
		h.Owner = func(ctx context.Context) (context.Context, func()) {
			o := owner.New(owner.Identity{Name: b.name})
			return owner.With(ctx, o), func() { o.End(nil) }
		}
	}
	if h.Context != nil {
		ctx = h.Context(ctx)
	}
	b.check(&bench{reporter: t, Harness: h, ctx: ctx})
}

// reporter is what behaviours need of a *testing.T.
type reporter interface {
	Helper()
	Error(args ...any)
	Errorf(format string, args ...any)
	Fatal(args ...any)
	Fatalf(format string, args ...any)
	Skip(args ...any)
}

// bench is what one behaviour is checked with.
type bench struct {
	reporter
	Harness
	ctx context.Context
}

// open returns both sides of a queue of type T.
func open[T any](b *bench, size int) (put, get *queue.Queue[T]) {
	p, g := b.Open(size)
	return queue.Over[T](p, queue.Named("q")), queue.Over[T](g, queue.Named("q"))
}

func must(b *bench, err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// background runs f, and returns a function that waits for its error.
func background(b *bench, f func() error) func() error {
	done := make(chan error, 1)
	go func() { done <- f() }()
	return func() error {
		select {
		case err := <-done:
			return err
		case <-b.ctx.Done():
			b.Fatal("still blocked")
			return nil
		}
	}
}

// refused repeats a put into what is not bounded until it is refused: where such a
// put is not acknowledged, a later one says what became of it.
func refused(b *bench, put func() error) error {
	b.Helper()
	for b.ctx.Err() == nil {
		if err := put(); err != nil {
			return err
		}
	}
	b.Fatal("never refused")
	return nil
}
