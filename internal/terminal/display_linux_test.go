package terminal

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// script is a source whose status is set by a test.
type script struct {
	mu sync.Mutex
	st Status
}

func (s *script) Status(n int) Status {
	s.mu.Lock()
	defer s.mu.Unlock()
	st := s.st
	st.Running = st.Running[:min(n, len(st.Running))]
	return st
}

func (s *script) set(st Status) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.st = st
}

// lookup is an environment.
func lookup(vars ...string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		for _, v := range vars {
			if value, ok := strings.CutPrefix(v, name+"="); ok {
				return value, true
			}
		}
		return "", false
	}
}

var (
	plainTerm = lookup("TERM=xterm", "LANG=C.UTF-8", "NO_COLOR=1")
	colours   = lookup("TERM=xterm", "LANG=C.UTF-8")
)

// since makes instances that started so long ago that their ages stand still.
func since(hours int) time.Time {
	return time.Now().Add(-time.Duration(hours)*time.Hour - 30*time.Second)
}

func halfway() Status {
	return Status{
		Total: 10_000, Done: 6_300, OK: 6_297, NotOK: 3, Active: 9, Rate: 412.3, ETA: 9 * time.Second,
		Running: []Running{
			{Label: "resize#812", Item: "photos/2024/the summer holidays/in the mountains/IMG_00812.jpg", Since: since(2)},
			{Label: "hash#7", Since: since(1)},
		},
	}
}

func TestDisplay_FitsTheTerminal(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		columns, height int
		env             func(string) (string, bool)
		status          Status
		want            string
	}{
		{80, 24, plainTerm, halfway(), `
  63% █████████████████░░░░░░░░░░  6,300/10,000  412/s  about 9s left  3 not ok
   resize#812 (…2024/the summer holidays/in the mountains/IMG_00812.jpg)  2h00m
   hash#7                                                                 1h00m
   and 7 more`},
		{200, 24, plainTerm, halfway(), `
  63% █████████████████████████░░░░░░░░░░░░░░░  6,300/10,000  412/s  about 9s left  3 not ok
   resize#812 (photos/2024/the summer holidays/in the mountains/IMG_00812.jpg)  2h00m
   hash#7                                                                       1h00m
   and 7 more`},
		{40, 24, plainTerm, halfway(), `
  63% ██████░░░  6,300/10,000  3 not ok
   resize#812 (…s/IMG_00812.jpg)  2h00m
   hash#7                         1h00m
   and 7 more`},
		{20, 24, plainTerm, halfway(), `
  63% 6,300/10,000
   resize#8…  2h00m
   hash#7     1h00m
   and 7 more`},
		// A low terminal shows fewer of those that run.
		{80, 4, plainTerm, halfway(), `
  63% █████████████████░░░░░░░░░░  6,300/10,000  412/s  about 9s left  3 not ok
   resize#812 (…2024/the summer holidays/in the mountains/IMG_00812.jpg)  2h00m
   and 8 more`},
		{80, 24, lookup("TERM=vt100", "LANG=C"), Status{Total: 4, Done: 2, OK: 2, Rate: 0.5}, `
  50% [###################...................] 2/4  30/min`},
		{80, 24, plainTerm, Status{Total: -1, Done: 1234567, OK: 1_000_000, Skipped: 234_560, Resumed: 7, Rate: 3}, `
 1,234,567 done  3.0/s  234,560 skipped  7 resumed`},
		{80, 24, plainTerm, Status{Total: 0}, `
 0 done`},
		// More than there is of anything.
		{80, 24, plainTerm, Status{Total: 3, Done: 5, ETA: 50 * time.Hour}, `
 100% ████████████████████████████████████████ 5/3  about 2d02h left`},
		// What would move the cursor is not obeyed, whoever let it through.
		{80, 24, plainTerm, Status{Total: -1, Running: []Running{{Label: "a\x1b[2J\n#1", Item: "\tb\u202e", Since: since(1)}}}, `
 0 done
   a?[2J?#1 ( b?)  1h00m`},
		{80, 24, plainTerm, Status{Total: -1, Running: []Running{{Label: "漢字#1", Item: strings.Repeat("漢", 60), Since: since(1)}}}, "\n 0 done\n   漢字#1 (…" + strings.Repeat("漢", 29) + ")   1h00m"},
	} {
		t.Run(fmt.Sprintf("%dx%d", c.columns, c.height), func(t *testing.T) {
			t.Parallel()
			v := openVT(t, c.columns, c.height)
			src := new(script)
			src.set(c.status)
			d := Open(v.f, src, Options{Rows: 4, Lookup: c.env})
			defer d.Close()
			text := v.until("a frame", func(text string) bool { return text != "" && v.col == 0 && v.wrap })
			if want := strings.TrimPrefix(c.want, "\n"); text != want {
				t.Errorf("there is\n%s\nwant\n%s", text, want)
			}
			for _, line := range strings.Split(text, "\n") {
				if n := columns([]byte(line)); n >= c.columns {
					t.Errorf("%d of %d columns: %s", n, c.columns, line)
				}
			}
			d.Close()
			if text, raw := v.end(); text != "" {
				t.Errorf("left behind:\n%s\nof %q", text, raw)
			}
		})
	}
}

func TestDisplay_RedrawsInPlace(t *testing.T) {
	t.Parallel()
	v := openVT(t, 80, 24)
	src := new(script)
	d := Open(v.f, src, Options{Rows: 4, Lookup: colours})
	defer d.Close()
	for i := 1; i <= 5; i++ {
		st := Status{Total: 5, Done: i, OK: i, NotOK: i}
		// The frame grows and shrinks.
		for j := range i * 3 % 4 {
			st.Running = append(st.Running, Running{Label: fmt.Sprint("a#", j), Since: since(1)})
		}
		src.set(st)
		text := v.shows(fmt.Sprintf(" %d/5  %d not ok", i, i))
		if got, want := strings.Count(text, "\n"), len(st.Running); got != want {
			t.Errorf("%d rows below the bar, want %d:\n%s", got, want, text)
		}
	}
	d.Close()
	text, raw := v.end()
	if text != "" {
		t.Errorf("left behind:\n%s", text)
	}
	if !strings.Contains(raw, "\x1b[31m5 not ok\x1b[39m") || !strings.Contains(raw, "\x1b[32m█") {
		t.Errorf("no colours in %q", raw)
	}
}

func TestDisplay_PrintsAboveTheBar(t *testing.T) {
	t.Parallel()
	v := openVT(t, 80, 24)
	src := new(script)
	src.set(halfway())
	d := Open(v.f, src, Options{Rows: 4, Lookup: colours})
	defer d.Close()
	v.shows("hash#7")
	stdout, stderr := d.Writer(v.f), d.Writer(v.f)
	var wg sync.WaitGroup
	const each = 300
	for i, w := range []io.Writer{stdout, stderr, stdout} {
		wg.Go(func() {
			for j := range each {
				// Two lines are one write, and one is longer than the terminal is wide.
				fmt.Fprintf(w, "%d:%d first\n%d:%d second%s\n", i, j, i, j, strings.Repeat(" long", j%2*20))
			}
		})
	}
	wg.Wait()
	// The bar is below the last line.
	text := v.until("the frame", func(text string) bool { return strings.HasSuffix(text, "more") })
	if i := strings.Index(text, "63%"); strings.Contains(text[i:], "second") || strings.Count(text, "63%") != 1 {
		t.Errorf("it is mixed:\n%s", text)
	}
	d.Close()
	next := [3]int{}
	text, raw := v.end()
	for line := range strings.SplitSeq(text, "\n") {
		var i, j int
		var what string
		if n, _ := fmt.Sscanf(line, "%d:%d %s", &i, &j, &what); n != 3 {
			if strings.Trim(line, " long") != "" {
				t.Errorf("a line that nobody wrote: %q", line)
			}
			continue
		}
		if want := []string{"first", "second"}[next[i]%2]; j != next[i]/2 || what != want {
			t.Errorf("%q, want %d:%d %s", line, i, next[i]/2, want)
		}
		next[i]++
	}
	if next != [3]int{2 * each, 2 * each, 2 * each} {
		t.Errorf("of %d lines each there are %v", 2*each, next)
	}
	// What was written went there byte for byte.
	for i := range next {
		for j := range each {
			if !strings.Contains(raw, fmt.Sprintf("%d:%d first\r\n%d:%d second%s\r\n", i, j, i, j, strings.Repeat(" long", j%2*20))) {
				t.Fatalf("%d:%d was cut", i, j)
			}
		}
	}
}

func TestDisplay_StaysAwayFromAnUnfinishedLine(t *testing.T) {
	t.Parallel()
	v := openVT(t, 80, 24)
	src := new(script)
	src.set(Status{Total: 2, Done: 1})
	d := Open(v.f, src, Options{Lookup: plainTerm})
	defer d.Close()
	v.shows("50%")
	out := d.Writer(v.f)
	io.WriteString(out, "what is your ")
	if text := v.shows("your"); strings.Contains(text, "%") {
		t.Errorf("beside the line is a bar:\n%s", text)
	}
	// No frame in the time of several, whatever happens.
	src.set(Status{Total: 3, Done: 1})
	time.Sleep(3 * nextFrames)
	io.WriteString(out, "name?")
	if text := v.shows("name"); text != "what is your name?" {
		t.Errorf("there is %q", text)
	}
	io.WriteString(out, "\n")
	if text := v.shows("33%"); !strings.HasPrefix(text, "what is your name?\n  33%") {
		t.Errorf("there is %q", text)
	}
	io.WriteString(out, "gone")
	d.Close()
	if _, err := io.WriteString(out, "\nafter the end\n"); err != nil {
		t.Error(err)
	}
	if text, _ := v.end(); text != "what is your name?\ngone\nafter the end" {
		t.Errorf("left is %q", text)
	}
}

func TestDisplay_LeavesFilesAlone(t *testing.T) {
	t.Parallel()
	v := openVT(t, 80, 24)
	src := new(script)
	d := Open(v.f, src, Options{Lookup: plainTerm})
	defer d.Close()
	file, err := os.Create(filepath.Join(t.TempDir(), "out"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	if got := d.Writer(file); got != io.Writer(file) {
		t.Errorf("of a file the writer is %T", got)
	}
	// Of another writer nobody knows where it leads.
	var buf bytes.Buffer
	io.WriteString(d.Writer(&buf), "a\nb")
	if buf.String() != "a\nb" {
		t.Errorf("wrote %q", buf.String())
	}
	var none *Display
	if got := none.Writer(file); got != io.Writer(file) {
		t.Errorf("of no display the writer is %T", got)
	}
	none.Close()
}

func TestDisplay_FollowsTheSize(t *testing.T) {
	t.Parallel()
	v := openVT(t, 40, 24)
	src := new(script)
	src.set(halfway())
	d := Open(v.f, src, Options{Rows: 4, Lookup: plainTerm})
	defer d.Close()
	v.shows("hash#7")
	v.resize(120, 24)
	unix.Kill(os.Getpid(), unix.SIGWINCH)
	text := v.shows("412/s  about 9s left  3 not ok")
	if !strings.Contains(text, "photos/2024/") || strings.Count(text, "63%") != 1 {
		t.Errorf("there is\n%s", text)
	}
	d.Close()
	if text, _ := v.end(); text != "" {
		t.Errorf("left behind:\n%s", text)
	}
}

func TestDisplay_IsLinesWithoutATerminal(t *testing.T) {
	t.Parallel()
	for name, env := range map[string]func(string) (string, bool){"dumb": lookup("TERM=dumb"), "unset": lookup()} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			v := openVT(t, 80, 24)
			d := Open(v.f, new(script), Options{Rows: 4, Lookup: env})
			time.Sleep(firstFrame + nextFrames)
			if got := d.Writer(v.f); got != io.Writer(v.f) {
				t.Errorf("the writer is %T", got)
			}
			d.Close()
			d.Close()
			if _, raw := v.end(); raw != "" {
				t.Errorf("wrote %q", raw)
			}
		})
	}
}

func BenchmarkWriter_Line(b *testing.B) {
	t := new(testing.T)
	v := openVT(t, 80, 24)
	defer v.close()
	src := new(script)
	src.set(halfway())
	d := Open(v.f, src, Options{Rows: 4, Lookup: colours})
	defer d.Close()
	v.shows("hash#7")
	out := d.Writer(v.f)
	line := []byte(strings.Repeat("x", 60) + "\n")
	b.SetBytes(int64(len(line)))
	for b.Loop() {
		out.Write(line)
	}
}
