package queue_test

import (
	"net"
	"os"
	"path/filepath"
	"testing"

	"github.com/feac4032/multiproc/ipc"
	"github.com/feac4032/multiproc/queue"
	"github.com/feac4032/multiproc/queue/queuetest"
)

var (
	_ queue.Backend = (*ipc.Link)(nil)
	_ queue.Closer  = (*ipc.Link)(nil)
)

func TestMemory_Conforms(t *testing.T) {
	queuetest.Run(t, func(t *testing.T) queuetest.Harness {
		return queuetest.Harness{
			Open: func(size int) (queue.Backend, queue.Backend) {
				m := queue.NewMemory(size)
				return m, m
			},
			OpenJoinable: func(size int) (queue.Backend, queue.Backend) {
				m := queue.NewMemory(size)
				return m, m
			},
			OpenPipe: func() (queue.Backend, queue.Backend) { return queue.NewMemoryPipe() },
			Exact:    true,
			Bubble:   true,
		}
	})
}

// pipeEnds opens an os.Pipe. The queues that get the ends close them.
func pipeEnds(t testing.TB) (r, w *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	return r, w
}

// shutdownAfter releases a backend's ends when the test is over.
func shutdownAfter(t testing.TB, ps ...*queue.Pipes) {
	t.Cleanup(func() {
		for _, p := range ps {
			if err := p.Shutdown(); err != nil {
				t.Errorf("shutdown: %v", err)
			}
		}
	})
}

func TestPipes_ConformWithBothEndsInOneQueue(t *testing.T) {
	queuetest.Run(t, func(t *testing.T) queuetest.Harness {
		return queuetest.Harness{Open: func(int) (queue.Backend, queue.Backend) {
			p := queue.NewPipes(pipeEnds(t))
			shutdownAfter(t, p)
			return p, p
		}}
	})
}

func TestPipes_ConformWithOneEndEach(t *testing.T) {
	queuetest.Run(t, func(t *testing.T) queuetest.Harness {
		return queuetest.Harness{Open: func(int) (queue.Backend, queue.Backend) {
			r, w := pipeEnds(t)
			put, get := queue.NewPipes(nil, w), queue.NewPipes(r, nil)
			shutdownAfter(t, put, get)
			return put, get
		}}
	})
}

// Over sockets of this machine: one that is full stays so until somebody reads. A
// TCP socket does not, its room comes back with an acknowledgement that the kernel
// of the reader sends by itself, some 40 ms later.
func TestPipes_ConformOverSockets(t *testing.T) {
	queuetest.Run(t, func(t *testing.T) queuetest.Harness {
		return queuetest.Harness{Open: func(int) (queue.Backend, queue.Backend) {
			dir, err := os.MkdirTemp("", "q") // a socket's path must be short
			if err != nil {
				t.Fatal(err)
			}
			defer os.RemoveAll(dir)
			l, err := net.Listen("unix", filepath.Join(dir, "s"))
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			near, err := net.Dial("unix", l.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			far, err := l.Accept()
			if err != nil {
				t.Fatal(err)
			}
			put, get := queue.NewPipes(near, near), queue.NewPipes(far, far)
			shutdownAfter(t, put, get)
			return put, get
		}}
	})
}
