package worker

import (
	"bytes"
	"testing"
	"unsafe"

	"github.com/feac4032/multiproc/ipc"
)

func bytesOf(words []uint64) []byte {
	return unsafe.Slice((*byte)(unsafe.Pointer(&words[0])), len(words)*8)
}

// BenchmarkServe_PingPong is one job at a time over a pair of pipes.
func BenchmarkServe_PingPong(b *testing.B) {
	l := setup(b, unmetered)
	payload := encoded(bytes.Repeat([]byte("x"), 62))
	var frame []byte
	var id uint64
	b.ReportAllocs()
	for b.Loop() {
		id++
		frame = ipc.AppendJob(frame[:0], id, "echo", 1, 0, "", "", payload)
		l.send(frame)
		if _, err := l.r.Next(); err != nil {
			b.Fatal(err)
		}
	}
}

// BenchmarkServe_Window is a full window of jobs at a time.
func BenchmarkServe_Window(b *testing.B) {
	l := setup(b, unmetered)
	const window = 1000
	payload := encoded(bytes.Repeat([]byte("x"), 62))
	slots := make(chan struct{}, window)
	go func() {
		for {
			body, err := l.r.Next()
			if err != nil {
				return
			}
			if m, _ := ipc.Parse(body); m.Kind == ipc.KindResult {
				<-slots
			}
		}
	}()
	var buf, frame []byte
	var id uint64
	b.ReportAllocs()
	for b.Loop() {
		id++
		frame = ipc.AppendJob(frame[:0], id, "echo", 1, 0, "", "", payload)
		buf = ipc.AppendFrame(buf, frame)
		select {
		case slots <- struct{}{}:
		default:
			l.w.Write(buf)
			buf = buf[:0]
			slots <- struct{}{}
		}
	}
	l.w.Write(buf)
}

func unmetered(h *ipc.Hello, _ *endpoint) { h.Credit = 1 << 40 }
