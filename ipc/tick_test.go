package ipc

import (
	"os"
	"testing"
	"time"
)

// A frame that came in two parts leaves a tick running; it must not end a later
// wait, however long that is.
func TestReader_WaitsAfterATickOfAnEarlierFrame(t *testing.T) {
	t.Parallel()
	pr, pw, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer pr.Close()
	defer pw.Close()
	r := NewReader(pr)
	r.tick = 10 * time.Millisecond
	frame := AppendFrame(nil, AppendPing(nil, 1))
	type got struct {
		body []byte
		err  error
	}
	frames := make(chan got)
	go func() {
		for range 2 {
			b, err := r.Next()
			frames <- got{b, err}
		}
	}()
	pw.Write(frame[:3])
	time.Sleep(2 * time.Millisecond) // lets the reader begin to wait for the rest; what follows holds either way
	pw.Write(frame[3:])
	if g := <-frames; g.err != nil {
		t.Fatal(g.err)
	}
	select {
	case g := <-frames:
		t.Fatalf("an idle read ended: %v", g.err)
	case <-time.After(100 * time.Millisecond):
	}
	pw.Write(frame)
	if g := <-frames; g.err != nil {
		t.Fatal(g.err)
	}
}
