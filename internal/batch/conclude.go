package batch

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"time"

	"github.com/feac4032/multiproc/internal/text"
)

// conclude clears up, says what the run came to, and returns its report.
func (r *run) conclude() *Report {
	ctx, cancel := context.WithTimeout(context.Background(), closeWithin)
	defer cancel()
	if r.level.Load() == killing {
		cancel()
	}
	closing := r.ex.Close(ctx)
	r.helpers.Wait()
	rep := r.report(closing)
	if r.cfg.Hide != nil {
		r.cfg.Hide()
	}
	if s := r.summary(rep); s != "" {
		r.led.say(s)
	}
	r.eventRun("run.end", rep)
	if r.level.Load() == killing {
		// The outputs were given up when the run was; its last words get a moment.
		ended := make(chan struct{})
		go func() { r.led.close(); close(ended) }()
		select {
		case <-ended:
		case <-time.After(lastWords):
		}
	} else {
		r.led.close()
	}
	// Only now is it known whether all of it was written.
	r.mu.Lock()
	rep.Exit = r.end.code()
	r.mu.Unlock()
	r.closeSinks(rep)
	return rep
}

// lastWords is how long the summary of a killed run may take to write.
const lastWords = time.Second

func (r *run) report(closing Closing) *Report {
	r.mu.Lock()
	defer r.mu.Unlock()
	leaked := append([]int{}, closing.Leaked...)
	if !closing.Final {
		leaked = append(leaked, r.leaks...)
	}
	r.end.leaked = len(leaked) > 0
	r.end.notOK = r.counts > 0
	rep := &Report{
		Version: 1, Name: r.cfg.File.Name, Run: r.id,
		Exit: r.end.code(), Wall: text.Seconds(time.Since(r.begin)), Workers: r.cfg.Workers,
		Totals:     r.tally.totals(),
		Isolation:  closing.Isolation,
		Supervisor: Own{PeakRSS: peakRSS()},
		Leaked:     leaked,
		Halted:     r.mask.Text(r.end.halted),
		First:      r.fails.first,
	}
	rep.Totals.WorkersLost = closing.WorkersLost
	rep.Failures, rep.Omitted = r.fails.rows()
	if rep.Failures == nil {
		rep.Failures = []json.RawMessage{}
	}
	return rep
}

// summary says in a few lines what a run came to, the first failure first.
func (r *run) summary(rep *Report) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	var lines []string
	if r.fails.firstIsCause {
		lines = append(lines, "supervisor: first failure: "+r.fails.firstNote)
	}
	if len(rep.Leaked) > 0 {
		lines = append(lines, fmt.Sprintf("supervisor: processes that could not be ended: %v", rep.Leaked))
	}
	if rep.Halted != "" && r.end.lost == "" {
		lines = append(lines, "supervisor: halted: "+text.Plain(rep.Halted, 1000))
	}
	if !r.cfg.Quiet || rep.Exit != ExitOK {
		lines = append(lines, "supervisor: "+r.totalsLine(rep))
	}
	return strings.Join(lines, "\n")
}

func (r *run) totalsLine(rep *Report) string {
	var b strings.Builder
	b.WriteString(rep.Totals.Line())
	wall := time.Duration(rep.Wall * float64(time.Second))
	switch {
	case wall > time.Minute:
		wall = wall.Round(time.Second)
	case wall > time.Second:
		wall = wall.Round(10 * time.Millisecond)
	default:
		wall = wall.Round(100 * time.Microsecond)
	}
	fmt.Fprintf(&b, "; %v", wall)
	if rep.Exit != ExitOK {
		fmt.Fprintf(&b, "; exit %d", rep.Exit)
	}
	return b.String()
}
