package queuetest

import (
	"context"
	"testing"
	"testing/synctest"
	"time"

	"github.com/feac4032/multiproc/queue"
)

// Harness opens the queues of one backend.
type Harness struct {
	// Open opens a queue of size items, size ≤ 0 for no such bound, and returns
	// the side that puts and the side that gets, which may be the same. It
	// registers what has to be cleaned up with the test.
	Open func(size int) (put, get queue.Backend)

	// Exact says that size is kept exactly. A pipe holds what it holds, which
	// must be three items of 1 KiB at least.
	Exact bool

	// Bubble says that Open may be called in a bubble of testing/synctest: all
	// that waits, waits in Go. Behaviours that need to know who waits, and
	// since when, are skipped without it.
	Bubble bool
}

// wait bounds what should not take long at all.
const wait = 30 * time.Second

type behaviour struct {
	name   string
	bubble bool // runs in a bubble
	check  func(*bench)
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
	{name: "GettersAreServedInOrder", bubble: true, check: gettersInOrder},
	{name: "PuttersAreServedInOrder", bubble: true, check: puttersInOrder},
	{name: "GetWaitsForItsWholeTimeout", bubble: true, check: getTimeout},
	{name: "PutWaitsForItsWholeTimeout", bubble: true, check: putTimeout},
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
	bubbles := open(t).Bubble
	for _, b := range behaviours {
		if b.bubble && !bubbles {
			continue // it needs to know who waits
		}
		t.Run(b.name, func(t *testing.T) {
			t.Parallel()
			if !b.bubble {
				b.check(newBench(t, open(t)))
				return
			}
			synctest.Test(t, func(t *testing.T) { b.check(newBench(t, open(t))) })
		})
	}
}

// bench is what one behaviour is checked with.
type bench struct {
	*testing.T
	Harness
	ctx context.Context
}

func newBench(t *testing.T, h Harness) *bench {
	ctx, cancel := context.WithTimeout(t.Context(), wait)
	t.Cleanup(cancel)
	return &bench{T: t, Harness: h, ctx: ctx}
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
