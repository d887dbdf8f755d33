package report

import (
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"math"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/feac4032/multiproc/internal/text"
)

//go:embed page.html
var pageHTML string

//go:embed page.css
var pageCSS string

//go:embed page.js
var pageJS string

// page is the template, parsed when it is first needed.
var page = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("page").Funcs(template.FuncMap{"number": text.Number}).Parse(pageHTML))
})

// policy lets the page's own style and script be, by their hashes, and nothing else.
func policy() string {
	hash := func(s string) string {
		sum := sha256.Sum256([]byte(s))
		return "'sha256-" + base64.StdEncoding.EncodeToString(sum[:]) + "'"
	}
	return "default-src 'none'; style-src " + hash(pageCSS) + "; script-src " + hash(pageJS) + "; base-uri 'none'; form-action 'none'"
}

// pageView is what the template sees. All texts are visible ones.
type pageView struct {
	Policy string
	Style  template.CSS
	Script template.JS

	Name, Verdict, State, Exit, Error, Halted, Command string
	Jobs                                               int64
	Outcomes                                           []outcomeView
	Facts                                              []fact
	First                                              *failure
	Failures                                           []failure
	Filters                                            []outcomeView // of the failures that are listed
	NotOK, More                                        int64
	Lanes                                              []laneView
	Dense                                              bool
	Ticks                                              []tickView
	Merged, Hidden                                     int64
	Durations                                          *durationsView
	Table                                              []jobView
	OtherJobs                                          bool
}

type outcomeView struct {
	Name, Class string
	N           int64
	X, Width    float64 // in a bar of 1,000
	Share       string
}

// tickView is a label below a plot, at a share of its width.
type tickView struct {
	X            float64 // per cent
	Text, Anchor string
}

// tick makes a label that does not reach over the ends of its plot.
func tick(share float64, label string) tickView {
	t := tickView{X: fixed2(100 * share), Text: label, Anchor: "middle"}
	switch {
	case share < 0.04:
		t.Anchor = "start"
	case share > 0.96:
		t.Anchor = "end"
	}
	return t
}

// round gives the durations that read well in an axis up to end, from 0, some four
// of them.
func round(end time.Duration) []time.Duration {
	step := time.Duration(1)
	for i := 0; end/step > 5; i++ {
		switch {
		case step >= time.Second && step < time.Hour:
			for _, d := range [...]time.Duration{2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800, 3600} {
				if d*time.Second > step {
					step = d * time.Second
					break
				}
			}
		case step >= time.Hour && step < 24*time.Hour:
			step *= 2
		default:
			step = step * [...]time.Duration{2, 5, 10}[i%3] / [...]time.Duration{1, 2, 5}[i%3]
		}
	}
	var at []time.Duration
	for d := time.Duration(0); d <= end; d += step {
		at = append(at, d)
	}
	return at
}

type laneView struct {
	Slot       int
	Bars, Over []barView // Over are not ok
}

type barView struct {
	X, Width, Opacity float64
	Class, Tell       string
	Some              string  // the class of what is not ok among several
	Height            float64 // and its height, of 10
}

type durationsView struct {
	Bars                        []rangeView
	Width                       float64 // of all bars
	Ticks                       []tickView
	Median, P95, Slowest, Total string
}

type rangeView struct {
	X, Y, Height, BadY, BadHeight float64
	Tell                          string
}

type jobView struct {
	ID                        string
	N, OK, NotOK              int64
	Median, P95, Max, Slowest string
}

func (h *HTML) view(s *Summary) *pageView {
	jobs, ok := s.jobs()
	v := &pageView{
		Policy: policy(), Style: template.CSS(pageCSS), Script: template.JS(pageJS),
		Name: text.Plain(s.Name, maxPageItem), Jobs: jobs, NotOK: h.notOK,
		Exit:  fmt.Sprintf("Exit code %d: %s.", s.Exit, exitMeaning(s.Exit)),
		Error: text.Plain(s.Error, maxPageCommand), Halted: text.Plain(s.Halted, maxPageCommand),
	}
	v.verdict(s, jobs, ok)
	v.outcomes(s, jobs)
	v.facts(s)
	v.Failures = h.failures()
	v.More = h.notOK - int64(len(v.Failures))
	if len(h.causes) > 0 {
		v.First = &h.causes[0]
	}
	v.filters()
	v.lanes(h, s)
	v.durations(h)
	for _, j := range h.jobs {
		v.Table = append(v.Table, j.view())
	}
	if h.other != nil {
		v.Table = append(v.Table, h.other.view())
		v.OtherJobs = true
	}
	return v
}

// verdict says in a line what the run came to.
func (v *pageView) verdict(s *Summary, jobs, ok int64) {
	v.State = "good"
	switch bad := jobs - ok; {
	case jobs == 0 && s.Exit == 0:
		v.Verdict = "There was nothing to run."
	case jobs == 0:
		v.Verdict = "Nothing ran."
	case bad == 0 && jobs == 1:
		v.Verdict = "The instance was ok."
	case bad == 0:
		v.Verdict = fmt.Sprintf("All %s instances were ok.", text.Number(jobs))
	case bad == jobs && jobs == 1:
		v.Verdict = "The instance was not ok."
	default:
		v.Verdict = fmt.Sprintf("%s of %s instances %s not ok.", text.Number(bad), text.Number(jobs), text.Plural(bad, "was", "were"))
	}
	if s.NotStarted > 0 {
		v.Verdict += fmt.Sprintf(" %s %s never started.", text.Number(s.NotStarted), text.Plural(s.NotStarted, "was", "were"))
	}
	if s.Exit != 0 {
		v.State = "poor"
	}
}

func (v *pageView) outcomes(s *Summary, jobs int64) {
	var some int
	for _, c := range s.Totals {
		if c.N > 0 {
			some++
		}
	}
	// Each outcome is seen, however few had it.
	const least = 6.0
	x, room := 0.0, 1000-least*float64(some)
	for _, c := range s.Totals {
		if c.N <= 0 {
			continue
		}
		share := float64(c.N) / float64(jobs)
		width := least + room*share
		v.Outcomes = append(v.Outcomes, outcomeView{
			Name: text.Plain(c.Outcome, maxPageWord), Class: classOf(c.Outcome), N: c.N, X: fixed2(x), Width: fixed2(max(width-2, 1)), Share: percent(share),
		})
		x += width
	}
}

func (v *pageView) facts(s *Summary) {
	add := func(name, value string) {
		if value != "" {
			v.Facts = append(v.Facts, fact{name, text.Plain(value, maxPageCommand)})
		}
	}
	count := func(name string, n int64) {
		if n > 0 {
			add(name, text.Number(n))
		}
	}
	if !s.Begin.IsZero() {
		add("began", s.Begin.Format("2 Jan 2006, 15:04:05 MST"))
	}
	add("took", text.Span(s.Wall))
	add("slots", text.Number(int64(s.Workers)))
	count("retries", s.Retried)
	count("resumed", s.Resumed)
	count("not started", s.NotStarted)
	count("workers lost", s.WorkersLost)
	if s.PeakRSS > 0 {
		add("supervisor's memory", text.Size(s.PeakRSS))
	}
	add("isolation", strings.Join(s.Isolation, ", "))
	if len(s.Leaked) > 0 {
		add("left behind", fmt.Sprintf("%d %s", len(s.Leaked), text.Plural(int64(len(s.Leaked)), "process", "processes")))
	}
	add("run", s.Run)
	if s.Command != "" {
		v.Command = text.Plain(s.Command, maxPageCommand)
	}
}

// filters counts the outcomes of the failures that are listed.
func (v *pageView) filters() {
	at := map[string]int{}
	for _, f := range v.Failures {
		i, ok := at[f.Outcome]
		if !ok {
			i = len(v.Filters)
			at[f.Outcome] = i
			v.Filters = append(v.Filters, outcomeView{Name: f.Outcome, Class: f.Class})
		}
		v.Filters[i].N++
	}
}

// lanes lays out the timeline, 10,000 wide.
func (v *pageView) lanes(h *HTML, s *Summary) {
	const wide = 10000.0
	bars := h.timeline.Bars()
	v.Hidden = h.timeline.Hidden()
	end := s.Wall
	for _, b := range bars {
		end = max(end, b.To)
	}
	if len(bars) == 0 || end <= 0 {
		return
	}
	for i, b := range bars {
		if n := len(v.Lanes); n == 0 || v.Lanes[n-1].Slot != b.Slot {
			v.Lanes = append(v.Lanes, laneView{Slot: b.Slot})
		}
		x, width := wide*float64(b.From)/float64(end), wide*float64(b.To-b.From)/float64(end)
		view := barView{X: fixed2(x), Width: fixed2(max(width, 8)), Class: classOf(b.Outcome), Opacity: 1}
		when := ", from " + text.Span(b.From) + " to " + text.Span(b.To)
		switch {
		case b.N > 1:
			v.Merged += b.N
			view.Opacity = fixed2(0.3 + 0.7*min(float64(b.Busy)/float64(max(b.To-b.From, 1)), 1))
			view.Class = "ok"
			view.Tell = text.Number(b.N) + " instances" + when
			if b.NotOK > 0 {
				view.Some, view.Height = classOf(b.Outcome), fixed2(max(10*float64(b.NotOK)/float64(b.N), 4))
				view.Tell += ", " + text.Number(b.NotOK) + " not ok, such as " + b.Label + " (" + b.Outcome + ")"
			} else {
				view.Tell += ", all ok, the first " + b.Label
			}
		default:
			view.Tell = b.Label + ": " + b.Outcome + ", took " + text.Span(b.Busy) + ", from " + text.Span(b.From) + " on"
			if b.NotOK > 0 {
				view.Width = max(view.Width, 24) // wide enough to be seen
			} else if i%2 == 1 {
				view.Opacity = 0.86 // neighbours are told apart without a gap, which would be idle time
			}
		}
		lane := &v.Lanes[len(v.Lanes)-1]
		if b.NotOK > 0 {
			lane.Over = append(lane.Over, view)
		} else {
			lane.Bars = append(lane.Bars, view)
		}
	}
	for i := range v.Lanes { // what is not ok lies over what is
		v.Lanes[i].Bars = append(v.Lanes[i].Bars, v.Lanes[i].Over...)
	}
	v.Dense = len(v.Lanes) > 12
	for _, at := range round(end) {
		v.Ticks = append(v.Ticks, tick(float64(at)/float64(end), brief(at)))
	}
}

// durations lays out the histogram, 100 high and 10 for each bar.
func (v *pageView) durations(h *HTML) {
	const high, each = 100.0, 10.0
	ranges := h.all.Ranges(maxPageRanges)
	if len(ranges) == 0 {
		return
	}
	// A few durations alone do not fill the width.
	columns := max(len(ranges), maxPageRanges/2)
	left := (columns - len(ranges)) / 2
	d := &durationsView{
		Width: each * float64(columns), Median: text.Span(h.all.Quantile(0.5)), P95: text.Span(h.all.Quantile(0.95)),
		Slowest: text.Span(h.all.Max()), Total: text.Number(h.all.Len()),
	}
	var most int64
	for _, r := range ranges {
		most = max(most, r.N)
	}
	for i, r := range ranges {
		bad := h.bad.between(r)
		height := func(n int64) float64 {
			if n == 0 {
				return 0
			}
			return fixed2(max(high*float64(n)/float64(most), 1.5))
		}
		b := rangeView{X: each * float64(left+i), Height: height(r.N), BadHeight: height(bad)}
		b.Y, b.BadY = fixed2(high-b.Height), fixed2(high-b.BadHeight)
		b.Tell = text.Span(r.From) + " to " + text.Span(r.To) + ": " + text.Number(r.N) + " " + text.Plural(r.N, "instance", "instances")
		if bad > 0 {
			b.Tell += ", " + text.Number(bad) + " not ok"
		}
		d.Bars = append(d.Bars, b)
	}
	d.Ticks = decades(ranges, left, columns)
	v.Durations = d
}

// decades gives labels at powers of ten, and between them where they are few. The
// ranges are some of the columns, behind left others.
func decades(ranges []Range, left, columns int) []tickView {
	from, to := ranges[0].From, ranges[len(ranges)-1].To
	steps := []time.Duration{1}
	if to < 100*max(from, 1) {
		steps = []time.Duration{1, 2, 5}
	}
	var ticks []tickView
	for unit := time.Microsecond; unit <= to && unit < time.Hour*1e5; unit *= 10 {
		for _, step := range steps {
			for i, r := range ranges {
				if at := step * unit; at >= r.From && at < r.To {
					within := float64(at-r.From) / float64(r.To-r.From)
					ticks = append(ticks, tick((float64(left+i)+within)/float64(columns), brief(at)))
				}
			}
		}
	}
	if len(ticks) == 0 { // all are about the same
		ticks = append(ticks, tick((float64(left)+float64(len(ranges))/2)/float64(columns), text.Span(from)))
	}
	return ticks
}

func (j *jobFigures) view() jobView {
	v := jobView{ID: text.Plain(j.id, maxPageLabel), N: j.n, OK: j.ok, NotOK: j.n - j.ok}
	if j.times.Len() > 0 {
		v.Median, v.P95, v.Max = text.Span(j.times.Quantile(0.5)), text.Span(j.times.Quantile(0.95)), text.Span(j.times.Max())
		v.Slowest = text.Plain(j.slowest, maxPageSlowLabel)
	}
	return v
}

// fixed2 rounds to what is worth writing down.
func fixed2(f float64) float64 { return math.Round(f*100) / 100 }

// percent prints a share; what is not all never reads as all, and none as none.
func percent(share float64) string {
	switch {
	case share < 0.001:
		return "< 0.1%"
	case share > 0.999 && share < 1:
		return "> 99.9%"
	}
	return strconv.FormatFloat(math.Round(share*1000)/10, 'f', -1, 64) + "%"
}
