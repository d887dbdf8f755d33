package terminal

import (
	"bytes"
	"io"
	"strconv"
	"sync"

	"github.com/mattn/go-runewidth"
)

// screen is the terminal under the bars: the frame is what they look like now, and
// stands below the last line or not at all. It is the console that mpb renders to.
type screen struct {
	out io.Writer
	dev device

	// rows are those of a frame that is being rendered, by one goroutine.
	rows bytes.Buffer

	mu     sync.Mutex
	frame  []byte // what is to be seen, "" for nothing
	widths []int  // of its rows, in columns
	drawn  []int  // the same of the rows that are on the terminal
	open   bool   // the last line is unfinished
	hidden bool   // there is to be no frame
	buf    []byte // for one write
}

// device asks the terminal itself.
type device interface {
	size() (columns, lines int)
	// foreground reports whether this program may write to it now. The terminal of a
	// program that was sent into the background belongs to another.
	foreground() bool
}

func (s *screen) Write(p []byte) (int, error)               { return s.rows.Write(p) }
func (s *screen) ReadFrom(r io.Reader) (n int64, err error) { return s.rows.ReadFrom(r) }
func (s *screen) IsTerminal() bool                          { return true }

// GetTermSize leaves a column free, where the cursor of some terminals would else
// be on the next line. The height is that of any frame: mpb would leave away the
// first rows of one that is too high, and counts the empty ones.
func (s *screen) GetTermSize() (width, height int, err error) {
	width, _ = s.dev.size()
	return max(width-1, 1), maxRows + 2, nil
}

// Flush draws the frame that was rendered. Errors are not told: a terminal that is
// gone takes no bars, and what else fails there its writers find out.
func (s *screen) Flush(int) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.frame = append(s.frame[:0], s.rows.Bytes()...)
	s.rows.Reset()
	s.widths = s.widths[:0]
	for row := range bytes.Lines(s.frame) {
		s.widths = append(s.widths, columns(row))
	}
	s.draw()
	return nil
}

// draw puts the frame where it is to be. Each row is cleared behind its end rather
// than all of them before, which would flicker, and all of it is one write.
func (s *screen) draw() {
	if s.open || s.hidden || !s.mine() {
		return
	}
	b := s.up(s.buf[:0])
	b = append(b, "\x1b[?7l"...) // a row that is wider than was reckoned is not to become two
	for row := range bytes.Lines(s.frame) {
		b = append(b, bytes.TrimSuffix(row, []byte("\n"))...)
		b = append(b, "\x1b[K\r\n"...)
	}
	b = append(b, "\x1b[J\x1b[?7h"...)
	s.buf = b
	s.drawn = append(s.drawn[:0], s.widths...)
	if _, err := s.out.Write(b); err != nil {
		s.hidden, s.drawn = true, nil
	}
}

// erase takes the frame away.
func (s *screen) erase() {
	if len(s.drawn) == 0 || !s.mine() {
		return
	}
	s.buf = append(s.up(s.buf[:0]), "\x1b[J"...)
	s.drawn = s.drawn[:0]
	if _, err := s.out.Write(s.buf); err != nil {
		s.hidden = true
	}
}

// mine reports whether the terminal is this program's. Once it is not, what was
// drawn is among what others wrote.
func (s *screen) mine() bool {
	if s.dev.foreground() {
		return true
	}
	s.drawn = s.drawn[:0]
	return false
}

// up appends the way from below the frame to its first row. A terminal that was
// made narrower has folded rows that no longer fit.
func (s *screen) up(b []byte) []byte {
	width, height := s.dev.size()
	n := 0
	for _, w := range s.drawn {
		n += max(1, (w+width-1)/width)
	}
	if n = min(n, height-1); n <= 0 {
		return b
	}
	b = append(b, "\r\x1b["...)
	return append(strconv.AppendInt(b, int64(n), 10), 'A')
}

// print lets f have p above the frame.
func (s *screen) print(f io.Writer, p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.erase()
	n, err := f.Write(p)
	if n > 0 {
		s.open = p[min(n, len(p))-1] != '\n'
	}
	if len(s.frame) > 0 {
		s.draw()
	}
	return n, err
}

// hide takes the frame away until show.
func (s *screen) hide() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.erase()
	s.hidden = true
}

func (s *screen) show() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hidden = false
}

// lose forgets that a frame was drawn: others wrote below it.
func (s *screen) lose() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.drawn = s.drawn[:0]
}

// columns is how wide a row is, without its colours and its end.
func columns(row []byte) int {
	var text []byte
	for i := 0; i < len(row); i++ {
		switch row[i] {
		case '\x1b':
			for i < len(row) && row[i] != 'm' {
				i++
			}
		case '\n':
		default:
			text = append(text, row[i])
		}
	}
	return runewidth.StringWidth(string(text))
}

// printer is a Writer above the bars.
type printer struct {
	screen *screen
	f      io.Writer
}

func (p printer) Write(b []byte) (int, error) { return p.screen.print(p.f, b) }
