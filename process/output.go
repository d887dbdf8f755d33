package process

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"
)

// tailSize is how much of stderr is kept, in bytes.
const tailSize = 4 << 10

// output is one of a process's streams: a file that the process writes to
// itself, or a pipe from which its bytes are copied.
type output struct {
	name   string // for errors
	to     io.Writer
	mu     *sync.Mutex // held in to.Write; shared by streams with the same writer
	theirs *os.File    // what the process gets; nil = the null device
	r      *os.File    // our end of the pipe; nil without one
	tail   *tail       // nil if it is not kept
	err    error       // the first of to's, guarded by mu
}

// outputs are stdout and stderr.
type outputs struct{ stdout, stderr output }

func openOutputs(stdout, stderr io.Writer) (*outputs, error) {
	o := &outputs{
		stdout: output{name: "stdout", to: stdout, mu: new(sync.Mutex)},
		stderr: output{name: "stderr", to: stderr, mu: new(sync.Mutex), tail: new(tail)},
	}
	if sameWriter(stdout, stderr) {
		o.stderr.mu = o.stdout.mu
	}
	for _, s := range []*output{&o.stdout, &o.stderr} {
		if err := s.open(); err != nil {
			o.started()
			o.abandon()
			return nil, fmt.Errorf("%s: %w", s.name, err)
		}
	}
	return o, nil
}

// sameWriter is ==, for writers of types that have it.
func sameWriter(a, b io.Writer) (same bool) {
	defer func() { _ = recover() }()
	return a != nil && a == b
}

func (o *output) open() (err error) {
	if f, ok := o.to.(*os.File); ok && f == nil {
		o.to = nil
	}
	if o.tail == nil {
		f, ok := o.to.(*os.File)
		if ok || o.to == nil {
			o.theirs = f
			return nil
		}
	}
	o.r, o.theirs, err = os.Pipe()
	return err
}

// started gives up the process's ends of the pipes, which it now has itself.
func (o *outputs) started() {
	for _, s := range []*output{&o.stdout, &o.stderr} {
		if s.r != nil && s.theirs != nil {
			s.theirs.Close()
		}
	}
}

// abandon closes our ends.
func (o *outputs) abandon() {
	for _, s := range []*output{&o.stdout, &o.stderr} {
		if s.r != nil {
			s.r.Close()
		}
	}
}

// copy copies what the process writes, until nobody holds the pipe any more.
func (o *outputs) copy(reading *sync.WaitGroup) {
	for _, s := range []*output{&o.stdout, &o.stderr} {
		if s.r != nil {
			reading.Go(s.copy)
		}
	}
}

// expire bounds the copying when somebody who could not be killed may hold the
// pipes for ever.
func (o *outputs) expire(at time.Time) {
	for _, s := range []*output{&o.stdout, &o.stderr} {
		if s.r != nil {
			s.r.SetReadDeadline(at)
		}
	}
}

// lost is why output is missing, nil if none is.
func (o *outputs) lost() error {
	for _, s := range []*output{&o.stdout, &o.stderr} {
		if s.err != nil {
			return fmt.Errorf("%s is lost: %w", s.name, s.err)
		}
	}
	return nil
}

var buffers = sync.Pool{New: func() any { return new([32 << 10]byte) }}

func (o *output) copy() {
	defer o.r.Close()
	buf := buffers.Get().(*[32 << 10]byte)
	defer buffers.Put(buf)
	for {
		n, err := o.r.Read(buf[:])
		if n > 0 {
			if o.tail != nil {
				o.tail.add(buf[:n])
			}
			o.write(buf[:n])
		}
		if err != nil {
			return
		}
	}
}

// write passes bytes on. After an error it drops them, so that the process is
// not held up.
func (o *output) write(p []byte) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.to != nil && o.err == nil {
		_, o.err = o.to.Write(p)
	}
}

// tail keeps the last tailSize bytes of a stream.
type tail struct{ buf []byte }

func (t *tail) add(p []byte) {
	p = p[max(0, len(p)-tailSize):]
	if len(t.buf)+len(p) > 2*tailSize {
		keep := tailSize - len(p)
		t.buf = t.buf[:copy(t.buf, t.buf[len(t.buf)-keep:])]
	}
	t.buf = append(t.buf, p...)
}

func (t *tail) String() string { return string(t.buf[max(0, len(t.buf)-tailSize):]) }
