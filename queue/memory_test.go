package queue

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
)

// smallMemory holds two messages of ten bytes.
func smallMemory() *Memory {
	m := NewMemory(0)
	m.limit = 2 * (10 + itemOverhead)
	return m
}

func TestMemory_BytesBoundAnUnboundedQueue(t *testing.T) {
	t.Parallel()
	m := smallMemory()
	msg := make([]byte, 10)
	n, err := m.TryPutBatch(t.Context(), [][]byte{msg, msg, msg})
	if n != 2 || err != nil {
		t.Fatalf("TryPutBatch = %d, %v, want 2", n, err)
	}
	if full, err := m.Full(t.Context()); !full || err != nil {
		t.Errorf("Full = %v, %v", full, err)
	}
	dst := make([][]byte, 5)
	if n, err := m.GetBatch(t.Context(), dst); n != 2 || err != nil {
		t.Errorf("GetBatch = %d, %v", n, err)
	}
	if full, err := m.Full(t.Context()); full || err != nil {
		t.Errorf("Full = %v, %v", full, err)
	}
}

func TestMemory_AnEmptyQueueTakesAnyMessage(t *testing.T) {
	t.Parallel()
	m := smallMemory()
	if n, err := m.TryPutBatch(t.Context(), [][]byte{make([]byte, 1000), nil}); n != 1 || err != nil {
		t.Errorf("TryPutBatch = %d, %v, want 1", n, err)
	}
}

// TestMemory_LeavingPutterLetsSmallerOnesIn has a small message wait behind a
// large one, whose putter gives up.
func TestMemory_LeavingPutterLetsSmallerOnesIn(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := smallMemory()
		if _, err := m.PutBatch(t.Context(), [][]byte{nil}); err != nil {
			t.Fatal(err)
		}
		ctx, cancel := context.WithCancel(t.Context())
		large, small := make(chan error, 1), make(chan error, 1)
		put := func(ctx context.Context, n int, done chan error) {
			_, err := m.PutBatch(ctx, [][]byte{make([]byte, n)})
			done <- err
		}
		go put(ctx, 1000, large)
		synctest.Wait()
		go put(t.Context(), 1, small)
		synctest.Wait()
		if len(small) != 0 {
			t.Fatal("a later put went first")
		}
		cancel()
		if err := <-large; !errors.Is(err, context.Canceled) {
			t.Errorf("large: %v", err)
		}
		if err := <-small; err != nil {
			t.Errorf("small: %v", err)
		}
	})
}

func TestRing_KeepsOrderAndLetsGo(t *testing.T) {
	t.Parallel()
	var r ring
	next := byte(0)
	want := byte(0)
	for round := range 200 {
		for range round % 7 {
			r.push([]byte{next})
			next++
		}
		for r.len() > round%5 {
			if got := r.pop(); got[0] != want {
				t.Fatalf("popped %d, want %d", got[0], want)
			}
			want++
		}
	}
	for range 2 * keepRing {
		r.push(nil)
	}
	for r.len() > 0 {
		r.pop()
	}
	if len(r.buf) > keepRing {
		t.Errorf("an empty ring keeps %d places", len(r.buf))
	}
}
