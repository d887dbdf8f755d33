package terminal

import (
	"fmt"
	"io"
	"strings"
	"sync/atomic"
	"time"
	"unicode"

	"github.com/mattn/go-runewidth"
	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"
)

const (
	maxRows  = 6  // of running instances
	barWidth = 40 // in columns, at most: a longer one says no more
	minBar   = 8  // what else there is to say makes room for so much
	indent   = "   "

	// Bytes of names that are looked at. No terminal shows more of them.
	maxLabel = 256
	maxItem  = 1024
)

// bars renders frames: a bar, and below it a row for each instance that runs.
type bars struct {
	progress *mpb.Progress
	bar      *mpb.Bar
	refresh  chan any
	look     look
	view     atomic.Pointer[view]
}

// view is what a frame shows.
type view struct {
	Status
	rows []row
	name int // columns of the longest name
}

type row struct{ label, item, age string }

// look is what a terminal can show.
type look struct{ colour, unicode bool }

// paint gives text a colour that ends with it.
func (l look) paint(code, text, end string) string {
	if !l.colour || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[" + end + "m"
}

func (l look) red(text string) string   { return l.paint("31", text, "39") }
func (l look) green(text string) string { return l.paint("32", text, "39") }
func (l look) dim(text string) string   { return l.paint("2", text, "22") }

// cut is what stands for text that was left away.
func (l look) cut() string {
	if l.unicode {
		return "…"
	}
	return "..."
}

func newBars(console mpb.ConsoleWriter, rows int, l look) *bars {
	b := &bars{refresh: make(chan any), look: l}
	b.view.Store(&view{})
	b.progress = mpb.New(mpb.WithConsoleWriter(console), mpb.WithManualRefresh(b.refresh), mpb.WithWidth(barWidth))
	style := mpb.BarStyle().Lbound("").Rbound("").Filler("█").Tip("█").Padding("░")
	if !l.unicode {
		style = mpb.BarStyle().Lbound("[").Rbound("]").Filler("#").Tip("#").Padding(".")
	}
	filler := style.FillerMeta(l.green).TipMeta(l.green).PaddingMeta(l.dim).Build()
	var below []mpb.BarFiller
	for i := range rows + 1 {
		below = append(below, mpb.BarFillerFunc(func(w io.Writer, st decor.Statistics) error {
			_, err := io.WriteString(w, b.below(i, st.AvailableWidth))
			return err
		}))
	}
	// A bar without a total of its own does not end when its count is reached: the
	// total may still grow.
	b.bar, _ = b.progress.Add(0, mpb.BarFillerFunc(func(w io.Writer, st decor.Statistics) error {
		if b.view.Load().Total <= 0 || st.AvailableWidth < minBar {
			return nil
		}
		return filler.Fill(w, st)
	}), mpb.BarFillerTrim(), mpb.BarBtmExtender(below...),
		mpb.PrependDecorators(words{say: func(int) string { return b.before() }}),
		mpb.AppendDecorators(words{say: b.after}))
	return b
}

// words are what stands beside a bar. Unlike mpb's own, they may be coloured and are
// no wider for it.
type words struct {
	decor.WC
	say func(width int) string
}

// Decor is mpb's question for them.
func (w words) Decor(st decor.Statistics) (text string, width int) {
	text = w.say(st.AvailableWidth)
	return text, columns([]byte(text))
}

// show renders a frame. It returns once that has begun, or with done.
func (b *bars) show(st Status, now time.Time, done <-chan struct{}) {
	v := &view{Status: st}
	for _, r := range st.Running {
		text := row{
			label: harmless(r.Label[:min(len(r.Label), maxLabel)]),
			item:  harmless(r.Item[max(0, len(r.Item)-maxItem):]),
			age:   age(now.Sub(r.Since)),
		}
		v.rows = append(v.rows, text)
		v.name = max(v.name, text.width())
	}
	b.view.Store(v)
	b.bar.SetTotal(int64(max(st.Total, 0)), false)
	b.bar.SetCurrent(int64(max(min(st.Done, st.Total), 0))) // more would be drawn longer than the bar
	select {
	case b.refresh <- now:
	case <-done:
	}
}

// close ends the rendering and its goroutines.
func (b *bars) close() { b.progress.Shutdown() }

// before is what stands in front of the bar.
func (b *bars) before() string {
	v := b.view.Load()
	if v.Total <= 0 {
		return " "
	}
	return fmt.Sprintf(" %3d%% ", min(100, 100*int64(v.Done)/int64(v.Total)))
}

// after is what stands behind the bar, in so many columns with it. Where they are
// too few the least important things are left away.
func (b *bars) after(width int) string {
	v := b.view.Load()
	done := count(v.Done) + " done"
	if v.Total > 0 {
		total := count(v.Total)
		done = fmt.Sprintf(" %*s/%s", len(total), count(v.Done), total)
		width -= minBar
	}
	type part struct {
		text   string
		paint  func(string) string
		weight int // the greater, the longer it stays
	}
	plain := func(s string) string { return s }
	parts := []part{{done, plain, 9}}
	add := func(n int, what string, paint func(string) string, weight int) {
		if n > 0 {
			parts = append(parts, part{count(n) + " " + what, paint, weight})
		}
	}
	if v.Rate > 0 {
		parts = append(parts, part{pace(v.Rate), plain, 4})
	}
	if v.ETA > 0 {
		parts = append(parts, part{"about " + guess(v.ETA) + " left", plain, 5})
	}
	add(v.NotOK, "not ok", b.look.red, 8)
	add(v.Skipped, "skipped", plain, 3)
	add(v.Resumed, "resumed", b.look.dim, 2)
	need := func() (n int) {
		for _, p := range parts {
			n += runewidth.StringWidth(p.text) + 2
		}
		return n - 2
	}
	for len(parts) > 1 && need() > width {
		least := 0
		for i, p := range parts {
			if p.weight < parts[least].weight {
				least = i
			}
		}
		parts = append(parts[:least], parts[least+1:]...)
	}
	if v.Total > 0 && need() > width { // and no bar either
		parts[0].text = count(v.Done) + "/" + count(v.Total)
	}
	texts := make([]string, len(parts))
	for i, p := range parts {
		texts[i] = p.paint(p.text)
	}
	return strings.Join(texts, "  ")
}

// below is a row below the bar, "" if there is none.
func (b *bars) below(i, width int) string {
	v := b.view.Load()
	switch {
	case i < len(v.rows):
		r := v.rows[i]
		room := width - len(indent) - 2 - len(r.age)
		return indent + r.text(min(v.name, room), b.look) + "  " + r.age + "\n"
	case i == len(v.rows) && i > 0 && v.Active > i:
		return b.look.dim(runewidth.Truncate(indent+"and "+count(v.Active-i)+" more", width, b.look.cut())) + "\n"
	}
	return ""
}

func (r row) width() int {
	n := runewidth.StringWidth(r.label)
	if r.item != "" {
		n += runewidth.StringWidth(r.item) + 3
	}
	return n
}

// text is the row's name in exactly so many columns. Of an item that is too long
// the end is kept: the paths that it is among begin alike.
func (r row) text(width int, l look) string {
	if width <= 0 {
		return ""
	}
	const least = 8 // columns of an item that still tell something
	label := r.label
	room := width - runewidth.StringWidth(label) - 3
	item := r.item
	if w := runewidth.StringWidth(item); w > room {
		if item = ""; room >= least {
			keep := room - runewidth.StringWidth(l.cut())
			item = l.cut() + strings.TrimPrefix(runewidth.TruncateLeft(r.item, w-keep, ""), " ")
		}
	}
	label = runewidth.Truncate(label, width, l.cut())
	used := runewidth.StringWidth(label)
	if item != "" {
		used += runewidth.StringWidth(item) + 3
		label += " " + l.dim("("+item+")")
	}
	return label + strings.Repeat(" ", max(0, width-used))
}

// harmless leaves nothing in a name that could move the cursor or break the row.
// Callers have made names plain, but a tab is plain.
func harmless(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\t':
			return ' '
		case !unicode.IsGraphic(r):
			return '?'
		}
		return r
	}, s)
}
