package main

import (
	"bytes"
	"os"
	"syscall"
	"time"

	"github.com/feac4032/multiproc/internal/boot"
	"github.com/feac4032/multiproc/internal/faulttest"
	"github.com/feac4032/multiproc/ipc"
)

func init() {
	for name, f := range map[string]fault{
		"text on the link":    writes([]byte("processing item 17 of 400\n")),
		"zeros on the link":   writes(make([]byte, 1<<16)),
		"noise on the link":   writes(faulttest.Noise(1 << 20)),
		"length 0":            writes(faulttest.Head(0)),
		"length over the cap": writes(faulttest.Head(ipc.MaxFrame + 1)),
		"length of 4 GiB":     writes(faulttest.Head(1<<32 - 1)),
		"bad kind":            writes(ipc.AppendFrame(nil, []byte{0x93, 99, 1, 1})),
		"kind of a supervisor": writes(ipc.AppendFrame(nil,
			ipc.AppendJob(nil, 1, work.Name(), 1, 0, "", "", []byte{1}))),
		"half a frame then death": once(func(w *faulttest.Worker) {
			w.Begin()
			w.Raw(append(faulttest.Head(1<<20), faulttest.Noise(1<<19)...))
			os.Exit(6)
		}),
		"half a frame then silence": writes(append(faulttest.Head(1000), make([]byte, 500)...)),
		"half of ready then silence": once(func(w *faulttest.Worker) {
			b := ipc.AppendFrame(nil, w.ReadyBody(nil))
			w.Raw(b[:len(b)-1])
			faulttest.Hang()
		}),
		"one byte a second": once(func(w *faulttest.Worker) {
			m := w.Begin()
			for _, b := range ipc.AppendFrame(nil, ipc.AppendResult(nil, m.ID, ipc.StatusOK, m.Body)) {
				w.Raw([]byte{b})
				time.Sleep(time.Second)
			}
			w.Serve()
		}),
		"bad version":  once(func(w *faulttest.Worker) { w.Send(w.ReadyBody(func(r *ipc.Ready) { r.Version = 2 })); faulttest.Hang() }),
		"bad nonce":    once(func(w *faulttest.Worker) { w.Send(w.ReadyBody(func(r *ipc.Ready) { r.Nonce[3]++ })); faulttest.Hang() }),
		"ready again":  once(func(w *faulttest.Worker) { w.Begin(); w.Ready(); faulttest.Hang() }),
		"prints hello": once(func(w *faulttest.Worker) { w.Greet(); w.Raw(ipc.AppendHello(nil, w.Hello)); faulttest.Hang() }),
		"result twice": once(func(w *faulttest.Worker) {
			m := w.BeginPaged()
			b := ipc.AppendFrame(nil, ipc.AppendResult(nil, m.ID, ipc.StatusOK, m.Body))
			w.Raw(append(b, b...))
			faulttest.Hang()
		}),
		"result of a finished job": once(func(w *faulttest.Worker) {
			w.ReadyPaged()
			m := w.Job()
			w.Page.SetStarted(0, m.ID)
			w.Answer(m)
			w.Job() // which it never starts
			w.Answer(m)
			faulttest.Hang()
		}),
		"result of an unknown job": once(func(w *faulttest.Worker) {
			m := w.Begin()
			m.ID = 1<<64 - 1
			w.Answer(m)
			faulttest.Hang()
		}),
		"more chunks than announced": once(func(w *faulttest.Worker) {
			m := w.Begin()
			w.Send(ipc.AppendResult(nil, m.ID, ipc.StatusOK, make([]byte, 70000)))
			for range 2 {
				w.Send(ipc.AppendData(nil, m.ID, make([]byte, ipc.MaxInline)))
			}
			faulttest.Hang()
		}),
		"result announced as 2^63": once(func(w *faulttest.Worker) {
			m := w.Begin()
			w.Send(faulttest.Announce(m.ID, 1<<63))
			faulttest.Hang()
		}),
		"flood of log lines": floods(func(id uint64) []byte {
			return ipc.AppendLog(nil, id, ipc.LevelInfo, string(bytes.Repeat([]byte{'x'}, 1000)), nil)
		}),
		"flood of progress": floods(func(id uint64) []byte { return ipc.AppendProgress(nil, id, []byte{1}) }),
		"flood of pings":    floods(func(id uint64) []byte { return ipc.AppendPing(nil, id) }),
		"stops reading":     once(func(w *faulttest.Worker) { w.Begin(); faulttest.Hang() }),
		"closes its input":  once(func(w *faulttest.Worker) { w.Begin(); syscall.Close(boot.In); faulttest.Hang() }),
	} {
		faults[name] = f
	}
}

// writes is a worker that answers its first job with these bytes and goes on.
func writes(b []byte) fault {
	return once(func(w *faulttest.Worker) { w.Begin(); w.Raw(b); faulttest.Hang() })
}

// floods is a worker that sends the same frame for ever under its first job, and
// reads nothing.
func floods(frame func(id uint64) []byte) fault {
	return once(func(w *faulttest.Worker) {
		w.Ready()
		m := w.Job()
		for many := bytes.Repeat(ipc.AppendFrame(nil, frame(m.ID)), 100); ; {
			w.Raw(many)
		}
	})
}
