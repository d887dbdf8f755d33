package ipc

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"testing"
)

// stream is a job with a payload of size bytes in chunks of step, and another
// frame between two of them and behind the last.
func stream(payload []byte, step int) (all []byte) {
	all = AppendFrame(nil, AppendJobSize(nil, 300, "task", 1, 0, "", "", len(payload)))
	for i := 0; i < len(payload); i += step {
		all = AppendFrame(all, AppendData(nil, 300, payload[i:min(i+step, len(payload))]))
		if i == step {
			all = AppendFrame(all, AppendPing(nil, 1))
		}
	}
	return AppendFrame(all, AppendPing(nil, 2))
}

// assemble reads until an error, and returns the whole payloads and how many bytes
// of chunks and other frames there were.
func assemble(r *Reader) (whole [][]byte, counted, others int, err error) {
	var a Assembler
	r.Into(&a)
	for {
		b, err := r.Next()
		if err != nil {
			return whole, counted, others, err
		}
		m, err := Parse(b)
		if err != nil {
			return whole, counted, others, err
		}
		switch m.Kind {
		case KindJob:
			err = a.Begin(&m)
		case KindData:
			var done *Message
			if done, err = a.Add(&m); done != nil {
				whole = append(whole, done.Body)
			}
			counted += int(m.Bytes)
		default:
			others++
		}
		if err != nil {
			return whole, counted, others, err
		}
	}
}

func TestReader_PutsChunksInPlaceWhereverReadsEnd(t *testing.T) {
	t.Parallel()
	payload := body(3*MaxInline + 777)
	for _, step := range []int{5000, MaxInline - 1, MaxInline} {
		all := stream(payload, step)
		for _, piece := range []int{1, 7, 511, 512, 513, 4095, 5011, 5012, 65535, MaxInline + 11, MaxInline + 12, MaxInline + 13, 1 << 20} {
			r := NewReader(&stepReader{all, piece})
			whole, counted, others, err := assemble(r)
			if err != io.EOF || len(whole) != 1 || !bytes.Equal(whole[0], payload) {
				t.Fatalf("chunks of %d read by %d: %d payloads, %v", step, piece, len(whole), err)
			}
			if counted != len(payload) || others != 2 || r.Total() != uint64(len(all)) {
				t.Fatalf("chunks of %d read by %d: %d bytes of %d counted, %d of 2 other frames, total %d of %d",
					step, piece, counted, len(payload), others, r.Total(), len(all))
			}
		}
	}
}

func TestReader_GoesOnInTheMiddleOfAChunk(t *testing.T) {
	t.Parallel()
	payload := body(2*MaxInline + 3)
	all := stream(payload, MaxInline)
	for cut := 0; cut < len(all); cut += 997 {
		var a Assembler
		r := NewReader(bytes.NewReader(all[:cut]))
		r.Into(&a)
		var whole *Message
		others := 0
		for again := true; ; {
			b, err := r.Next()
			if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
				if !again {
					break
				}
				again = false
				r.Append(all[cut:])
				continue
			}
			if err != nil {
				t.Fatal(err)
			}
			switch m, err := Parse(b); {
			case err != nil:
				t.Fatal(err)
			case m.Kind == KindJob:
				if err := a.Begin(&m); err != nil {
					t.Fatal(err)
				}
			case m.Kind == KindData:
				if done, err := a.Add(&m); err != nil {
					t.Fatal(err)
				} else if done != nil {
					whole = done
				}
			default:
				others++
			}
		}
		if whole == nil || !bytes.Equal(whole.Body, payload) || others != 2 || r.Total() != uint64(len(all)) {
			t.Fatalf("cut at %d: not whole, or %d of 2 other frames, or total %d of %d", cut, others, r.Total(), len(all))
		}
	}
}

func TestReader_HostileChunksAreJudgedByAdd(t *testing.T) {
	t.Parallel()
	chunk := body(MaxInline)
	begin := func(size int) []byte {
		return AppendFrame(nil, AppendJobSize(nil, 3, "task", 1, 0, "", "", size))
	}
	for name, frame := range map[string][]byte{
		"another id":         AppendData(nil, 4, chunk),
		"more than promised": AppendData(nil, 3, chunk),
		"too long":           AppendData(nil, 3, body(MaxInline+1)),
		"trailing bytes":     append(AppendData(nil, 3, chunk), 0xc0),
	} {
		size := 4 * MaxInline
		if name == "more than promised" {
			size = MaxInline - 1
		}
		all := AppendFrame(begin(size), frame)
		for _, piece := range []int{1000, 1 << 20} {
			whole, counted, _, err := assemble(NewReader(&stepReader{all, piece}))
			if !errors.Is(err, ErrProtocol) || len(whole) != 0 || counted != 0 {
				t.Errorf("%s, read by %d: %d payloads, %d bytes counted, %v", name, piece, len(whole), counted, err)
			}
		}
	}
}

func TestAssembler_GrowsWithWhatHasArrived(t *testing.T) {
	t.Parallel()
	var a Assembler
	if err := a.Begin(announced(1, MaxMessage)); err != nil {
		t.Fatal(err)
	}
	for arrived := MaxInline; arrived < 16<<20; arrived += MaxInline {
		if _, err := a.Add(&Message{Kind: KindData, ID: 1, Body: body(MaxInline)}); err != nil {
			t.Fatal(err)
		}
		if c := cap(a.buf); c > max(spareMax, growth*arrived+MaxInline) {
			t.Fatalf("%d bytes have arrived, the buffer has %d", arrived, c)
		}
	}
}

func TestLink_ChunksOverPipes(t *testing.T) {
	t.Parallel()
	from, to, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer from.Close()
	payload := body(5*MaxInline*MaxChunks + 99)
	failed := make(chan error, 1)
	go func() {
		defer to.Close()
		l := NewLink(from, to)
		_, err := l.PutBatch(context.Background(), [][]byte{AppendJobSize(nil, 300, "task", 1, 0, "", "", len(payload))})
		for rest := payload; err == nil && len(rest) > 0; {
			var n int
			l.TryPutBatch([][]byte{AppendPing(nil, 1)}) // is first, whether the pipe has taken it or not
			n, err = l.PutChunks(300, rest)
			rest = rest[n:]
		}
		failed <- err
	}()
	whole, counted, others, err := assemble(NewReader(from))
	if err := <-failed; err != nil {
		t.Fatal(err)
	}
	if err != io.EOF || len(whole) != 1 || !bytes.Equal(whole[0], payload) || counted != len(payload) || others != 6 {
		t.Errorf("%d payloads, %d bytes of %d counted, %d of 6 pings, %v", len(whole), counted, len(payload), others, err)
	}
}
