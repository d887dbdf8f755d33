package config

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

var byteOrderMark = []byte("\ufeff")

// document turns the bytes of a file into the tree of its one document, nil
// after an error.
func (c *checker) document(src []byte) *yaml.Node {
	if len(src) > MaxSize {
		c.fail(Pos{1, 1}, "put items into a file and name it in foreach", "the job file is larger than %d MiB", MaxSize>>20)
		return nil
	}
	src = bytes.TrimPrefix(src, byteOrderMark)
	if !c.characters(src) || !c.directives(src) {
		return nil
	}
	lines := &lineReader{src: src}
	dec := yaml.NewDecoder(lines)
	var doc yaml.Node
	switch err := decode(dec, &doc); {
	case errors.Is(err, io.EOF):
		c.fail(Pos{1, 1}, "a job file has at least jobs:", "the job file is empty")
		return nil
	case err != nil:
		c.syntax(src, lines.fed, err)
		return nil
	}
	var second yaml.Node
	switch err := decode(dec, &second); {
	case errors.Is(err, io.EOF):
	case err != nil:
		c.syntax(src, lines.fed, err)
		return nil
	default:
		c.fail(Pos{second.Line, second.Column}, "a job file is one document", "a second document starts here")
		return nil
	}
	if doc.Kind != yaml.DocumentNode || len(doc.Content) != 1 {
		c.fail(Pos{1, 1}, "a job file has at least jobs:", "the job file is empty")
		return nil
	}
	return doc.Content[0]
}

// decode shields the process from the parser: it reports most mistakes by
// panics of its own, and what it does not foresee must be an error, too.
func decode(dec *yaml.Decoder, into *yaml.Node) (err error) {
	defer func() {
		if p := recover(); p != nil {
			err = fmt.Errorf("yaml: the parser cannot read this: %v", p)
		}
	}()
	return dec.Decode(into)
}

// characters refuses what no text holds, which the parser would report without
// a place or take for something else.
func (c *checker) characters(src []byte) bool {
	if i := bytes.IndexByte(src, 0); i >= 0 {
		c.fail(place(src, i), `in a double-quoted text it is "\0"`, "the job file holds a NUL byte")
		return false
	}
	if utf8.Valid(src) {
		return true
	}
	for i := 0; i < len(src); {
		r, n := utf8.DecodeRune(src[i:])
		if r == utf8.RuneError && n == 1 {
			c.fail(place(src, i), "items that are not UTF-8 can come from a file that foreach names", "the job file is not valid UTF-8: byte 0x%02x", src[i])
			return false
		}
		i += n
	}
	return true
}

// directives refuses lines that start with %, which only directives do. The
// parser's time for them grows with the square of their number.
func (c *checker) directives(src []byte) bool {
	at := -1
	if bytes.HasPrefix(src, []byte("%")) {
		at = 0
	} else if i := bytes.Index(src, []byte("\n%")); i >= 0 {
		at = i + 1
	}
	if at < 0 {
		return true
	}
	c.fail(place(src, at), "", "YAML directives are not supported")
	return false
}

// place counts the line and the column of a byte.
func place(src []byte, at int) Pos {
	start := bytes.LastIndexByte(src[:at], '\n') + 1
	return Pos{
		Line: bytes.Count(src[:at], []byte("\n")) + 1,
		Col:  utf8.RuneCount(src[start:at]) + 1,
	}
}

var (
	yamlLine      = regexp.MustCompile(`^yaml: line (\d+): `)
	unknownAnchor = regexp.MustCompile(`unknown anchor '([^']*)'`)
)

// lineReader hands out one line at a time, so that it is known how far the
// parser had come when it gave up: its errors name the line where a block began.
type lineReader struct {
	src []byte
	fed int // lines handed out, in part or whole
	mid bool
}

func (r *lineReader) Read(p []byte) (int, error) {
	if len(r.src) == 0 {
		return 0, io.EOF
	}
	if !r.mid {
		r.fed++
	}
	n := bytes.IndexByte(r.src, '\n') + 1
	if n == 0 {
		n = len(r.src)
	}
	n = copy(p, r.src[:n])
	r.mid = r.src[n-1] != '\n'
	r.src = r.src[n:]
	return n, nil
}

// syntax reports what the parser stopped at after it was fed so many lines. It
// knows no columns, and of templates that were not quoted and of tabs it only
// sees the consequences.
func (c *checker) syntax(src []byte, fed int, err error) {
	msg := err.Error()
	line := 1
	if m := yamlLine.FindStringSubmatch(msg); m != nil {
		line, _ = strconv.Atoi(m[1])
		msg = msg[len(m[0]):]
		// For errors of its grammar the parser counts lines from 0.
		if strings.HasPrefix(msg, "did not find expected") {
			line++
		}
	}
	msg = strings.TrimPrefix(msg, "yaml: ")
	if m := unknownAnchor.FindStringSubmatch(msg); m != nil {
		pos := Pos{line, 1}
		if i := bytes.Index(src, []byte("*"+m[1])); i >= 0 {
			pos = place(src, i)
		}
		c.fail(pos, "quote a text that starts with *", "aliases are not supported")
		return
	}
	if strings.HasPrefix(msg, "exceeded max depth") {
		c.fail(Pos{fed, 1}, "", "nested deeper than %d levels", maxDepth)
		return
	}
	if msg == "did not find expected key" || msg == "did not find expected '-' indicator" {
		line = fed
	}
	lines := bytes.Split(src, []byte("\n"))
	line = max(1, min(line, len(lines)))
	// Where a plain text runs on, the parser is a line ahead of the mistake.
	for l := max(line-1, 1); l <= min(max(line, fed), len(lines)); l++ {
		text := lines[l-1]
		if i := indentTab(text); i >= 0 {
			c.fail(Pos{l, i + 1}, "indent with spaces", "a tab indents this line")
			return
		}
		if i := bareTemplate(text); i >= 0 {
			c.fail(Pos{l, utf8.RuneCount(text[:i]) + 1}, `quote it: "{{…}}"`, "a text that starts with {{ is not quoted")
			return
		}
	}
	col := 1
	if t := bytes.TrimLeft(lines[line-1], " "); len(t) > 0 {
		col = len(lines[line-1]) - len(t) + 1
	}
	c.fail(Pos{line, col}, "", "not valid YAML: %s", msg)
}

// indentTab finds a tab in the space before a line's text.
func indentTab(line []byte) int {
	for i, b := range line {
		switch b {
		case ' ':
		case '\t':
			return i
		default:
			return -1
		}
	}
	return -1
}

// bareTemplate finds a {{ that starts a value without a quote before it.
func bareTemplate(line []byte) int {
	for i := 0; ; {
		k := bytes.Index(line[i:], []byte("{{"))
		if k < 0 {
			return -1
		}
		i += k
		before := bytes.TrimRight(line[:i], " ")
		if len(before) == 0 || strings.IndexByte(":-[,", before[len(before)-1]) >= 0 {
			return i
		}
		i += 2
	}
}
