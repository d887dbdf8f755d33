package batch

import (
	"bytes"
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/feac4032/multiproc/config"
)

func TestLive_PrintsWholeTaggedLinesAsTheyCome(t *testing.T) {
	t.Parallel()
	tr := setup(t, "{output: live, jobs: [{id: a, task: echo, retry: 1, foreach: [p, q]}]}")
	tr.ex.auto = nil
	see := func(want string) {
		t.Helper()
		settleDown()
		if got := tr.stdout.String(); got != want {
			t.Errorf("stdout is %q, want %q", got, want)
		}
	}
	tr.steer(func() {
		tr.ex.print("a#0", false, "one")
		tr.ex.print("a#1", false, "x\ny\nz")
		see("a#1\tx\na#1\ty\n")
		tr.ex.print("a#0", false, "\ntw")
		tr.ex.print("a#0", true, "err")
		see("a#1\tx\na#1\ty\na#0\tone\n")
		in := tr.ex.open["a#0"]
		tr.ex.o.Retrying(in, printing("one\ntw", "err"), time.Second)
		see("a#1\tx\na#1\ty\na#0\tone\na#0\ttw\n")
		tr.ex.o.Started(in, Attempt{Number: 2})
		tr.ex.print("a#0", false, "again")
		res := printing("again", "")
		res.Value = appendString(nil, "result")
		tr.ex.end("a#0", res)
		see("a#1\tx\na#1\ty\na#0\tone\na#0\ttw\na#0\tagain\na#0\tresult\n")
		tr.ex.end("a#1", printing("x\ny\nz", ""))
		see("a#1\tx\na#1\ty\na#0\tone\na#0\ttw\na#0\tagain\na#0\tresult\na#1\tz\n")
	})
	if got := tr.stderr.String(); !strings.HasPrefix(got, "a#0\terr\n") {
		t.Errorf("stderr %q", got)
	}
}

func TestLive_BreaksALineThatIsTooLong(t *testing.T) {
	t.Parallel()
	tr := setup(t, "{output: live, jobs: [{id: a, run: [x]}]}")
	tr.ex.auto = nil
	const size = 5*maxLine/2 + 17
	tr.steer(func() {
		for left := size; left > 0; left -= 64 << 10 {
			tr.ex.print("a", false, strings.Repeat("x", min(left, 64<<10)))
		}
		settleDown()
		if n := len(tr.ex.open["a"].flow.line[0]); n > maxLine {
			t.Errorf("%d bytes of a line are kept", n)
		}
		tr.ex.end("a", printing("x", ""))
	})
	n := 0
	for line := range strings.Lines(tr.stdout.String()) {
		text, whole := strings.CutPrefix(strings.TrimSuffix(line, "\n"), "a\t")
		if !whole || strings.Trim(text, "x") != "" || len(text) > maxLine+64<<10 {
			t.Errorf("a line of %d bytes begins with %.20q", len(line), line)
		}
		n += len(text)
	}
	if n != size {
		t.Errorf("%d bytes were printed, want %d", n, size)
	}
}

// Instances that write at the same time, without a newline, and to both streams.
func TestOutput_IsNeverMixed(t *testing.T) {
	t.Parallel()
	instances, chunks, size := 30, 6, 256<<10 // more than a line may be long
	if testing.Short() {
		instances, size = 8, 200<<10
	}
	for _, output := range []string{config.OutputGroup, config.OutputOrder, config.OutputLive} {
		for _, tag := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s tag=%v", output, tag), func(t *testing.T) {
				tr := setup(t, fmt.Sprintf("{output: %s, jobs: [{id: a, run: [x], foreach: {range: 1..%d}}]}", output, instances))
				tr.cfg.Events, tr.cfg.Quiet = nil, true
				tr.cfg.SpillDir = t.TempDir()
				if tag {
					tr.cfg.Tag = (*Instance).ItemText
				}
				var out, errs mixture
				tr.cfg.Stdout, tr.cfg.Stderr = &out, &errs
				tr.cfg.Executor = &chorus{chunks: chunks, size: size, slots: make(chan struct{}, 4)}
				rep := Run(t.Context(), tr.cfg)
				if rep.Exit != ExitOK {
					t.Fatalf("exit %d, totals %+v", rep.Exit, rep.Totals)
				}
				for name, m := range map[string]*mixture{"stdout": &out, "stderr": &errs} {
					if err := m.check(instances, chunks*size, output == config.OutputLive, tag || output == config.OutputLive); err != nil {
						t.Errorf("%s: %v", name, err)
					}
				}
			})
		}
	}
}

// chorus is an executor whose instances all write at once, each a letter of its own.
type chorus struct {
	instant
	chunks, size int
	wg           sync.WaitGroup
	slots        chan struct{}
}

func (c *chorus) Submit(in *Instance, o Observer) error {
	c.wg.Go(func() {
		c.slots <- struct{}{}
		defer func() { <-c.slots }()
		o.Started(in, Attempt{Number: 1, Slot: 1, PID: 1})
		block := bytes.Repeat([]byte{letter(in.Index)}, 64<<10)
		if in.Watched() {
			for range c.chunks {
				for left := c.size; left > 0; left -= len(block) {
					o.Output(in, false, block[:min(left, len(block))])
					o.Output(in, true, block[:min(left, len(block))])
				}
			}
		}
		all := string(bytes.Repeat(block[:1], c.chunks*c.size))
		o.Done(in, printing(all, all))
	})
	return nil
}

func (c *chorus) Close(context.Context) Closing {
	c.wg.Wait()
	return Closing{}
}

func letter(i int64) byte { return byte('A' + i) }

// mixture counts what it is written by stretches of equal letters.
type mixture struct {
	mu   sync.Mutex
	runs []stretchOf
}

type stretchOf struct {
	letter byte
	n      int
}

func (m *mixture) Write(p []byte) (int, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for rest := p; len(rest) > 0; {
		n := len(rest) - len(bytes.TrimLeft(rest, string(rest[:1])))
		if len(m.runs) > 0 && m.runs[len(m.runs)-1].letter == rest[0] {
			m.runs[len(m.runs)-1].n += n
		} else {
			m.runs = append(m.runs, stretchOf{rest[0], n})
		}
		rest = rest[n:]
	}
	return len(p), nil
}

// check says what is wrong with the stretches: in lines, each is one instance's; else
// each instance has one alone.
func (m *mixture) check(instances, size int, lines, tagged bool) error {
	totals := map[byte]int{}
	stretches := map[byte]int{}
	var line byte // of which instance the line is, 0 = none yet
	for _, s := range m.runs {
		switch {
		case s.letter >= 'A' && int(s.letter) < 'A'+instances:
			totals[s.letter] += s.n
			stretches[s.letter]++
			if line != 0 && line != s.letter {
				return fmt.Errorf("%c and %c share a line", line, s.letter)
			}
			if tagged {
				line = s.letter
			}
		case s.letter == '\n':
			if s.n > 1 {
				return fmt.Errorf("%d empty lines", s.n)
			}
			line = 0
		case !tagged:
			return fmt.Errorf("unexpected %q", s.letter)
		}
	}
	for i := range instances {
		c := letter(int64(i))
		if totals[c] != size {
			return fmt.Errorf("%d bytes of %c, want %d", totals[c], c, size)
		}
		if !lines && stretches[c] != 1 {
			return fmt.Errorf("%c came in %d stretches", c, stretches[c])
		}
	}
	return nil
}

// With secrets, what came through a mask of one stream is no other's.
func TestLive_StreamsWithSecretsComeAtTheSameTime(t *testing.T) {
	t.Parallel()
	tr := setup(t, "{output: live, jobs: [{id: a, run: [x], secrets: [TOKEN]}]}")
	tr.cfg.Settings.Environ = []string{"TOKEN=a secret"}
	tr.ex.auto = nil
	tr.steer(func() {
		in := tr.ex.open["a"]
		var both sync.WaitGroup
		for _, isStderr := range []bool{false, true} {
			both.Go(func() {
				text := "out a secret\n"
				if isStderr {
					text = "err a secret\n"
				}
				for range 2000 {
					tr.ex.o.Output(in, isStderr, []byte(text))
				}
			})
		}
		both.Wait()
		tr.ex.end("a", printing("x", ""))
	})
	for line := range strings.Lines(tr.stdout.String()) {
		if line != "a\tout ***\n" {
			t.Fatalf("stdout has %q", line)
		}
	}
	if n := strings.Count(tr.stderr.String(), "a\terr ***\n"); n != 2000 {
		t.Errorf("stderr has %d lines", n)
	}
}
