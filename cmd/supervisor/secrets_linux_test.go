package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/feac4032/multiproc/task"
	"github.com/feac4032/multiproc/worker"
)

// What the jobs of these tests know: a value with quotes, one that is a number, one of
// several lines, and one of a file of variables.
const (
	theToken = `tok_"hunter2"-it's\S3cr3t`
	thePIN   = "48291377"
	theKey   = "-----BEGIN TEST KEY-----\nMIIEpAIBAAKCAQEA75x\nq/+=9xyz0123\n-----END TEST KEY-----\n"
	thePass  = "correct horse"
)

// tell is a task that tells its secret.
var _ = task.Define("tell", func(ctx context.Context, how string) (any, error) {
	token := os.Getenv("TOKEN")
	pin, err := strconv.Atoi(os.Getenv("PIN"))
	if err != nil {
		return nil, err
	}
	switch how {
	case "text":
		return token, nil
	case "values":
		return map[string]any{"t": []any{token, "a " + token + " b"}, "n": pin, "b": []byte(token), token: os.Getenv("KEY"), "p": os.Getenv("PASS")}, nil
	case "error":
		return nil, errors.New("cannot use " + token)
	case "panic":
		panic("lost " + token + " and " + os.Getenv("KEY"))
	case "log":
		worker.Logger(ctx).Warn("took "+token, "token", token, "key", os.Getenv("KEY"), "pin", pin)
		return nil, worker.Progress(ctx, token)
	case "print":
		for i := range token {
			fmt.Print(token[i : i+1])
			fmt.Fprint(os.Stderr, token[i:i+1])
		}
		return nil, nil
	case "exit":
		fmt.Fprintln(os.Stderr, "giving up on", token)
		os.Exit(3)
	}
	return nil, errors.New("how?")
})

const tellingJobs = `
inherit_env: [PATH, TMPDIR, SUPERVISOR_*]
defaults:
  secrets: [TOKEN, PIN, KEY]
  env_file: pass.env
jobs:
  - {id: say, shell: 'printf "%s\n" "$TOKEN" "$PIN" "$KEY" "$PASS"; printf "%s\n" "$TOKEN" "$KEY" >&2'}
  - {id: split, shell: 'printf "%s\n" "$TOKEN" | fold -w1 | while read -r c; do printf %s "$c"; printf %s "$c" >&2; done; echo; echo >&2'}
  - {id: cut, shell: 'printf %s "${TOKEN%??????}"; printf %s "${TOKEN%??????}" >&2; kill -9 $$'}
  - {id: end, shell: 'printf %s "$TOKEN"; printf %s "$KEY" >&2; kill -9 $$'}
  - {id: slow, timeout: 300ms, kill_after: 0s, shell: 'echo "$TOKEN"; echo "$TOKEN" >&2; exec sleep 100'}
  - {id: command, run: [sh, -c, 'exec "$TOKEN"']}
  - {id: again, retry: {max: 1, backoff: 1ms}, shell: 'echo "$TOKEN" | tee /dev/stderr; exit 7'}
  - {id: large, shell: 'i=0; while [ $i -lt 2000 ]; do echo "$i $TOKEN $KEY $PASS"; i=$((i+1)); done; printf %s "$PIN"'}
  - {id: shape, shell: 'printf "%s" "$KEY" | sed "s/^/    /"'}
  - {id: product, shell: 'printf "%s\n" "$TOKEN" "$PIN" "$KEY" "$PASS"', stdout: {file: product/file}}
  - {id: read, foreach: {lines_of: say}, run: [echo, "{{.item}}"]}
  - {id: item, foreach: {jsonl: product/items}, run: [ls, "{{.item.a}}"], cwd: /}
  - {id: twice, task: tell, args: error, retry: {max: 1, backoff: 1ms}}
  - {id: result, task: tell, foreach: [text, values, error, panic, log, print, exit]}
`

// telling makes a trial in which jobs tell their secrets.
func telling(t *testing.T) (*trial, func(args ...string) *exec.Cmd) {
	t.Helper()
	r := newTrial(t)
	if err := os.Mkdir(filepath.Join(r.dir, "product"), 0o777); err != nil {
		t.Fatal(err)
	}
	r.write("job.yaml", tellingJobs)
	r.write("pass.env", "# a comment\nexport PASS=\""+thePass+"\"\n")
	item, err := json.Marshal(map[string]any{"a": "no/" + theToken, "k": []string{theKey}})
	if err != nil {
		t.Fatal(err)
	}
	r.write("product/items", string(item)+"\n")
	return r, func(args ...string) *exec.Cmd {
		cmd := r.command(args...)
		cmd.Env = append(cmd.Env, "TOKEN="+theToken, "PIN="+thePIN, "KEY="+theKey)
		return cmd
	}
}

// silent searches a text for what nobody is to see.
func (r *trial) silent(where string, b []byte) {
	r.Helper()
	never := []string{theToken, theToken[:len(theToken)-6], thePIN, thePass}
	never = append(never, strings.Split(strings.TrimSpace(theKey), "\n")...)
	for _, s := range never {
		inJSON, err := json.Marshal(s)
		if err != nil {
			r.Fatal(err)
		}
		within := strings.Trim(string(inJSON), `"`)
		quote := func(s string) string { q := strconv.Quote(s); return q[1 : len(q)-1] }
		for _, form := range []string{s, within, quote(within), quote(s), strings.ReplaceAll(s, "'", `'\''`)} {
			if at := bytes.Index(b, []byte(form)); at >= 0 {
				r.Errorf("%s holds %s: %q", where, form, b[max(0, at-200):min(len(b), at+100)])
				return
			}
		}
	}
}

// silentFiles searches all files of the folder but those that are the jobs' own.
func (r *trial) silentFiles() {
	r.Helper()
	for _, dir := range []string{r.dir, r.tmp} {
		err := filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
			switch rel, _ := filepath.Rel(r.dir, path); {
			case err != nil:
				return err
			case e.IsDir() && rel == "product":
				return filepath.SkipDir
			case !e.Type().IsRegular() || rel == "pass.env":
				return nil
			}
			b, err := os.ReadFile(path)
			r.silent(path, b)
			return err
		})
		if err != nil {
			r.Fatal(err)
		}
	}
}

func TestSecrets_AreInNothingThatIsWritten(t *testing.T) {
	t.Parallel()
	for _, flags := range [][]string{
		{"-output", "group"}, {"-output", "live", "-log-level", "trace", "-log-json"}, {"-output", "order", "-log-level", "trace"},
		{"-output", "none"}, {"-output", "group", "-tag"}, {"-output", "order", "-state", "none"},
	} {
		t.Run(strings.Join(flags, ""), func(t *testing.T) {
			t.Parallel()
			r, command := telling(t)
			line := append([]string{
				"run", "-no-progress", "-workers", "4", "-events", "events", "-report", "r.json", "-report", "r.html", "-report", "r.xml",
				"-results", "r.csv", "-trace", "trace.json", "-output-dir", "out",
			}, flags...)
			check := func(code int, args ...string) call {
				t.Helper()
				c := r.finish(command(args...))
				if c.code != code {
					t.Errorf("%s: exit code %d\n%s", args, c.code, shorten(c.stderr))
				}
				r.silent("stdout of "+strings.Join(args, " "), []byte(c.stdout))
				r.silent("stderr of "+strings.Join(args, " "), []byte(c.stderr))
				return c
			}
			c := check(1, line...)
			want, got := map[string]int64{"ok": 13, "failed": 6, "crashed": 3, "timeout": 1}, r.report("r.json").Totals
			for outcome, n := range want {
				if got[outcome] != n {
					t.Errorf("%s: %d, want %d of %v", outcome, got[outcome], n, got)
				}
			}
			if flags[1] != "none" && strings.Count(c.stdout, "***") < 2000 {
				t.Errorf("%d places are hidden of stdout", strings.Count(c.stdout, "***"))
			}
			r.silentFiles()
			if b := r.read("product/file"); b != theToken+"\n"+thePIN+"\n"+theKey+"\n"+thePass+"\n" {
				t.Errorf("the job has seen %q", b)
			}
			if flags[len(flags)-1] == "none" {
				return
			}
			check(0, "ls")
			check(0, "show")
			check(0, "show", "result#1")
			check(0, "show", "-json", "result#2")
			check(0, "logs")
			check(0, "run", "-dry-run")
			check(1, "run", "-no-progress", "-resume", "-results", "r.jsonl")
			check(1, "rerun", "-failed", "-no-progress")
			r.silentFiles()
		})
	}
}

func TestSecrets_AreInNothingThatAKilledRunLeaves(t *testing.T) {
	t.Parallel()
	r, command := telling(t)
	r.write("job.yaml", tellingJobs+"  - {id: last, needs: result, when: always, shell: 'echo \"$TOKEN\"; echo up > up; exec sleep 100'}\n")
	cmd := command("run", "-no-progress", "-output", "live", "-events", "events", "-results", "r.jsonl", "-log-level", "debug")
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	r.start(cmd)
	eventually(t, callLimit(), "the last job is up", func() bool { return r.has("up", "up") })
	cmd.Process.Kill()
	if c := r.finish(cmd); c.code != 128+9 {
		t.Errorf("exit code %d", c.code)
	}
	r.gone()
	r.silent("stdout", out.Bytes())
	r.silent("stderr", errs.Bytes())
	r.silentFiles()
}

func TestSecrets_OnTheCommandLineAreNotRecorded(t *testing.T) {
	t.Parallel()
	r, command := telling(t)
	r.write("job.yaml", `vars: {x: 1}
jobs:
  - {id: a, secrets: [PIN], run: [echo, '{{.var.x}}']}
  - {id: b, run: ['false', '{{.var.x}}']}
  - {id: c, run: ['false'], env: {X: '{{.var.x}}'}}
  - {id: d, task: tell, args: '{{.var.x}}'}
`)
	c := r.finish(command("run", "-no-progress", "-var", "x="+thePIN, "-report", "r.html", "-report", "r.json", "-report", "r.xml"))
	c.want(r, 1, "b: failed", "d: failed")
	r.silent("stdout", []byte(c.stdout))
	r.silent("stderr", []byte(c.stderr))
	r.silentFiles()
	c = r.finish(command("rerun"))
	c.want(r, 2, "had a secret on its command line, which is not recorded")
}

func TestSecrets_AreNotInWhatKeepsARunFromStarting(t *testing.T) {
	t.Parallel()
	r, command := telling(t)
	r.write("job.yaml", `
worker: {init: {task: tell, args: error}}
jobs: [{id: a, task: echo, secrets: [TOKEN, PIN], foreach: [1, 2]}]
`)
	c := r.finish(command("run", "-no-progress", "-report", "r.json", "-events", "events", "-results", "r.csv"))
	c.want(r, 3, "cannot use ***")
	r.silent("stdout", []byte(c.stdout))
	r.silent("stderr", []byte(c.stderr))
	r.silentFiles()
}
