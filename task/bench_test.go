package task

import (
	"context"
	"strings"
	"testing"
)

var benchText = strings.Repeat("x", 64)

func BenchmarkRoundTrip(b *testing.B) {
	b.Run("string", func(b *testing.B) { roundTrip(b, benchText) })
	b.Run("bytes", func(b *testing.B) { roundTrip(b, []byte(benchText)) })
	b.Run("int", func(b *testing.B) { roundTrip(b, 1<<30) })
	b.Run("empty", func(b *testing.B) { roundTrip(b, struct{}{}) })
	b.Run("any", func(b *testing.B) { roundTrip[any](b, benchText) })
	b.Run("struct", func(b *testing.B) {
		roundTrip(b, photo{Path: "photos/2024/img_0001.jpg", Width: 1920, Height: 1080, Tags: []string{"a", "b"}})
	})
	b.Run("map", func(b *testing.B) {
		roundTrip(b, map[string]any{"path": "photos/img.jpg", "width": 100, "deep": []any{1, 2.5, "x"}})
	})
}

type photo struct {
	Path   string   `msgpack:"path"`
	Width  int      `msgpack:"width"`
	Height int      `msgpack:"height"`
	Tags   []string `msgpack:"tags,omitempty"`
}

func roundTrip[T any](b *testing.B, v T) {
	c, err := codecFor[T]("value")
	if err != nil {
		b.Fatal(err)
	}
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		if buf, err = c.encode(buf[:0], v); err != nil {
			b.Fatal(err)
		}
		if _, err = c.decode(buf); err != nil {
			b.Fatal(err)
		}
	}
	b.SetBytes(int64(len(buf)))
}

var benchTask = Define("bench.echo", func(_ context.Context, s string) (string, error) { return s, nil })

func BenchmarkRun(b *testing.B) {
	payload, err := benchTask.EncodeIn(nil, benchText)
	if err != nil {
		b.Fatal(err)
	}
	def, _ := Lookup("bench.echo")
	for name, run := range map[string]func(context.Context, []byte, []byte) ([]byte, error){
		"goroutine": def.Run, "in place": def.RunInPlace,
	} {
		b.Run(name, func(b *testing.B) {
			var out []byte
			b.ReportAllocs()
			for b.Loop() {
				if out, err = run(context.Background(), payload, out[:0]); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkAppendJSON(b *testing.B) {
	data, err := Encode(nil, map[string]any{"path": "photos/img.jpg", "width": 100, "ratio": 1.5, "tags": []any{"a", "b", true, nil}})
	if err != nil {
		b.Fatal(err)
	}
	var out []byte
	b.ReportAllocs()
	b.SetBytes(int64(len(data)))
	for b.Loop() {
		if out, err = AppendJSON(out[:0], data); err != nil {
			b.Fatal(err)
		}
	}
}
