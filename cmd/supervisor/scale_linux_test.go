package main

import (
	"bufio"
	"bytes"
	"flag"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

const defaultItems = 200_000

// manyItems makes the tests of large runs as large as one likes.
var manyItems = flag.Int("items", defaultItems, "how many items the tests of large runs have")

// items is how many items a test of large runs has, a tenth where time is short.
func items() int {
	if testing.Short() || raceEnabled {
		return *manyItems / 10
	}
	return *manyItems
}

const mebibyte = 1 << 20

// flat is how much more memory a large run may take than a small one, in bytes.
// The race detector's own grows with what is allocated.
func flat() int64 {
	if raceEnabled {
		return 256 * mebibyte
	}
	return 32 * mebibyte
}

// TestLargeRun_TakesTheMemoryOfASmallOne runs many quick tasks with a journal, and
// resumes what is complete.
func TestLargeRun_TakesTheMemoryOfASmallOne(t *testing.T) {
	if raceEnabled {
		t.Skip("a program that looks for races takes memory and time of its own")
	}
	t.Parallel()
	for _, output := range []string{"none", "group"} {
		t.Run(output, func(t *testing.T) {
			t.Parallel()
			var peak int64
			var each float64
			for _, n := range []int{10_000, items()} {
				r := newTrial(t)
				r.write("job.yaml", fmt.Sprintf("jobs:\n  - {id: e, task: echo, foreach: {range: 1..%d}}\n", n))
				for _, flag := range []string{"-no-progress", "-resume"} {
					cmd := r.command("run", "-no-progress", flag, "-workers", "2", "-output", output, "-report", "r.json")
					null, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0)
					if err != nil {
						t.Fatal(err)
					}
					cmd.Stdout = null
					c := r.finish(cmd)
					null.Close()
					c.want(r, 0)
					rep := r.report("r.json")
					if rep.Totals["ok"] != int64(n) || flag == "-resume" && rep.Totals["resumed"] != int64(n) {
						t.Errorf("%d items, %s: totals %v", n, flag, rep.Totals)
					}
					t.Logf("%d items, %s: %.2f s, %.0f/s, peak %d MiB", n, flag, rep.Wall, float64(n)/rep.Wall, rep.Super.Peak/mebibyte)
					if n == 10_000 {
						peak, each = max(peak, rep.Super.Peak), rep.Wall/float64(n)
						continue
					}
					if rep.Super.Peak > peak+flat() {
						t.Errorf("%d items, %s: the peak is %d MiB, and %d with 10,000", n, flag, rep.Super.Peak/mebibyte, peak/mebibyte)
					}
					// Linear: an item costs no more than those of a run that is mostly its start. What
					// others do on the machine may take twice as long, what grows with the square
					// twenty times.
					if rep.Wall > 4*each*float64(n)+5 {
						t.Errorf("%d items, %s: %.1f s, and %.1f µs for each of 10,000", n, flag, rep.Wall, each*1e6)
					}
					if flag == "-resume" && rep.Wall > 10*max(1, float64(n)/1e6)+20 {
						t.Errorf("resuming what is complete takes %.1f s", rep.Wall)
					}
				}
				if n > 10_000 {
					size := sizeOf(t, filepath.Join(r.dir, ".supervisor"))
					t.Logf("%d items: %.0f bytes of journal each, in two runs", n, float64(size)/float64(n))
					if per := size / int64(n); per > 300 {
						t.Errorf("%d bytes of journal for each item, in two runs", per)
					}
				}
			}
		})
	}
}

// sizeOf is what the files of a folder take, in bytes.
func sizeOf(t *testing.T, dir string) (n int64) {
	t.Helper()
	err := filepath.WalkDir(dir, func(_ string, e fs.DirEntry, err error) error {
		if err != nil || !e.Type().IsRegular() {
			return err
		}
		info, err := e.Info()
		if err == nil {
			n += info.Size()
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return n
}

// TestOrder_WaitsForASlowHead has many quick instances wait for a slow one, more
// than may wait at a time.
func TestOrder_WaitsForASlowHead(t *testing.T) {
	t.Parallel()
	for _, state := range []string{"none", "state"} {
		t.Run("state "+state, func(t *testing.T) {
			t.Parallel()
			r := newTrial(t)
			n := items() / 2
			r.write("job.yaml", fmt.Sprintf(`
jobs:
  - {id: slow, shell: 'until [ -e go ]; do sleep 0.1; done; echo slow'}
  - {id: e, task: echo, foreach: {range: 1..%d}}
`, n))
			cmd := r.command("run", "-k", "-no-progress", "-workers", "2", "-state", state, "-report", "r.json", "-events", "events")
			stdout, err := cmd.StdoutPipe()
			if err != nil {
				t.Fatal(err)
			}
			r.start(cmd)
			// The slow one ends when as many have ended as may wait for it, or all.
			eventually(t, callLimit(), "enough have ended", func() bool {
				info, err := os.Stat(filepath.Join(r.dir, "events"))
				return err == nil && info.Size() > int64(min(n, 60_000))*250
			})
			r.write("go", "")
			lines := bufio.NewScanner(stdout)
			for i := 0; lines.Scan(); i++ {
				want := "slow"
				if i > 0 {
					want = strconv.Itoa(i)
				}
				if lines.Text() != want {
					t.Errorf("line %d is %q", i, lines.Text())
					io.Copy(io.Discard, stdout)
					break
				}
			}
			r.finish(cmd).want(r, 0)
			rep := r.report("r.json")
			t.Logf("%d waited: %.1f s, peak %d MiB", n, rep.Wall, rep.Super.Peak/mebibyte)
			if rep.Totals["ok"] != int64(n)+1 || !raceEnabled && rep.Super.Peak > 160*mebibyte {
				t.Errorf("totals %v, peak %d MiB", rep.Totals, rep.Super.Peak/mebibyte)
			}
		})
	}
}

// TestOutput_OfAnySizeTakesLittleMemory has one job write a lot.
func TestOutput_OfAnySizeTakesLittleMemory(t *testing.T) {
	if raceEnabled {
		t.Skip("a program that looks for races takes memory and time of its own")
	}
	t.Parallel()
	size := int64(64 * mebibyte)
	if *manyItems > defaultItems {
		size = 1024 * mebibyte
	}
	r := newTrial(t)
	r.write("job.yaml", fmt.Sprintf("jobs:\n  - {id: g, run: [head, -c, '%d', /dev/zero]}\n", size))
	for _, c := range []struct {
		output, state string
		more          int64 // what is printed beside the output: tags and ends of lines
	}{
		{"group", "none", 0}, {"group", "state", 0}, {"order", "state", 0}, {"order", "none", 0},
		{"live", "none", size / mebibyte * 4}, {"none", "none", -size},
	} {
		cmd := r.command("run", "-no-progress", "-output", c.output, "-state", c.state, "-report", "r.json")
		stdout, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		r.start(cmd)
		n, _ := io.Copy(io.Discard, stdout)
		r.finish(cmd).want(r, 0)
		rep := r.report("r.json")
		t.Logf("-output %s -state %s: %d MiB in %.1f s, peak %d MiB", c.output, c.state, size/mebibyte, rep.Wall, rep.Super.Peak/mebibyte)
		if n < size+min(c.more, 0) || n > size+c.more {
			t.Errorf("-output %s -state %s: %d bytes arrived of %d", c.output, c.state, n, size)
		}
		if !raceEnabled && rep.Super.Peak > 100*mebibyte {
			t.Errorf("-output %s -state %s: the peak is %d MiB", c.output, c.state, rep.Super.Peak/mebibyte)
		}
	}
}

// TestOutputs_AreNeverMixed has many jobs write chunks without ends of lines on
// both streams at a time.
func TestOutputs_AreNeverMixed(t *testing.T) {
	t.Parallel()
	const jobs, chunks = 26, 6
	chunk := 1 << 20
	if raceEnabled {
		chunk = 200_000
	}
	script := fmt.Sprintf(`c=$(printf "\\$(printf '%%03o' $((96 + ITEM)))"); for i in 1 2 3 4 5 6; do
      head -c %d /dev/zero | tr '\0' "$c"; head -c %d /dev/zero | tr '\0' "$c" >&2; done`, chunk, chunk)
	for _, flags := range [][]string{
		{"-output", "group"}, {"-output", "order"}, {"-output", "live"},
		{"-output", "group", "-tag"}, {"-output", "order", "-tag"}, {"-output", "order", "-state", "none"},
	} {
		t.Run(strings.Join(flags, " "), func(t *testing.T) {
			t.Parallel()
			r := newTrial(t)
			r.write("job.yaml", fmt.Sprintf("jobs:\n  - id: j\n    foreach: {range: 1..%d}\n    shell: |\n      %s\n", jobs, script))
			cmd := r.command(append([]string{"run", "-no-progress", "-q", "-workers", "4"}, flags...)...)
			var streams [2]stretches
			streams[0].tagged = strings.Contains(strings.Join(flags, " "), "live") || strings.Contains(strings.Join(flags, " "), "-tag")
			streams[1].tagged = streams[0].tagged
			cmd.Stdout, cmd.Stderr = &streams[0], &streams[1]
			if c := r.finish(cmd); c.code != 0 {
				t.Fatalf("exit code %d", c.code)
			}
			for i := range streams {
				s := &streams[i]
				if s.wrong != "" {
					t.Errorf("stream %d: %s", i+1, s.wrong)
				}
				for c := byte('a'); c < 'a'+jobs; c++ {
					if s.count[c] != chunks*chunk {
						t.Errorf("stream %d has %d of job %c", i+1, s.count[c], c)
					}
					if live := flags[1] == "live"; !live && s.runs[c] != 1 {
						t.Errorf("stream %d has the output of job %c in %d pieces", i+1, c, s.runs[c])
					}
				}
				if flags[1] == "order" && !bytes.Equal(s.order, []byte("abcdefghijklmnopqrstuvwxyz")) {
					t.Errorf("stream %d: the order is %s", i+1, s.order)
				}
			}
		})
	}
}

// stretches looks at a stream of which each job writes a letter of its own.
type stretches struct {
	tagged bool
	count  [256]int // by letter
	runs   [256]int // pieces, by letter
	order  []byte
	last   byte
	tag    []byte // of the line, as far as it has come
	inside bool   // behind the tag of a line
	wrong  string
}

func (s *stretches) Write(p []byte) (int, error) {
	for rest := p; len(rest) > 0; {
		c, n := rest[0], 1
		switch {
		case s.tagged && !s.inside:
			if s.inside = c == '\t'; !s.inside {
				s.tag = append(s.tag, c)
			}
		case c == '\n' && s.tagged:
			s.inside, s.tag = false, s.tag[:0]
		case c < 'a' || c > 'z':
			s.wrong = fmt.Sprintf("byte %q is nobody's", c)
		default:
			for n < len(rest) && rest[n] == c {
				n++
			}
			if want := fmt.Sprintf("j#%d", c-'a'); s.tagged && string(s.tag) != want {
				s.wrong = fmt.Sprintf("output of %s has the tag %q", want, s.tag)
			}
			s.count[c] += n
			if c != s.last {
				s.last = c
				s.runs[c]++
				s.order = append(s.order, c)
			}
		}
		rest = rest[n:]
	}
	return len(p), nil
}
