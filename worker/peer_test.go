package worker

import (
	"bytes"
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"testing"
	"time"

	"github.com/feac4032/multiproc/ipc"
	"github.com/feac4032/multiproc/task"
)

// peer is the supervisor's end of a link under test.
type peer struct {
	t     testing.TB
	w     io.WriteCloser
	r     *ipc.Reader
	in    io.Closer // what r reads
	page  *ipc.Page // nil without one
	hello ipc.Hello
	ready *ipc.Ready
	stray bytes.Buffer
	asm   ipc.Assembler

	mu  sync.Mutex // held while sending
	buf []byte
}

func newHello() ipc.Hello {
	h := ipc.Hello{Min: ipc.Version, Max: ipc.Version, FrameMax: ipc.MaxFrame, MessageMax: ipc.MaxMessage,
		Credit: ipc.DefaultCredit, Worker: "worker-1"}
	rand.Read(h.Nonce[:])
	return h
}

func (p *peer) send(bodies ...[]byte) {
	p.t.Helper()
	p.mu.Lock()
	defer p.mu.Unlock()
	p.buf = p.buf[:0]
	for _, b := range bodies {
		p.buf = ipc.AppendFrame(p.buf, b)
	}
	if _, err := p.w.Write(p.buf); err != nil {
		p.t.Errorf("send: %v", err)
	}
}

func (p *peer) handshake() {
	p.t.Helper()
	p.send(ipc.AppendHello(nil, &p.hello))
	ready, err := p.r.AwaitReady(&p.hello, func(b []byte) { p.stray.Write(b) })
	if err != nil {
		p.t.Fatalf("await ready: %v", err)
	}
	p.ready = ready
}

// frame returns the next message; byte slices in it are copies.
func (p *peer) frame() ipc.Message {
	p.t.Helper()
	body, err := p.r.Next()
	if err != nil {
		p.t.Fatalf("next frame: %v", err)
	}
	m, err := ipc.Parse(bytes.Clone(body))
	if err != nil {
		p.t.Fatalf("parse: %v", err)
	}
	return m
}

// expect returns the next message, which must be of a kind; credit frames are
// passed over unless they are asked for.
func (p *peer) expect(k ipc.Kind) ipc.Message {
	p.t.Helper()
	for {
		m := p.frame()
		if m.Kind == k {
			return m
		}
		if m.Kind != ipc.KindCredit {
			p.t.Fatalf("got a %s frame (id %d, status %v), want %s", m.Kind, m.ID, m.Status, k)
		}
	}
}

// result returns the answer of a job, put together.
func (p *peer) result(id uint64, want ipc.Status) []byte {
	p.t.Helper()
	m := p.expect(ipc.KindResult)
	if m.ID != id {
		p.t.Fatalf("result of job %d, want %d", m.ID, id)
	}
	if m.Chunked() {
		if err := p.asm.Begin(&m); err != nil {
			p.t.Fatal(err)
		}
		for whole := (*ipc.Message)(nil); whole == nil; {
			d := p.expect(ipc.KindData)
			p.send(ipc.AppendCredit(nil, uint64(len(d.Body))))
			var err error
			if whole, err = p.asm.Add(&d); err != nil {
				p.t.Fatal(err)
			}
			if whole != nil {
				m = *whole
			}
		}
	}
	if m.Status != want {
		p.t.Fatalf("job %d: status %s, want %s (%s)", id, m.Status, want, failureText(m.Body))
	}
	return m.Body
}

func failureText(payload []byte) string {
	f, err := task.DecodeFailure(payload)
	if err != nil {
		return fmt.Sprintf("%q", payload)
	}
	return f.Error()
}

func (p *peer) failure(id uint64, want ipc.Status) *task.Failure {
	p.t.Helper()
	f, err := task.DecodeFailure(p.result(id, want))
	if err != nil {
		p.t.Fatalf("job %d: %v", id, err)
	}
	return f
}

func encoded(v any) []byte {
	b, err := task.Encode(nil, v)
	if err != nil {
		panic(err)
	}
	return b
}

func job1(id uint64, name string, arg any) []byte {
	return ipc.AppendJob(nil, id, name, 1, 0, "", "", encoded(arg))
}

// expectEOF asserts that the stream ends without another frame.
func (p *peer) expectEOF() {
	p.t.Helper()
	if body, err := p.r.Next(); !errors.Is(err, io.EOF) {
		p.t.Fatalf("got %q, %v, want the end of the stream", body, err)
	}
}

// local is a server in this process, and its peer.
type local struct {
	*peer
	srv    *server
	stderr *bytes.Buffer
	code   chan int
}

// setup runs a server over a pair of pipes, ready to take jobs.
func setup(t testing.TB, change ...func(*ipc.Hello, *endpoint)) *local {
	t.Helper()
	l := start(t, change...)
	l.handshake()
	return l
}

func start(t testing.TB, change ...func(*ipc.Hello, *endpoint)) *local {
	t.Helper()
	inR, inW, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	outR, outW, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	page, err := ipc.FormatPage(alignedPage())
	if err != nil {
		t.Fatal(err)
	}
	l := &local{stderr: new(bytes.Buffer), code: make(chan int, 1)}
	e := endpoint{in: inR, out: outW, page: page, program: "test", tasks: task.Names(), lookup: task.Lookup, stderr: l.stderr}
	h := newHello()
	for _, f := range change {
		f(&h, &e)
	}
	l.peer = &peer{t: t, w: inW, r: ipc.NewReader(struct{ io.Reader }{outR}), in: outR, page: e.page, hello: h}
	l.srv = newServer(e)
	go func() { l.code <- l.srv.serve() }()
	t.Cleanup(func() {
		inW.Close()
		outR.Close()
		inR.Close()
		outW.Close()
	})
	return l
}

// exit waits for the server's exit code.
func (l *local) exit() int {
	l.t.Helper()
	select {
	case code := <-l.code:
		return code
	case <-time.After(20 * time.Second):
		l.t.Fatal("the server does not end")
		return -1
	}
}

func alignedPage() []byte {
	words := make([]uint64, ipc.PageSize/8)
	return bytesOf(words)
}

var _ = task.Define("echo", func(_ context.Context, v any) (any, error) { return v, nil })
