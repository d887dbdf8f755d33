package terminal

import (
	"io"
	"strings"
	"time"
)

// When lines are printed: once a run goes on for so long, and so often from there.
const (
	firstLine = 10 * time.Second
	nextLines = time.Minute
)

// lines prints to w how far the run is, until done.
func lines(w io.Writer, src Source, done <-chan struct{}) {
	timer := time.NewTimer(firstLine)
	defer timer.Stop()
	for {
		select {
		case <-timer.C:
			io.WriteString(w, line(src.Status(1), time.Now())) // nobody to tell that stderr is gone
			timer.Reset(nextLines)
		case <-done:
			return
		}
	}
}

// line says it in words.
func line(st Status, now time.Time) string {
	var b strings.Builder
	b.WriteString("supervisor: " + span(st.Elapsed) + ": " + count(st.Done))
	if st.Total >= 0 {
		b.WriteString(" of " + count(st.Total))
	}
	b.WriteString(" done")
	sep := " ("
	for _, part := range []struct {
		n    int
		what string
	}{{st.NotOK, "not ok"}, {st.Skipped, "skipped"}, {st.Resumed, "resumed"}} {
		if part.n > 0 {
			b.WriteString(sep + count(part.n) + " " + part.what)
			sep = ", "
		}
	}
	if sep == ", " {
		b.WriteString(")")
	}
	b.WriteString(", " + count(st.Active) + " running")
	if st.ETA > 0 {
		b.WriteString(", about " + guess(st.ETA) + " left")
	}
	if len(st.Running) > 0 {
		r := st.Running[0]
		b.WriteString(", longest " + harmless(r.Label[:min(len(r.Label), maxLabel)]) + " for " + span(now.Sub(r.Since)))
	}
	b.WriteString("\n")
	return b.String()
}
