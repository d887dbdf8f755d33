package config

import (
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "write the expected errors of testdata/bad")

func files(t testing.TB, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(pattern)
	if err != nil || len(paths) == 0 {
		t.Fatalf("no files match %s: %v", pattern, err)
	}
	return paths
}

func TestParse_AcceptsGoodFiles(t *testing.T) {
	t.Parallel()
	for _, path := range files(t, "testdata/good/*.yaml") {
		if _, err := Load(path); err != nil {
			t.Errorf("%s:\n%v", path, err)
		}
	}
}

// Each file of testdata/bad has beside it the errors it must give, in order.
func TestParse_ReportsEveryMistakeOfBadFiles(t *testing.T) {
	t.Parallel()
	for _, path := range files(t, "testdata/bad/*.yaml") {
		t.Run(filepath.Base(path), func(t *testing.T) {
			t.Parallel()
			src, err := os.ReadFile(path)
			if err != nil {
				t.Fatal(err)
			}
			_, err = Parse(filepath.Base(path), src)
			if err == nil {
				t.Fatal("no error")
			}
			got := err.Error() + "\n"
			golden := strings.TrimSuffix(path, ".yaml") + ".txt"
			if *update {
				if err := os.WriteFile(golden, []byte(got), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(golden)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(got, "\n")); diff != "" {
				t.Errorf("errors differ (-want +got):\n%s", diff)
			}
		})
	}
}

func TestParse_TenMistakesGiveTenErrors(t *testing.T) {
	t.Parallel()
	_, err := Load("testdata/bad/ten.yaml")
	var errs Errors
	if !errors.As(err, &errs) {
		t.Fatalf("got %T, want Errors", err)
	}
	if len(errs) != 10 {
		t.Errorf("got %d errors, want 10:\n%v", len(errs), err)
	}
	for _, e := range errs {
		if e.Line == 0 || e.Col == 0 || e.File == "" {
			t.Errorf("error without a place: %+v", e)
		}
	}
}

func TestLoad_NamesTheCauseOfAnUnreadableFile(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "absent.yaml")
	_, err := Load(path)
	if !errors.Is(err, os.ErrNotExist) {
		t.Fatalf("got %v, want one that is os.ErrNotExist", err)
	}
	if want := path + ": job file cannot be read: no such file or directory"; err.Error() != want {
		t.Errorf("got %q, want %q", err, want)
	}
}

func mustParse(t testing.TB, src string) *File {
	t.Helper()
	f, err := Parse("dir/job.yaml", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestParse_FillsTheFile(t *testing.T) {
	t.Parallel()
	f, err := Load("testdata/good/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	type head struct {
		Path, Dir, Name, Output, Halt string
		Workers                       int
		Deadline                      time.Duration
		Worker                        Worker
	}
	got := head{f.Path, f.Dir, f.Name, f.Output, f.Halt.String(), f.Workers, f.Deadline, *f.Worker}
	want := head{
		Path: "testdata/good/full.yaml", Dir: "testdata/good", Name: "everything (built)",
		Output: "none", Halt: "soon,fail=10%", Workers: 4, Deadline: 90 * time.Minute,
		Worker: Worker{Pos: Pos{6, 9}, Command: []string{"./resizer", "-v"}, StartTimeout: 10 * time.Second, Threads: 1, StuckAfter: StuckAfter},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("file differs (-want +got):\n%s", diff)
	}
	var objects []string
	for _, q := range f.Queues {
		objects = append(objects, fmt.Sprintf("%s %d", q.Name, q.Size))
	}
	for _, l := range f.Locks {
		objects = append(objects, l.Name)
	}
	if diff := cmp.Diff([]string{"work 100", "results 0", "small 2", "any 0", "zero 0", "db", "on-disk"}, objects); diff != "" {
		t.Errorf("queues and locks differ (-want +got):\n%s", diff)
	}
	var vars []string
	for _, v := range f.Vars {
		vars = append(vars, v.Name+"="+v.Value.Text())
	}
	if diff := cmp.Diff([]string{"size=100", "ratio=3.0", `tags=["a","b"]`, `where={"host":"h1"}`}, vars); diff != "" {
		t.Errorf("vars differ (-want +got):\n%s", diff)
	}
	for name, want := range map[string]bool{"PATH": true, "LC_ALL": true, "LC": false, "USER": false} {
		if got := f.InheritEnv.Match(name); got != want {
			t.Errorf("inherit_env matches %s: %v, want %v", name, got, want)
		}
	}
	if f.Job("resize") != f.Jobs[2] || f.Job("nobody") != nil {
		t.Error("Job does not find jobs by id")
	}
}

func TestParse_MergesDefaults(t *testing.T) {
	t.Parallel()
	f, err := Load("testdata/good/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	hash, resize, ranged := f.Jobs[0], f.Jobs[2], f.Jobs[3]
	if hash.Timeout != 30*time.Second || hash.KillAfter != 2*time.Second || hash.Retry.Max != 2 {
		t.Errorf("hash has not the defaults: %+v", hash)
	}
	if resize.Timeout != 5*time.Minute || resize.Retry.Max != 3 || ranged.Retry.Max != 0 {
		t.Errorf("a job's own keys do not replace the defaults: %+v", resize)
	}
	env := func(j *Job) (out []string) {
		for _, e := range j.Env {
			out = append(out, e.Name+"="+e.Value.Raw())
		}
		return out
	}
	if diff := cmp.Diff([]string{"LANG=en", "OUT=out/{{.job}}", "MODE=fast"}, env(hash)); diff != "" {
		t.Errorf("env of hash (-want +got):\n%s", diff)
	}
	if diff := cmp.Diff([]string{"LANG=en", "OUT=out/{{.job}}", "MODE=slow", "SIZE={{.var.size}}"}, env(resize)); diff != "" {
		t.Errorf("env of resize (-want +got):\n%s", diff)
	}
	if hash.Worker != nil || ranged.Worker != nil {
		t.Error("a command has a worker")
	}
	if got := resize.Worker.Command; len(got) != 1 || got[0] != "./other" {
		t.Errorf("resize has worker %v, want its own", got)
	}
	if rows := f.Job("rows"); rows.Worker != f.Worker {
		t.Error("a task without a worker has not the file's")
	}
	if count := f.Job("count"); count.InheritEnv.Match("PATH") || !hash.InheritEnv.Match("PATH") {
		t.Error("inherit_env of a job does not replace the file's")
	}
}

func TestParse_JobReplacesTheKindOfDefaults(t *testing.T) {
	t.Parallel()
	f, err := Load("testdata/good/kinds.yaml")
	if err != nil {
		t.Fatal(err)
	}
	plain, script, warm := f.Jobs[0], f.Jobs[1], f.Jobs[2]
	if plain.Kind != Run || len(plain.Run) != 2 || plain.Stdin == nil || plain.Args != nil || plain.Worker != nil {
		t.Errorf("plain: %+v", plain)
	}
	if script.Kind != Shell || script.Run != nil || script.Shell != "echo" || script.Stdin == nil {
		t.Errorf("script: %+v", script)
	}
	if warm.Kind != Task || warm.Run != nil || warm.Stdin != nil || warm.Args == nil || warm.Worker == nil {
		t.Errorf("warm: %+v", warm)
	}
}

func TestParse_FillsSources(t *testing.T) {
	t.Parallel()
	f, err := Load("testdata/good/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	glob := f.Job("hash").Foreach
	if glob.Source != FromGlob || !cmp.Equal(glob.Patterns, []string{"photos/**/*.jpg"}) || !glob.EmptyOK {
		t.Errorf("glob: %+v", glob)
	}
	lines := f.Job("count").Foreach
	if lines.Source != FromLines || lines.Path != StdinPath {
		t.Errorf("lines: %+v", lines)
	}
	list := f.Job("resize").Foreach
	if n, known := list.Count(); list.Source != FromList || n != 2 || !known {
		t.Errorf("list: %+v", list)
	}
	ranged := f.Job("range").Foreach
	if n, known := ranged.Count(); ranged.Source != FromRange || n != 1000004 || !known {
		t.Errorf("range: %+v", ranged)
	}
	nul, rows := f.Job("records").Foreach, f.Job("rows").Foreach
	if _, known := nul.Count(); nul.Source != FromNul || nul.Path != "names.bin" || known {
		t.Errorf("nul: %+v", nul)
	}
	if rows.Source != FromJSONL || rows.Path != "rows.jsonl" {
		t.Errorf("jsonl: %+v", rows)
	}
}

func TestParse_BOMAndCRLFAreNoPartOfTheText(t *testing.T) {
	t.Parallel()
	f, err := Load("testdata/good/bom-crlf.yaml")
	if err != nil {
		t.Fatal(err)
	}
	if got, want := f.Jobs[0].Shell, "echo one\necho two\n"; got != want {
		t.Errorf("shell is %q, want %q", got, want)
	}
}

func TestParse_ScalarsKeepTypeAndText(t *testing.T) {
	t.Parallel()
	f, err := Load("testdata/good/scalars.yaml")
	if err != nil {
		t.Fatal(err)
	}
	v, err := f.Jobs[0].Args.Value(&Scope{})
	if err != nil {
		t.Fatal(err)
	}
	want := []struct {
		text string
		any  any
	}{
		{"3.0", 3.0}, {"0x1F", int64(31)}, {"1e3", 1000.0}, {"-0", int64(0)}, {"+5", int64(5)},
		{"~", nil}, {"null", nil}, {"True", true}, {"yes", "yes"}, {"2024-01-01", "2024-01-01"},
		{"1:30", "1:30"}, {"1.2.3", "1.2.3"}, {"017", "017"}, {"1_000", "1_000"}, {".5", 0.5},
		{"18446744073709551615", uint64(18446744073709551615)},
		{"-9223372036854775809"[:19] + "8", int64(-9223372036854775808)},
		{"12", "12"}, {"", ""},
	}
	for i, w := range want {
		got := v.Items()[i]
		if got.Text() != w.text || got.Any() != w.any {
			t.Errorf("args[%d] is %q %T(%v), want %q %T(%v)", i, got.Text(), got.Any(), got.Any(), w.text, w.any, w.any)
		}
	}
	argv, err := f.Jobs[1].Argv(&Scope{})
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"true", "3.0", "1e3", "no", "1..2"}, argv); diff != "" {
		t.Errorf("argv (-want +got):\n%s", diff)
	}
}

func TestSetVar_ReplacesADeclaredVariable(t *testing.T) {
	t.Parallel()
	f := mustParse(t, "vars: {size: 100}\njobs: [{id: a, run: [x]}]\n")
	if err := f.SetVar("size", "200"); err != nil {
		t.Fatal(err)
	}
	if got := f.Vars[0].Value.Any(); got != int64(200) {
		t.Errorf("size is %T(%v), want int64(200)", got, got)
	}
	if err := f.SetVar("size", "017"); err != nil {
		t.Fatal(err)
	}
	if got := f.Vars[0].Value.Any(); got != "017" {
		t.Errorf("size is %T(%v), want the text 017", got, got)
	}
	err := f.SetVar("sise", "1")
	if want := `dir/job.yaml declares no variable "sise" (did you mean "size"?)`; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}

func TestParse_StdinMayHoldAnyText(t *testing.T) {
	t.Parallel()
	f := mustParse(t, "jobs: [{id: a, run: [x], stdin: \"\\0{{.job}}\\n\"}]\n")
	got, err := f.Jobs[0].Stdin.Text.Text(&Scope{Job: "a"})
	if err != nil || got != "\x00a\n" {
		t.Errorf("stdin is %q, %v", got, err)
	}
}
