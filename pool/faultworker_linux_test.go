package pool_test

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/feac4032/multiproc/internal/boot"
	"github.com/feac4032/multiproc/ipc"
)

// faulty is a worker that was written to do harm: the test binary, executed by a
// pool, with the name of a fault in its environment. It speaks the protocol by
// hand, so that it can break every rule of it.
type faulty struct {
	hello *ipc.Hello
	page  *ipc.Page
	in    *ipc.Reader
	out   *os.File
	dir   string // of the case
	wrote uint64 // bytes of the stream, from ready on
}

const (
	faultEnv    = "POOL_TEST_FAULT"     // what the worker plays
	faultDirEnv = "POOL_TEST_FAULT_DIR" // the folder of the case
)

func init() { roles = append(roles, playFault) }

// playFault plays the fault that the environment names. Only the program's first
// process does, unless the fault is one of always: the others are good workers.
func playFault() {
	name := os.Getenv(faultEnv)
	if boot.Role != boot.Worker || name == "" {
		return
	}
	f := faultNamed(name)
	if f == nil {
		fmt.Fprintln(os.Stderr, "no such fault:", name)
		os.Exit(99)
	}
	w := &faulty{dir: os.Getenv(faultDirEnv), out: os.NewFile(uintptr(boot.Out), "link")}
	first, err := os.OpenFile(filepath.Join(w.dir, "played"), os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil && !f.always {
		return
	}
	first.Close()
	w.in = ipc.NewReader(struct{ io.Reader }{os.NewFile(uintptr(boot.In), "link")})
	f.play(w)
	os.Exit(0)
}

// greet reads hello.
func (f *faulty) greet() {
	if f.hello != nil {
		return
	}
	body, err := f.in.Next()
	if err == nil {
		f.hello, err = ipc.ParseHello(body)
	}
	f.must(err)
}

// must ends the worker when the test itself is at fault.
func (f *faulty) must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "faulty worker:", err)
		os.Exit(98)
	}
}

// raw writes bytes to the link in one piece.
func (f *faulty) raw(b []byte) {
	n, err := f.out.Write(b)
	f.wrote += uint64(n)
	if err != nil {
		os.Exit(97) // the link has been closed: as an honest worker would
	}
}

func (f *faulty) send(body []byte) { f.raw(ipc.AppendFrame(nil, body)) }

// readyBody is a ready frame's body, of a worker with no capabilities unless
// they are given.
func (f *faulty) readyBody(change func(*ipc.Ready), caps ...ipc.Capability) []byte {
	f.greet()
	r := &ipc.Ready{Nonce: f.hello.Nonce, Version: 1, PID: uint64(os.Getpid()), Window: 1, Threads: 1, Capabilities: caps, Tasks: []string{"noop"}, Program: "faulty"}
	if change != nil {
		change(r)
	}
	return ipc.AppendReady(nil, r)
}

func (f *faulty) ready(caps ...ipc.Capability) { f.send(f.readyBody(nil, caps...)) }

// readyPaged is ready of a worker that keeps the shared page.
func (f *faulty) readyPaged() {
	f.openPage()
	f.send(f.readyBody(func(r *ipc.Ready) { r.Window = 64 }, ipc.CapPage, ipc.CapCancel, ipc.CapOffsets))
}

func (f *faulty) openPage() {
	mem, err := unix.Mmap(boot.Page, 0, ipc.PageSize, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	f.must(err)
	f.page, err = ipc.OpenPage(mem)
	f.must(err)
}

// job waits for a job with an inline payload, or for the head of another, and
// ends the worker when no job will come.
func (f *faulty) job() ipc.Message {
	for {
		body, err := f.in.Next()
		if err != nil {
			os.Exit(0)
		}
		m, err := ipc.Parse(bytes.Clone(body))
		f.must(err)
		switch m.Kind {
		case ipc.KindJob:
			return m
		case ipc.KindStop:
			os.Exit(0)
		}
	}
}

// begin is ready and the first job, which has started.
func (f *faulty) begin() ipc.Message {
	f.ready()
	return f.job()
}

// beginPaged is begin of a worker that keeps the shared page.
func (f *faulty) beginPaged() ipc.Message {
	f.readyPaged()
	m := f.job()
	f.page.SetStarted(0, m.ID)
	return m
}

// answer sends the right result of noop.
func (f *faulty) answer(m ipc.Message) { f.send(ipc.AppendResult(nil, m.ID, ipc.StatusOK, m.Body)) }

// serve is what a good worker does.
func (f *faulty) serve() {
	for {
		m := f.job()
		if f.page != nil {
			f.page.SetStarted(0, m.ID)
		}
		f.answer(m)
	}
}

// publish puts frames where a dying worker leaves them: in the ring, not in the
// pipe.
func (f *faulty) publish(b []byte) {
	ring := f.page.Ring()
	for i, x := range b {
		ring[(f.wrote+uint64(i))%uint64(len(ring))] = x
	}
	f.page.SetEnd(f.wrote + uint64(len(b)))
}

// hang does nothing, for longer than any test.
func hang() {
	for {
		time.Sleep(time.Hour)
	}
}

// stop stops this process as a terminal does.
func stop() {
	syscall.Kill(os.Getpid(), syscall.SIGSTOP)
	hang()
}
