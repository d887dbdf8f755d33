package journal

import (
	"fmt"
	"io"
)

// Content is an output. It writes Len bytes, no more and no less, as often as it
// is asked to.
type Content interface {
	Len() int64
	WriteTo(io.Writer) (int64, error)
}

// Bytes is Content in memory.
type Bytes []byte

func (b Bytes) Len() int64 { return int64(len(b)) }

func (b Bytes) WriteTo(w io.Writer) (int64, error) {
	n, err := w.Write(b)
	return int64(n), err
}

func lengthOf(c Content) int64 {
	if c == nil {
		return 0
	}
	return c.Len()
}

// exactly lets Content write what it has promised.
type exactly struct {
	to   io.Writer
	left int64
}

func (e *exactly) Write(b []byte) (int, error) {
	if int64(len(b)) > e.left {
		return 0, fmt.Errorf("an output is longer than it said")
	}
	n, err := e.to.Write(b)
	e.left -= int64(n)
	return n, err
}

func copyContent(to io.Writer, c Content) error {
	if c == nil {
		return nil
	}
	e := exactly{to: to, left: c.Len()}
	if _, err := c.WriteTo(&e); err != nil {
		return err
	}
	if e.left != 0 {
		return fmt.Errorf("an output is %d bytes shorter than it said", e.left)
	}
	return nil
}
