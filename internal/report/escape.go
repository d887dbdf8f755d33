package report

import (
	"unicode"
	"unicode/utf8"
)

const hexDigits = "0123456789abcdef"

// appendVisible appends a text of many lines for people: what could act on a
// reader's screen, reorder lines, or is no character is shown as an escape, as
// AppendPlain of package text shows it, but tabs and line ends stay. markup gives
// what stands for an ASCII character, "" for itself.
func appendVisible(dst []byte, s string, markup func(c byte) string) []byte {
	from := 0
	for i := 0; i < len(s); {
		c := s[i]
		if c >= utf8.RuneSelf {
			r, n := utf8.DecodeRuneInString(s[i:])
			if (r != utf8.RuneError || n > 1) && unicode.IsGraphic(r) {
				i += n
				continue
			}
			dst = append(dst, s[from:i]...)
			for ; n > 0; n-- {
				dst = append(dst, '\\', 'x', hexDigits[s[i]>>4], hexDigits[s[i]&15])
				i++
			}
			from = i
			continue
		}
		as := markup(c)
		switch {
		case as != "":
		case c >= ' ' && c != 0x7f || c == '\t' || c == '\n':
			i++
			continue
		case c == '\r' && i+1 < len(s) && s[i+1] == '\n':
			// A line end of another system needs no escape on each line.
			dst = append(dst, s[from:i]...)
			i++
			from = i
			continue
		default:
			as = string([]byte{'\\', 'x', hexDigits[c>>4], hexDigits[c&15]})
		}
		dst = append(append(dst, s[from:i]...), as...)
		i++
		from = i
	}
	return append(dst, s[from:]...)
}

// visible is appendVisible without markup.
func visible(s string) string {
	return string(appendVisible(nil, s, func(byte) string { return "" }))
}

// xmlText gives what stands for a character in a text of XML.
func xmlText(c byte) string {
	switch c {
	case '<':
		return "&lt;"
	case '>':
		return "&gt;"
	case '&':
		return "&amp;"
	}
	return ""
}

// xmlAttribute gives what stands for a character in a value in double quotes, where
// a parser would make spaces of tabs and line ends.
func xmlAttribute(c byte) string {
	switch c {
	case '"':
		return "&quot;"
	case '\t':
		return "&#9;"
	case '\n':
		return "&#10;"
	}
	return xmlText(c)
}
