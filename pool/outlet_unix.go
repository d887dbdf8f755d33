//go:build unix

package pool

import (
	"errors"
	"os"
	"sync"
	"syscall"

	"golang.org/x/sys/unix"
)

// outlet is a pair of pipes for a command's stdout and stderr. It is used for
// one command after the other, as long as each leaves no process behind: then
// nobody else can write to it, and what is in the pipes when the command has
// ended is all that it wrote. So no pipe has to be made, watched and closed for
// a command that writes nothing.
type outlet struct{ stdout, stderr pipe }

// pipe is one of the two. Whoever holds mu may read.
type pipe struct {
	r, w *os.File

	mu   sync.Mutex
	to   *stream       // where bytes go, nil between two commands
	over chan struct{} // follow has returned
}

func newOutlet() (*outlet, error) {
	o := new(outlet)
	if err := o.stdout.open(); err != nil {
		return nil, err
	}
	if err := o.stderr.open(); err != nil {
		o.stdout.close()
		return nil, err
	}
	return o, nil
}

func (p *pipe) open() error {
	var fds [2]int
	syscall.ForkLock.RLock()
	err := syscall.Pipe(fds[:])
	if err == nil {
		syscall.CloseOnExec(fds[0])
		syscall.CloseOnExec(fds[1])
	}
	syscall.ForkLock.RUnlock()
	if err != nil {
		return os.NewSyscallError("pipe", err)
	}
	if err := syscall.SetNonblock(fds[0], true); err != nil {
		syscall.Close(fds[0])
		syscall.Close(fds[1])
		return os.NewSyscallError("fcntl", err)
	}
	// The end that the command gets blocks, and is not polled here.
	p.r, p.w = os.NewFile(uintptr(fds[0]), "|0"), os.NewFile(uintptr(fds[1]), "|1")
	p.over = make(chan struct{})
	go p.follow()
	return nil
}

// follow reads while a command runs, so that it never waits for a full pipe.
func (p *pipe) follow() {
	defer close(p.over)
	raw, err := p.r.SyscallConn()
	if err != nil {
		return
	}
	raw.Read(func(fd uintptr) bool { return !p.take(int(fd)) })
}

// take reads what there is. It reports false at the end of the pipe.
func (p *pipe) take(fd int) bool {
	buf := readBuffers.Get().(*[32 << 10]byte)
	defer readBuffers.Put(buf)
	for {
		p.mu.Lock()
		n, err := readNow(fd, buf[:])
		if n > 0 && p.to != nil {
			p.to.take(buf[:n])
		}
		p.mu.Unlock()
		switch {
		case n > 0 || errors.Is(err, unix.EINTR):
		case errors.Is(err, unix.EAGAIN):
			return true
		default:
			return false
		}
	}
}

// begin leads what is written from now on to s.
func (p *pipe) begin(s *stream) {
	p.mu.Lock()
	p.to = s
	p.mu.Unlock()
}

// end takes what is left in the pipe, and ends that.
func (p *pipe) end() {
	if raw, err := p.r.SyscallConn(); err == nil {
		raw.Control(func(fd uintptr) { p.take(int(fd)) })
	}
	p.mu.Lock()
	p.to = nil
	p.mu.Unlock()
}

func (p *pipe) close() {
	p.w.Close()
	p.r.Close()
	<-p.over
}

func (o *outlet) begin(stdout, stderr *stream) {
	o.stdout.begin(stdout)
	o.stderr.begin(stderr)
}

// end completes both streams, of which nobody can write any more what is still
// wanted. It reports whether the outlet can be used again.
func (o *outlet) end() bool {
	o.stdout.end()
	o.stderr.end()
	return true
}

func (o *outlet) close() {
	o.stdout.close()
	o.stderr.close()
}
