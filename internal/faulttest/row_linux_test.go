package faulttest_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// row is a fault of a worker or of a command: how it comes to be, and what the run
// is to make of it. The faulty job stands beside neighbours whose results are known.
type row struct {
	name   string // of the fault, which the program plays by that name
	job    string // keys of the faulty job, one a line
	worker string // more keys of its worker, as in a map
	top    string // keys of the file
	flags  []string

	n       int // instances of the faulty job; 0 = 6 of a task, 1 of a command
	hits    int // how many of them end as want; 0 = 1; the others are ok
	all     bool
	want    string // "" = ok
	which   string
	limit   bool          // the record has limit, observed and enforced_by
	because string        // what the evidence of these matches
	told    string        // what that of some worker's end matches
	says    string        // what stderr matches
	code    int           // 0 = what follows from want: 0, 1 or 5
	within  time.Duration // 0 = 20 s
	memory  int64         // bytes that the supervisor may use beyond a frame for each worker

	large  int    // the size of the four lines in the file large, in bytes
	prints string // what one of the faulty instances has on stdout, "" = it does not matter
	size   int64  // how much that is, 0 = it does not matter
	mute   bool   // those that end as want have printed nothing: they were stopped

	kept []string // parts of the isolation that the report names

	again   bool // a resumed run meets the fault anew
	halted  bool // neighbours may not have been started
	waits   bool // it takes long, and no processor
	killed  bool // the supervisor was, or has lost its journal: report and events say less, or more
	steady  bool // the file has the neighbours of steady
	command bool
}

// neighbours are 40 instances that have nothing to do with the fault. They also write
// down which guardians there were.
const neighbours = `
  - {id: cmd, run: [sh, -c, 'echo "out $0"; echo "err $0" >&2; echo "$MULTIPROC_TREE" >>trees', "{{.item}}"], foreach: {range: 1..20}}
  - {id: task, task: echo, args: {n: "{{.item}}", s: "é\n"}, foreach: {range: 1..20}}
`

// file is the job file of the row.
func (w *row) file() string {
	var b strings.Builder
	b.WriteString("name: faults\n" + w.top + "defaults: {kill_after: 200ms}\njobs:\n  - id: bad\n    priority: 1\n")
	program := filepath.Join(bin, "faultworker")
	if w.command {
		fmt.Fprintf(&b, "    run: [%s, %q]\n", program, w.name)
	} else {
		more := w.worker
		if more != "" {
			more = ", " + more
		}
		fmt.Fprintf(&b, "    task: work\n    worker: {command: [%s, %q]%s}\n", program, w.name, more)
	}
	for line := range strings.Lines(w.job) {
		b.WriteString("    " + strings.TrimSuffix(line, "\n") + "\n")
	}
	if !strings.Contains(w.job, "foreach:") {
		fmt.Fprintf(&b, "    foreach: {range: 1..%d}\n", w.n)
	}
	if w.large > 0 {
		// While the large items are read an idle worker could lose its slot to others.
		b.WriteString(strings.ReplaceAll(neighbours, "foreach:", "needs: bad, when: always, foreach:"))
	} else {
		b.WriteString(neighbours)
	}
	return b.String()
}

func (w *row) normal() *row {
	x := *w
	if x.n == 0 {
		if x.n = 6; x.command {
			x.n = 1
		}
	}
	if x.hits == 0 {
		x.hits = 1
	}
	if x.all {
		x.hits = x.n
	}
	if x.want == "" {
		x.want = "ok"
	}
	if x.code == 0 {
		switch x.want {
		case "ok":
		case "internal":
			x.code = 5
		default:
			x.code = 1
		}
	}
	if x.within == 0 {
		x.within = 20 * time.Second
	}
	return &x
}

// play runs the row, checks it, and resumes the run: what was ok stays so, and a
// fault that does not come again is mended.
func (w *row) play(t *testing.T) {
	t.Parallel()
	w = w.normal()
	base := faultFree(t)
	r := newTrial(t, w.waits)
	r.write("job.yaml", w.file())
	if w.large > 0 {
		r.write("large", strings.Repeat(strings.Repeat("x", w.large)+"\n", 4))
	}
	args := []string{"run", "-no-progress", "-workers", "3", "-report", "report.json", "-events", "events"}
	c := r.call(append(args, w.flags...)...)
	first := r.check(c, w, base)
	if _, err := os.Stat(filepath.Join(r.dir, "played")); err != nil {
		t.Errorf("the fault was not played: %v", err)
	}
	if t.Failed() || w.again {
		return
	}
	mended := row{name: w.name, n: w.n, memory: w.memory, command: w.command, prints: w.prints, size: w.size}
	if w.command {
		mended = *w
		mended.kept = nil // where all was ok nothing is started again
	}
	c = r.call(append(args, append(w.flags, "-resume")...)...)
	r.checkResumed(c, mended.normal(), base, first)
}

// rows plays rows, in short mode one of ten.
func rows(t *testing.T, command bool, all []row) {
	t.Parallel()
	for i := range all {
		w := all[i]
		w.command = command
		if testing.Short() && i%10 != 0 {
			continue
		}
		t.Run(w.name, w.play)
	}
}
