package terminal

import (
	"bytes"
	"fmt"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/mattn/go-runewidth"
	"golang.org/x/sys/unix"
)

// patience is how long a test waits for what should take milliseconds.
const patience = 30 * time.Second

// vt is a terminal whose screen is at hand: all that was ever on it, of which the
// last lines can still be written to.
type vt struct {
	t      *testing.T
	master *os.File
	f      *os.File // the program's side
	ended  chan struct{}

	mu       sync.Mutex
	changed  *sync.Cond
	lines    [][]rune
	row, col int // row from the top of lines
	wrap     bool
	columns  int
	height   int
	raw      []byte
	closed   bool
}

func openVT(t *testing.T, columns, height int) *vt {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|unix.O_NOCTTY|unix.O_CLOEXEC, 0)
	if err != nil {
		t.Skip("no pseudo terminals: ", err)
	}
	fd := int(master.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	n, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(fmt.Sprintf("/dev/pts/%d", n), os.O_RDWR|unix.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	v := &vt{t: t, master: master, f: f, ended: make(chan struct{}), wrap: true, lines: make([][]rune, 1)}
	v.changed = sync.NewCond(&v.mu)
	v.resize(columns, height)
	go v.read()
	t.Cleanup(v.close)
	return v
}

func (v *vt) close() {
	v.mu.Lock()
	closed := v.closed
	v.closed = true
	v.mu.Unlock()
	if closed {
		return
	}
	v.f.Close()
	<-v.ended
	v.master.Close()
}

func (v *vt) resize(columns, height int) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.columns, v.height = columns, height
	if err := unix.IoctlSetWinsize(int(v.master.Fd()), unix.TIOCSWINSZ, &unix.Winsize{Col: uint16(columns), Row: uint16(height)}); err != nil {
		v.t.Fatal(err)
	}
}

func (v *vt) read() {
	defer close(v.ended)
	buf := make([]byte, 4096)
	var rest []byte
	for {
		n, err := v.master.Read(buf)
		v.mu.Lock()
		v.raw = append(v.raw, buf[:n]...)
		rest = v.interpret(append(rest, buf[:n]...))
		v.changed.Broadcast()
		v.mu.Unlock()
		if err != nil {
			return // EIO: nobody has the other side any more
		}
	}
}

var sequence = regexp.MustCompile(`^\x1b\[(\??)([0-9;]*)([A-Za-z])`)

// interpret returns what is not whole yet.
func (v *vt) interpret(b []byte) []byte {
	for len(b) > 0 {
		switch b[0] {
		case '\r':
			v.col = 0
			b = b[1:]
			continue
		case '\n':
			v.down()
			b = b[1:]
			continue
		case '\x1b':
			m := sequence.FindSubmatch(b)
			if m == nil {
				if len(b) > 16 {
					v.t.Errorf("unknown sequence %q", b[:16])
					return nil
				}
				return b
			}
			v.control(string(m[1])+string(m[3]), string(m[2]))
			b = b[len(m[0]):]
			continue
		}
		if !utf8.FullRune(b) {
			return b
		}
		r, n := utf8.DecodeRune(b)
		b = b[n:]
		if r < ' ' {
			continue
		}
		w := runewidth.RuneWidth(r)
		if v.col+w > v.columns {
			if !v.wrap {
				continue
			}
			v.col = 0
			v.down()
		}
		line := v.lines[v.row]
		for len(line) < v.col+1 {
			line = append(line, ' ')
		}
		line[v.col] = r
		if w == 2 {
			line = append(line[:v.col+1], 0) // the cell is taken
		}
		v.lines[v.row] = line
		v.col += w
	}
	return nil
}

func (v *vt) down() {
	if v.row++; v.row == len(v.lines) {
		v.lines = append(v.lines, nil)
	}
}

func (v *vt) control(what, arg string) {
	n, _ := strconv.Atoi(arg)
	switch what {
	case "A":
		v.row = max(v.row-max(n, 1), len(v.lines)-v.height, 0)
	case "K":
		v.lines[v.row] = v.lines[v.row][:min(v.col, len(v.lines[v.row]))]
	case "J":
		v.lines[v.row] = v.lines[v.row][:min(v.col, len(v.lines[v.row]))]
		// The cursor stays where it is, and lines above may be in the history.
		v.lines = v.lines[:v.row+1]
	case "?h", "?l":
		if n != 7 {
			v.t.Errorf("mode %s of the terminal is changed", arg)
		}
		v.wrap = what == "?h"
	case "m":
	default:
		v.t.Errorf("control %s%s", arg, what)
	}
}

// text is all that is or was on the screen, without blanks at the ends of lines.
func (v *vt) text() string {
	var b strings.Builder
	for _, line := range v.lines {
		b.WriteString(strings.TrimRight(strings.ReplaceAll(string(line), "\x00", ""), " ") + "\n")
	}
	return strings.TrimRight(b.String(), "\n")
}

// until waits for a screen on which ok holds, and returns it.
func (v *vt) until(what string, ok func(text string) bool) string {
	v.t.Helper()
	timer := time.AfterFunc(patience, func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		v.changed.Broadcast()
	})
	defer timer.Stop()
	end := time.Now().Add(patience)
	v.mu.Lock()
	defer v.mu.Unlock()
	for !ok(v.text()) {
		if time.Now().After(end) {
			v.t.Fatalf("%s does not come; there is\n%s", what, v.text())
		}
		v.changed.Wait()
	}
	return v.text()
}

// shows waits for a text on the screen.
func (v *vt) shows(want string) string {
	v.t.Helper()
	return v.until(want, func(text string) bool { return strings.Contains(text, want) })
}

// last is written behind everything else, and not shown.
const last = "\x06"

// end waits for all that was written, and returns what is there for ever. The end
// of the other side is not taken for it: that may be told before the last bytes.
func (v *vt) end() (text, raw string) {
	v.t.Helper()
	v.f.WriteString(last)
	v.until("the end", func(string) bool { return bytes.HasSuffix(v.raw, []byte(last)) })
	v.close()
	if !v.wrap {
		v.t.Error("lines are not folded any more")
	}
	return v.text(), strings.TrimSuffix(string(v.raw), last)
}
