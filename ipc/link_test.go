package ipc

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"os"
	"sync"
	"testing"
	"time"
)

// pipes is a link whose ends are pipes, and the ends of the other side.
func pipes(t testing.TB) (l *Link, in, out *os.File) {
	t.Helper()
	inR, inW, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	outR, outW, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	l = NewLink(inR, outW)
	t.Cleanup(func() {
		l.Close()
		inW.Close()
		outR.Close()
	})
	return l, inW, outR
}

// numbered is n messages of size bytes, which begin with their number.
func numbered(from, n, size int) [][]byte {
	msgs := make([][]byte, n)
	for i := range msgs {
		msgs[i] = binary.BigEndian.AppendUint32(nil, uint32(from+i))
		msgs[i] = append(msgs[i], body(size-4)...)
	}
	return msgs
}

// checkNumbered reads n such messages and reports the first that is wrong.
// After that it still reads, so that the sender does not wait for ever.
func checkNumbered(t *testing.T, src io.Reader, n int) {
	t.Helper()
	r := NewReader(src)
	defer func() {
		if t.Failed() {
			go io.Copy(io.Discard, src)
		}
	}()
	for i := range n {
		b, err := r.Next()
		if err != nil {
			t.Errorf("message %d: %v", i, err)
			return
		}
		if got := binary.BigEndian.Uint32(b); got != uint32(i) || !bytes.Equal(b[4:], body(len(b)-4)) {
			t.Errorf("message %d came as %d, of %d bytes", i, got, len(b))
			return
		}
	}
}

func TestLink_BatchesBothWays(t *testing.T) {
	t.Parallel()
	l, in, out := pipes(t)
	msgs := numbered(0, 100, 50)
	if n, err := l.PutBatch(t.Context(), msgs); n != 100 || err != nil {
		t.Fatal(n, err)
	}
	if l.Pending() {
		t.Error("something is left")
	}
	checkNumbered(t, out, 100)
	if _, err := in.Write(frames(msgs...)); err != nil {
		t.Fatal(err)
	}
	dst := make([][]byte, 64)
	n, err := l.GetBatch(t.Context(), dst)
	if n != 64 || err != nil {
		t.Fatalf("%d messages, %v; 64 were asked for and 100 were there", n, err)
	}
	for i, b := range dst {
		if !bytes.Equal(b, msgs[i]) {
			t.Errorf("message %d is another", i)
		}
	}
	if n, err := l.GetBatch(t.Context(), dst); n != 36 || err != nil {
		t.Errorf("%d messages, %v; 36 were left", n, err)
	}
	if n, err := l.GetBatch(t.Context(), nil); n != 0 || err != nil {
		t.Errorf("into nothing: %d, %v", n, err)
	}
}

func TestLink_GetReturnsWhatCameBeforeAnError(t *testing.T) {
	t.Parallel()
	l, in, _ := pipes(t)
	if _, err := in.Write(append(frames(body(5), body(6)), 0, 0, 0, 0)); err != nil {
		t.Fatal(err)
	}
	dst := make([][]byte, 8)
	if n, err := l.GetBatch(t.Context(), dst); n != 2 || err != nil {
		t.Fatal(n, err)
	}
	for range 2 {
		if n, err := l.GetBatch(t.Context(), dst); n != 0 || !errors.Is(err, ErrProtocol) {
			t.Errorf("%d messages, %v, want ErrProtocol", n, err)
		}
	}
}

func TestLink_TryPutNeverBlocks(t *testing.T) {
	t.Parallel()
	l, _, out := pipes(t)
	msgs := numbered(0, 10_000, 1000)
	taken := 0
	for taken < len(msgs) {
		n, err := l.TryPutBatch(msgs[taken:min(taken+64, len(msgs))]) // nobody reads
		if err != nil {
			t.Fatal(err)
		}
		if n == 0 {
			break
		}
		taken += n
	}
	if taken == len(msgs) {
		t.Fatal("10 MB were taken, and nobody reads")
	}
	if !l.Pending() || len(l.out)-l.sent > outboxLimit+1004 {
		t.Errorf("%d bytes are held back", len(l.out)-l.sent)
	}
	var reader sync.WaitGroup
	reader.Go(func() { checkNumbered(t, out, taken) })
	if err := l.Flush(t.Context()); err != nil {
		t.Error(err)
	}
	if l.Pending() {
		t.Error("something is left after a flush")
	}
	reader.Wait()
}

func TestLink_PutOfMoreThanThePipeHolds(t *testing.T) {
	t.Parallel()
	for name, size := range map[string]int{"small": 100, "payloads": MaxInline, "frames": MaxFrame} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			l, _, out := pipes(t)
			n := 4 * MaxFrame / size
			var reader sync.WaitGroup
			reader.Go(func() { checkNumbered(t, out, n) })
			if took, err := l.PutBatch(t.Context(), numbered(0, n, size)); took != n || err != nil {
				t.Error(took, err)
			}
			reader.Wait()
			if cap(l.out) > 2*outboxLimit {
				t.Errorf("%d bytes are kept for the next put", cap(l.out))
			}
		})
	}
}

func TestLink_PutRefusesWhatIsNoMessage(t *testing.T) {
	t.Parallel()
	for name, bad := range map[string][]byte{"empty": {}, "too large": make([]byte, MaxFrame+1)} {
		l, _, out := pipes(t)
		msgs := numbered(0, 3, 10)
		n, err := l.PutBatch(t.Context(), [][]byte{msgs[0], msgs[1], bad, msgs[2]})
		if n != 2 || !errors.Is(err, ErrTooLarge) {
			t.Errorf("%s: %d taken, %v", name, n, err)
		}
		if n, err := l.PutBatch(t.Context(), msgs[2:]); n != 1 || err != nil {
			t.Errorf("%s: the link does not go on: %v", name, err)
		}
		l.Close()
		got, err := io.ReadAll(out)
		if err != nil || !bytes.Equal(got, frames(msgs...)) {
			t.Errorf("%s: what was sent is % x, %v", name, got, err)
		}
	}
}

func TestLink_PutAfterTheReaderLeft(t *testing.T) {
	t.Parallel()
	l, _, out := pipes(t)
	out.Close()
	for range 2 {
		if _, err := l.PutBatch(t.Context(), numbered(0, 1, 10)); err == nil {
			t.Error("no error")
		}
		if _, err := l.TryPutBatch(numbered(0, 1, 10)); err == nil {
			t.Error("no error without blocking")
		}
		if err := l.Flush(t.Context()); err == nil {
			t.Error("no error from flush")
		}
	}
}

var errEnough = errors.New("enough")

func TestLink_AGetThatIsCancelledLosesNothing(t *testing.T) {
	t.Parallel()
	l, in, _ := pipes(t)
	stream := frames(numbered(0, 200, 20)...)
	dst := make([][]byte, 8)
	next, cancelled := 0, 0
	get := func(ctx context.Context) error {
		n, err := l.GetBatch(ctx, dst)
		for _, b := range dst[:n] {
			if got := binary.BigEndian.Uint32(b); got != uint32(next) {
				t.Fatalf("message %d came as %d", next, got)
			}
			next++
		}
		return err
	}
	for i := 0; next < 200; i++ {
		// A piece that ends anywhere in a frame, at the moment of the cancel.
		ctx, cancel := context.WithCancelCause(t.Context())
		piece := stream[:min(len(stream), 7+i%30)]
		stream = stream[len(piece):]
		var writer sync.WaitGroup
		writer.Go(func() {
			if i%2 == 0 {
				cancel(errEnough)
			}
			in.Write(piece)
			cancel(errEnough)
		})
		for {
			if err := get(ctx); err != nil {
				if err != errEnough {
					t.Fatalf("%v, want the context's cause", err)
				}
				cancelled++
				break
			}
		}
		writer.Wait()
		for l.r.Ready() {
			if err := get(t.Context()); err != nil {
				t.Fatal(err)
			}
		}
		if len(stream) == 0 {
			for next < 200 {
				if err := get(context.Background()); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
	if cancelled == 0 {
		t.Error("no get was cancelled")
	}
}

func TestLink_AGetInsideAFrameEndsWithItsContext(t *testing.T) {
	t.Parallel()
	l, in, _ := pipes(t)
	// With a tick that is always about to end, it and the context use the deadline
	// at the same time.
	l.r.tick, l.r.grace = 50*time.Microsecond, func(int) time.Duration { return time.Hour }
	if _, err := in.Write(frames(body(50))[:20]); err != nil {
		t.Fatal(err)
	}
	dst := make([][]byte, 1)
	for range 200 {
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Microsecond)
		if n, err := l.GetBatch(ctx, dst); n != 0 || err != context.DeadlineExceeded {
			t.Fatalf("%d messages, %v", n, err)
		}
		cancel()
	}
	if _, err := in.Write(frames(body(50))[20:]); err != nil {
		t.Fatal(err)
	}
	if n, err := l.GetBatch(t.Context(), dst); n != 1 || err != nil || !bytes.Equal(dst[0], body(50)) {
		t.Errorf("the frame did not come whole: %v", err)
	}
}

func TestLink_APutThatIsCancelledLeavesTheStreamWhole(t *testing.T) {
	t.Parallel()
	l, _, out := pipes(t)
	msgs := numbered(0, 2000, 3001)
	taken := 0
	for i := range 50 { // nobody reads: the pipe is soon full
		ctx, cancel := context.WithTimeoutCause(t.Context(), time.Duration(i%5)*100*time.Microsecond, errEnough)
		n, err := l.PutBatch(ctx, msgs[taken:taken+40])
		cancel()
		if err != nil && err != errEnough {
			t.Fatalf("%v, want the context's cause", err)
		}
		taken += n
		if taken+40 > len(msgs) {
			t.Fatal("6 MB were taken, and nobody reads")
		}
	}
	if !l.Pending() {
		t.Fatal("nothing was held back: no put was cut short")
	}
	var reader sync.WaitGroup
	reader.Go(func() { checkNumbered(t, out, len(msgs)) })
	if n, err := l.PutBatch(t.Context(), msgs[taken:]); n != len(msgs)-taken || err != nil {
		t.Error(n, err)
	}
	reader.Wait()
}

func TestLink_AnEndedContextDoesNothing(t *testing.T) {
	t.Parallel()
	l, in, out := pipes(t)
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errEnough)
	if _, err := in.Write(frames(body(5))); err != nil {
		t.Fatal(err)
	}
	if n, err := l.GetBatch(ctx, make([][]byte, 1)); n != 0 || err != errEnough {
		t.Errorf("get: %d, %v", n, err)
	}
	if n, err := l.PutBatch(ctx, numbered(0, 1, 10)); n != 0 || err != errEnough {
		t.Errorf("put: %d, %v", n, err)
	}
	l.Close()
	if sent, err := io.ReadAll(out); len(sent) != 0 || err != nil {
		t.Errorf("%d bytes were sent, %v", len(sent), err)
	}
}

func TestLink_CloseEndsWhatIsBlocked(t *testing.T) {
	t.Parallel()
	l, in, out := pipes(t)
	var blocked sync.WaitGroup
	blocked.Go(func() {
		if _, err := l.GetBatch(context.Background(), make([][]byte, 1)); !errors.Is(err, os.ErrClosed) {
			t.Errorf("get: %v", err)
		}
	})
	blocked.Go(func() {
		for {
			if _, err := l.PutBatch(context.Background(), numbered(0, 64, 1000)); err != nil {
				if !errors.Is(err, os.ErrClosed) {
					t.Errorf("put: %v", err)
				}
				return
			}
		}
	})
	// Once the first bytes are there the put runs; the get blocks now or later.
	if _, err := io.ReadFull(out, make([]byte, 1000)); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	}
	blocked.Wait()
	if _, err := in.Write([]byte("x")); err == nil {
		t.Error("the pipe that was read is still open")
	}
}

func TestLink_OverOneConnection(t *testing.T) {
	t.Parallel()
	a, b := net.Pipe() // no descriptor: no writes that do not block
	left, right := NewLink(a, a), NewLink(b, b)
	var sender sync.WaitGroup
	sender.Go(func() {
		if n, err := left.PutBatch(t.Context(), numbered(0, 50, 100)); n != 50 || err != nil {
			t.Error(n, err)
		}
		if err := left.Close(); err != nil {
			t.Error(err)
		}
	})
	dst := make([][]byte, 7)
	next := 0
	for {
		n, err := right.GetBatch(t.Context(), dst)
		for _, m := range dst[:n] {
			if binary.BigEndian.Uint32(m) != uint32(next) {
				t.Errorf("message %d is another", next)
			}
			next++
		}
		if err != nil {
			if err != io.EOF {
				t.Error(err)
			}
			break
		}
	}
	if next != 50 {
		t.Errorf("%d messages came", next)
	}
	sender.Wait()
	if err := right.Close(); err != nil {
		t.Error(err)
	}
}

func TestLink_SteadyTrafficDoesNotAllocate(t *testing.T) {
	l, in, out := pipes(t)
	msgs := numbered(0, 32, 100)
	dst := make([][]byte, 32)
	buf := make([]byte, 64<<10)
	if n := testing.AllocsPerRun(200, func() {
		if _, err := l.PutBatch(context.Background(), msgs); err != nil {
			t.Fatal(err)
		}
		n, err := out.Read(buf)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := in.Write(buf[:n]); err != nil {
			t.Fatal(err)
		}
		for got := 0; got < 32; {
			n, err := l.GetBatch(context.Background(), dst)
			if err != nil {
				t.Fatal(err)
			}
			got += n
		}
	}); n > 3 { // of RawConn's callback, for a batch of any size
		t.Errorf("%v allocations for 32 messages there and back", n)
	}
}
