package mask

import (
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// MinLine is the least length in bytes of a line of a value that is looked for
// alone.
const MinLine = 8

// forms gives the texts by which a value is recognized: as a whole, without the
// spaces around it, and line by line, each also in the forms that a text has in JSON,
// in a quoted text of Go or a shell, and in a line for a terminal.
func forms(value string) []string {
	var out []string
	add := func(s string) {
		if len(s) < MinLen {
			return
		}
		out = append(out, s)
		for _, f := range [...]string{
			inJSON(s, false), inJSON(s, true), inASCII(s), quoted(s), inShell(s), plain(s),
		} {
			if f != s {
				out = append(out, f)
			}
		}
	}
	add(value)
	whole := strings.TrimSpace(value)
	add(whole)
	if strings.ContainsAny(whole, "\n\r") {
		for line := range strings.FieldsFuncSeq(whole, func(r rune) bool { return r == '\n' || r == '\r' }) {
			if line = strings.TrimSpace(line); len(line) >= MinLine {
				add(line)
			}
		}
		add(strings.ReplaceAll(whole, "\r\n", "\n"))
		add(strings.ReplaceAll(strings.ReplaceAll(whole, "\r\n", "\n"), "\n", "\r\n")) // as a terminal has it
	}
	return out
}

const hexDigits = "0123456789abcdef"

// inJSON gives s as it stands in a JSON string; with html also as encoders write it
// that keep it apart from HTML. Bytes that are not UTF-8 stay.
func inJSON(s string, html bool) string {
	b := make([]byte, 0, len(s)+8)
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b = append(b, '\\', c)
		case c == '\n':
			b = append(b, '\\', 'n')
		case c == '\r':
			b = append(b, '\\', 'r')
		case c == '\t':
			b = append(b, '\\', 't')
		case c < 0x20 || html && (c == '<' || c == '>' || c == '&'):
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		default:
			b = append(b, c)
		}
	}
	return string(b)
}

// inASCII is inJSON with everything else than ASCII escaped, as some encoders do.
func inASCII(s string) string {
	var b []byte
	for _, r := range inJSON(s, false) {
		if r < utf8.RuneSelf {
			b = append(b, byte(r))
			continue
		}
		units := [2]rune{r, -1}
		if r > 0xffff {
			units[0], units[1] = utf16.EncodeRune(r)
		}
		for _, u := range units {
			if u >= 0 {
				b = append(b, '\\', 'u', hexDigits[u>>12&15], hexDigits[u>>8&15], hexDigits[u>>4&15], hexDigits[u&15])
			}
		}
	}
	return string(b)
}

// quoted gives s as it stands in a quoted text of Go.
func quoted(s string) string {
	q := strconv.Quote(s)
	return q[1 : len(q)-1]
}

// inShell gives s as it stands between single quotes of a shell.
func inShell(s string) string { return strings.ReplaceAll(s, "'", `'\''`) }

// plain gives s with its controls as escapes, as lines for terminals have it.
func plain(s string) string {
	var b []byte
	for i := 0; i < len(s); i++ {
		if c := s[i]; c == '\t' || c >= 0x20 && c != 0x7f {
			b = append(b, c)
		} else {
			b = append(b, '\\', 'x', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return string(b)
}
