package pooltest

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

// Snapshot is what this process has at a time, for what it has more of later.
type Snapshot struct {
	tempDir    string
	temp       map[string]int
	children   map[string]int // by pid
	open       map[string]int // by kind
	goroutines goleak.Option
}

// settle is how long what is on its way out may still be there.
const settle = time.Second

// Take notes the goroutines of this process and, on Linux, its children, its
// descriptors, and what is in the folder for temporary files.
func Take() *Snapshot {
	poll()
	return &Snapshot{
		tempDir: os.TempDir(), temp: temporary(os.TempDir()),
		children: children(), open: descriptors(), goroutines: goleak.IgnoreCurrent(),
	}
}

// Left returns an error that says what there is now that was not there before, nil
// for nothing: goroutines but those of tests, children, descriptors by their kind,
// temporary files. Folders of t.TempDir do not count: package testing removes
// them, and complains. What is on its way out gets a second.
//
// It is meant for moments at which nothing else is going on, and for a folder of
// temporary files (TMPDIR) that nobody else uses.
func (s *Snapshot) Left() error {
	until := time.Now().Add(settle)
	wait := time.Millisecond
	for {
		err := s.left()
		if err == nil || time.Now().After(until) {
			break
		}
		time.Sleep(wait) // the kernel tells nobody that a descriptor was closed
		wait = min(2*wait, 50*time.Millisecond)
	}
	return errors.Join(s.left(), goleak.Find(s.goroutines, goleak.IgnoreAnyFunction("testing.tRunner")))
}

func (s *Snapshot) left() error {
	return errors.Join(
		more("children", s.children, children()),
		more("descriptors", s.open, descriptors()),
		more("temporary files", s.temp, temporary(s.tempDir)),
	)
}

// more is an error that names what there is more of than before.
func more(what string, before, now map[string]int) error {
	var names []string
	for _, name := range slices.Sorted(maps.Keys(now)) {
		if n := now[name] - before[name]; n > 1 {
			names = append(names, fmt.Sprintf("%d × %s", n, name))
		} else if n == 1 {
			names = append(names, name)
		}
	}
	if names == nil {
		return nil
	}
	return fmt.Errorf("%s left: %s", what, strings.Join(names, ", "))
}

func temporary(dir string) map[string]int {
	found := map[string]int{}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		found[err.Error()]++ // it should be seen
	}
	for _, e := range entries {
		ofTesting := slices.ContainsFunc([]string{"Test", "Benchmark", "Fuzz"}, func(kind string) bool { return strings.HasPrefix(e.Name(), kind) })
		if !e.IsDir() || !ofTesting {
			found[filepath.Join(dir, e.Name())]++
		}
	}
	return found
}

// NoLeaks fails the test if at its end there are goroutines or, on Linux,
// children, descriptors or temporary files that were not there when NoLeaks was
// called: see Snapshot.Left. Call it first, so that all other clean-up comes before
// its own. It gives the test a folder of its own for temporary files (TMPDIR), and
// so refuses to work in a parallel test, whose neighbours could not be told from
// leaks.
//
// A process that package process has started leaves a guardian and its goroutine
// for the next one: have one before.
func NoLeaks(t testing.TB) {
	t.Helper()
	t.Setenv("TMPDIR", t.TempDir())
	before := Take()
	t.Cleanup(func() {
		if err := before.Left(); err != nil {
			t.Errorf("pooltest: %v", err)
		}
	})
}
