package faulttest_test

import (
	"fmt"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

const goodJob = "  - {id: a, shell: touch ran}\n"

// aliases is a file whose anchors would grow to 10^9 values.
func aliases() string {
	var b strings.Builder
	b.WriteString("vars:\n  a: &a [x, x, x, x, x, x, x, x, x, x]\n")
	for c := 'b'; c <= 'j'; c++ {
		fmt.Fprintf(&b, "  %c: &%c [%s]\n", c, c, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*%c, ", c-1), 10), ", "))
	}
	return b.String() + "jobs:\n" + goodJob
}

// many writes n jobs, each of which needs the one before it.
func many(n int) string {
	var b strings.Builder
	b.WriteString("jobs:\n  - {id: j0, run: [x]}\n")
	for i := 1; i < n; i++ {
		fmt.Fprintf(&b, "  - {id: j%d, run: [x], needs: j%d}\n", i, i-1)
	}
	return b.String()
}

// A job file that is wrong is refused with its place, in time and within bounds,
// and nothing has run.
func TestFaults_JobFiles(t *testing.T) {
	t.Parallel()
	for i, c := range []struct{ name, src, says string }{
		{"alias bomb", aliases(), `^job\.yaml:2:6: anchors are not supported`},
		{"depth 100,000", "vars: " + strings.Repeat("[", 100_000), `^job\.yaml:1:\d+: nested deeper than 100 levels`},
		{"depth 100,000 of maps", strings.Repeat("{a: ", 100_000), `^job\.yaml:1:1: nested deeper than 100 levels`},
		{"duplicate keys", "jobs:\n  - id: a\n    run: [x]\n    run: [y]\n", `^job\.yaml:4:5: key "run" repeated`},
		{"unknown key", "jobs:\n  - id: a\n    rum: [x]\n", `unknown key "rum" .*did you mean "run"`},
		{"second document", "jobs:\n" + goodJob + "---\njobs:\n" + goodJob, `^job\.yaml:3:1: a second document`},
		{"NUL", "jobs:\n  - {id: a, shell: \"touch ran\x00\"}\n", `^job\.yaml:2:\d+: .*NUL`},
		{"invalid UTF-8", "jobs:\n  - {id: a, shell: \"touch ran\xff\"}\n", `^job\.yaml:2:\d+: .*not valid UTF-8`},
		{"tabs", "jobs:\n\t- id: a\n", `^job\.yaml:2:1: a tab`},
		{"017", "jobs:\n  - {id: a, shell: touch ran, priority: 017}\n", `017 has a leading zero`},
		{"1_000", "jobs:\n  - {id: a, shell: touch ran, priority: 1_000}\n", `1_000 has underscores`},
		{"3.0", "jobs:\n  - {id: a, shell: touch ran, max_parallel: 3.0}\n", `must be an integer`},
		{"~", "jobs:\n  - {id: a, shell: touch ran, cwd: ~}\n", `cwd must be a text, not nothing`},
		{"huge integer", "jobs:\n  - {id: a, shell: touch ran, priority: 123456789012345678901234567890}\n", `does not fit 64 bits`},
		{".nan", "jobs:\n  - {id: a, task: echo, args: .nan}\n", `not a number that can be passed on`},
		{"custom tag", "jobs:\n  - {id: a, shell: !secret touch ran}\n", `the tag !secret is not supported`},
		{"empty file", "", `the job file is empty`},
		{"cycle", "jobs:\n  - {id: a, run: [x], needs: b}\n  - {id: b, run: [x], needs: a}\n", `needs form a cycle: a → b → a`},
		{"unknown need", "jobs:\n  - {id: abc, run: [x]}\n  - {id: b, run: [x], needs: abd}\n", `abd.*did you mean "abc"`},
		{"name with ..", "jobs:\n  - {id: .., shell: touch ran}\n", `^job\.yaml:2:`},
		{"name with a slash", "jobs:\n  - {id: a/b, shell: touch ran}\n", `^job\.yaml:2:`},
		{"name with a newline", "jobs:\n  - {id: \"a\\nb\", shell: touch ran}\n", `^job\.yaml:2:`},
		{"name of 300 bytes", "jobs:\n  - {id: " + strings.Repeat("a", 300) + ", shell: touch ran}\n", `^job\.yaml:2:`},
		{"cycle of 100,000", strings.Replace(many(100_000), "run: [x]}", "run: [x], needs: j99999}", 1), `needs form a cycle`},
		{"100,000 unknown needs", strings.ReplaceAll(many(100_000), "needs: j", "needs: k"), `and 9\d{4} more mistakes`},
	} {
		if testing.Short() && i%10 != 0 {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r := newTrial(t, false)
			r.write("job.yaml", c.src)
			// What it may use in KiB: far less than an array of its depth or its aliases.
			got := r.finish(r.shell(`ulimit -d 800000; exec "$SUPERVISOR" "$@"`, steadily()...))
			if got.code != 2 || got.stdout != "" || got.wall > 20*time.Second {
				t.Errorf("exit code %d after %v, stdout %.100q", got.code, got.wall, got.stdout)
			}
			if !regexp.MustCompile("(?m)" + c.says).MatchString(got.stderr) {
				t.Errorf("stderr does not say %q:\n%s", c.says, shorten(got.stderr))
			}
			r.checkPlain("stderr", got.stderr)
			if len(got.stderr) > 256<<10 {
				t.Errorf("stderr has %d bytes", len(got.stderr))
			}
			if m := panicked.FindString(got.stderr); m != "" {
				t.Errorf("the supervisor has panicked in %s", m)
			}
			if runs, _ := filepath.Glob(filepath.Join(r.dir, ".supervisor", "runs", "*")); len(runs) > 0 || r.has("ran", "") {
				t.Errorf("something has run: %v", runs)
			}
		})
	}
}

// A file that only looks strange is taken for what it says.
func TestFaults_StrangeJobFiles(t *testing.T) {
	t.Parallel()
	plain := "name: faults\njobs:" + neighbours
	for i, c := range []struct{ name, src string }{
		{"BOM", "\ufeff" + plain},
		{"CRLF", strings.ReplaceAll(plain, "\n", "\r\n")},
	} {
		if testing.Short() && i > 0 {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			base := faultFree(t)
			r := newTrial(t, false)
			r.write("job.yaml", c.src)
			r.check(r.call(steadily()...), &row{want: "ok", within: 20 * time.Second}, base)
		})
	}
	t.Run("100,000 jobs", func(t *testing.T) {
		if testing.Short() {
			t.Skip("takes seconds")
		}
		t.Parallel()
		r := newTrial(t, false)
		r.write("job.yaml", many(100_000))
		c := r.finish(r.shell(`ulimit -d 1000000; exec "$SUPERVISOR" validate job.yaml`))
		if c.code != 0 || c.wall > 30*time.Second {
			t.Errorf("exit code %d after %v\n%s", c.code, c.wall, shorten(c.stderr))
		}
	})
}

// hostileItems are data, and never code.
var hostileItems = []string{
	"", "a\nb", "\xff\xfe", `"quoted"`, "it's", "$(touch pwned)", "`touch pwned`", "; touch pwned", "&& touch pwned", "| touch pwned",
	"{{.item}}", "{{", "}}", "{}", "-n", "--", "-e\\n", "*", "~", " ", "\t", "\x1b[31m", "\r", "%s%n", strings.Repeat("long", 20_000),
}

// Items of any bytes arrive as they are, as arguments and in the environment of
// scripts, and as tasks' arguments where these can hold them.
func TestFaults_Items(t *testing.T) {
	t.Parallel()
	for i, c := range []struct{ name, job string }{
		{"argument", `run: [printf, "[%s]", "{{.item}}"]`},
		{"script", `shell: printf '[%s]' "$ITEM"`},
		{"environment", `{run: [sh, -c, 'printf "[%s]" "$X"'], env: {X: "{{.item}}"}}`},
		{"stdin", `{run: [sh, -c, 'printf [; cat; printf "]"'], stdin: "{{.item}}"}`},
	} {
		if testing.Short() && i > 0 {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			base := faultFree(t)
			r := newTrial(t, false)
			r.write("items", strings.Join(hostileItems, "\x00")+"\x00")
			job := strings.TrimSuffix(strings.TrimPrefix(c.job, "{"), "}")
			if job == c.job {
				r.write("job.yaml", "jobs:\n  - id: bad\n    foreach: {nul: items}\n    "+job+neighbours)
			} else {
				r.write("job.yaml", "jobs:\n  - {id: bad, foreach: {nul: items}, "+job+"}"+neighbours)
			}
			w := &row{want: "ok", command: true, n: len(hostileItems), within: 20 * time.Second}
			records := r.check(r.call(steadily()...), w, base)
			for i, item := range hostileItems {
				if rec := records[fmt.Sprint("bad#", i)]; rec == nil || rec.Stdout != "["+item+"]" {
					t.Errorf("item %.40q has come to %+.200v", item, rec)
				}
			}
			if r.has("pwned", "") {
				t.Error("an item was run")
			}
			r.checkResumed(r.call(steadily("-resume")...), w, base, records)
		})
	}
}

// What no process can be started with fails by name, and the others go on.
func TestFaults_ItemsThatCannotBePassed(t *testing.T) {
	t.Parallel()
	if testing.Short() {
		t.Skip("one of ten")
	}
	for _, c := range []struct {
		name, item, job, because string
	}{
		{"1 MB as an argument", strings.Repeat("x", 1_000_000), `run: [echo, "{{.item}}"]`, "argument list too long"},
		{"1 MB in the environment", strings.Repeat("x", 1_000_000), `shell: echo "$ITEM"`, "argument list too long"},
		{"NUL in an argument", `a\u0000b`, `run: [echo, "{{.item}}"]`, "NUL"},
		{"NUL in the environment", `a\u0000b`, `shell: echo "$ITEM"`, "NUL"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			base := faultFree(t)
			r := newTrial(t, false)
			r.write("items", "\"a\"\n\""+c.item+"\"\n\"b\"\n")
			r.write("job.yaml", "jobs:\n  - id: bad\n    foreach: {jsonl: items}\n    "+c.job+neighbours)
			w := &row{want: "failed", which: "spawn", because: c.because, says: `bad#1 \(`, command: true, n: 3, hits: 1, code: 1, within: 20 * time.Second}
			got := r.call(steadily()...)
			r.check(got, w, base)
			if len(got.stderr) > 10_000 {
				t.Errorf("stderr has %d bytes", len(got.stderr))
			}
		})
	}
	t.Run("1 MB to a task", func(t *testing.T) {
		t.Parallel()
		base := faultFree(t)
		r := newTrial(t, false)
		r.write("items", "a\n"+strings.Repeat("x", 1_000_000)+"\nb\n")
		r.write("job.yaml", "jobs:\n  - {id: bad, task: echo, foreach: {lines: items}}"+neighbours)
		r.check(r.call(steadily()...), &row{want: "ok", n: 3, within: 20 * time.Second, memory: 32 << 20}, base)
	})
}
