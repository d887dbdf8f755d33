package report

import (
	"bufio"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/feac4032/multiproc/internal/text"
)

// Bounds of a page.
const (
	maxPageFailures = 1000
	maxPageJobs     = 300
	maxPageBars     = 2000
	maxPageRanges   = 48

	maxPageItem      = 300 // bytes, as those below
	maxPageWhy       = 500
	maxPageCommand   = 2 << 10
	maxPageEvidence  = 8 << 10
	maxPageStderr    = 4 << 10
	maxPageTexts     = 4 << 20 // of evidence and stderr; further ones get maxPageShort
	maxPageShort     = 512
	maxPageLabel     = 120
	maxPageSlowLabel = 60
	maxPageWord      = 40
)

// HTML writes one page for people, which needs nothing else: no script, style, font
// or picture from elsewhere, and by its own policy it loads none. Everything that
// jobs have said is shown as text.
//
// Its memory does not grow with the number of instances: it keeps the first 1,000
// that were not ok, figures of 300 jobs, a histogram, and a timeline of 2,000 bars.
// The page is written at Close.
type HTML struct {
	place place
	begin time.Time

	causes, consequences []failure
	notOK                int64
	texts                int // bytes of evidence and stderr that are kept

	jobs  []*jobFigures
	byID  map[string]*jobFigures
	other *jobFigures // of further jobs

	all, bad *Histogram // durations of the instances that this run has tried; bad were not ok
	timeline *Timeline
	closed   bool
}

// failure is what the page says of an instance that was not ok.
type failure struct {
	Label, What, Outcome, Which, Class, Why string
	Evidence, Stderr, Reproduce             string
	Facts                                   []fact
}

// Body reports that there is more to say than fits a line.
func (f failure) Body() bool {
	return len(f.Facts) > 0 || f.Evidence != "" || f.Stderr != "" || f.Reproduce != ""
}

type fact struct{ Name, Value string }

// jobFigures are the figures of a job.
type jobFigures struct {
	id      string
	n, ok   int64
	times   Histogram
	slowest string
}

// OpenHTML begins the page of a run that began at begin. What stands at path stays
// until Close. It fails if the page could not be written.
func OpenHTML(path string, begin time.Time) (*HTML, error) {
	p, err := placeOf(path)
	if err != nil {
		return nil, err
	}
	return &HTML{
		place: p, begin: begin, byID: map[string]*jobFigures{},
		all: new(Histogram), bad: new(Histogram), timeline: NewTimeline(maxPageBars),
	}, nil
}

// Add takes a row into the figures. It never fails before Close.
func (h *HTML) Add(r *Row) error {
	if h.closed {
		return ErrClosed
	}
	ok := r.Outcome == outcomeOK
	j := h.job(r.Job)
	j.n++
	if ok {
		j.ok++
	}
	if r.Attempts > 0 {
		if j.times.Len() == 0 || r.Wall > j.times.Max() {
			j.slowest = r.Label
		}
		j.times.Add(r.Wall)
		h.all.Add(r.Wall)
		if !ok {
			h.bad.Add(r.Wall)
		}
	}
	if r.tried() {
		b := Bar{
			Slot: r.Slot, From: r.Start.Sub(h.begin), Busy: r.Wall, N: 1,
			Label: text.Plain(r.Label, maxPageLabel), Outcome: text.Plain(r.Outcome, maxPageWord),
		}
		b.To = b.From + r.Wall
		if !ok {
			b.NotOK = 1
		}
		h.timeline.Add(b)
	}
	if !ok {
		h.fail(r)
	}
	return nil
}

func (h *HTML) job(id string) *jobFigures {
	if j := h.byID[id]; j != nil {
		return j
	}
	if len(h.jobs) < maxPageJobs {
		j := &jobFigures{id: strings.Clone(id)}
		h.jobs, h.byID[j.id] = append(h.jobs, j), j
		return j
	}
	if h.other == nil {
		h.other = new(jobFigures)
	}
	return h.other
}

// fail keeps a failure. What is but a consequence gives way to causes.
func (h *HTML) fail(r *Row) {
	h.notOK++
	kept := len(h.causes) + len(h.consequences)
	switch {
	case kept < maxPageFailures:
	case r.consequence() || len(h.consequences) == 0:
		return
	default:
		h.consequences = h.consequences[:len(h.consequences)-1]
	}
	evidence, stderr := maxPageEvidence, maxPageStderr
	if h.texts > maxPageTexts {
		evidence, stderr = maxPageShort, maxPageShort
	}
	f := failure{
		Label: text.Plain(r.Label, maxPageLabel), What: r.what(maxPageItem), Class: classOf(r.Outcome),
		Outcome: text.Plain(r.Outcome, maxPageWord), Which: text.Plain(r.Which, maxPageWord), Why: r.why(maxPageWhy),
		Stderr: visible(strings.TrimRight(string(tail(r.Stderr, stderr)), "\r\n")),
	}
	// The line that the page has already is not said twice.
	if long := strings.TrimSpace(r.Evidence); long != text.FirstLine(r.Evidence) || len(long) > maxPageWhy {
		f.Evidence = visible(text.Cut(long, evidence))
	}
	if r.Reproduce != "" {
		f.Reproduce = text.Plain(r.Reproduce, maxPageCommand)
	}
	add := func(name, value string) { f.Facts = append(f.Facts, fact{name, value}) }
	if r.Attempts > 0 {
		add("took", text.Span(r.Wall))
	}
	if r.Attempts > 1 {
		add("attempts", text.Number(int64(r.Attempts)))
	}
	if r.CPU > 0 {
		add("CPU time", text.Span(r.CPU))
	}
	if r.Peak > 0 {
		add("peak memory", text.Size(r.Peak)+by(r.PeakSource))
	}
	if r.Slot > 0 {
		add("slot", fmt.Sprint(r.Slot))
	}
	if r.Worker != "" {
		add("worker", text.Plain(r.Worker, maxPageLabel))
	}
	if r.Resumed {
		add("of", "an earlier run")
	}
	h.texts += len(f.Evidence) + len(f.Stderr)
	if r.consequence() {
		h.consequences = append(h.consequences, f)
	} else {
		h.causes = append(h.causes, f)
	}
}

// classOf gives the style of an outcome.
func classOf(outcome string) string {
	switch outcome {
	case outcomeOK:
		return "ok"
	case "timeout", "limit":
		return "over"
	case outcomeSkipped, outcomeCancelled:
		return "rest"
	case "crashed", "poisoned", "protocol", "internal":
		return "fault"
	}
	return "bad"
}

// Close writes the page.
func (h *HTML) Close(s *Summary) error {
	if h.closed {
		return nil
	}
	h.closed = true
	if s == nil {
		return nil
	}
	return h.place.replace(func(f *os.File) error {
		w := bufio.NewWriterSize(f, 64<<10)
		if err := page().Execute(w, h.view(s)); err != nil {
			return err
		}
		return w.Flush()
	})
}

// failures gives what the page lists, causes first.
func (h *HTML) failures() []failure { return slices.Concat(h.causes, h.consequences) }
