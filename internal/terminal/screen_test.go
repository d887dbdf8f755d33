package terminal

import (
	"bytes"
	"errors"
	"io"
	"strings"
	"testing"
)

// fixed is a terminal of which a test says what it is.
type fixed struct {
	columns, lines int
	away           bool
}

func (f *fixed) size() (columns, lines int) { return f.columns, f.lines }
func (f *fixed) foreground() bool           { return !f.away }

func TestScreen_ErasesFoldedRows(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	dev := &fixed{columns: 80, lines: 24}
	s := &screen{out: &out, dev: dev}
	draw := func() string {
		out.Reset()
		io.WriteString(s, "\x1b[32m"+strings.Repeat("█", 60)+"\x1b[39m\nshort\n")
		s.Flush(2)
		return out.String()
	}
	if got := draw(); strings.Contains(got, "A") {
		t.Errorf("the first frame goes up: %q", got)
	}
	if got := draw(); !strings.HasPrefix(got, "\r\x1b[2A") {
		t.Errorf("the second frame does not go up 2 rows: %q", got)
	}
	dev.columns = 25 // the first row is three now
	if got := draw(); !strings.HasPrefix(got, "\r\x1b[4A") {
		t.Errorf("the frame does not go up 4 rows: %q", got)
	}
	dev.columns, dev.lines = 1, 5 // it goes up no more than there is
	if got := draw(); !strings.HasPrefix(got, "\r\x1b[4A") {
		t.Errorf("the frame does not go up 4 rows: %q", got)
	}
}

func TestScreen_LeavesTheTerminalOfOthersAlone(t *testing.T) {
	t.Parallel()
	var out bytes.Buffer
	dev := &fixed{columns: 80, lines: 24}
	s := &screen{out: &out, dev: dev}
	draw := func() string {
		out.Reset()
		io.WriteString(s, "a bar\n")
		s.Flush(1)
		return out.String()
	}
	draw()
	dev.away = true
	if got := draw(); got != "" {
		t.Errorf("in the background it writes %q", got)
	}
	if _, err := s.print(&out, []byte("a line\n")); err != nil || out.String() != "a line\n" {
		t.Errorf("in the background it prints %q, %v", out.String(), err)
	}
	dev.away = false
	if got := draw(); strings.Contains(got, "A") {
		t.Errorf("it goes up over what others wrote: %q", got)
	}
}

// torn takes so many bytes, and then it is gone.
type torn int

var errTorn = errors.New("it is gone")

func (n *torn) Write(p []byte) (int, error) {
	if took := min(int(*n), len(p)); took < len(p) {
		*n = 0
		return took, errTorn
	}
	*n -= torn(len(p))
	return len(p), nil
}

func TestScreen_PassesErrorsOn(t *testing.T) {
	t.Parallel()
	// The terminal is gone: there are no bars, and the lines go where they can.
	gone := torn(0)
	s := &screen{out: &gone, dev: &fixed{columns: 80, lines: 24}}
	io.WriteString(s, "a bar\n")
	s.Flush(1)
	var out bytes.Buffer
	if n, err := s.print(&out, []byte("a line\n")); n != 7 || err != nil || out.String() != "a line\n" {
		t.Errorf("printed %d, %v: %q", n, err, out.String())
	}
	// It is the file that is gone.
	full := torn(3)
	n, err := s.print(&full, []byte("a line\n"))
	if n != 3 || !errors.Is(err, errTorn) {
		t.Errorf("printed %d, %v; want 3 and its error", n, err)
	}
}
