package batch

import (
	"strings"
	"testing"

	"github.com/feac4032/multiproc/config"
	"github.com/feac4032/multiproc/internal/journal"
	"github.com/feac4032/multiproc/pool"
)

// twice runs a file, and then again with what the first run has recorded.
func twice(t *testing.T, file string, auto func(*Instance) *pool.Result, between func()) (first, second *trial) {
	t.Helper()
	first = setup(t, file)
	first.ex.auto = auto
	store, run := journaled(first, 0, "")
	first.run()
	run.Close()
	between()
	second = setup(t, file)
	second.ex.auto = auto
	f, err := config.Parse(first.cfg.File.Path, []byte(file))
	if err != nil {
		t.Fatal(err)
	}
	second.cfg.File = f
	if second.cfg.Past, err = store.Resume(first.cfg.ID); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { second.cfg.Past.Close() })
	journaled(second, 0, first.cfg.ID)
	second.run()
	return first, second
}

// What a later job reads of a task is its result too, of which a journal keeps no
// large one.
func TestResume_ResultsThatWereNotKeptAreMadeAgain(t *testing.T) {
	t.Parallel()
	const file = `jobs:
  - {id: a, task: echo, foreach: [small, large]}
  - {id: b, run: [x], foreach: {lines_of: a}}
`
	item := ""
	bad := true
	first, second := twice(t, file, func(in *Instance) *pool.Result {
		if in.Job.ID == "b" {
			if item += in.Item.Text()[:5] + "\n"; bad {
				return failed(1)
			}
			return ok()
		}
		res := ok()
		text := in.Item.Text()
		if text == "large" {
			text = strings.Repeat(text, journal.MaxResult/5+1)
		}
		res.Value = appendMsgpack(nil, config.String(text))
		return res
	}, func() { item, bad = "", false })
	if got, want := strings.Join(second.ex.submitted(), " "), "a#1 b#0 b#1"; got != want {
		t.Errorf("the first run started %v, the second %s, want %s", first.ex.submitted(), got, want)
	}
	if item != "small\nlarge\n" && item != "large\nsmall\n" {
		t.Errorf("items %q", item)
	}
}
