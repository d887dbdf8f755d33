package batch

import (
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/feac4032/multiproc/pool"
)

// filesIn reads the files of a folder, by name.
func filesIn(dir string) (map[string]string, error) {
	entries, err := os.ReadDir(dir)
	files := make(map[string]string)
	for _, e := range entries {
		b, readErr := os.ReadFile(dir + "/" + e.Name())
		if readErr != nil {
			err = readErr
		}
		files[e.Name()] = string(b)
	}
	return files, err
}

func TestPlace_WritesWholeOrNotAtAll(t *testing.T) {
	t.Parallel()
	tr := setup(t, `
jobs:
  - {id: a, task: echo, foreach: [good, bad, ../../../../dev/null/x], stdout: {file: "out/{{.item}}.txt"}, continue_on_error: true}
  - {id: b, run: [x], foreach: {from: a}}
`)
	tr.ex.auto = func(in *Instance) *pool.Result {
		if in.Job.ID == "b" {
			return ok()
		}
		res := printing("text", "a word\n")
		res.Value = appendString(nil, "result")
		if in.Item.Text() == "bad" {
			res.Outcome, res.ExitCode = pool.Failed, 1
		}
		return res
	}
	rep := tr.run()
	if rep.Totals.OK != 2 || rep.Totals.Failed != 2 || !strings.Contains(string(slices.Concat(rep.Failures[0], rep.Failures[1])), `"which":"stdout"`) {
		t.Errorf("totals %+v, failures %s", rep.Totals, rep.Failures)
	}
	if got := tr.stdout.String(); got != "" {
		t.Errorf("stdout %q", got)
	}
	if n := strings.Count(strings.ReplaceAll(tr.stderr.String(), "| a word", ""), "a word\n"); n != 3 {
		t.Errorf("stderr: %s", tr.stderr.String())
	}
	files, err := filesIn(tr.cfg.File.Dir + "/out")
	if err != nil || len(files) != 1 || files["good.txt"] != "text\nresult\n" {
		t.Errorf("files %q, %v", files, err)
	}
}
