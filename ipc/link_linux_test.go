package ipc

import (
	"os"
	"sync"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestLink_PipesOf8KiB(t *testing.T) {
	t.Parallel()
	l, _, out := pipes(t)
	raw, err := l.w.(*os.File).SyscallConn()
	if err != nil {
		t.Fatal(err)
	}
	size := 0
	if err := raw.Control(func(fd uintptr) { size, err = unix.FcntlInt(fd, unix.F_SETPIPE_SZ, 8<<10) }); err != nil || size != 8<<10 {
		t.Fatalf("pipe of %d bytes, %v", size, err)
	}
	const n, each = 100, 70_000 // each message is many pipes long
	var reader sync.WaitGroup
	reader.Go(func() { checkNumbered(t, out, n) })
	for i := 0; i < n; i += 10 {
		if took, err := l.PutBatch(t.Context(), numbered(i, 10, each)); took != 10 || err != nil {
			t.Fatal(took, err)
		}
	}
	reader.Wait()
}

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
