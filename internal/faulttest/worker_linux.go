package faulttest

import (
	"bytes"
	"fmt"
	"io"
	"os"

	"golang.org/x/sys/unix"

	"github.com/feac4032/multiproc/internal/boot"
	"github.com/feac4032/multiproc/ipc"
)

// Worker is the worker's end of a link.
type Worker struct {
	Hello *ipc.Hello // once it was read
	Page  *ipc.Page  // once it was opened
	Arena *ipc.Arena // likewise; nil if there is none
	Mem   []byte     // both
	In    *ipc.Reader
	Out   *os.File
	Wrote uint64 // bytes of the stream, from ready on

	tasks []string
}

// New takes the link of this process, which a supervisor has started as a worker.
// It will say that it knows these tasks.
func New(tasks ...string) *Worker {
	return &Worker{
		In:    ipc.NewReader(struct{ io.Reader }{os.NewFile(uintptr(boot.In), "link")}),
		Out:   os.NewFile(uintptr(boot.Out), "link"),
		tasks: tasks,
	}
}

// Greet reads hello.
func (w *Worker) Greet() {
	if w.Hello != nil {
		return
	}
	body, err := w.In.Next()
	if err == nil {
		w.Hello, err = ipc.ParseHello(body)
	}
	Must(err)
}

// Raw writes bytes to the link in one piece. Where the link has been closed it ends
// the process, as an honest worker would.
func (w *Worker) Raw(b []byte) {
	n, err := w.Out.Write(b)
	w.Wrote += uint64(n)
	if err != nil {
		os.Exit(97)
	}
}

// Send writes a frame with this body.
func (w *Worker) Send(body []byte) { w.Raw(ipc.AppendFrame(nil, body)) }

// ReadyBody is a ready frame's body, of a worker with no capabilities unless
// they are given. It reads hello before.
func (w *Worker) ReadyBody(change func(*ipc.Ready), caps ...ipc.Capability) []byte {
	w.Greet()
	r := &ipc.Ready{Nonce: w.Hello.Nonce, Version: 1, PID: uint64(os.Getpid()), Window: 1, Threads: 1, Capabilities: caps, Tasks: w.tasks, Program: "faulty"}
	if change != nil {
		change(r)
	}
	return ipc.AppendReady(nil, r)
}

// ReadyWith is a ready frame's body whose map has one key more, or another value
// for one that it needs.
func (w *Worker) ReadyWith(key string, value []byte) []byte {
	w.Greet()
	b := append([]byte{0x94, byte(ipc.KindReady), 0, 0xc4, ipc.NonceSize}, w.Hello.Nonce[:]...)
	n := byte(0x82)
	if key == "version" {
		n--
	}
	b = append(b, n)
	if key != "version" {
		b = append(b, "\xa7version\x01"...)
	}
	b = append(b, 0xa0|byte(len(key)))
	return append(append(b, key...), value...)
}

// Ready says that it is, with a window of 1 and no page.
func (w *Worker) Ready(caps ...ipc.Capability) { w.Send(w.ReadyBody(nil, caps...)) }

// ReadyPaged is Ready of a worker that keeps the shared page, and has a window.
func (w *Worker) ReadyPaged() {
	w.OpenPage()
	w.Send(w.ReadyBody(func(r *ipc.Ready) { r.Window = 64 }, ipc.CapPage, ipc.CapCancel, ipc.CapOffsets))
}

// OpenPage maps the shared page.
func (w *Worker) OpenPage() {
	var st unix.Stat_t
	Must(unix.Fstat(boot.Page, &st))
	mem, err := unix.Mmap(boot.Page, 0, int(st.Size), unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED)
	Must(err)
	w.Page, err = ipc.OpenPage(mem)
	Must(err)
	w.Arena, w.Mem = ipc.OpenArena(mem), mem
}

// Job waits for a job with an inline payload, or for the head of another, and
// ends the process when no job will come.
func (w *Worker) Job() ipc.Message {
	for {
		body, err := w.In.Next()
		if err != nil {
			os.Exit(0)
		}
		m, err := ipc.Parse(bytes.Clone(body))
		Must(err)
		switch m.Kind {
		case ipc.KindJob:
			return m
		case ipc.KindStop:
			os.Exit(0)
		}
	}
}

// Begin is Ready and the first job, which has started.
func (w *Worker) Begin() ipc.Message {
	w.Ready()
	return w.Job()
}

// BeginPaged is Begin of a worker that keeps the shared page.
func (w *Worker) BeginPaged() ipc.Message {
	w.ReadyPaged()
	m := w.Job()
	w.Page.SetStarted(0, m.ID)
	return m
}

// Answer gives a job's argument back as its result.
func (w *Worker) Answer(m ipc.Message) {
	w.Send(ipc.AppendResult(nil, m.ID, ipc.StatusOK, m.Body))
}

// Result sends a result, in chunks if it has to.
func (w *Worker) Result(id uint64, status ipc.Status, payload []byte) {
	w.Send(ipc.AppendResult(nil, id, status, payload))
	if len(payload) > ipc.MaxInline {
		for ; len(payload) > 0; payload = payload[min(len(payload), ipc.MaxInline):] {
			w.Send(ipc.AppendData(nil, id, payload[:min(len(payload), ipc.MaxInline)]))
		}
	}
}

// Serve answers every job to come, as a good worker does.
func (w *Worker) Serve() {
	for {
		m := w.Job()
		if w.Page != nil {
			w.Page.SetStarted(0, m.ID)
		}
		w.Answer(m)
	}
}

// Publish puts frames where a dying worker leaves them: in the ring, not in the
// pipe.
func (w *Worker) Publish(b []byte) {
	ring := w.Page.Ring()
	for i, x := range b {
		ring[(w.Wrote+uint64(i))%uint64(len(ring))] = x
	}
	w.Page.SetEnd(w.Wrote + uint64(len(b)))
}

// Must ends the process when the test itself is at fault.
func Must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "faulty worker:", err)
		os.Exit(98)
	}
}
