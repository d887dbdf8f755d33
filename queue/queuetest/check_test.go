package queuetest_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"

	"go.uber.org/goleak"

	"github.com/feac4032/multiproc/queue"
	"github.com/feac4032/multiproc/queue/queuetest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func inMemory() queuetest.Harness {
	open := func(size int) (queue.Backend, queue.Backend) {
		m := queue.NewMemory(size)
		return m, m
	}
	return queuetest.Harness{
		Open:         open,
		OpenJoinable: open,
		OpenPipe:     func() (queue.Backend, queue.Backend) { return queue.NewMemoryPipe() },
		Exact:        true,
	}
}

func TestCheck_OfABackendThatConforms(t *testing.T) {
	t.Parallel()
	checked := 0
	for _, name := range queuetest.Behaviours() {
		switch err := queuetest.Check(t.Context(), name, inMemory()); {
		case err == nil:
			checked++
		case !errors.Is(err, queuetest.ErrSkipped):
			t.Error(err)
		}
	}
	if all := len(queuetest.Behaviours()); checked < all-4 {
		t.Errorf("only %d of %d behaviours were checked", checked, all)
	}
}

func TestCheck_OfWhatIsNotThere(t *testing.T) {
	t.Parallel()
	if err := queuetest.Check(t.Context(), "NoSuchThing", inMemory()); err == nil || errors.Is(err, queuetest.ErrSkipped) {
		t.Errorf("a behaviour that does not exist: %v", err)
	}
	if err := queuetest.Check(t.Context(), "PipeGoesBothWays", queuetest.Harness{}); !errors.Is(err, queuetest.ErrSkipped) {
		t.Errorf("a pipe that the harness does not open: %v", err)
	}
}

// TestCheck_FindsFaults has backends each of which does one thing wrong.
func TestCheck_FindsFaults(t *testing.T) {
	t.Parallel()
	for name, broken := range map[string]queuetest.Harness{
		"BatchesKeepOrder":          queues(func(m *queue.Memory) queue.Backend { return swapsPairs{m} }),
		"EmptyMessagesCount":        queues(func(m *queue.Memory) queue.Backend { return dropsEmpty{m} }),
		"CloseRefusesPutsAndDrains": queues(func(m *queue.Memory) queue.Backend { return dropsAtClose{m} }),
		"TryPutOfFullIsErrFull": queues(func(*queue.Memory) queue.Backend {
			return queue.NewMemory(9) // whatever size was asked for
		}),
		"ShutdownWakesAll":              queues(func(m *queue.Memory) queue.Backend { return drainsAtShutdown{m} }),
		"EndedOwnersItemsGoBackInOrder": leases(func(m *queue.Memory) queue.Backend { return keepsForTheDead{m} }),
		"ItemThatKillsIsGivenUp":        leases(func(m *queue.Memory) queue.Backend { return forgets{m} }),
		"JoinWaitsUntilAllIsDone":       leases(func(m *queue.Memory) queue.Backend { return joinsAtOnce{m} }),
		"OneTooManyDoneIsAnError":       leases(func(m *queue.Memory) queue.Backend { return doneIsAlwaysFine{m} }),
		"ReturnedItemIsTheNext":         leases(func(m *queue.Memory) queue.Backend { return returnsToTheTail{m} }),
		"PipeEndsWithEOFOnceDrained":    {OpenPipe: func() (queue.Backend, queue.Backend) { return pipeOf(closedForEOF) }},
		"PipePutToAClosedEndIsErrLost":  {OpenPipe: func() (queue.Backend, queue.Backend) { return pipeOf(closedForLost) }},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := queuetest.Check(t.Context(), name, broken)
			if err == nil || errors.Is(err, queuetest.ErrSkipped) || !strings.HasPrefix(err.Error(), name+": ") {
				t.Errorf("the fault was not found: %v", err)
			}
		})
	}
}

func queues(broken func(*queue.Memory) queue.Backend) queuetest.Harness {
	return queuetest.Harness{Exact: true, Open: func(size int) (queue.Backend, queue.Backend) {
		b := broken(queue.NewMemory(size))
		return b, b
	}}
}

func leases(broken func(*queue.Memory) queue.Backend) queuetest.Harness {
	return queuetest.Harness{OpenJoinable: queues(broken).Open}
}

type swapsPairs struct{ *queue.Memory }

func (b swapsPairs) GetBatch(ctx context.Context, dst [][]byte) (int, error) {
	n, err := b.Memory.GetBatch(ctx, dst)
	if n > 1 {
		dst[0], dst[1] = dst[1], dst[0]
	}
	return n, err
}

type dropsEmpty struct{ *queue.Memory }

func (b dropsEmpty) PutBatch(ctx context.Context, msgs [][]byte) (int, error) {
	for i, msg := range msgs {
		if len(msg) == 0 {
			continue
		}
		if _, err := b.Memory.PutBatch(ctx, msgs[i:i+1]); err != nil {
			return i, err
		}
	}
	return len(msgs), b.Memory.Close()
}

type dropsAtClose struct{ *queue.Memory }

func (b dropsAtClose) Close() error { return b.Shutdown() }

type drainsAtShutdown struct{ *queue.Memory }

func (b drainsAtShutdown) Shutdown() error { return b.Close() }

type keepsForTheDead struct{ *queue.Memory }

func (b keepsForTheDead) Lease(ctx context.Context) (queue.Leased, error) {
	l, err := b.Memory.Lease(ctx)
	if err == nil {
		err = b.Memory.Done(ctx, l.Lease)
	}
	return l, err
}

// forgets hands out a copy, and so forgets what became of it.
type forgets struct{ *queue.Memory }

func (b forgets) TryLease(ctx context.Context) (queue.Leased, bool, error) {
	l, ok, err := b.Memory.TryLease(ctx)
	l.Delivery = 1
	return l, ok, err
}

type joinsAtOnce struct{ *queue.Memory }

func (joinsAtOnce) Join(context.Context) error { return nil }

func (joinsAtOnce) Unfinished(context.Context) (int, error) { return 0, nil }

type doneIsAlwaysFine struct{ *queue.Memory }

func (b doneIsAlwaysFine) Done(ctx context.Context, lease uint64) error {
	if err := b.Memory.Done(ctx, lease); !errors.Is(err, queue.ErrTooManyDone) {
		return err
	}
	return nil
}

type returnsToTheTail struct{ *queue.Memory }

func (b returnsToTheTail) Lease(ctx context.Context) (queue.Leased, error) {
	l, err := b.Memory.Lease(ctx)
	if err == nil && l.Delivery > 1 { // another one first
		defer b.Memory.Return(ctx, l.Lease)
		return b.Memory.Lease(ctx)
	}
	return l, err
}

// brokenEnd gives an error another name.
type brokenEnd struct {
	*queue.MemoryEnd
	rename func(error) error
}

func pipeOf(rename func(error) error) (queue.Backend, queue.Backend) {
	a, b := queue.NewMemoryPipe()
	return brokenEnd{a, rename}, brokenEnd{b, rename}
}

func closedForEOF(err error) error {
	if err == io.EOF {
		return queue.ErrClosed
	}
	return err
}

func closedForLost(err error) error {
	if errors.Is(err, queue.ErrLost) {
		return queue.ErrClosed
	}
	return err
}

func (e brokenEnd) PutBatch(ctx context.Context, msgs [][]byte) (int, error) {
	n, err := e.MemoryEnd.PutBatch(ctx, msgs)
	return n, e.rename(err)
}

func (e brokenEnd) GetBatch(ctx context.Context, dst [][]byte) (int, error) {
	n, err := e.MemoryEnd.GetBatch(ctx, dst)
	return n, e.rename(err)
}
