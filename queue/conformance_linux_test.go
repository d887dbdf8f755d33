package queue_test

import (
	"testing"

	"golang.org/x/sys/unix"

	"github.com/feac4032/multiproc/queue"
	"github.com/feac4032/multiproc/queue/queuetest"
)

// TestPipes_ConformOverTheSmallestPipe has pipes of one page, as a system gives
// to a user who has many: nearly every write is partial.
func TestPipes_ConformOverTheSmallestPipe(t *testing.T) {
	queuetest.Run(t, func(t *testing.T) queuetest.Harness {
		return queuetest.Harness{Open: func(int) (queue.Backend, queue.Backend) {
			r, w := pipeEnds(t)
			raw, err := w.SyscallConn()
			if err != nil {
				t.Fatal(err)
			}
			raw.Control(func(fd uintptr) { _, err = unix.FcntlInt(fd, unix.F_SETPIPE_SZ, 4096) })
			if err != nil {
				t.Fatal(err)
			}
			put, get := queue.NewPipes(nil, w), queue.NewPipes(r, nil)
			shutdownAfter(t, put, get)
			return put, get
		}}
	})
}
