package mask

import (
	"bytes"
	"encoding/json"
	"strconv"
	"strings"
	"testing"
)

const key = "-----BEGIN KEY-----\nMIIEpAIBAAKCAQEA75\nab\nq/+=9xyz0123\n-----END KEY-----\n"

func TestMasker_HidesEveryFormOfAValue(t *testing.T) {
	t.Parallel()
	odd := "it's <\"quite\">\\secret\x1b&\tü☃😀"
	asJSON := func(v any) string {
		b, err := json.Marshal(v)
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	m := New([]string{"hunter2", odd, key})
	for _, c := range []struct{ in, want string }{
		{"hunter2", "***"},
		{"a hunter2, hunter hunter22", "a ***, hunter ***2"},
		{"hunter2hunter2", "***"},
		{"hunthunter2", "hunt***"},
		{odd, "***"},
		{asJSON(map[string]string{"k": odd}), `{"k":"***"}`},
		{strconv.Quote(odd), `"***"`},
		{strconv.QuoteToASCII("é" + "hunter2"), `"\u00e9***"`},
		{`echo 'it'\''s <"quite">\secret` + "\x1b&\tü☃😀'", "echo '***'"},
		{`{"k":"it's <\"quite\">\\secret\u001b&\t\u00fc\u2603\ud83d\ude00"}`, `{"k":"***"}`},
		{`it's <"quite">\secret\x1b&` + "\tü☃😀", "***"},
		{"[" + key + "]", "[***]"},
		{"[" + strings.TrimSpace(key) + "]", "[***]"},
		{strings.ReplaceAll(key, "\n", "\r\n"), "***\r\n"},
		{asJSON(key), `"***"`},
		{"1: -----BEGIN KEY-----\n2: MIIEpAIBAAKCAQEA75\n3: ab\n4: q/+=9xyz0123\n", "1: ***\n2: ***\n3: ab\n4: ***\n"},
		{"", ""}, {"hunter", "hunter"}, {"nothing at all", "nothing at all"},
	} {
		if got := m.Text(c.in); got != c.want {
			t.Errorf("%q\n gives %q\n want  %q", c.in, got, c.want)
		}
		if got := string(m.Bytes([]byte(c.in))); got != c.want {
			t.Errorf("bytes %q\n gives %q\n want  %q", c.in, got, c.want)
		}
	}
}

func TestMasker_HidesAllOfOverlappingValues(t *testing.T) {
	t.Parallel()
	m := New([]string{"abcd", "abcdefgh", "cdefxy", "fghijk"})
	for _, c := range []struct{ in, want string }{
		{"abcdefgh", "***"}, {"abcdef", "***ef"}, {"abcdefxy", "***"}, {"abcdefghijk", "***"}, {"abcdefghij", "***ij"},
		{"xabcdabcdx", "x***x"}, {"abcdefg", "***efg"}, {"cdefghijk", "cde***"},
	} {
		if got := m.Text(c.in); got != c.want {
			t.Errorf("%s gives %s, want %s", c.in, got, c.want)
		}
	}
}

func TestMasker_TakesTheBeginningOfAValueWhereATextWasCut(t *testing.T) {
	t.Parallel()
	m := New([]string{"0123456789abcdef"})
	for _, c := range []struct{ in, want string }{
		{"panic: 0123456789…", "panic: ***…"},
		{"0123456…", "0123456…"}, // less than half of it
		{"0123456789", "0123456789"},
		{"a 0123456789abcdef… 0123456789abcdef", "a ***… ***"},
	} {
		if got := m.Text(c.in); got != c.want {
			t.Errorf("%s gives %s, want %s", c.in, got, c.want)
		}
	}
	s := m.Stream()
	if got := string(s.End(s.Append(nil, []byte("x 01234567")), true)); got != "x ***" {
		t.Errorf("the end of a killed process's output is %q", got)
	}
	if got := string(s.End(s.Append(nil, []byte("x 01234567")), false)); got != "x 01234567" {
		t.Errorf("the end of a whole output is %q", got)
	}
}

func TestMasker_NilFindsNothing(t *testing.T) {
	t.Parallel()
	m := New([]string{"", "abc", " a\n"})
	if m != nil {
		t.Fatal("values that are too short make a masker")
	}
	p := []byte("some abc")
	if m.In(p) || m.Text("x") != "x" || &m.Bytes(p)[0] != &p[0] || m.Longest() != 0 || m.Numeric() || m.Stream() != nil {
		t.Error("a nil masker does something")
	}
	var b bytes.Buffer
	w := m.Writer(&b)
	w.Write(p)
	if err := w.Close(); err != nil || b.String() != "some abc" {
		t.Errorf("%q, %v", b.String(), err)
	}
}

func TestMasker_KnowsNumbers(t *testing.T) {
	t.Parallel()
	if !New([]string{"hunter2", "482913"}).Numeric() || New([]string{"hunter2"}).Numeric() {
		t.Error("it does not")
	}
}

func TestStream_FindsValuesAcrossPiecesAndHoldsLittleBack(t *testing.T) {
	t.Parallel()
	m := New([]string{"hunter2", key})
	in := strings.Repeat("a hunter2 hunthunter2 "+key+"--- -----BEGIN KEY-----\nMIIE", 50)
	want := m.Text(in)
	if strings.Contains(want, "hunter2") || strings.Contains(want, "MIIEpA") {
		t.Fatalf("not masked: %.200s", want)
	}
	for _, size := range []int{1, 2, 3, 7, 64, 1000} {
		var b bytes.Buffer
		w := m.Writer(&b)
		for i := 0; i < len(in); i += size {
			w.Write([]byte(in[i:min(len(in), i+size)]))
			if held := len(w.s.held) - w.s.from; held > m.Longest() {
				t.Fatalf("%d bytes are held back", held)
			}
		}
		if err := w.Close(); err != nil {
			t.Fatal(err)
		}
		if b.String() != want {
			t.Fatalf("in pieces of %d: %q\nwant %q", size, b.String(), want)
		}
	}
}

// slow is what the automaton must come to: each byte of a form that stands there is
// hidden.
func slow(text string, values []string) string {
	hidden := make([]bool, len(text))
	for _, v := range values {
		for _, f := range forms(v) {
			for i := 0; i+len(f) <= len(text); i++ {
				if text[i:i+len(f)] == f {
					for k := i; k < i+len(f); k++ {
						hidden[k] = true
					}
				}
			}
		}
	}
	var b strings.Builder
	for i := range len(text) {
		switch {
		case !hidden[i]:
			b.WriteByte(text[i])
		case i == 0 || !hidden[i-1]:
			b.WriteString(Shown)
		}
	}
	return b.String()
}

func FuzzStream(f *testing.F) {
	f.Add("abcabcabdabcd", "abcd\x01abca\x01bcab", 3)
	f.Add("aaaaaaaaab", "aaaab", 1)
	f.Add("a\"b\\\"c'd\n\\n", "a\"b\\\x01c'd\nlonger line\nother line", 2)
	f.Fuzz(func(t *testing.T, text, joined string, size int) {
		if len(text) > 2000 || len(joined) > 300 {
			return
		}
		values := strings.Split(joined, "\x01")
		want := slow(text, values)
		m := New(values)
		if got := string(m.Bytes([]byte(text))); got != want {
			t.Fatalf("%q of %q: %q, want %q", text, values, got, want)
		}
		if m.In([]byte(text)) != (want != text) && !strings.Contains(text, Shown) {
			t.Fatalf("%q of %q: In is wrong", text, values)
		}
		size = max(1, size%50)
		s := m.Stream()
		var got []byte
		for i := 0; i < len(text); i += size {
			got = s.Append(got, []byte(text[i:min(len(text), i+size)]))
		}
		if got = s.End(got, false); string(got) != want {
			t.Fatalf("%q of %q in pieces of %d: %q, want %q", text, values, size, got, want)
		}
	})
}

func BenchmarkStream(b *testing.B) {
	text := bytes.Repeat([]byte("The quick brown fox jumps over the lazy dog: 12,345 items, all is well.\n"), 1000)
	hostile := bytes.Repeat([]byte("sk_live_51Habcdefghijklmnopqrstuvwxyz012345678"), 1500)
	token := "sk_live_51Habcdefghijklmnopqrstuvwxyz0123456789"
	for _, c := range []struct {
		name   string
		values []string
		text   []byte
	}{
		{"none", nil, text},
		{"one", []string{token}, text},
		{"ten", append(strings.Fields("alpha9 bravo9 charlie9 delta9 echo99 foxtrot9 golf99 hotel99 india99"), token), text},
		{"key", []string{strings.Repeat(key, 40)}, text},
		{"hostile", []string{token}, hostile},
	} {
		b.Run(c.name, func(b *testing.B) {
			m := New(c.values)
			s := m.Stream()
			dst := make([]byte, 0, 2*len(c.text))
			b.SetBytes(int64(len(c.text)))
			b.ReportAllocs()
			for b.Loop() {
				dst = s.End(s.Append(dst[:0], c.text), false)
			}
		})
	}
}
