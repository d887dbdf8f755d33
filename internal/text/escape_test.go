package text

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"
)

func FuzzAppendQuoted(f *testing.F) {
	for _, s := range []string{"", "plain", "a\"b\\c\n", "\xff\\x41", "\u2028\u0085", "é\x1b[31m", "\ufffd"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		b, escaped := AppendQuoted(nil, s)
		var got string
		if err := json.Unmarshal(b, &got); err != nil {
			t.Fatalf("%q: %s: %v", s, b, err)
		}
		if escaped == utf8.ValidString(s) {
			t.Fatalf("%q: escaped %v", s, escaped)
		}
		if escaped {
			got = unescape(t, got)
		}
		if got != s {
			t.Fatalf("%q came back as %q", s, got)
		}
	})
}

// unescape is what a reader of the marked texts does.
func unescape(t *testing.T, s string) string {
	var b []byte
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] != '\\':
			b = append(b, s[i])
		case strings.HasPrefix(s[i:], `\\`):
			b = append(b, '\\')
			i++
		case strings.HasPrefix(s[i:], `\x`) && i+4 <= len(s):
			b = append(b, byte(strings.IndexByte(hexDigits, s[i+2])<<4|strings.IndexByte(hexDigits, s[i+3])))
			i += 3
		default:
			t.Fatalf("bad escape in %q", s)
		}
	}
	return string(b)
}

func FuzzPlain(f *testing.F) {
	f.Add([]byte("\x1b]0;title\a\xff\u202e\r\n"))
	f.Fuzz(func(t *testing.T, s []byte) {
		for _, r := range string(AppendPlain(nil, s)) {
			if r != '\t' && (r < ' ' || r >= 0x7f && r <= 0x9f || r == 0x202e || r == utf8.RuneError && !bytes.ContainsRune(s, utf8.RuneError)) {
				t.Fatalf("%q lets %U through", s, r)
			}
		}
	})
}
