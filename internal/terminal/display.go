package terminal

import (
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

// When frames are drawn. A run that is over before the first shows none.
const (
	firstFrame = 250 * time.Millisecond
	nextFrames = 125 * time.Millisecond
)

// lateWord is how long after a stop that was its own a display takes SIGCONT for the
// end of that.
const lateWord = time.Second

// Options of a display.
type Options struct {
	// Rows is how many running instances are shown at most, for which the slots of
	// the run are right. More than 6 are 6, and less than 0 none.
	Rows int

	// Lookup finds the variables of the environment that say what the terminal can
	// do: TERM, NO_COLOR, LC_ALL, LC_CTYPE and LANG. Nil is os.LookupEnv.
	Lookup func(name string) (value string, ok bool)
}

// Display shows how a run goes. A nil one shows nothing, and its methods may be
// called.
type Display struct {
	screen *screen // nil where lines are printed
	done   chan struct{}
	once   sync.Once
	wait   sync.WaitGroup
}

// Open shows on stderr, until Close, what src says. On a terminal that can move its
// cursor these are bars, eight times a second and whenever its size changes. They
// are gone while the program is in the background or stopped. Elsewhere, and
// where TERM is dumb or not set, it is one line after 10 s and one every minute.
//
// NO_COLOR, if it is set to anything but "", keeps colours away, and a locale that
// is not of UTF-8 all but ASCII from the bar.
func Open(stderr *os.File, src Source, o Options) *Display {
	d := &Display{done: make(chan struct{})}
	lookup := o.Lookup
	if lookup == nil {
		lookup = os.LookupEnv
	}
	dev, ok := openDevice(stderr)
	if term, _ := lookup("TERM"); !ok || term == "" || term == "dumb" {
		d.wait.Go(func() { lines(stderr, src, d.done) })
		return d
	}
	d.screen = &screen{out: stderr, dev: dev}
	b := newBars(d.screen, rows(o.Rows), lookOf(lookup))
	ctl := openControl()
	d.wait.Go(func() {
		defer b.close()
		defer ctl.close()
		d.animate(b, src, ctl, rows(o.Rows))
	})
	return d
}

func rows(n int) int { return max(0, min(n, maxRows)) }

// lookOf finds out what the terminal can show.
func lookOf(lookup func(string) (string, bool)) look {
	l := look{colour: true}
	if v, _ := lookup("NO_COLOR"); v != "" {
		l.colour = false
	}
	for _, name := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if v, _ := lookup(name); v != "" {
			v = strings.ToLower(v)
			l.unicode = strings.Contains(v, "utf-8") || strings.Contains(v, "utf8")
			break
		}
	}
	return l
}

// animate draws frames until d is closed.
func (d *Display) animate(b *bars, src Source, ctl *control, rows int) {
	timer := time.NewTimer(firstFrame)
	defer timer.Stop()
	var shown time.Time // when it last came back from a stop of its own
	for {
		select {
		case <-timer.C:
		case <-ctl.resized:
		case <-ctl.resumed:
			// Word of the end of a stop may come late, when there is a frame again.
			if time.Since(shown) > lateWord {
				d.screen.lose()
			}
		case <-ctl.stopped:
			d.screen.hide()
			ctl.stop(d.done)
			d.screen.show()
			shown = time.Now()
		case <-d.done:
			return
		}
		_, height := d.screen.dev.size()
		// The bar, the rest of those that run, and the line with the cursor need room.
		st := src.Status(max(0, min(rows, height-3)))
		b.show(st, time.Now(), d.done)
		timer.Reset(nextFrames)
	}
}

// Writer gives what is to be used in place of f while the display is open: bytes
// that are written to it go to f as they are, with the bars out of their way. That
// is f itself where there are no bars, or f is a file that is not a terminal. Each
// Write is one Write of f, whose result it returns, and waits for the ones before
// and for a frame. After an unfinished line the bars stay away until it is
// finished. It may be used by many goroutines, and after Close.
func (d *Display) Writer(f io.Writer) io.Writer {
	if d == nil || d.screen == nil {
		return f
	}
	if file, ok := f.(*os.File); ok {
		if _, ok := openDevice(file); !ok {
			return f
		}
	}
	return printer{d.screen, f}
}

// Close takes the bars away and ends what Open began. It waits for the terminal
// if that was told to hold its output.
func (d *Display) Close() {
	if d == nil {
		return
	}
	d.once.Do(func() {
		close(d.done)
		d.wait.Wait()
		if d.screen != nil {
			d.screen.hide()
		}
	})
}
