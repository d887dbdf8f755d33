package worker

import (
	"bytes"
	"errors"
	"io"
	"net"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/feac4032/multiproc/ipc"
)

// sink takes what an outbox writes, and blocks while it is shut.
type sink struct {
	mu   sync.Mutex
	got  bytes.Buffer
	fail error
}

func (s *sink) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.fail != nil {
		return 0, s.fail
	}
	return s.got.Write(p)
}

func (s *sink) len() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.got.Len()
}

func testPage(t testing.TB) *ipc.Page {
	t.Helper()
	page, err := ipc.FormatPage(alignedPage())
	if err != nil {
		t.Fatal(err)
	}
	return page
}

func TestOutbox_HoldsBackForAMillisecondAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(sink)
		page := testPage(t)
		o := newOutbox(s, page)
		defer o.shut()
		for round := range 30 { // in step with the flusher's timer, and out of it
			before := s.len()
			if err := o.put([]byte("frame"), nil, false); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if s.len() != before {
				t.Fatalf("round %d: written at once", round)
			}
			if rest := page.Rest(uint64(before)); string(rest) != "frame" {
				t.Fatalf("round %d: the ring has %q", round, rest)
			}
			time.Sleep(2 * holdTick)
			synctest.Wait()
			if s.len() != before+5 {
				t.Fatalf("round %d: not written after %v", round, 2*holdTick)
			}
			time.Sleep(time.Duration(round) * 170 * time.Microsecond)
		}
	})
}

func TestOutbox_WritesAtOnceWithoutAPageOrWithALot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := new(sink)
		o := newOutbox(s, nil)
		defer o.shut()
		o.put([]byte("frame"), nil, false)
		synctest.Wait()
		if s.len() != 5 {
			t.Error("a frame was held back without a page to hold it in")
		}
		held := new(sink)
		p := newOutbox(held, testPage(t))
		defer p.shut()
		p.put(make([]byte, flushAt), nil, false)
		synctest.Wait()
		if held.len() != flushAt {
			t.Error("a quarter of the ring was held back")
		}
	})
}

func TestOutbox_BlocksWhenFullAndLosesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r, w := net.Pipe()
		defer r.Close()
		page := testPage(t)
		o := newOutbox(w, page)
		defer o.shut()
		var want bytes.Buffer
		frame := func(i int) []byte { return bytes.Repeat([]byte{byte(i)}, 40_000) }
		for i := range 6 { // 240,000 of 262,144 bytes
			o.put(frame(i), nil, false)
			want.Write(frame(i))
		}
		done := make(chan error, 2)
		go func() { done <- o.put(frame(6), nil, false) }()
		synctest.Wait()
		if len(done) != 0 {
			t.Fatal("a put did not wait for room")
		}
		o.putNow([]byte("now")) // never waits
		o.putNow(make([]byte, 30_000))
		want.WriteString("now") // there is room for it
		want.Write(make([]byte, 30_000))
		want.Write(frame(6))
		wide := bytes.Repeat([]byte("w"), 2*ipc.RingSize+5)
		go func() {
			<-done
			done <- o.put(wide, nil, false)
		}()
		want.Write(wide)
		got := make([]byte, want.Len())
		if _, err := io.ReadFull(r, got); err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, want.Bytes()) {
			t.Error("the stream is not what was put")
		}
		if err := <-done; err != nil {
			t.Error(err)
		}
		if err := o.drain(); err != nil || page.Rest(uint64(want.Len())) != nil {
			t.Errorf("drain: %v", err)
		}
	})
}

func TestOutbox_FailureIsSticky(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		broken := errors.New("broken")
		o := newOutbox(&sink{fail: broken}, nil)
		defer o.shut()
		o.put([]byte("lost"), nil, false)
		<-o.failed
		o.putNow([]byte("lost too"))
		if err := o.put([]byte("x"), nil, false); err != broken {
			t.Errorf("put: %v, want %v", err, broken)
		}
		if err := o.drain(); err != broken {
			t.Errorf("drain: %v, want %v", err, broken)
		}
	})
}
