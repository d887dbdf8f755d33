package faulttest_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"unicode"

	"github.com/feac4032/multiproc/internal/journal"
	"github.com/feac4032/multiproc/ipc"
)

// record is what is told of an instance: a line of show -json, the event of its
// end, or a failure in the report.
type record struct {
	Event      string
	Job        string
	Index      int64
	Item       any // a text in a journal
	Outcome    string
	Which      string
	ExitCode   *int `json:"exit_code"`
	Signal     int
	Evidence   string
	Limit      any
	Observed   any
	EnforcedBy string `json:"enforced_by"`
	Result     json.RawMessage
	Resumed    string `json:"resumed_from"`

	Code       int   `json:"-"` // of run.end
	Jobs       int64 // of run.end
	Run        string
	Stdout     string `json:"-"`
	Stderr     string `json:"-"`
	StdoutSize int64  `json:"stdout_bytes"`
}

func (rec *record) key() string { return fmt.Sprint(rec.Job, "#", rec.Index) }

// what is all that a neighbour has come to.
type what struct{ outcome, result, stdout, stderr string }

func (rec *record) what() what {
	return what{rec.Outcome, string(rec.Result), rec.Stdout, rec.Stderr}
}

// baseline is a run without a fault.
type baseline struct {
	of   map[string]what // by key
	peak int64
}

// steady are more neighbours, for faults that come from outside while they run.
const steady = neighbours + `  - {id: many, shell: 'sleep 0.02; echo "many $ITEM"', foreach: {range: 1..60}}
`

// faultFree makes the baseline, once.
func faultFree(t *testing.T) *baseline {
	t.Helper()
	b, err := makeBaseline()
	if err != nil {
		t.Fatal("the run without a fault:", err)
	}
	return b
}

var makeBaseline = sync.OnceValues(func() (b *baseline, err error) {
	r := &trial{dir: filepath.Join(bin, "baseline"), tmp: bin}
	if err := os.Mkdir(r.dir, 0o755); err != nil {
		return nil, err
	}
	r.secret, r.tag, r.own = "none", "FAULT_TRIAL=none", r.dir
	file := strings.Replace(steady, "  - ", "  - {id: bad, task: work, worker: {command: ["+filepath.Join(bin, "faultworker")+", text on the link]}, foreach: {range: 1..6}}\n  - ", 1)
	for name, content := range map[string]string{"job.yaml": "jobs:" + file, "played": ""} {
		if err := os.WriteFile(filepath.Join(r.dir, name), []byte(content), 0o644); err != nil {
			return nil, err
		}
	}
	cmd := r.command("run", "-no-progress", "-workers", "3", "-report", "report.json", "-events", "events")
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("%w\n%s", err, out)
	}
	records, err := r.journal(".supervisor")
	if err != nil {
		return nil, err
	}
	rep, err := r.report("report.json")
	if err != nil {
		return nil, err
	}
	b = &baseline{of: map[string]what{}, peak: rep.Supervisor.Peak}
	for _, rec := range records {
		b.of[rec.key()] = rec.what()
	}
	trees, err := os.ReadFile(filepath.Join(r.dir, "trees"))
	if len(b.of) != 106 || b.peak == 0 || !tree.Match(trees) {
		return nil, fmt.Errorf("%d records, a peak of %d bytes; processes have the mark %.100q (%v)", len(b.of), b.peak, trees, err)
	}
	return b, nil
})

// journal gives the records of the latest run: the lines of show -json, with the
// outputs that are stored.
func (r *trial) journal(state string) (list []*record, err error) {
	cmd := r.command("show", "-json", "-state", state)
	var stderr strings.Builder
	cmd.Stderr = &stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("show -json: %w: %s", err, stderr.String())
	}
	byKey := map[string]*record{}
	for line := range strings.Lines(string(out)) {
		rec := new(record)
		if err := json.Unmarshal([]byte(line), rec); err != nil {
			return nil, fmt.Errorf("show -json: %w: %.200q", err, line)
		}
		if byKey[rec.key()] != nil {
			return nil, fmt.Errorf("show -json: %s has two records", rec.key())
		}
		byKey[rec.key()] = rec
		list = append(list, rec)
	}
	store, err := journal.Open(filepath.Join(r.dir, state))
	if err != nil {
		return nil, err
	}
	defer store.Close()
	last, err := store.Find("last")
	if err != nil {
		return nil, err
	}
	v, err := store.View(last.ID)
	if err != nil {
		return nil, err
	}
	defer v.Close()
	n := 0
	err = v.Each(journal.Filter{}, func(row *journal.Row) error {
		n++
		rec := byKey[fmt.Sprint(v.Job(row.Job), "#", row.Index)]
		if rec == nil {
			return fmt.Errorf("show -json has no record of %s", v.Label(row))
		}
		if rec.StdoutSize > 1<<20 {
			return nil
		}
		stdout, stderr, err := v.Output(row)
		if err != nil {
			return fmt.Errorf("output of %s: %w", v.Label(row), err)
		}
		out, errs := make([]byte, stdout.Size()), make([]byte, min(stderr.Size(), 1<<20))
		stdout.ReadAt(out, 0)
		stderr.ReadAt(errs, 0)
		rec.Stdout, rec.Stderr = string(out), string(errs)
		return nil
	})
	if err == nil && n != len(list) {
		err = fmt.Errorf("show -json has %d records, and the journal %d", len(list), n)
	}
	return list, err
}

// report is the JSON report of a run.
type report struct {
	Run        string
	Exit       int              `json:"exit_code"`
	Totals     map[string]int64 // jobs, the outcomes, and more
	Supervisor struct {
		Peak int64 `json:"peak_rss_bytes"`
	}
	Leaked    []int
	Isolation []string
	Failures  []*record
	Omitted   int64 `json:"failures_omitted"`
}

func (r *trial) report(name string) (rep report, err error) {
	b, err := os.ReadFile(filepath.Join(r.dir, name))
	if err == nil {
		err = json.Unmarshal(b, &rep)
	}
	return rep, err
}

// events reads a file of events. killed says that its end may be missing.
func (r *trial) events(name string, killed bool) (list []*record) {
	r.Helper()
	for line := range strings.Lines(r.read(name)) {
		rec := new(record)
		var end struct {
			Code int `json:"exit_code"`
		}
		if err := json.Unmarshal([]byte(line), rec); err != nil {
			if !killed || strings.HasSuffix(line, "\n") {
				r.Errorf("event %.200q: %v", line, err)
			}
			continue
		}
		json.Unmarshal([]byte(line), &end)
		rec.Code = end.Code
		list = append(list, rec)
	}
	return list
}

// outcomes are those of DESIGN, in the order of totals.
var outcomes = []string{"ok", "failed", "crashed", "timeout", "limit", "cancelled", "skipped", "poisoned", "protocol", "internal"}

// panicked is the trace of one of the supervisor's own goroutines.
var panicked = regexp.MustCompile(`multiproc/(cmd/supervisor|pool|config|internal/(batch|spawn|journal|child|terminal|report))\.\S*\(|WARNING: DATA RACE`)

// check is what must hold after every fault: see FAULTS in the design. It returns
// the records by key.
func (r *trial) check(c call, w *row, base *baseline) map[string]*record {
	r.Helper()
	return r.checkRun(c, w, base, nil)
}

// checkResumed is check for a run that resumes another, of which first are the
// records.
func (r *trial) checkResumed(c call, w *row, base *baseline, first map[string]*record) map[string]*record {
	r.Helper()
	if first == nil {
		first = map[string]*record{}
	}
	return r.checkRun(c, w, base, first)
}

func (r *trial) checkRun(c call, w *row, base *baseline, first map[string]*record) map[string]*record {
	r.Helper()
	if c.wall > w.within {
		r.Errorf("the run took %v, more than %v", c.wall, w.within)
	}
	if c.code != w.code {
		r.Errorf("exit code %d, want %d\n%s", c.code, w.code, shorten(c.stderr))
	}
	r.checkStderr(c, w)
	r.gone()
	r.groupsAreGone() // also before another run could remove them
	state := ".supervisor"
	if i := slices.Index(w.flags, "-state"); i >= 0 {
		state = w.flags[i+1]
	}
	list, err := r.journal(state)
	if err != nil {
		r.Errorf("%v\n%s", err, shorten(c.stderr))
		return nil
	}
	records := map[string]*record{}
	by := map[string]int64{}
	for _, rec := range list {
		records[rec.key()] = rec
		by[rec.Outcome]++
	}
	r.checkNeighbours(w, base, records)
	r.checkFaulty(w, records)
	if first != nil {
		r.checkCarried(records, first)
	}
	if w.killed {
		return records
	}
	r.checkEvents(w, records)
	r.checkReport(w, base, records, by)
	r.checkShow(state, records)
	return records
}

func (r *trial) checkStderr(c call, w *row) {
	r.Helper()
	if m := panicked.FindString(c.stderr); m != "" {
		r.Errorf("the supervisor has panicked in %s\n%s", m, shorten(c.stderr))
	}
	if w.says != "" && !regexp.MustCompile(w.says).MatchString(c.stderr) {
		r.Errorf("stderr does not say %q:\n%s", w.says, shorten(c.stderr))
	}
	for line := range strings.Lines(c.stderr) {
		if strings.HasPrefix(line, "supervisor: ") {
			r.checkPlain("stderr", line)
		}
	}
	if strings.Contains(c.stdout, r.secret) || strings.Contains(c.stderr, r.secret) {
		r.Error("the planted secret was printed")
	}
}

// checkPlain checks that a text for people holds nothing that a terminal obeys.
func (r *trial) checkPlain(where, text string) {
	r.Helper()
	if i := strings.IndexFunc(text, func(c rune) bool { return c != '\n' && c != '\t' && unicode.IsControl(c) }); i >= 0 {
		r.Errorf("a control character in %s: %.200q", where, text[max(0, i-50):])
	}
}

// checkNeighbours compares the neighbours with those of the run without a fault.
func (r *trial) checkNeighbours(w *row, base *baseline, records map[string]*record) {
	r.Helper()
	for _, key := range slices.Sorted(maps.Keys(records)) {
		rec := records[key]
		if rec.Job == "bad" {
			continue
		}
		want, known := base.of[key]
		if got := rec.what(); known && (got != want) && !(w.halted && rec.Outcome != "ok") {
			r.Errorf("%s is %+v (%s), without the fault %+v", key, got, rec.Evidence, want)
		}
	}
	if w.halted || w.killed {
		return
	}
	for key := range base.of {
		job, _, _ := strings.Cut(key, "#")
		if records[key] == nil && (job == "cmd" || job == "task" || w.steady && job != "bad") {
			r.Errorf("%s has no record", key)
		}
	}
}

// checkFaulty checks the instances of the faulty job: as many as are meant end as
// is wanted, with the cause named, and those that are ok have their results.
func (r *trial) checkFaulty(w *row, records map[string]*record) {
	r.Helper()
	hits, n, printed := 0, 0, w.prints == "" && w.size == 0
	for _, key := range slices.Sorted(maps.Keys(records)) {
		rec := records[key]
		if rec.Job != "bad" {
			continue
		}
		n++
		if rec.Outcome == "ok" && !w.command {
			if item := fmt.Sprint(rec.Item); string(rec.Result) != item && string(rec.Result) != strconv.Quote(item) && len(item) < 1000 {
				r.Errorf("%s is ok with the result %.100s for item %.100s", key, rec.Result, item)
			}
		}
		if rec.Outcome == "ok" && w.command && (rec.ExitCode == nil || *rec.ExitCode != 0) {
			r.Errorf("%s is ok and did not exit with 0", key)
		}
		printed = printed || (w.prints == "" || rec.Stdout == w.prints) && (w.size == 0 || rec.StdoutSize == w.size)
		r.checkPlain("the evidence of "+key, rec.Evidence)
		if rec.Outcome != w.want {
			if rec.Outcome != "ok" && !w.halted {
				r.Errorf("%s is %s/%s (%s), want %s or ok", key, rec.Outcome, rec.Which, rec.Evidence, w.want)
			}
			continue
		}
		hits++
		if w.want == "ok" {
			continue
		}
		if rec.Which != w.which {
			r.Errorf("%s: which is %q, want %q", key, rec.Which, w.which)
		}
		if !regexp.MustCompile(w.because).MatchString(rec.Evidence) || rec.Evidence == "" {
			r.Errorf("the evidence of %s is %q, want %q", key, rec.Evidence, w.because)
		}
		if w.mute && rec.StdoutSize > 0 {
			r.Errorf("%s has come to its end: it says %.100q", key, rec.Stdout)
		}
		if w.limit && (rec.Limit == nil || rec.Observed == nil || rec.EnforcedBy == "") {
			r.Errorf("%s: limit %v, observed %v, enforced by %q", key, rec.Limit, rec.Observed, rec.EnforcedBy)
		}
	}
	switch {
	case w.killed || w.halted && (hits > 0 || w.want == "ok"):
	case !printed:
		r.Errorf("no instance of the faulty job has printed what it was to")
	case n != w.n:
		r.Errorf("%d instances of the faulty job have records, want %d", n, w.n)
	case w.want != "ok" && hits != w.hits:
		r.Errorf("%d of its instances are %s, want %d", hits, w.want, w.hits)
	}
}

// checkCarried checks that what was ok in the run before is so still, and was not
// done again, and that nothing else was carried.
func (r *trial) checkCarried(records, first map[string]*record) {
	r.Helper()
	for key, before := range first {
		switch rec := records[key]; {
		case before.Outcome != "ok":
		case rec == nil:
			r.Errorf("%s was ok, and has no record in the run that resumes", key)
		case rec.Resumed == "":
			r.Errorf("%s was ok, and was done again", key)
		case rec.what() != before.what():
			r.Errorf("%s was %+v, and is %+v", key, before.what(), rec.what())
		}
	}
	for key, rec := range records {
		if before := first[key]; rec.Resumed != "" && (before == nil || before.Outcome != "ok") {
			r.Errorf("%s is carried over, and was not ok before", key)
		}
	}
}

func (r *trial) checkEvents(w *row, records map[string]*record) {
	r.Helper()
	ends := map[string]*record{}
	var last *record
	told := w.told == ""
	for _, e := range r.events("events", w.killed) {
		switch e.Event {
		case "job.start":
			if records[e.key()] == nil {
				r.Errorf("%s has started, and has no record", e.key())
			}
		case "job.end":
			if ends[e.key()] != nil {
				r.Errorf("%s has ended twice", e.key())
			}
			ends[e.key()] = e
		case "worker.exit":
			told = told || regexp.MustCompile(w.told).MatchString(e.Evidence)
		case "run.end":
			last = e
		}
	}
	for key, rec := range records {
		e := ends[key]
		switch {
		case rec.Resumed != "":
		case e == nil:
			r.Errorf("no event tells of the end of %s", key)
		case e.Outcome != rec.Outcome || e.Which != rec.Which || e.Outcome != "ok" && e.Evidence != rec.Evidence:
			r.Errorf("%s ended as %s/%s (%s), and is recorded as %s/%s (%s)", key, e.Outcome, e.Which, e.Evidence, rec.Outcome, rec.Which, rec.Evidence)
		}
	}
	for key := range ends {
		if records[key] == nil {
			r.Errorf("%s has ended, and has no record", key)
		}
	}
	if !told {
		r.Errorf("no worker's end is explained by %q", w.told)
	}
	if last == nil || last.Code != w.code || last.Jobs != int64(len(records)) {
		r.Errorf("the event of the run's end is %+v; there are %d records, and the exit code is to be %d", last, len(records), w.code)
	}
}

func (r *trial) checkReport(w *row, base *baseline, records map[string]*record, by map[string]int64) {
	r.Helper()
	rep, err := r.report("report.json")
	if err != nil {
		r.Error(err)
		return
	}
	if rep.Exit != w.code {
		r.Errorf("the report has exit code %d", rep.Exit)
	}
	if rep.Totals["jobs"] != int64(len(records)) {
		r.Errorf("the report counts %d instances, and %d are recorded", rep.Totals["jobs"], len(records))
	}
	for _, outcome := range outcomes {
		if rep.Totals[outcome] != by[outcome] {
			r.Errorf("the report counts %d %s, and %d are recorded", rep.Totals[outcome], outcome, by[outcome])
		}
	}
	if len(rep.Leaked) > 0 {
		r.Errorf("processes %v were leaked", rep.Leaked)
	}
	for _, part := range w.kept {
		if !slices.Contains(rep.Isolation, part) {
			r.Errorf("isolation was %v, without %s", rep.Isolation, part)
		}
	}
	for _, f := range rep.Failures {
		rec := records[f.key()]
		if rec == nil || rec.Outcome != f.Outcome || rec.Which != f.Which || rec.Evidence != f.Evidence {
			r.Errorf("the report says %s: %s/%s (%s), which the journal does not", f.key(), f.Outcome, f.Which, f.Evidence)
		}
	}
	if n := int64(len(records)) - by["ok"]; int64(len(rep.Failures))+rep.Omitted != n {
		r.Errorf("the report has %d failures and omits %d, and %d are recorded", len(rep.Failures), rep.Omitted, n)
	}
	const workers, slack = 3, 24 << 20
	if most := base.peak + workers*ipc.MaxFrame + slack + w.memory; rep.Supervisor.Peak > most {
		r.Errorf("the supervisor has used %d MiB, without the fault %d MiB", rep.Supervisor.Peak>>20, base.peak>>20)
	}
}

// checkShow looks at what people see of the run.
func (r *trial) checkShow(state string, records map[string]*record) {
	r.Helper()
	shown := r.call("show", "-state", state)
	r.checkPlain("show", shown.stdout)
	for key, rec := range records {
		if rec.Outcome != "ok" && rec.Job == "bad" {
			one := r.call("show", "-state", state, "last", key)
			r.checkPlain("show "+key, one.stdout)
			if !strings.Contains(one.stdout, rec.Outcome) {
				r.Errorf("show %s does not say %s:\n%s", key, rec.Outcome, shorten(one.stdout))
			}
			break
		}
	}
}
