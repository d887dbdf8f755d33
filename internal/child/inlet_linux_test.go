package child

import (
	"errors"
	"io"
	"os"
	"testing"
	"time"
)

func newTestInlet(t *testing.T) (*inlet, *os.File) {
	t.Helper()
	in, w, err := inletPipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		w.Close()
	})
	return in, w
}

// read1 reads a byte on another goroutine, which is blocked when it returns if the
// pipe is empty.
func read1(t *testing.T, in *inlet) <-chan error {
	t.Helper()
	done := make(chan error, 1)
	go func() {
		_, err := in.Read(make([]byte, 1))
		done <- err
	}()
	return done
}

func TestInlet_BlocksUntilThereIsSomething(t *testing.T) {
	t.Parallel()
	in, w := newTestInlet(t)
	for round := range 3 * unwatchAfter {
		done := read1(t, in)
		for watched := false; !watched; time.Sleep(time.Millisecond) {
			in.mu.Lock()
			watched = in.watched
			in.mu.Unlock()
		}
		w.Write([]byte{1})
		if err := <-done; err != nil {
			t.Fatal(err)
		}
		// As many at a time as end the watch, or do not.
		w.Write(make([]byte, round))
		for range round {
			if err := <-read1(t, in); err != nil {
				t.Fatal(err)
			}
		}
		in.mu.Lock()
		watched := in.watched
		in.mu.Unlock()
		if want := round < unwatchAfter; watched != want {
			t.Errorf("after %d reads that did not block it is watched: %v", round, watched)
		}
	}
}

func TestInlet_MissesNothingThatComesMeanwhile(t *testing.T) {
	t.Parallel()
	in, w := newTestInlet(t)
	const n = 20000
	ack := make(chan struct{})
	go func() {
		for i := range n {
			w.Write([]byte{byte(i)})
			if i%3 == 0 { // the reader blocks now and then, with the watch on and off
				<-ack
			}
		}
		w.Close()
	}()
	p := make([]byte, 1)
	for i := range n {
		if _, err := in.Read(p); err != nil || p[0] != byte(i) {
			t.Fatalf("byte %d is %d, %v", i, p[0], err)
		}
		if i%3 == 0 {
			ack <- struct{}{}
		}
	}
	if _, err := in.Read(p); err != io.EOF {
		t.Errorf("at the end: %v", err)
	}
}

func TestInlet_CloseAndDeadlinesEndAReadThatBlocks(t *testing.T) {
	t.Parallel()
	in, _ := newTestInlet(t)
	done := read1(t, in)
	in.SetReadDeadline(time.Now().Add(time.Millisecond))
	if err := <-done; !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("with a deadline: %v", err)
	}
	in.SetReadDeadline(time.Time{})
	done = read1(t, in)
	if err := in.Close(); err != nil {
		t.Error(err)
	}
	if err := <-done; !errors.Is(err, os.ErrClosed) {
		t.Errorf("closed: %v", err)
	}
	if err := <-read1(t, in); !errors.Is(err, os.ErrClosed) {
		t.Errorf("after the close: %v", err)
	}
	if err := in.Close(); !errors.Is(err, os.ErrClosed) {
		t.Errorf("closed again: %v", err)
	}
}
