package report

import (
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// files reads all files below a folder.
func files(t *testing.T, dir string) map[string]string {
	t.Helper()
	got := map[string]string{}
	err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err != nil || e.IsDir() {
			return err
		}
		b, err := os.ReadFile(path)
		name, _ := filepath.Rel(dir, path)
		got[filepath.ToSlash(name)] = string(b)
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return got
}

func TestOutputDir_HasAFolderForEachInstance(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "a", "out")
	for range 2 { // the second run writes over the first
		d, err := OpenOutputDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		long := output(strings.Repeat("0123456789", 100_000))
		for _, r := range []*Row{
			{Job: "hash", Label: "hash#12", Index: 12, Stdout: long, Stderr: output("")},
			{Job: "sum", Label: "sum", Stdout: output(""), Stderr: output("\xff"), Result: result(t, map[string]any{"n": 1})},
			{Job: "say", Label: "say#0", Stdout: output(""), Stderr: output(""), Result: result(t, "raw\xfe")},
			{Job: "nil", Label: "nil", Stdout: output("x"), Stderr: output(""), Result: result(t, nil)},
			{Job: "skipped", Label: "skipped#4", Index: 4},
			{Job: "late", Label: "late", Index: -1, Result: result(t, "x")},
		} {
			if err := d.Add(r); err != nil {
				t.Fatal(err)
			}
		}
		if err := d.Close(nil); err != nil {
			t.Fatal(err)
		}
		want := map[string]string{
			"hash/12/stdout": string(long), "hash/12/stderr": "",
			"sum/stdout": "", "sum/stderr": "\xff", "sum/result.json": "{\"n\":1}\n",
			"say/0/stdout": "", "say/0/stderr": "", "say/0/result.txt": "raw\xfe",
			"nil/stdout": "x", "nil/stderr": "",
		}
		got := files(t, dir)
		for name, body := range want {
			if got[name] != body {
				t.Errorf("%s: %.100q, want %.100q", name, got[name], body)
			}
		}
		if len(got) != len(want) {
			t.Errorf("there are %d files, want %d", len(got), len(want))
		}
	}
}

func TestOutputDir_RemovesAResultThatIsNoMore(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	d, err := OpenOutputDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	defer d.Close(nil)
	for _, tc := range []struct {
		result []byte
		want   string
	}{
		{result(t, 1), "result.json"}, {result(t, "x"), "result.txt"}, {result(t, []int{1}), "result.json"}, {nil, ""},
	} {
		if err := d.Add(&Row{Job: "a", Label: "a", Stdout: output(""), Result: tc.result}); err != nil {
			t.Fatal(err)
		}
		for _, name := range []string{"result.json", "result.txt"} {
			if _, err := os.Stat(filepath.Join(dir, "a", name)); (err == nil) != (name == tc.want) {
				t.Errorf("want %q: %s: %v", tc.want, name, err)
			}
		}
	}
}

func TestOutputDir_FollowsNoLinkOut(t *testing.T) {
	t.Parallel()
	outside := t.TempDir()
	victim := filepath.Join(outside, "victim")
	if err := os.WriteFile(victim, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	for _, x := range [][2]string{{outside, "folder"}, {victim, "file/stdout"}, {victim, "file/.stdout.new"}} {
		link := filepath.Join(dir, x[1])
		if err := os.MkdirAll(filepath.Dir(link), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(x[0], link); err != nil {
			t.Fatal(err)
		}
	}
	for job, fails := range map[string]bool{"folder": true, "file": false} {
		d, err := OpenOutputDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		err = d.Add(&Row{Job: job, Label: job, Stdout: output("new"), Stderr: output("new")})
		if (err != nil) != fails || err != nil && !strings.HasPrefix(err.Error(), filepath.Join(dir, "folder")) {
			t.Errorf("%s: %v", job, err)
		}
		d.Close(nil)
	}
	if got := files(t, outside); len(got) != 1 || got["victim"] != "old" {
		t.Errorf("outside there is %q", got)
	}
	if got := files(t, filepath.Join(dir, "file")); got["stdout"] != "new" || len(got) != 2 {
		t.Errorf("inside there is %q", got)
	}
}

func TestOutputDir_RefusesNamesThatAreNoIDs(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, id := range []string{"", ".", "..", "a/b", "../x", "/x", "a\x00", "1", "-", "ä", "a.b", strings.Repeat("a", 300)} {
		d, err := OpenOutputDir(dir)
		if err != nil {
			t.Fatal(err)
		}
		if err := d.Add(&Row{Job: id, Label: id, Stdout: output("x")}); err == nil {
			t.Errorf("%q was taken", id)
		}
		d.Close(nil)
	}
	if got := files(t, dir); len(got) > 0 {
		t.Errorf("there is %q", got)
	}
}

func TestOutputDir_NamesTheFileThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	in := filepath.Join(dir, "a", "0", "stderr", "full")
	if err := os.MkdirAll(in, 0o755); err != nil {
		t.Fatal(err)
	}
	d, err := OpenOutputDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	err = d.Add(&Row{Job: "a", Label: "a#0", Stdout: output(""), Stderr: output("")})
	if err == nil || !strings.HasPrefix(err.Error(), filepath.Dir(in)+": ") {
		t.Errorf("%v", err)
	}
	if end := d.Close(nil); end != err {
		t.Errorf("in the end %v", end)
	}
	if _, err := OpenOutputDir(filepath.Join(dir, "a", "0", "stdout")); err == nil || !strings.Contains(err.Error(), "stdout") {
		t.Errorf("a file was opened as a folder: %v", err)
	}
}
