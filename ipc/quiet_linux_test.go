package ipc

import (
	"bytes"
	"context"
	"errors"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// quietPipe is a pipe whose reading end is quiet.
func quietPipe(t *testing.T) (*quiet, *os.File) {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	q, ok := Quiet(r).(*quiet)
	if !ok {
		t.Fatal("the pipe is not quiet")
	}
	t.Cleanup(func() {
		q.Close()
		w.Close()
	})
	return q, w
}

// told reports whether the runtime's poller is told that there is something.
func (q *quiet) told(t *testing.T) bool {
	t.Helper()
	fds := []unix.PollFd{{Events: unix.POLLIN}}
	if err := q.wait.Control(func(fd uintptr) { fds[0].Fd = int32(fd) }); err != nil {
		t.Fatal(err)
	}
	n, err := unix.Poll(fds, 0)
	if err != nil {
		t.Fatal(err)
	}
	return n > 0
}

// listens reports whether the epoll wants to hear of the pipe.
func (q *quiet) listens(t *testing.T) bool {
	t.Helper()
	var info []byte
	err := q.wait.Control(func(fd uintptr) { info, _ = os.ReadFile("/proc/self/fdinfo/" + strconv.Itoa(int(fd))) })
	_, events, found := bytes.Cut(info, []byte("events:"))
	fields := bytes.Fields(events)
	if err != nil || !found || len(fields) == 0 {
		t.Fatalf("%v: %q", err, info)
	}
	mask, err := strconv.ParseUint(string(fields[0]), 16, 32)
	if err != nil {
		t.Fatal(err)
	}
	return mask&unix.EPOLLIN != 0
}

func TestQuiet_TellsThePollerOnlyWhileItsReaderBlocks(t *testing.T) {
	t.Parallel()
	q, w := quietPipe(t)
	if _, err := w.WriteString("first"); err != nil {
		t.Fatal(err)
	}
	if q.told(t) {
		t.Error("told before a read has blocked")
	}
	p := make([]byte, 64)
	if n, err := q.Read(p); string(p[:n]) != "first" || err != nil {
		t.Fatalf("got %q, %v", p[:n], err)
	}
	came := make(chan string)
	go func() {
		n, _ := q.Read(p)
		came <- string(p[:n])
	}()
	for !q.listens(t) { // until it is about to block
		runtime.Gosched()
	}
	if _, err := w.WriteString("second"); err != nil {
		t.Fatal(err)
	}
	if got := <-came; got != "second" {
		t.Fatalf("got %q", got)
	}
	if _, err := w.WriteString("third"); err != nil {
		t.Fatal(err)
	}
	if q.told(t) || q.listens(t) {
		t.Error("told after the read")
	}
}

// A reader that goes to sleep at any moment misses nothing.
func TestQuiet_LosesNoWakeUp(t *testing.T) {
	t.Parallel()
	q, w := quietPipe(t)
	back, ours, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer back.Close()
	defer ours.Close()
	const n = 20_000
	timer := time.AfterFunc(20*time.Second, func() { q.Close() }) // who hangs, fails
	defer timer.Stop()
	go func() {
		defer w.Close()
		p := make([]byte, 1)
		spin := rand.New(rand.NewPCG(1, 2))
		for range n {
			for range spin.IntN(400) {
				p[0]++
			}
			if _, err := w.Write(p); err != nil {
				return
			}
			if _, err := back.Read(p); err != nil {
				return
			}
		}
	}()
	p := make([]byte, 8)
	for i := range n {
		if m, err := q.Read(p); m != 1 || err != nil {
			t.Fatalf("message %d: %d bytes, %v", i, m, err)
		}
		if _, err := ours.Write(p[:1]); err != nil {
			t.Fatal(err)
		}
	}
	if m, err := q.Read(p); m != 0 || err != io.EOF {
		t.Errorf("at the end: %d bytes, %v, want EOF", m, err)
	}
}

func TestQuiet_ReadEndsWithItsDeadlineAndGoesOn(t *testing.T) {
	t.Parallel()
	q, w := quietPipe(t)
	p := make([]byte, 8)
	if err := q.SetReadDeadline(time.Now().Add(time.Millisecond)); err != nil {
		t.Fatal(err)
	}
	for range 2 { // while it blocks, and before it would
		if _, err := q.Read(p); !errors.Is(err, os.ErrDeadlineExceeded) {
			t.Fatalf("got %v, want ErrDeadlineExceeded", err)
		}
	}
	if err := q.SetReadDeadline(time.Time{}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.WriteString("on"); err != nil {
		t.Fatal(err)
	}
	if n, err := q.Read(p); string(p[:n]) != "on" || err != nil {
		t.Errorf("got %q, %v", p[:n], err)
	}
}

func TestQuiet_CloseEndsARead(t *testing.T) {
	t.Parallel()
	q, _ := quietPipe(t)
	ended := make(chan error, 1)
	go func() {
		_, err := q.Read(make([]byte, 1))
		ended <- err
	}()
	if err := q.Close(); err != nil {
		t.Fatal(err)
	}
	if err := <-ended; !errors.Is(err, os.ErrClosed) {
		t.Errorf("got %v, want ErrClosed", err)
	}
	if _, err := q.Read(make([]byte, 1)); !errors.Is(err, os.ErrClosed) {
		t.Errorf("after the end: %v, want ErrClosed", err)
	}
}

func TestQuiet_IsALinkLikeAnyOther(t *testing.T) {
	t.Parallel()
	q, w := quietPipe(t)
	l := NewLink(q, w)
	l.Reader().Spin(func() bool { return true })
	ctx, cancel := context.WithCancel(context.Background())
	time.AfterFunc(time.Millisecond, cancel)
	dst := make([][]byte, 4)
	if _, err := l.GetBatch(ctx, dst); !errors.Is(err, context.Canceled) {
		t.Fatalf("got %v, want Canceled", err)
	}
	for i := range 1000 {
		msg := bytes.Repeat([]byte{byte(i)}, 1+i)
		put := make(chan error, 1)
		go func() {
			_, err := l.PutBatch(context.Background(), [][]byte{msg})
			put <- err
		}()
		n, err := l.GetBatch(context.Background(), dst)
		if n != 1 || err != nil || !bytes.Equal(dst[0], msg) {
			t.Fatalf("message %d: %d of them, %v", i, n, err)
		}
		if err := <-put; err != nil {
			t.Fatal(err)
		}
	}
}

func TestQuiet_FileThatCannotBePolledIsReadAsItIs(t *testing.T) {
	t.Parallel()
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if _, err := f.WriteString("text"); err != nil {
		t.Fatal(err)
	}
	if _, err := f.Seek(0, io.SeekStart); err != nil {
		t.Fatal(err)
	}
	s := Quiet(f)
	if s != Source(f) {
		t.Errorf("got a %T, want the file", s)
	}
	if got, err := io.ReadAll(s); string(got) != "text" || err != nil {
		t.Errorf("got %q, %v", got, err)
	}
}
