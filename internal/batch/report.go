package batch

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/feac4032/multiproc/internal/text"
)

// Report is what a run comes to. Its JSON is stable: fields are only added.
type Report struct {
	Version    int               `json:"version"`
	Name       string            `json:"name"`
	Run        string            `json:"run"` // identifies this run
	Exit       int               `json:"exit_code"`
	Wall       float64           `json:"wall_s"`
	Workers    int               `json:"workers"`
	Totals     Totals            `json:"totals"`
	Isolation  []string          `json:"isolation"` // the effective set
	Supervisor Own               `json:"supervisor"`
	Leaked     []int             `json:"leaked"` // processes that could not be ended
	Halted     string            `json:"halted,omitempty"`
	Error      string            `json:"error,omitempty"` // why the run never began, or what went wrong with it
	First      json.RawMessage   `json:"first_failure"`
	Failures   []json.RawMessage `json:"failures"`
	Omitted    int64             `json:"failures_omitted,omitempty"`
}

// Own is what the supervisor itself has used.
type Own struct {
	PeakRSS int64 `json:"peak_rss_bytes,omitempty"`
}

// Totals counts instances. Jobs is the sum of the outcomes.
type Totals struct {
	Jobs        int64 `json:"jobs"`
	OK          int64 `json:"ok"`
	Failed      int64 `json:"failed"`
	Crashed     int64 `json:"crashed"`
	Timeout     int64 `json:"timeout"`
	Limit       int64 `json:"limit"`
	Cancelled   int64 `json:"cancelled"`
	Skipped     int64 `json:"skipped"`
	Poisoned    int64 `json:"poisoned"`
	Protocol    int64 `json:"protocol"`
	Internal    int64 `json:"internal"`
	Retried     int64 `json:"retried"`
	Resumed     int64 `json:"resumed"`
	WorkersLost int   `json:"workers_lost"`
	NotStarted  int64 `json:"not_started"` // read, and kept from starting by a halt
}

func (t *tally) totals() Totals {
	return Totals{
		Jobs: t.jobs(), OK: t.by[0], Failed: t.by[1], Crashed: t.by[2], Timeout: t.by[3], Limit: t.by[4],
		Cancelled: t.by[5], Skipped: t.by[6], Poisoned: t.by[7], Protocol: t.by[8], Internal: t.by[9],
		Retried: t.retried, Resumed: t.resumed, NotStarted: t.notStarted,
	}
}

// JSON gives the totals in one line.
func (t *Totals) JSON() ([]byte, error) { return json.Marshal(t) }

// JSON gives the report, indented, with a newline at its end.
func (r *Report) JSON() ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	enc.SetIndent("", "  ")
	err := enc.Encode(r)
	return b.Bytes(), err
}

// CountTotals makes totals of the numbers of outcomes.
func CountTotals(by map[string]int64) *Totals {
	var t tally
	for i, o := range outcomes {
		t.by[i] = by[string(o)]
	}
	totals := t.totals()
	return &totals
}

// Line says the totals in words, the outcomes that none had left out.
func (t *Totals) Line() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s: %s ok", text.Number(t.Jobs), text.Plural(t.Jobs, "job", "jobs"), text.Number(t.OK))
	more := func(sep string, n int64, what string) {
		if n > 0 {
			fmt.Fprintf(&b, "%s %s %s", sep, text.Number(n), what)
		}
	}
	by := [...]int64{t.OK, t.Failed, t.Crashed, t.Timeout, t.Limit, t.Cancelled, t.Skipped, t.Poisoned, t.Protocol, t.Internal}
	for i, o := range outcomes[1:] {
		more(",", by[i+1], string(o))
	}
	lost := int64(t.WorkersLost)
	more(";", t.Resumed, "resumed")
	more(";", t.NotStarted, "not started")
	more(";", t.Retried, text.Plural(t.Retried, "retry", "retries"))
	more(";", lost, text.Plural(lost, "worker lost", "workers lost"))
	return b.String()
}
