package queue_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/feac4032/multiproc/ipc"
	"github.com/feac4032/multiproc/queue"
)

func frame(mark byte, body string) string {
	return string(binary.BigEndian.AppendUint32(nil, uint32(len(body)+1))) + string(mark) + body
}

func TestPipes_EndOfStream(t *testing.T) {
	t.Parallel()
	const one, two = "\xa3one", "\xa3two"
	tests := []struct {
		name, stream string
		items        []string
		err          error
		says         string
	}{
		{"nothing", "", nil, queue.ErrClosed, ""},
		{"between items", frame(0, one) + frame(0, two), []string{"one", "two"}, queue.ErrClosed, ""},
		{"item in two frames", frame(1, one[:2]) + frame(0, one[2:]), []string{"one"}, queue.ErrClosed, ""},
		{"last frame is empty", frame(1, one) + frame(0, ""), []string{"one"}, queue.ErrClosed, ""},
		{"inside a header", frame(0, one) + frame(0, two)[:3], []string{"one"}, queue.ErrLost, "inside an item"},
		{"inside a body", frame(0, one) + frame(0, two)[:7], []string{"one"}, queue.ErrLost, "inside an item"},
		{"between two frames of an item", frame(1, one), nil, queue.ErrLost, "inside an item"},
		{"empty frame", "\x00\x00\x00\x00\x00", nil, queue.ErrLost, "frame of 0 bytes"},
		{"huge frame", frame(0, one) + "\xff\xff\xff\xff\x00", []string{"one"}, queue.ErrLost, "frame of 4294967295 bytes"},
		{"unknown mark", frame(2, one), nil, queue.ErrLost, "mark 2"},
		{"endless empty frames", strings.Repeat(frame(1, ""), 3), nil, queue.ErrLost, "empty frame"},
		{"nothing after bad bytes", frame(2, one) + frame(0, two), nil, queue.ErrLost, "mark 2"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			q := queue.OverPipes[string](strings.NewReader(tt.stream), nil)
			for _, want := range tt.items {
				if got, err := q.Get(t.Context()); err != nil || got != want {
					t.Fatalf("got %q, %v, want %q", got, err, want)
				}
			}
			for range 2 {
				if _, err := q.Get(t.Context()); !errors.Is(err, tt.err) || !strings.Contains(err.Error(), tt.says) {
					t.Errorf("end: %v, want %v that says %q", err, tt.err, tt.says)
				}
			}
		})
	}
}

func TestPipes_ItemOverTheLimitIsRefusedByTheReader(t *testing.T) {
	t.Parallel()
	endless := endlessItem(frame(1, strings.Repeat("x", 1<<20-1)))
	q := queue.OverPipes[string](&endless, nil)
	defer q.Shutdown()
	if _, err := q.Get(t.Context()); !errors.Is(err, queue.ErrLost) || !strings.Contains(err.Error(), "67108864") {
		t.Errorf("Get of an endless item: %v", err)
	}
}

// endlessItem repeats a frame until it is closed.
type endlessItem string

func (e *endlessItem) Read(p []byte) (int, error) {
	if *e == "" {
		return 0, io.EOF
	}
	n := copy(p, *e)
	*e = (*e)[n:] + (*e)[:n]
	return n, nil
}

func TestPut_RefusesItemsOverTheLimit(t *testing.T) {
	t.Parallel()
	big := make([]byte, queue.MaxItem+1)
	q := queue.New[[]byte](1)
	if err := q.Put(t.Context(), big[:queue.MaxItem]); !errors.Is(err, queue.ErrTooLarge) {
		t.Errorf("Put of an item that is too large once encoded: %v", err) // by its header
	}
	r, w := pipeEnds(t)
	p := queue.NewPipes(r, w)
	shutdownAfter(t, p)
	for _, b := range []queue.Backend{p, queue.NewMemory(1)} {
		if n, err := b.PutBatch(t.Context(), [][]byte{{1}, big}); n != 1 && !errors.Is(err, queue.ErrTooLarge) {
			t.Errorf("PutBatch = %d, %v, want the first to be taken and ErrTooLarge", n, err)
		}
	}
}

func TestPipes_LargestItemArrives(t *testing.T) {
	t.Parallel()
	q := queue.OverPipes[[]byte](pipeEnds(t))
	defer q.Shutdown()
	const size = queue.MaxItem - 16
	put := make(chan error, 1)
	go func() { put <- q.Put(t.Context(), make([]byte, size)) }()
	if got, err := q.Get(t.Context()); err != nil || len(got) != size {
		t.Errorf("got %d bytes, %v", len(got), err)
	}
	if err := <-put; err != nil {
		t.Error(err)
	}
}

func TestPipes_OneDirectionOnly(t *testing.T) {
	t.Parallel()
	r, w := pipeEnds(t)
	put, get := queue.OverPipes[int](nil, w), queue.OverPipes[int](r, nil)
	defer put.Shutdown()
	defer get.Shutdown()
	if _, err := put.Get(t.Context()); !errors.Is(err, queue.ErrUnsupported) {
		t.Errorf("Get without a reader: %v", err)
	}
	if err := get.Put(t.Context(), 1); !errors.Is(err, queue.ErrUnsupported) {
		t.Errorf("Put without a writer: %v", err)
	}
	if err := get.TryPut(t.Context(), 1); !errors.Is(err, queue.ErrUnsupported) {
		t.Errorf("TryPut without a writer: %v", err)
	}
}

const tornSize = 3 << 20

// torn returns a queue whose Put was cancelled in the middle of its item, with
// part of it in the pipe, and the other end.
func torn(t *testing.T) (put, get *queue.Queue[[]byte]) {
	t.Helper()
	r, w := pipeEnds(t)
	put = queue.OverPipes[[]byte](nil, w)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- put.Put(ctx, bytes.Repeat([]byte{7}, tornSize)) }()
	first := make([]byte, 1)
	if _, err := r.Read(first); err != nil {
		t.Fatal(err)
	}
	cancel()
	if err := <-done; err != nil {
		t.Fatalf("Put that was cancelled inside its item: %v", err)
	}
	get = queue.OverPipes[[]byte](io.MultiReader(bytes.NewReader(first), r), nil)
	t.Cleanup(func() {
		put.Shutdown()
		get.Shutdown()
		r.Close()
	})
	return put, get
}

// TestPipes_TornItemGoesOn: an item that was cancelled in its middle counts as
// put, so all of it must arrive, and nothing before its end.
func TestPipes_TornItemGoesOn(t *testing.T) {
	t.Parallel()
	for _, end := range []string{"Put", "Flush", "Close"} {
		t.Run(end, func(t *testing.T) {
			t.Parallel()
			put, get := torn(t)
			if err := put.TryPut(t.Context(), nil); !errors.Is(err, queue.ErrFull) {
				t.Errorf("TryPut behind a torn item: %v, want ErrFull", err)
			}
			ended, stop := context.WithTimeout(t.Context(), time.Millisecond)
			defer stop()
			if err := put.Flush(ended); !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Flush that nobody reads for: %v", err)
			}
			done := make(chan error, 1)
			go func() {
				switch end {
				case "Put":
					done <- put.Put(t.Context(), []byte("next"))
				case "Flush":
					done <- put.Flush(t.Context())
				case "Close":
					done <- put.Close()
				}
			}()
			got, err := get.Get(t.Context())
			if err != nil || len(got) != tornSize || len(bytes.Trim(got, "\x07")) != 0 {
				t.Errorf("got %d bytes, %v, want the whole item", len(got), err)
			}
			if err := <-done; err != nil {
				t.Errorf("%s: %v", end, err)
			}
			switch end {
			case "Put":
				if got, err := get.Get(t.Context()); err != nil || string(got) != "next" {
					t.Errorf("got %q, %v behind the torn item", got, err)
				}
			case "Close":
				if _, err := get.Get(t.Context()); !errors.Is(err, queue.ErrClosed) {
					t.Errorf("Get after Close: %v", err)
				}
			}
		})
	}
}

func TestPipes_ShutdownLeavesTheTornItemTorn(t *testing.T) {
	t.Parallel()
	put, get := torn(t)
	if err := put.Shutdown(); err != nil {
		t.Fatal(err)
	}
	if _, err := get.Get(t.Context()); !errors.Is(err, queue.ErrLost) {
		t.Errorf("Get of half an item: %v, want ErrLost", err)
	}
}

// TestPipes_PutBatchTakesAPrefix ends batches at a full pipe: what PutBatch says
// it took is what must come out, and nothing else.
func TestPipes_PutBatchTakesAPrefix(t *testing.T) {
	t.Parallel()
	p := queue.NewPipes(pipeEnds(t))
	shutdownAfter(t, p)
	taken := 0
	for range 20 {
		batch := make([][]byte, 50)
		for i := range batch {
			batch[i] = binary.BigEndian.AppendUint32(make([]byte, 0, 3000), uint32(taken+i))[:3000]
		}
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Millisecond)
		n, err := p.PutBatch(ctx, batch)
		cancel()
		if err != nil && !errors.Is(err, context.DeadlineExceeded) {
			t.Fatal(err)
		}
		taken += n
		if taken == 0 {
			t.Fatal("an empty pipe took nothing")
		}
	}
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	dst := make([][]byte, 8)
	got := 0
	for {
		n, err := p.GetBatch(t.Context(), dst)
		if errors.Is(err, queue.ErrClosed) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		for _, msg := range dst[:n] {
			if seq := int(binary.BigEndian.Uint32(msg)); seq != got || len(msg) != 3000 {
				t.Fatalf("message %d came as %d with %d bytes", got, seq, len(msg))
			}
			got++
		}
	}
	if got != taken {
		t.Errorf("%d messages came, %d were taken", got, taken)
	}
}

// TestPipes_FramesAreThoseOfIPC reads with a link what a queue put.
func TestPipes_FramesAreThoseOfIPC(t *testing.T) {
	t.Parallel()
	r, w := pipeEnds(t)
	put := queue.OverPipes[string](nil, w)
	defer put.Shutdown()
	link := ipc.NewLink(r, nil)
	defer link.Close()
	if err := put.Put(t.Context(), "one"); err != nil {
		t.Fatal(err)
	}
	dst := make([][]byte, 2)
	n, err := link.GetBatch(t.Context(), dst)
	if err != nil || n != 1 || string(dst[0]) != "\x00\xa3one" {
		t.Errorf("GetBatch = %q, %v", dst[:n], err)
	}
}

// TestPipes_WithoutDescriptors uses readers and writers that the runtime cannot
// poll, some of which have no deadlines either.
func TestPipes_WithoutDescriptors(t *testing.T) {
	t.Parallel()
	tests := map[string]func() (io.Reader, io.Writer){
		"net.Pipe": func() (io.Reader, io.Writer) { a, b := net.Pipe(); return a, b },
		"io.Pipe":  func() (io.Reader, io.Writer) { a, b := io.Pipe(); return a, b },
	}
	for name, open := range tests {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				r, w := open()
				put, get := queue.OverPipes[string](nil, w), queue.OverPipes[string](r, nil)
				defer get.Shutdown()
				defer put.Shutdown()
				start := time.Now()
				ctx, cancel := context.WithTimeout(t.Context(), time.Second)
				defer cancel()
				if _, err := get.Get(ctx); !errors.Is(err, context.DeadlineExceeded) || time.Since(start) != time.Second {
					t.Errorf("Get: %v after %v", err, time.Since(start))
				}
				if _, err := get.TryGet(t.Context()); !errors.Is(err, queue.ErrUnsupported) {
					t.Errorf("TryGet: %v", err)
				}
				if err := put.TryPut(t.Context(), ""); !errors.Is(err, queue.ErrUnsupported) {
					t.Errorf("TryPut: %v", err)
				}
				got := make(chan string, 4)
				for range 4 {
					go func() {
						v, err := get.Get(t.Context())
						if err != nil {
							v = err.Error()
						}
						got <- v
					}()
					synctest.Wait()
				}
				big := strings.Repeat("x", 200<<10)
				for _, want := range []string{"one", big, ""} {
					if err := put.Put(t.Context(), want); err != nil {
						t.Fatal(err)
					}
					if v := <-got; v != want {
						t.Errorf("got %d bytes, want %d", len(v), len(want))
					}
				}
				if err := put.Close(); err != nil {
					t.Error(err)
				}
				if v := <-got; !strings.HasSuffix(v, "closed") {
					t.Errorf("last getter: %q", v)
				}
			})
		})
	}
}

func TestPipes_PutOverDeadlinesCanBeCancelled(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, w := net.Pipe()
		defer r.Close()
		q := queue.OverPipes[string](nil, w)
		defer q.Shutdown()
		results := make(chan error, 3)
		for i := range 3 { // the leader, and two behind it
			ctx, cancel := context.WithTimeout(t.Context(), time.Duration(3-i)*time.Second)
			defer cancel()
			go func() { results <- q.Put(ctx, "x") }()
			synctest.Wait()
		}
		start := time.Now()
		for i := range 3 {
			if err := <-results; !errors.Is(err, context.DeadlineExceeded) {
				t.Errorf("Put that nobody reads: %v", err)
			}
			if d := time.Since(start); d != time.Duration(i+1)*time.Second {
				t.Errorf("Put %d ended after %v", i, d)
			}
		}
	})
}

func TestPipes_ReadErrorIsLost(t *testing.T) {
	t.Parallel()
	broken := errors.New("cable cut")
	r, w := io.Pipe()
	w.CloseWithError(broken)
	_, err := queue.OverPipes[int](r, nil).Get(t.Context())
	if !errors.Is(err, queue.ErrLost) || !errors.Is(err, broken) {
		t.Errorf("Get: %v, want ErrLost and the cause", err)
	}
}

func TestPipes_EndsAreClosed(t *testing.T) {
	t.Parallel()
	r, w := pipeEnds(t)
	put, get := queue.OverPipes[int](nil, w), queue.OverPipes[int](r, nil)
	if err := put.Close(); err != nil {
		t.Fatal(err)
	}
	if _, err := get.Get(t.Context()); !errors.Is(err, queue.ErrClosed) {
		t.Fatal(err)
	}
	for _, f := range []*os.File{r, w} {
		if err := f.Close(); !errors.Is(err, os.ErrClosed) {
			t.Errorf("%s was left open", f.Name())
		}
	}
}

func TestPipes_ShutdownWakesTheReaderAndThoseBehindIt(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		r, w := net.Pipe()
		defer w.Close()
		q := queue.OverPipes[int](r, nil)
		results := make(chan error, 3)
		for range 3 {
			go func() { _, err := q.Get(t.Context()); results <- err }()
		}
		synctest.Wait()
		if err := q.Shutdown(); err != nil {
			t.Fatal(err)
		}
		for range 3 {
			if err := <-results; !errors.Is(err, queue.ErrClosed) {
				t.Errorf("Get that waited at Shutdown: %v", err)
			}
		}
	})
}
