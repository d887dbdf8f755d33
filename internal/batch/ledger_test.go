package batch

import (
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

func TestLedger_EntriesAreNeverMixed(t *testing.T) {
	t.Parallel()
	var out, errs safeBuffer
	l := newLedger(&out, &errs, nil, func(to stream, err error) { t.Errorf("%s: %v", to, err) })
	l.start()
	var wg sync.WaitGroup
	for g := range 8 {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := range 200 {
				lines := strings.Repeat(fmt.Sprintf("%d.%d\n", g, i), 1+i%50)
				l.commit(&entry{line: []byte(lines), note: []byte(lines)})
			}
		}()
	}
	wg.Wait()
	l.close()
	for _, b := range []*safeBuffer{&out, &errs} {
		seen := map[string]bool{}
		last, n := "", 0
		for line := range strings.Lines(b.String()) {
			if line != last {
				if seen[line] {
					t.Fatalf("%q was interrupted", line)
				}
				seen[line], last = true, line
			}
			n++
		}
		if len(seen) != 1600 || n != 8*4*(50*51/2) {
			t.Errorf("%d entries of %d lines arrived", len(seen), n)
		}
	}
}

// gate lets a write through for each token.
type gate chan struct{}

func (g gate) Write(p []byte) (int, error) {
	<-g
	return len(p), nil
}

func TestLedger_SlowReaderHoldsWritersUp(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := make(gate)
		l := newLedger(g, nil, nil, nil)
		l.start()
		var mu sync.Mutex
		committed := 0
		chunk := []byte(strings.Repeat("x", 60<<10))
		for range 50 {
			go func() {
				l.commit(&entry{line: chunk})
				mu.Lock()
				committed++
				mu.Unlock()
			}()
		}
		synctest.Wait()
		mu.Lock()
		n := committed
		mu.Unlock()
		// One turn is being written and the next is full.
		if n*len(chunk) > 3*maxPending {
			t.Errorf("%d bytes were taken over by a stream that does not move", n*len(chunk))
		}
		close(g)
		l.close()
		synctest.Wait()
		if committed != 50 {
			t.Errorf("%d commits returned", committed)
		}
	})
}

func TestLedger_AbandonLetsWritersGo(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := make(gate)
		l := newLedger(g, nil, nil, nil)
		l.start()
		chunk := []byte(strings.Repeat("x", 60<<10))
		var wg sync.WaitGroup
		for range 50 {
			wg.Add(1)
			go func() { defer wg.Done(); l.commit(&entry{line: chunk}) }()
		}
		synctest.Wait()
		l.abandon()
		wg.Wait()
		close(g)
		l.close()
	})
}

func TestLedger_LosesAStreamOnce(t *testing.T) {
	t.Parallel()
	var errs safeBuffer
	lost := 0
	l := newLedger(broken{errors.New("boom")}, &errs, nil, func(stream, error) { lost++ })
	l.start()
	for range 10 {
		l.commit(&entry{line: []byte("x\n"), note: []byte("n\n")})
	}
	l.close()
	if lost != 1 || errs.String() != strings.Repeat("n\n", 10) {
		t.Errorf("lost %d times, stderr %q", lost, errs.String())
	}
}

func TestLedger_WordsGoPastAStdoutThatDoesNotMove(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		g := make(gate)
		var errs safeBuffer
		l := newLedger(g, &errs, nil, nil)
		l.start()
		l.commit(&entry{line: []byte("out\n")})
		time.Sleep(2 * patience)
		l.say("supervisor: interrupted")
		synctest.Wait()
		if got := errs.String(); got != "supervisor: interrupted\n" {
			t.Errorf("stderr has %q", got)
		}
		close(g)
		l.close()
	})
}
