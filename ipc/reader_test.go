package ipc

import (
	"bytes"
	"encoding/binary"
	"errors"
	"io"
	"os"
	"testing"
	"testing/iotest"
	"time"
)

// frames is a stream of the bodies.
func frames(bodies ...[]byte) []byte {
	var s []byte
	for _, b := range bodies {
		s = AppendFrame(s, b)
	}
	return s
}

// body is a frame's body of n bytes that differ.
func body(n int) []byte {
	b := make([]byte, n)
	for i := range b {
		b[i] = byte(i * 7)
	}
	return b
}

func TestReader_CutsFramesHoweverTheyArrive(t *testing.T) {
	t.Parallel()
	sizes := []int{1, 2, 3, 4, 5, 100, readBuffer - 5, readBuffer - 4, readBuffer - 3, readBuffer, 3 * readBuffer, MaxFrame, 7}
	var want [][]byte
	for _, n := range sizes {
		want = append(want, body(n))
	}
	stream := frames(want...)
	for name, src := range map[string]io.Reader{
		"at once":      bytes.NewReader(stream),
		"halves":       iotest.HalfReader(bytes.NewReader(stream)),
		"bytes":        iotest.OneByteReader(bytes.NewReader(stream)),
		"with the end": iotest.DataErrReader(bytes.NewReader(stream)),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := NewReader(src)
			for i := range want {
				got, err := r.Next()
				if err != nil {
					t.Fatalf("frame %d: %v", i, err)
				}
				if !bytes.Equal(got, want[i]) {
					t.Fatalf("frame %d of %d bytes came as %d others", i, len(want[i]), len(got))
				}
				if cap(got) != len(got) {
					t.Fatalf("frame %d can be appended to, over the next one", i)
				}
			}
			for range 2 {
				if _, err := r.Next(); err != io.EOF {
					t.Errorf("at the end: %v, want EOF", err)
				}
			}
			if r.Total() != uint64(len(stream)) {
				t.Errorf("total %d, want %d", r.Total(), len(stream))
			}
		})
	}
}

func TestReader_FramesStayUntilItReads(t *testing.T) {
	t.Parallel()
	a, b := body(1000), body(2000)
	r := NewReader(bytes.NewReader(frames(a, b)))
	first, err := r.Next()
	if err != nil {
		t.Fatal(err)
	}
	if !r.Ready() {
		t.Fatal("the second frame was read too, but is not ready")
	}
	second, err := r.Next()
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(first, a) || !bytes.Equal(second, b) {
		t.Error("the second frame overwrote the first")
	}
	if r.Ready() {
		t.Error("ready without a frame")
	}
}

func TestReader_GivesBackALargeBuffer(t *testing.T) {
	t.Parallel()
	pr, pw := io.Pipe()
	go func() {
		pw.Write(frames(body(MaxFrame)))
		pw.Write(frames(body(10)))
		pw.Close()
	}()
	r := NewReader(pr)
	for range 2 {
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
	}
	if len(r.buf) > keepBuffer {
		t.Errorf("buffer of %d bytes after a small frame", len(r.buf))
	}
}

func TestReader_KeepsItsBufferForFramesWithFullPayloads(t *testing.T) {
	frame := frames(AppendData(nil, 1, body(MaxInline)))
	src := &repeating{chunk: frame}
	r := NewReader(src)
	r.Next()
	if n := testing.AllocsPerRun(100, func() {
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("%v allocations a frame", n)
	}
}

// repeating is an endless source of one frame a read, as far as there is room.
type repeating struct {
	chunk []byte
	at    int
}

func (r *repeating) Read(p []byte) (int, error) {
	n := copy(p, r.chunk[r.at:])
	r.at = (r.at + n) % len(r.chunk)
	return n, nil
}

func TestReader_RefusesBadLengthsForGood(t *testing.T) {
	t.Parallel()
	for _, n := range []uint32{0, MaxFrame + 1, 1 << 31, 1<<32 - 1} {
		stream := binary.BigEndian.AppendUint32(frames(body(3)), n)
		stream = append(stream, frames(body(4))...)
		r := NewReader(bytes.NewReader(stream))
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
		if !r.Ready() {
			t.Errorf("length %d: not ready, Next would read", n)
		}
		for range 2 {
			if _, err := r.Next(); !errors.Is(err, ErrProtocol) {
				t.Errorf("length %d: %v, want ErrProtocol", n, err)
			}
		}
		r.Append(frames(body(5)))
		if _, err := r.Next(); !errors.Is(err, ErrProtocol) {
			t.Errorf("length %d, then more by another way: %v, want ErrProtocol", n, err)
		}
	}
}

func TestReader_AHostileLengthCostsNothing(t *testing.T) {
	stream := binary.BigEndian.AppendUint32(nil, MaxFrame)
	got := allocated(func() {
		for range 10 {
			r := NewReader(bytes.NewReader(stream))
			if _, err := r.Next(); err != io.ErrUnexpectedEOF {
				t.Errorf("%v, want an unexpected EOF", err)
			}
		}
	})
	if got > 10*(readBuffer+4096) {
		t.Errorf("%d bytes for 10 lengths", got)
	}
}

func TestReader_EndsInsideAFrame(t *testing.T) {
	t.Parallel()
	stream := frames(body(20))
	for cut := 1; cut < len(stream); cut++ {
		r := NewReader(bytes.NewReader(stream[:cut]))
		if _, err := r.Next(); err != io.ErrUnexpectedEOF {
			t.Errorf("after %d bytes: %v, want an unexpected EOF", cut, err)
		}
	}
}

func TestReader_AppendGoesOnWhereTheSourceEnded(t *testing.T) {
	t.Parallel()
	stream := frames(body(10), body(300), body(readBuffer), body(20))
	for _, cut := range []int{0, 1, 3, 4, 10, 14, 20, 400, len(stream) - 1, len(stream)} {
		r := NewReader(bytes.NewReader(stream[:cut]))
		n := 0
		for {
			if _, err := r.Next(); err != nil {
				if err != io.EOF && err != io.ErrUnexpectedEOF {
					t.Fatalf("cut at %d: %v", cut, err)
				}
				break
			}
			n++
		}
		// In two pieces, as a ring gives them.
		mid := cut + (len(stream)-cut)/2
		r.Append(stream[cut:mid])
		r.Append(stream[mid:])
		for {
			_, err := r.Next()
			if err == io.EOF {
				break
			}
			if err != nil {
				t.Fatalf("cut at %d, after Append: %v", cut, err)
			}
			n++
		}
		if n != 4 || r.Total() != uint64(len(stream)) {
			t.Errorf("cut at %d: %d frames and %d bytes, want 4 and %d", cut, n, r.Total(), len(stream))
		}
	}
}

func TestReader_AppendOfHalfAFrameIsAnUnexpectedEnd(t *testing.T) {
	t.Parallel()
	stream := frames(body(10))
	r := NewReader(bytes.NewReader(stream[:2]))
	if _, err := r.Next(); err != io.ErrUnexpectedEOF {
		t.Fatal(err)
	}
	r.Append(stream[2:9])
	if _, err := r.Next(); err != io.ErrUnexpectedEOF {
		t.Errorf("%v, want an unexpected EOF", err)
	}
}

func TestReader_PassesOnErrorsOfItsSource(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	r := NewReader(io.MultiReader(bytes.NewReader(frames(body(5))), iotest.ErrReader(broken)))
	if _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Next(); !errors.Is(err, broken) {
		t.Errorf("%v, want the source's error", err)
	}
}

// scripted is a source with deadlines that plays steps: bytes to return, or a
// nil one for a read that lasts until its deadline.
type scripted struct {
	steps [][]byte
	armed int // deadlines set
}

func (s *scripted) SetReadDeadline(d time.Time) error {
	if !d.IsZero() {
		s.armed++
	}
	return nil
}

func (s *scripted) Read(p []byte) (int, error) {
	if len(s.steps) == 0 {
		return 0, io.EOF
	}
	step := s.steps[0]
	if step == nil {
		s.steps = s.steps[1:]
		return 0, os.ErrDeadlineExceeded
	}
	n := copy(p, step)
	if s.steps[0] = step[n:]; len(s.steps[0]) == 0 {
		s.steps = s.steps[1:]
	}
	return n, nil
}

// graceTicks is how many seconds a short frame may take.
const graceTicks = int(frameGrace/time.Second) + 1

func TestReader_EndsAFrameThatDrips(t *testing.T) {
	t.Parallel()
	src := &scripted{}
	for _, b := range frames(body(200)) {
		src.steps = append(src.steps, []byte{b}, nil) // one byte a second
	}
	given := len(src.steps)
	_, err := NewReader(src).Next()
	if !errors.Is(err, ErrProtocol) {
		t.Fatalf("%v, want ErrProtocol", err)
	}
	if took := (given - len(src.steps)) / 2; took != graceTicks+1 {
		t.Errorf("given up after %d s, want %d", took, graceTicks+1)
	}
}

func TestReader_EndsAFrameThatStops(t *testing.T) {
	t.Parallel()
	src := &scripted{steps: [][]byte{frames(body(200))[:100]}}
	for range 2 * graceTicks {
		src.steps = append(src.steps, nil)
	}
	if _, err := NewReader(src).Next(); !errors.Is(err, ErrProtocol) {
		t.Fatalf("%v, want ErrProtocol", err)
	}
}

func TestReader_GivesEachFrameItsOwnTime(t *testing.T) {
	t.Parallel()
	// Every read ends inside a frame, so that there is never a moment between two.
	stream := frames(body(50))
	src := &scripted{steps: [][]byte{stream[:10]}}
	const n = 10
	for range n {
		for range graceTicks - 1 {
			src.steps = append(src.steps, nil)
		}
		src.steps = append(src.steps, append(bytes.Clone(stream[10:]), stream[:10]...))
	}
	r := NewReader(src)
	for i := range n {
		if _, err := r.Next(); err != nil {
			t.Fatalf("frame %d: %v", i, err)
		}
	}
}

func TestReader_ForgivesTheTimeInWhichItDidNotRun(t *testing.T) {
	t.Parallel()
	// However long this process was stopped, it sees one deadline that has passed.
	// Here that happens in the last second of the frame, with the rest in the pipe.
	stream := frames(body(50))
	src := &scripted{steps: [][]byte{stream[:10]}}
	for range graceTicks {
		src.steps = append(src.steps, nil)
	}
	src.steps = append(src.steps, stream[10:])
	if _, err := NewReader(src).Next(); err != nil {
		t.Error(err)
	}
}

func TestReader_HasNoDeadlineBetweenFrames(t *testing.T) {
	t.Parallel()
	src := &scripted{steps: [][]byte{frames(body(5)), frames(body(6)), frames(body(7), body(8))}}
	r := NewReader(src)
	for range 4 {
		if _, err := r.Next(); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := r.Next(); err != io.EOF || src.armed != 0 {
		t.Errorf("%v, and %d deadlines were set", err, src.armed)
	}
}

func TestReader_OutlivesATickThatRunsOnBetweenFrames(t *testing.T) {
	t.Parallel()
	stream := frames(body(5))
	src := &scripted{steps: [][]byte{stream[:3], stream[3:], nil, stream}}
	r := NewReader(src)
	for i := range 2 {
		if _, err := r.Next(); err != nil {
			t.Fatalf("frame %d: %v", i, err)
		}
	}
}

func TestReader_ReturnsADeadlineThatItHasNotSet(t *testing.T) {
	t.Parallel()
	stream := frames(body(5))
	src := &scripted{steps: [][]byte{nil, stream}}
	r := NewReader(src)
	if _, err := r.Next(); !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%v, want a deadline", err)
	}
	if _, err := r.Next(); err != nil {
		t.Errorf("the stream does not go on: %v", err)
	}
}

func TestReader_EndsHalfAFrameOnAPipe(t *testing.T) {
	t.Parallel()
	pr, pw, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer pr.Close()
	defer pw.Close()
	r := NewReader(pr)
	r.tick, r.grace = time.Millisecond, func(int) time.Duration { return 5 * time.Millisecond }
	if _, err := pw.Write(append(frames(body(5)), frames(body(5))[:7]...)); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Next(); err != nil {
		t.Fatal(err)
	}
	if _, err := r.Next(); !errors.Is(err, ErrProtocol) {
		t.Errorf("%v, want ErrProtocol", err)
	}
}

func TestFrameDeadline_GrowsWithTheFrame(t *testing.T) {
	t.Parallel()
	if got := frameDeadline(0); got != 31*time.Second {
		t.Errorf("an unknown length has %v", got)
	}
	if got := frameDeadline(MaxFrame); got != 32*time.Second {
		t.Errorf("the largest frame has %v", got)
	}
}
