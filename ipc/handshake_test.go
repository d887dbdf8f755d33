package ipc

import (
	"bytes"
	"errors"
	"io"
	"os"
	"strings"
	"testing"
	"testing/iotest"
)

var goldenHello = &Hello{Min: 1, Max: 1, Nonce: goldenNonce}

// readyFrame is a ready frame for goldenHello.
func readyFrame() []byte {
	return frames(AppendReady(nil, &Ready{Nonce: goldenNonce, Version: 1, Window: 8, Threads: 2, Tasks: []string{"echo"}}))
}

func TestAwaitReady_FindsReadyWhereverABufferEnds(t *testing.T) {
	t.Parallel()
	ready := readyFrame()
	after := AppendPing(nil, 9)
	for n := readBuffer - len(ready) - 40; n < readBuffer+5; n++ {
		printed := bytes.Repeat([]byte("."), n)
		stream := append(append(bytes.Clone(printed), ready...), frames(after)...)
		for name, src := range map[string]io.Reader{
			"one": bytes.NewReader(stream),
			"two": iotest.DataErrReader(bytes.NewReader(stream)),
		} {
			r := NewReader(src)
			stray := 0
			got, err := r.AwaitReady(goldenHello, func(p []byte) { stray += len(p) })
			if err != nil || got.Window != 8 {
				t.Fatalf("%s, after %d bytes: %v", name, n, err)
			}
			if stray != n {
				t.Fatalf("%s: %d stray bytes, want %d", name, stray, n)
			}
			if b, err := r.Next(); err != nil || !bytes.Equal(b, after) {
				t.Fatalf("%s, after %d bytes, the next frame: %v", name, n, err)
			}
			if want := uint64(len(ready) + headerSize + len(after)); r.Total() != want {
				t.Fatalf("total %d, want %d", r.Total(), want)
			}
		}
	}
}

func TestAwaitReady_TakesAnyAmountOfStrayOutputInLittleMemory(t *testing.T) {
	line := []byte(strings.Repeat("loading model, please wait\n", 1000))
	src := io.MultiReader(io.LimitReader(&repeating{chunk: line}, 32<<20), bytes.NewReader(readyFrame()))
	got := allocated(func() {
		stray := 0
		if _, err := NewReader(src).AwaitReady(goldenHello, func(p []byte) { stray += len(p) }); err != nil {
			t.Error(err)
		}
		if stray != 32<<20 {
			t.Errorf("%d stray bytes", stray)
		}
	})
	if got > 1<<20 {
		t.Errorf("%d bytes allocated", got)
	}
}

func TestAwaitReady_StrayIsWhatThePrinterWrote(t *testing.T) {
	t.Parallel()
	ready := readyFrame()
	for _, printed := range []string{"", "x", "\x00\x00\x00\x05", string(goldenNonce[:1]), string(goldenNonce[:15]), "\x94\x02\x00\xc4\x10", "\x94\x02\x00\xc4\x10" + string(goldenNonce[:15])} {
		var stray []byte
		_, err := NewReader(iotest.OneByteReader(bytes.NewReader(append([]byte(printed), ready...)))).
			AwaitReady(goldenHello, func(p []byte) { stray = append(stray, p...) })
		if err != nil || string(stray) != printed {
			t.Errorf("printed %q: %v, stray %q", printed, err, stray)
		}
	}
}

func TestAwaitReady_AFailureIsKept(t *testing.T) {
	t.Parallel()
	for name, stream := range map[string][]byte{
		"nonce alone":       goldenNonce[:],
		"a bad ready frame": frames(append(append([]byte{0x94, 2, 0, 0xc4, 16}, goldenNonce[:]...), 0xc0, 0xc0)),
		"a bad length":      append([]byte{0xff, 0xff, 0xff, 0xff, 0x94, 2, 0, 0xc4, 16}, goldenNonce[:]...),
		"another version":   frames(AppendReady(nil, &Ready{Nonce: goldenNonce, Version: 7, Window: 1, Threads: 1})),
	} {
		r := NewReader(bytes.NewReader(append(bytes.Clone(stream), frames(AppendPing(nil, 1))...)))
		_, err := r.AwaitReady(goldenHello, func([]byte) {})
		if !errors.Is(err, ErrProtocol) && !errors.Is(err, ErrVersion) {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := r.Next(); err == nil {
			t.Errorf("%s: frames are read after it", name)
		}
	}
}

func TestAwaitReady_EndsWithTheStream(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	for name, c := range map[string]struct {
		src  io.Reader
		want error
	}{
		"nothing":        {strings.NewReader(""), io.EOF},
		"a line":         {strings.NewReader("usage: prog FILE\n"), io.EOF},
		"a broken pipe":  {iotest.ErrReader(broken), broken},
		"half the frame": {bytes.NewReader(readyFrame()[:20]), io.EOF},
	} {
		_, err := NewReader(c.src).AwaitReady(goldenHello, func([]byte) {})
		if !errors.Is(err, ErrNoReady) || !errors.Is(err, c.want) {
			t.Errorf("%s: %v, want ErrNoReady and %v", name, err, c.want)
		}
	}
	whole := readyFrame()
	if _, err := NewReader(bytes.NewReader(whole[:len(whole)-1])).AwaitReady(goldenHello, func([]byte) {}); err != io.ErrUnexpectedEOF {
		t.Errorf("behind the nonce: %v, want an unexpected EOF", err)
	}
}

func TestAwaitReady_OnlyTheFrameIsTimed(t *testing.T) {
	t.Parallel()
	ready := readyFrame()
	src := &scripted{steps: [][]byte{[]byte("loading"), []byte(" for an hour"), ready[:len(ready)-1], ready[len(ready)-1:]}}
	if _, err := NewReader(src).AwaitReady(goldenHello, func([]byte) {}); err != nil {
		t.Fatal(err)
	}
	if src.armed != 1 {
		t.Errorf("%d deadlines were set, want one, for the rest of the frame", src.armed)
	}
	src = &scripted{steps: [][]byte{[]byte("loading"), nil, ready}}
	_, err := NewReader(src).AwaitReady(goldenHello, func([]byte) {})
	if !errors.Is(err, ErrNoReady) || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("a deadline that the caller has set: %v", err)
	}
}

func TestParseReady_TakesAsManyTasksAsAFrameHolds(t *testing.T) {
	t.Parallel()
	tasks := make([]string, 1<<16)
	for i := range tasks {
		tasks[i] = "task"
	}
	r := &Ready{Nonce: goldenNonce, Version: 1, Window: 1, Threads: 1, Tasks: tasks}
	got, err := ParseReady(AppendReady(nil, r), goldenHello)
	if err != nil || len(got.Tasks) != len(tasks) {
		t.Errorf("%v", err)
	}
	r.Tasks = append(r.Tasks, "one more")
	if _, err := ParseReady(AppendReady(nil, r), goldenHello); !errors.Is(err, ErrProtocol) {
		t.Errorf("65,537 tasks: %v", err)
	}
	r.Tasks = []string{strings.Repeat("x", MaxName+1)}
	if _, err := ParseReady(AppendReady(nil, r), goldenHello); !errors.Is(err, ErrProtocol) {
		t.Errorf("a name of 4,097 bytes: %v", err)
	}
}

func TestReady_Has(t *testing.T) {
	t.Parallel()
	r := &Ready{Capabilities: []Capability{CapPong, CapCredit}}
	if !r.Has(CapCredit) || r.Has(CapCancel) {
		t.Error("capabilities are confused")
	}
}
