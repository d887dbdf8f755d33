package text

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

const hexDigits = "0123456789abcdef"

// AppendPlain appends text for a terminal: what could move the cursor, change
// colours or reorder lines is shown as an escape instead, bytes that are not
// UTF-8 too. Tabs stay.
func AppendPlain(dst []byte, s []byte) []byte {
	for len(s) > 0 {
		if c := s[0]; c < utf8.RuneSelf {
			if c == '\t' || c >= 0x20 && c != 0x7f {
				dst = append(dst, c)
			} else {
				dst = append(dst, '\\', 'x', hexDigits[c>>4], hexDigits[c&15])
			}
			s = s[1:]
			continue
		}
		r, n := utf8.DecodeRune(s)
		if r == utf8.RuneError && n == 1 || !unicode.IsGraphic(r) {
			for _, c := range s[:n] {
				dst = append(dst, '\\', 'x', hexDigits[c>>4], hexDigits[c&15])
			}
		} else {
			dst = append(dst, s[:n]...)
		}
		s = s[n:]
	}
	return dst
}

// Plain is AppendPlain for a line of at most limit bytes.
func Plain(s string, limit int) string {
	cut := ""
	if len(s) > limit {
		s, cut = s[:limit], "…"
	}
	return string(AppendPlain(nil, []byte(s))) + cut
}

// AppendQuoted appends a JSON string. Where s is not UTF-8 throughout it reports
// true, and the string is an escaped form of s: \ is doubled, and a byte that
// belongs to no character is \xNN.
func AppendQuoted[S string | []byte](dst []byte, s S) (_ []byte, escaped bool) {
	text := string(s)
	escaped = !utf8.ValidString(text)
	dst = append(dst, '"')
	from := 0
	for i := 0; i < len(text); {
		c := text[i]
		if c >= 0x20 && c != '"' && c != '\\' && c < 0x7f {
			i++
			continue
		}
		n := 1
		if c >= utf8.RuneSelf {
			var r rune
			r, n = utf8.DecodeRuneInString(text[i:])
			// U+2028 and U+2029 end lines in some languages' strings, and the second
			// set of controls does things to terminals.
			if r != utf8.RuneError && r > 0x9f && r != '\u2028' && r != '\u2029' || r == utf8.RuneError && n > 1 {
				i += n
				continue
			}
			dst = append(dst, text[from:i]...)
			if n == 1 {
				dst = append(dst, '\\', '\\', 'x', hexDigits[c>>4], hexDigits[c&15])
			} else {
				dst = append(dst, '\\', 'u', hexDigits[r>>12&15], hexDigits[r>>8&15], hexDigits[r>>4&15], hexDigits[r&15])
			}
			i += n
			from = i
			continue
		}
		dst = append(dst, text[from:i]...)
		switch c {
		case '"':
			dst = append(dst, '\\', '"')
		case '\\':
			dst = append(dst, '\\', '\\')
			if escaped {
				dst = append(dst, '\\', '\\')
			}
		case '\n':
			dst = append(dst, '\\', 'n')
		case '\r':
			dst = append(dst, '\\', 'r')
		case '\t':
			dst = append(dst, '\\', 't')
		default:
			dst = append(dst, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
		i++
		from = i
	}
	dst = append(dst, text[from:]...)
	return append(dst, '"'), escaped
}

// LastLines gives up to n last lines of text, blank ones at the end left out.
func LastLines(text []byte, n int) []string {
	lines := strings.Split(strings.TrimRight(string(text), "\r\n \t"), "\n")
	if len(lines) == 1 && lines[0] == "" {
		return nil
	}
	return lines[max(0, len(lines)-n):]
}
