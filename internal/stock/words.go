package stock

import "unicode/utf8"

// wordCounter counts lines and words in a stream of UTF-8. A word is what stands
// between white space; bytes that are not UTF-8 belong to words.
type wordCounter struct {
	lines, words int64
	inWord       bool
	partial      [utf8.UTFMax]byte // the beginning of a character at the end of a block
	held         int
}

func (c *wordCounter) add(p []byte) {
	for c.held > 0 && len(p) > 0 {
		c.partial[c.held] = p[0]
		c.held++
		p = p[1:]
		c.settle()
	}
	for len(p) > 0 {
		if p[0] < utf8.RuneSelf {
			c.ascii(p[0])
			p = p[1:]
			continue
		}
		if !utf8.FullRune(p) {
			c.held = copy(c.partial[:], p)
			return
		}
		r, n := utf8.DecodeRune(p)
		c.rune(r)
		p = p[n:]
	}
}

// settle takes whole characters off partial.
func (c *wordCounter) settle() {
	for c.held > 0 && utf8.FullRune(c.partial[:c.held]) {
		r, n := utf8.DecodeRune(c.partial[:c.held])
		if r == '\n' {
			c.lines++
		}
		c.rune(r)
		c.held = copy(c.partial[:], c.partial[n:c.held])
	}
}

func (c *wordCounter) end() {
	if c.held > 0 {
		c.rune(utf8.RuneError)
	}
}

func (c *wordCounter) ascii(b byte) {
	switch {
	case b == '\n':
		c.lines++
		c.inWord = false
	case b == ' ' || b >= '\t' && b <= '\r':
		c.inWord = false
	default:
		c.word()
	}
}

func (c *wordCounter) word() {
	if !c.inWord {
		c.inWord = true
		c.words++
	}
}

// rune knows the white space of wc: that of the C library in a UTF-8 locale,
// and the spaces that do not break a line.
func (c *wordCounter) rune(r rune) {
	switch {
	case r == ' ' || r >= '\t' && r <= '\r',
		r == 0x1680, r >= 0x2000 && r <= 0x200a, r == 0x2028, r == 0x2029, r == 0x205f, r == 0x3000,
		r == 0x00a0, r == 0x202f, r == 0x2060:
		c.inWord = false
	default:
		c.word()
	}
}
