package ipc

import (
	"bytes"
	"context"
	"testing"

	"github.com/vmihailenco/msgpack/v5"
)

func BenchmarkAppendJob(b *testing.B) {
	payload, buf := body(64), make([]byte, 0, 256)
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendJob(buf[:0], 12345, "resize", 1, 0, "resize#12", "0123456789abcdef", payload)
	}
}

func BenchmarkParseJob(b *testing.B) {
	frame := AppendJob(nil, 12345, "resize", 1, 0, "resize#12", "0123456789abcdef", body(64))
	benchmarkParse(b, frame)
}

func BenchmarkAppendResult(b *testing.B) {
	payload, buf := body(64), make([]byte, 0, 256)
	b.ReportAllocs()
	for b.Loop() {
		buf = AppendResult(buf[:0], 12345, StatusOK, payload)
	}
}

func BenchmarkParseResult(b *testing.B) {
	benchmarkParse(b, AppendResult(nil, 12345, StatusOK, body(64)))
}

func benchmarkParse(b *testing.B, frame []byte) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse(frame); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkReader(b *testing.B) {
	stream := bytes.Repeat(frames(AppendResult(nil, 12345, StatusOK, body(64))), 100)
	r := NewReader(&repeating{chunk: stream})
	b.ReportAllocs()
	b.SetBytes(int64(len(stream) / 100))
	for b.Loop() {
		if _, err := r.Next(); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkValidatePayload(b *testing.B) {
	record, err := msgpack.Marshal(map[string]any{"path": "photos/1.jpg", "width": 100, "tags": []string{"a", "b"}, "at": 1.5})
	if err != nil {
		b.Fatal(err)
	}
	for name, p := range map[string][]byte{
		"record": record,
		"MiB":    append([]byte{0xdd, 0, 0x0f, 0xff, 0xfb}, make([]byte, 1<<20-5)...),
		"keys":   bigMap(10_000),
	} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(p)))
			for b.Loop() {
				if err := ValidatePayload(p); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

// BenchmarkLink sends batches to a goroutine that sends them back, over two
// pipes; the time is that of one batch there and back.
func BenchmarkLink(b *testing.B) {
	for _, c := range []struct {
		name  string
		batch int
		size  int
	}{{"1x64", 1, 64}, {"64x64", 64, 64}, {"16x64KiB", 16, MaxInline}} {
		b.Run(c.name, func(b *testing.B) {
			l, in, out := pipes(b)
			peer := NewLink(out, in)
			done := make(chan struct{})
			go func() {
				defer close(done)
				dst := make([][]byte, c.batch)
				for {
					n, err := peer.GetBatch(context.Background(), dst)
					if err != nil {
						return
					}
					if _, err := peer.PutBatch(context.Background(), dst[:n]); err != nil {
						return
					}
				}
			}()
			msgs := numbered(0, c.batch, c.size)
			dst := make([][]byte, c.batch)
			b.ReportAllocs()
			b.SetBytes(int64(2 * c.batch * c.size))
			for b.Loop() {
				sent := make(chan error, 1)
				if c.batch*c.size > 64<<10 { // more than the pipes hold: both ways at once
					go func() {
						_, err := l.PutBatch(context.Background(), msgs)
						sent <- err
					}()
				} else {
					_, err := l.PutBatch(context.Background(), msgs)
					sent <- err
				}
				for got := 0; got < c.batch; {
					n, err := l.GetBatch(context.Background(), dst)
					if err != nil {
						b.Fatal(err)
					}
					got += n
				}
				if err := <-sent; err != nil {
					b.Fatal(err)
				}
			}
			l.Close()
			<-done
		})
	}
}
