package ipc

import (
	"os"
	"sync"
	"syscall"
	"testing"
)

func TestLink_WithABlockingDescriptorTryPutWritesNothing(t *testing.T) {
	t.Parallel()
	var p [2]int
	if err := syscall.Pipe2(p[:], syscall.O_CLOEXEC); err != nil {
		t.Fatal(err)
	}
	r, w := os.NewFile(uintptr(p[0]), "r"), os.NewFile(uintptr(p[1]), "w")
	defer r.Close()
	l := NewLink(r, w)
	defer l.Close()
	taken := 0
	for { // more than the pipe holds
		n, err := l.TryPutBatch(numbered(taken, 1, 10_000))
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			break
		}
		taken += n
	}
	if taken*10_000 < outboxLimit {
		t.Errorf("%d messages were taken", taken)
	}
	var reader sync.WaitGroup
	reader.Go(func() { checkNumbered(t, r, taken) })
	if err := l.Flush(t.Context()); err != nil {
		t.Error(err)
	}
	reader.Wait()
}
