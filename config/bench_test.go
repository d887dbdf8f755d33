package config

import "testing"

func BenchmarkParse_10000Jobs(b *testing.B) {
	src := manyJobs(10_000)
	b.SetBytes(int64(len(src)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := Parse("f", src); err != nil {
			b.Fatal(err)
		}
	}
}

func benchmarkText(b *testing.B, text string) {
	t, err := Compile(text)
	if err != nil {
		b.Fatal(err)
	}
	s := &Scope{Item: String("photos/2024/a.jpg"), Matrix: []Field{{"width", IntValue(100)}}, Job: "resize", Attempt: 1, Slot: 2}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := t.Text(s); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkText_Constant(b *testing.B)   { benchmarkText(b, "--verbose") }
func BenchmarkText_Item(b *testing.B)       { benchmarkText(b, "{{.item}}") }
func BenchmarkText_Mixed(b *testing.B)      { benchmarkText(b, "out/{{.job}}-{{.index}}-{{.matrix.width}}") }
func BenchmarkText_Function(b *testing.B)   { benchmarkText(b, "out/{{base .item}}") }
func BenchmarkText_Statements(b *testing.B) { benchmarkText(b, "{{if eq .attempt 1}}{{.item}}{{end}}") }

func BenchmarkParseJSON(b *testing.B) {
	src := []byte(`{"path":"photos/2024/a.jpg","size":123456,"tags":["a","b"],"ratio":3.0}`)
	b.SetBytes(int64(len(src)))
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseJSON(src); err != nil {
			b.Fatal(err)
		}
	}
}

func benchmarkItem(b *testing.B) Value {
	v, err := ParseJSON([]byte(`{"path":"photos/2024/a.jpg","size":123456,"tags":["a","b"],"ratio":3.0}`))
	if err != nil {
		b.Fatal(err)
	}
	return v
}

func BenchmarkValue_AppendBinary(b *testing.B) {
	v := benchmarkItem(b)
	var buf []byte
	b.ReportAllocs()
	for b.Loop() {
		buf = v.AppendBinary(buf[:0])
	}
	b.SetBytes(int64(len(buf)))
}

func BenchmarkDecodeValue(b *testing.B) {
	src := benchmarkItem(b).AppendBinary(nil)
	b.SetBytes(int64(len(src)))
	b.ReportAllocs()
	for b.Loop() {
		if _, _, err := DecodeValue(src); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkEach_Argv(b *testing.B) {
	f, err := NewEach(Each{Argv: []string{"convert", "{}", "small/{/.}.png"}, Dir: "/"})
	if err != nil {
		b.Fatal(err)
	}
	s := &Scope{Item: String("photos/2024/a.jpg")}
	b.ReportAllocs()
	for b.Loop() {
		if _, err := f.Jobs[0].Argv(s); err != nil {
			b.Fatal(err)
		}
	}
}
