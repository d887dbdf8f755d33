package report

import (
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/feac4032/multiproc/config"
)

// aRun gives the rows of a run of 1,000 instances on 4 slots, 12 of which are not
// ok, and what it came to.
func aRun() ([]*Row, *Summary) {
	rng := rand.New(rand.NewPCG(3, 14))
	var rows []*Row
	var free [4]time.Duration
	bad := map[int]*Row{
		137: {Outcome: "failed", ExitCode: 1, Evidence: "exit code 1", Stderr: output("opening photos/0137.jpg\nTraceback: corrupt JPEG data: premature end of data segment\n\x1b[31mresize: cannot decode\x1b[0m\n")},
		212: {Outcome: "failed", ExitCode: 1, Evidence: "exit code 1", Stderr: output("resize: cannot decode\n")},
		305: {Outcome: "timeout", ExitCode: -1, Signal: 15, SignalName: "SIGTERM", Evidence: "ran longer than 5s"},
		306: {Outcome: "timeout", ExitCode: -1, Signal: 9, SignalName: "SIGKILL", Evidence: "ran longer than 5s, and 5s more after SIGTERM"},
		410: {Outcome: "limit", Which: "memory", ExitCode: -1, Limit: 64 << 20, Observed: 71 << 20, Evidence: "the tree's resident memory reached 71 MiB"},
		511: {Outcome: "crashed", ExitCode: -1, Signal: 11, SignalName: "SIGSEGV", Evidence: "worker-3 ended by SIGSEGV", Stderr: output(strings.Repeat("goroutine 1 [running]:\nmain.resize(0x0)\n\t/srv/resize/main.go:41 +0x1d\n", 6))},
		640: {Outcome: "failed", Which: "panic", ExitCode: -1, Evidence: "panic: index out of range [3] with length 3\ngoroutine 7 [running]:\nmain.(*canvas).at(...)\n\t/srv/resize/canvas.go:88\nmain.resize({0xc000012345, 0x9})\n\t/srv/resize/main.go:57 +0x2b4"},
		641: {Outcome: "failed", ExitCode: 3, Evidence: "exit code 3"},
		777: {Outcome: "poisoned", ExitCode: -1, Signal: 11, SignalName: "SIGSEGV", Evidence: "killed its second worker"},
		801: {Outcome: "failed", ExitCode: 1, Evidence: "exit code 1"},
		998: {Outcome: "skipped", ExitCode: -1, Evidence: "resize was not ok"},
		999: {Outcome: "skipped", ExitCode: -1, Evidence: "resize was not ok"},
	}
	for i := range 1000 {
		r := &Row{Outcome: "ok"}
		if b := bad[i]; b != nil {
			r = b
		}
		switch {
		case i < 100:
			r.Job, r.Index = "hash", int64(i)
		case i < 998:
			r.Job, r.Index = "resize", int64(i-100)
			r.Matrix = []config.Field{{Name: "width", Value: config.IntValue(100 << (i % 3))}, {Name: "fmt", Value: config.String([]string{"png", "jpg"}[i%2])}}
		default:
			r.Job = []string{"pack", "mail"}[i-998]
		}
		r.Label = fmt.Sprintf("%s#%d", r.Job, r.Index)
		if i >= 998 {
			r.Label = r.Job
		} else {
			r.HasItem, r.Item = true, config.String(fmt.Sprintf("photos/2026/%04d.jpg", i))
			slot := 0
			for s := range free {
				if free[s] < free[slot] {
					slot = s
				}
			}
			took := time.Duration(float64(40*time.Millisecond) * (0.5 + rng.ExpFloat64()))
			if i < 100 {
				took /= 8
			}
			if r.Outcome == "timeout" {
				took = 5 * time.Second
			}
			r.Slot, r.Attempts, r.Start, r.Wall, r.PID = slot+1, 1, begin.Add(free[slot]), took, 4000+i
			free[slot] += took + time.Duration(rng.IntN(2000))*time.Microsecond
			r.CPU, r.Peak = took*8/10, 30<<20+rng.Int64N(20<<20)
			if r.Outcome != "ok" {
				r.Attempts, r.Worker = 3, fmt.Sprintf("worker-%d", slot+1)
				r.Reproduce = fmt.Sprintf("supervisor run -only '%s' job.yaml", r.Label)
			}
		}
		rows = append(rows, r)
	}
	return rows, &Summary{
		Name: "thumbnails", Run: "20260314-092653-7f3a", Command: "supervisor run -report out.html job.yaml", Exit: 1,
		Begin: begin, Wall: max(free[0], free[1], free[2], free[3]), Workers: 4,
		Totals:  []Count{{"ok", 988}, {"failed", 5}, {"crashed", 1}, {"timeout", 2}, {"limit", 1}, {"cancelled", 0}, {"skipped", 2}, {"poisoned", 1}},
		Retried: 20, WorkersLost: 3, PeakRSS: 23_400_000, Isolation: []string{"process", "cgroup v2"},
	}
}

func openPage(t testing.TB, path string) Sink {
	t.Helper()
	h, err := OpenHTML(path, begin)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

func TestHTML_IsRightInABrowser(t *testing.T) {
	t.Parallel()
	b := openBrowser(t)
	showsARun(t, b)
	isNotFooled(t, b)
	b.quiet()
}

// fits fails the test if there is anything beside the screen.
func fits(t *testing.T, b *browser, width int) {
	t.Helper()
	if seen, all := b.eval("innerWidth"), b.eval("document.documentElement.scrollWidth - document.documentElement.clientWidth"); seen != float64(width) || all != 0.0 {
		t.Errorf("on a screen %d wide %v are seen, and %v more are beside it", width, seen, all)
	}
}

func showsARun(t *testing.T, b *browser) {
	path := filepath.Join(t.TempDir(), "report.html")
	rows, sum := aRun()
	finish(t, openPage(t, path), path, sum, rows...)
	shots := os.Getenv("REPORT_SHOTS") // a folder for pictures to look at
	for _, screen := range []struct {
		width, height int
		scheme        string
	}{{1440, 900, "light"}, {390, 844, "light"}, {1440, 900, "dark"}, {390, 844, "dark"}} {
		b.open(path, screen.width, screen.height, screen.scheme)
		if shots != "" {
			for name, whole := range map[string]bool{"top": false, "whole": true} {
				b.shoot(filepath.Join(shots, fmt.Sprintf("%s-%d-%s.png", name, screen.width, screen.scheme)), whole)
			}
		}
		fits(t, b, screen.width)
		if n := b.eval("document.querySelectorAll('#list > *').length"); n != 12.0 {
			t.Errorf("%v failures are listed", n)
		}
		if s := b.eval("document.body.innerText").(string); !strings.Contains(s, "12 of 1,000 instances were not ok.") ||
			!strings.Contains(s, "resize#37") || !strings.Contains(s, "corrupt JPEG data") {
			t.Errorf("the page says %.500s", s)
		}
	}

	visible := "Array.from(document.querySelectorAll('#list > *')).filter(d => d.offsetHeight > 0).length"
	b.eval("document.getElementById('words').focus()")
	b.call("Input.insertText", map[string]any{"text": "JPEG"}, nil)
	if n, s := b.eval("%s", visible), b.eval("document.getElementById('shown').textContent"); n != 1.0 || s != "1 of 12 shown" {
		t.Errorf("with a filter %v failures are seen, and it says %v", n, s)
	}
	b.eval("document.getElementById('words').select()")
	b.press("Delete")
	b.eval("document.getElementById('words').value = ''; document.querySelector('#filter input[value=failed]').click()")
	if n := b.eval("%s", visible); n != 7.0 {
		t.Errorf("without those that failed %v are seen", n)
	}

	b.eval("document.querySelector('.lanes').focus()")
	for _, step := range []struct{ key, says string }{
		{"ArrowRight", "hash#0: ok"}, {"ArrowDown", "hash#1: ok"}, {"ArrowUp", "hash#0: ok"}, {"ArrowLeft", "hash#0: ok"},
	} {
		b.press(step.key)
		if s := b.eval("document.getElementById('tell-timeline').textContent").(string); !strings.HasPrefix(s, step.says) {
			t.Errorf("after %s the timeline says %q", step.key, s)
		}
	}
	b.eval("document.querySelector('.histogram [data-tell]').dispatchEvent(new MouseEvent('click', {bubbles: true}))")
	if s := b.eval("document.getElementById('tell-durations').textContent").(string); !strings.Contains(s, "instance") || !strings.Contains(s, " to ") {
		t.Errorf("the histogram says %q", s)
	}
}

// hostile is a text that wants out of wherever it is put.
const hostile = `</script></style></title><script>document.title="owned"</script><img src=x onerror="document.title='owned'">"'>{{.}}` + "\x00\x1b[31m\xff\u202e\u2028\r\n</pre>"

// hostilePage is a page of nothing else.
func hostilePage(t *testing.T, path string) string {
	s := func(o string) *Row {
		return &Row{
			Job: hostile, Label: hostile, Outcome: o, Which: hostile, ExitCode: -1, SignalName: hostile, Signal: 1,
			HasItem: true, Item: config.String(hostile), Matrix: []config.Field{{Name: hostile, Value: config.String(hostile)}},
			Attempts: 2, Slot: 1, Worker: hostile, Start: begin, Wall: time.Second, Evidence: hostile + hostile,
			Stderr: output(hostile), Reproduce: hostile,
		}
	}
	return finish(t, openPage(t, path), path, &Summary{
		Name: hostile, Run: hostile, Command: hostile, Exit: 5, Begin: begin, Wall: time.Second, Halted: hostile, Error: hostile,
		Totals: []Count{{"failed", 1}, {hostile, 1}}, Isolation: []string{hostile},
	}, s("failed"), s(hostile))
}

func TestHTML_IsNotFooledByWhatJobsSay(t *testing.T) {
	t.Parallel()
	page := hostilePage(t, filepath.Join(t.TempDir(), "report.html"))
	if n := strings.Count(page, "<script"); n != 1 {
		t.Errorf("%d scripts", n)
	}
	for _, bad := range []string{"<img", "\x00", "\x1b", "\xff", "\u202e", "\u2028", "ZgotmplZ"} {
		if strings.Contains(page, bad) {
			t.Errorf("the page holds %q", bad)
		}
	}
	if !strings.Contains(page, `\x1b[31m\xff`) {
		t.Error("escapes are not shown")
	}
}

func isNotFooled(t *testing.T, b *browser) {
	path := filepath.Join(t.TempDir(), "report.html")
	hostilePage(t, path)
	b.open(path, 390, 844, "light")
	if title := b.eval("document.title").(string); !strings.Contains(title, "owned") || title == "owned" {
		t.Errorf("the title is %q", title) // it is the name of the run, as a text
	}
	if n := b.eval("document.querySelectorAll('img, script').length"); n != 1.0 {
		t.Errorf("there are %v pictures and scripts", n)
	}
	fits(t, b, 390)
}

func TestHTML_StaysSmallWithAnyNumberOfInstances(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "report.html")
	h := openPage(t, path)
	const n = 60_000
	long := strings.Repeat("x", 100_000)
	for i := range n {
		r := &Row{
			Job: fmt.Sprint("job", i%1000), Label: fmt.Sprint("job", i%1000, "#", i/1000), Index: int64(i / 1000), Outcome: "ok",
			Attempts: 1, Slot: 1 + i%8, Start: begin.Add(time.Duration(i/8) * time.Millisecond), Wall: time.Millisecond,
		}
		switch {
		case i < 2000:
			r.Outcome = "skipped"
		case i%50 == 0:
			r.Outcome, r.Evidence, r.Stderr = "failed", long, output(long)
		}
		if err := h.Add(r); err != nil {
			t.Fatal(err)
		}
	}
	page := finish(t, h, path, &Summary{
		Name: "many", Exit: 1, Begin: begin, Wall: 8 * time.Second, Workers: 8,
		Totals: []Count{{"ok", n - 2000 - 1160}, {"failed", 1160}, {"skipped", 2000}},
	})
	if len(page) > 8<<20 {
		t.Errorf("the page has %d bytes", len(page))
	}
	for what, want := range map[string]int{"data-outcome=\"failed\"": maxPageFailures, "<tr>": maxPageJobs + 2} {
		if got := strings.Count(page, what); got != want {
			t.Errorf("%d times %s, want %d", got, what, want)
		}
	}
	for _, want := range []string{"2,160 more are counted", "all further jobs", "3,160 of 60,000 instances were not ok"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %s", want)
		}
	}
	if bars := regexp.MustCompile(`<rect class="[^"]*" x="[^"]*" y="0" width="[^"]*" height="10"[^>]*data-tell`).FindAllString(page, -1); len(bars) > maxPageBars || len(bars) < maxPageBars/4 {
		t.Errorf("%d bars", len(bars))
	}
}

func TestHTML_IsWrittenWhenNothingRan(t *testing.T) {
	t.Parallel()
	for want, sum := range map[string]*Summary{
		"There was nothing to run.":        {Name: "a"},
		"Nothing ran. 3 were never":        {Name: "a", Exit: 3, NotStarted: 3, Halted: "deadline"},
		"All 2 instances were ok.":         {Totals: []Count{{"ok", 2}}},
		"The instance was ok.":             {Totals: []Count{{"ok", 1}}},
		"Exit code 143: signal 15 ended":   {Exit: 143},
		"Exit code 5: something went":      {Exit: 5, Error: "disk full"},
		"1 of 2 instances was not ok. 1 w": {Exit: 1, Totals: []Count{{"ok", 1}, {"failed", 1}}, NotStarted: 1},
	} {
		path := filepath.Join(t.TempDir(), "report.html")
		page := finish(t, openPage(t, path), path, sum)
		if !strings.Contains(page, want) || strings.Contains(page, "<table>") || strings.Contains(page, "NaN") {
			t.Errorf("%q is not said in\n%.3000s", want, page[strings.Index(page, "<main>"):])
		}
	}
}
