package main

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

// TestEach_StandsInAPipelineTwice feeds one supervisor from another.
func TestEach_StandsInAPipelineTwice(t *testing.T) {
	t.Parallel()
	r := newTrial(t)
	first, second := r.command("each", "-q", "--", "echo", "a{}"), r.command("each", "-q", "--", "echo", "b{}")
	var items, out bytes.Buffer
	var want []string
	for i := range 300 {
		fmt.Fprintln(&items, i)
		want = append(want, fmt.Sprint("ba", i))
	}
	first.Stdin, second.Stdout = &items, &out
	pipe, err := first.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	second.Stdin = pipe
	r.start(first)
	r.start(second)
	r.finish(second).want(r, 0)
	r.finish(first).want(r, 0)
	got := strings.Fields(out.String())
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%d lines arrived, want %d", len(got), len(want))
	}
}

// TestSupervisor_RunsInAJobOfAnother runs one in the jobs of another, and kills
// that one.
func TestSupervisor_RunsInAJobOfAnother(t *testing.T) {
	t.Parallel()
	r := newTrial(t)
	r.write("inner.yaml", "jobs:\n  - {id: e, task: echo, foreach: {range: 1..20}}\n")
	r.write("job.yaml", `
jobs:
  - id: outer
    foreach: {range: 1..3}
    shell: |
      "$SUPERVISOR" run -no-progress -q -state s$ITEM inner.yaml && seq 5 | "$SUPERVISOR" each -q -- echo x{}
`)
	c := r.call("run", "-no-progress", "-workers", "3")
	c.want(r, 0)
	if got := strings.Count(c.stdout, "\n"); got != 75 {
		t.Errorf("%d lines were printed, want 75\n%s", got, c.stderr)
	}
	r.write("job.yaml", `
jobs:
  - id: outer
    shell: echo a | "$SUPERVISOR" each -shell -- 'echo up >> up; sleep 100'
`)
	cmd := r.command("run", "-no-progress")
	r.start(cmd)
	eventually(t, callLimit(), "the inner job is up", func() bool { return r.has("up", "up") })
	cmd.Process.Kill()
	r.finish(cmd)
	r.gone()
}

// TestStdout_ThatCannotBeWritten loses what was to be printed, and no more.
func TestStdout_ThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	const n = 300
	job := fmt.Sprintf("jobs:\n  - {id: e, run: [echo, \"{{.item}}\"], foreach: {range: 1..%d}}\n", n)
	recorded := func(r *trial) (ok int) {
		runs, _ := r.records()
		for _, rec := range runs[0] {
			if rec.outcome == "ok" && rec.stdout == rec.item+"\n" {
				ok++
			}
		}
		return ok
	}
	t.Run("full", func(t *testing.T) {
		t.Parallel()
		r := newTrial(t)
		r.write("job.yaml", job)
		full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
		if err != nil {
			t.Fatal(err)
		}
		defer full.Close()
		cmd := r.command("run", "-no-progress")
		cmd.Stdout = full
		r.finish(cmd).want(r, 5, "stdout: no space left on device; the jobs go on", "300 ok")
		if ok := recorded(r); ok != n {
			t.Errorf("%d instances are recorded with their output", ok)
		}
	})
	t.Run("nobody reads it", func(t *testing.T) {
		t.Parallel()
		r := newTrial(t)
		r.write("job.yaml", job)
		cmd := exec.Command("sh", "-c", `"$SUPERVISOR" run -no-progress -workers 1; echo "exit $?" >&2`)
		of := r.command()
		cmd.Env, cmd.Dir = of.Env, of.Dir
		var stderr bytes.Buffer
		cmd.Stderr = &stderr
		pipe, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		r.start(cmd)
		pipe.Read(make([]byte, 2))
		pipe.Close()
		r.finish(cmd)
		said := stderr.String()
		if !strings.Contains(said, "nobody reads stdout any more; halting") || !strings.HasSuffix(said, "exit 5\n") {
			t.Errorf("stderr is\n%s", said)
		}
		r.call("run", "-no-progress", "-resume", "-report", "r.json").want(r, 0)
		if ok := r.report("r.json").Totals["ok"]; ok != n {
			t.Errorf("%d are ok in the end", ok)
		}
	})
	t.Run("closed", func(t *testing.T) {
		t.Parallel()
		r := newTrial(t)
		r.write("job.yaml", job)
		cmd := exec.Command("sh", "-c", `exec "$SUPERVISOR" run -no-progress -events events >&- <&-`)
		of := r.command()
		cmd.Env, cmd.Dir = of.Env, of.Dir
		r.finish(cmd).want(r, 0, "300 ok")
		if ok := recorded(r); ok != n {
			t.Errorf("%d instances are recorded with their output", ok)
		}
		if got := strings.Count(r.read("events"), "\n"); got < 2*n {
			t.Errorf("%d events were written", got)
		}
	})
}

// TestEach_TakesAnyItem passes items of all bytes on, to commands and scripts, and
// runs none of them.
func TestEach_TakesAnyItem(t *testing.T) {
	t.Parallel()
	items := []string{
		"", "a\nb", "\xff\xfe", `"quoted"`, "it's", "$(touch pwned)", "`touch pwned`", "; touch pwned", "&& touch pwned",
		"{{.item}}", "{{", "-n", "--", "*", " ", "\t", "\x1b[31m", "\r", strings.Repeat("long", 20_000),
	}
	for name, command := range map[string][]string{
		"argument":    {"--", "printf", "[%s]"},
		"placeholder": {"--", "printf", "%s%s", "[", "{}]"},
		"script":      {"-shell", "--", `printf '[%s]' "$ITEM"`},
		"packed":      {"-n", "4", "--", "printf", "[%s]"},
		"arguments":   {"-n", "4", "-shell", "--", `printf '[%s]' "$@"`},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newTrial(t)
			r.write("items", strings.Join(items, "\x00")+"\x00")
			c := r.call(append([]string{"each", "-0", "-k", "-a", "items", "-state", "state"}, command...)...)
			c.want(r, 0)
			want := "[" + strings.Join(items, "][") + "]"
			if c.stdout != want {
				t.Errorf("printed\n%.300q\nwant\n%.300q", c.stdout, want)
			}
			if r.has("pwned", "") {
				t.Error("an item was run")
			}
			again := r.call(append([]string{"each", "-0", "-k", "-a", "items", "-state", "state", "-resume"}, command...)...)
			again.want(r, 0)
			if again.stdout != "" {
				t.Errorf("done again: %.300q", again.stdout)
			}
		})
	}
}

// TestEach_SaysWhichItemIsTooLong and goes on with the others.
func TestEach_SaysWhichItemIsTooLong(t *testing.T) {
	t.Parallel()
	r := newTrial(t)
	r.write("items", "a\n"+strings.Repeat("x", 1<<20)+"\nb\n")
	c := r.call("each", "-k", "-a", "items", "-report", "r.json", "--", "echo")
	c.want(r, 1, "each#1 (xxx", "argument list too long")
	if c.stdout != "a\nb\n" {
		t.Errorf("stdout is %.200q", c.stdout)
	}
	if len(c.stderr) > 10_000 {
		t.Errorf("stderr has %d bytes", len(c.stderr))
	}
	if f := r.report("r.json").Failures; len(f) != 1 || f[0].Which != "spawn" || f[0].Outcome != "failed" || f[0].Index != 1 {
		t.Errorf("failures are %+v", f)
	}
}

// TestRun_InAFolderThatCannotBeWritten runs as another user on a disk that is
// mounted read-only, where not even root could write.
func TestRun_InAFolderThatCannotBeWritten(t *testing.T) {
	t.Parallel()
	r := newTrial(t)
	disk := r.disk("disk", "1m")
	if err := os.WriteFile(filepath.Join(disk, "job.yaml"), []byte("jobs:\n  - {id: e, shell: echo $ITEM, foreach: [a, b]}\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := unix.Mount("tmpfs", disk, "tmpfs", unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	cmd := r.command("run", "-no-progress", "-k")
	cmd.Dir = disk
	c := r.finish(cmd)
	c.want(r, 0, "read-only file system; the run keeps no journal")
	if c.stdout != "a\nb\n" {
		t.Errorf("stdout is %q", c.stdout)
	}
	for _, flag := range []string{"-state", "-report", "-events", "-output-dir", "-results"} {
		cmd := r.command("run", "-no-progress", flag, "there.csv")
		cmd.Dir = disk
		want := 2
		if flag == "-state" {
			want = 5
		}
		r.finish(cmd).want(r, want, flag, "there.csv")
	}
}

// TestRun_Of100000Jobs runs them one behind the other, and all at a time.
func TestRun_Of100000Jobs(t *testing.T) {
	t.Parallel()
	n := items() / 10
	for _, shape := range []string{"chain", "fan"} {
		t.Run(shape, func(t *testing.T) {
			t.Parallel()
			r := newTrial(t)
			var b strings.Builder
			b.WriteString("jobs:\n  - {id: j0, task: echo, args: 0}\n")
			for i := 1; i < n; i++ {
				need := i - 1
				if shape == "fan" {
					need = 0
				}
				fmt.Fprintf(&b, "  - {id: j%d, task: echo, args: %d, needs: j%d}\n", i, i, need)
			}
			if shape == "fan" {
				b.WriteString("  - {id: last, task: echo, args: last, needs: [j0")
				for i := 1; i < n; i++ {
					fmt.Fprintf(&b, ",j%d", i)
				}
				b.WriteString("]}\n")
			}
			r.write("job.yaml", b.String())
			for _, flag := range []string{"-q", "-resume"} {
				c := r.call("run", "-no-progress", flag, "-workers", "2", "-report", "r.json")
				c.want(r, 0)
				rep := r.report("r.json")
				t.Logf("%s of %d, %s: %.1f s (%v with its file), peak %d MiB", shape, n, flag, rep.Wall, c.wall, rep.Super.Peak/mebibyte)
				if !raceEnabled && rep.Super.Peak > 64*mebibyte+int64(n)*10_000 {
					t.Errorf("%s of %d, %s: the peak is %d MiB", shape, n, flag, rep.Super.Peak/mebibyte)
				}
				switch lines := strings.Fields(c.stdout); {
				case flag == "-resume" && len(lines) == 0:
				case flag == "-resume":
					t.Errorf("done again: %.200q", c.stdout)
				case shape == "fan" && (lines[0] != "0" || lines[len(lines)-1] != "last"):
					t.Errorf("a fan began with %s and ended with %s", lines[0], lines[len(lines)-1])
				case shape == "chain":
					for i, line := range lines {
						if line != fmt.Sprint(i) {
							t.Fatalf("line %d is %s", i, line)
						}
					}
				}
			}
		})
	}
}
