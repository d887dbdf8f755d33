package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/feac4032/multiproc/internal/journal"
)

// trial is a folder in which the supervisor is called. What is left of its calls,
// be it processes or temporary files, fails the test.
type trial struct {
	*testing.T
	dir string // the working directory
	tmp string // for temporary files
	tag string // in the environment of all that is started
}

func newTrial(t *testing.T) *trial {
	t.Helper()
	dir := t.TempDir()
	r := &trial{T: t, dir: filepath.Join(dir, "work"), tmp: filepath.Join(dir, "tmp")}
	r.tag = "SUPERVISOR_TRIAL=" + dir
	for _, d := range []string{r.dir, r.tmp} {
		if err := os.Mkdir(d, 0o777); err != nil {
			t.Fatal(err)
		}
	}
	t.Cleanup(func() {
		r.gone()
		if left, _ := filepath.Glob(filepath.Join(r.tmp, "*")); len(left) > 0 {
			t.Errorf("files %v are left", left)
		}
		if left, _ := filepath.Glob(filepath.Join(r.dir, ".multiproc-*")); len(left) > 0 {
			t.Errorf("files %v are left", left)
		}
	})
	return r
}

// write makes a file in the folder.
func (r *trial) write(name, content string) {
	r.Helper()
	if err := os.WriteFile(filepath.Join(r.dir, name), []byte(content), 0o666); err != nil {
		r.Fatal(err)
	}
}

func (r *trial) read(name string) string {
	r.Helper()
	b, err := os.ReadFile(filepath.Join(r.dir, name))
	if err != nil {
		r.Fatal(err)
	}
	return string(b)
}

// command is a call of the supervisor that has not begun. Jobs find the program
// as $SUPERVISOR.
func (r *trial) command(args ...string) *exec.Cmd {
	r.Helper()
	self, err := os.Executable()
	if err != nil {
		r.Fatal(err)
	}
	cmd := exec.Command(self, args...)
	cmd.Dir = r.dir
	cmd.Env = append(os.Environ(), asSupervisor+"=1", "TMPDIR="+r.tmp, "XDG_RUNTIME_DIR="+r.tmp, "SUPERVISOR="+self, r.tag)
	return cmd
}

// call is what a call of the supervisor came to.
type call struct {
	stdout, stderr string
	code           int // 128+n = a signal has ended it
	wall           time.Duration
}

// call calls the supervisor, which is to end by itself.
func (r *trial) call(args ...string) call {
	r.Helper()
	return r.finish(r.command(args...))
}

// finish starts a command, or has its end waited for if it is started.
func (r *trial) finish(cmd *exec.Cmd) (c call) {
	r.Helper()
	var stdout, stderr bytes.Buffer
	if cmd.Process == nil {
		if cmd.Stdout == nil {
			cmd.Stdout = &stdout
		}
		if cmd.Stderr == nil {
			cmd.Stderr = &stderr
		}
		r.start(cmd)
	}
	begin := time.Now()
	err := cmd.Wait()
	c = call{stdout.String(), stderr.String(), 0, time.Since(begin)}
	var ended *exec.ExitError
	switch {
	case errors.As(err, &ended):
		status := ended.Sys().(syscall.WaitStatus)
		if c.code = status.ExitStatus(); status.Signaled() {
			c.code = 128 + int(status.Signal())
		}
	case err != nil:
		r.Fatal(err)
	}
	return c
}

// start starts a command, which is killed when it takes longer than any is to.
func (r *trial) start(cmd *exec.Cmd) {
	r.Helper()
	if err := cmd.Start(); err != nil {
		r.Fatal(err)
	}
	tooLong := time.AfterFunc(callLimit(), func() { cmd.Process.Signal(syscall.SIGQUIT) })
	r.Cleanup(func() { tooLong.Stop(); cmd.Process.Kill() })
}

// callLimit is longer than any call takes.
func callLimit() time.Duration {
	if *manyItems > defaultItems || *manyKills > defaultKills {
		return 10 * time.Minute
	}
	return 2 * time.Minute
}

// want fails the test unless the call ended with a code and said what is wanted on
// stderr.
func (c call) want(r *trial, code int, says ...string) {
	r.Helper()
	if c.code != code {
		r.Errorf("exit code %d, want %d\n%s", c.code, code, shorten(c.stderr))
	}
	for _, s := range says {
		if !strings.Contains(c.stderr, s) {
			r.Errorf("stderr does not say %q:\n%s", s, shorten(c.stderr))
		}
	}
}

func shorten(s string) string {
	if len(s) > 4000 {
		return s[:2000] + "\n[…]\n" + s[len(s)-2000:]
	}
	return s
}

// processes are the living ones that the trial has started, whatever has become of
// their parents.
func (r *trial) processes() (pids []int) {
	all, _ := filepath.Glob("/proc/[0-9]*/environ")
	for _, path := range all {
		env, err := os.ReadFile(path)
		if err != nil || !bytes.Contains(env, []byte(r.tag+"\x00")) {
			continue
		}
		if pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path))); alive(pid) {
			pids = append(pids, pid)
		}
	}
	return pids
}

// gone checks that nothing is left, which it has 2 s for, and then sees to it.
func (r *trial) gone() {
	r.Helper()
	var left []int
	for deadline := time.Now().Add(2 * time.Second); ; time.Sleep(2 * time.Millisecond) {
		if left = r.processes(); len(left) == 0 {
			return
		}
		if time.Now().After(deadline) {
			break
		}
	}
	for _, pid := range left {
		line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		r.Errorf("process %d is left: %q", pid, line)
		syscall.Kill(pid, syscall.SIGKILL)
	}
}

// report reads the JSON report that a call has written.
func (r *trial) report(name string) (rep struct {
	ExitCode int     `json:"exit_code"`
	Wall     float64 `json:"wall_s"`
	Totals   map[string]int64
	Super    struct {
		Peak int64 `json:"peak_rss_bytes"`
	} `json:"supervisor"`
	First    json.RawMessage `json:"first_failure"`
	Failures []struct {
		Job      string
		Index    int64
		Outcome  string
		Which    string
		Evidence string
	}
}) {
	r.Helper()
	if err := json.Unmarshal([]byte(r.read(name)), &rep); err != nil {
		r.Fatal(err)
	}
	return rep
}

// record is what the journal has of an instance.
type record struct {
	run, job       string
	index          int64
	item           string
	outcome        string
	attempt        int
	resumed        bool
	stdout, stderr string
	result         string
}

// records reads the journals of all runs, those of the first run first.
func (r *trial) records() (runs [][]record, infos []journal.RunInfo) {
	r.Helper()
	return r.recordsIn(".supervisor")
}

func (r *trial) recordsIn(state string) (runs [][]record, infos []journal.RunInfo) {
	r.Helper()
	store, err := journal.Open(filepath.Join(r.dir, state))
	if err != nil {
		r.Fatal(err)
	}
	defer store.Close()
	list, err := store.Runs()
	if err != nil {
		r.Fatal(err)
	}
	for i := len(list) - 1; i >= 0; i-- {
		if list[i].Broken != nil {
			continue // it was killed before it had a journal
		}
		v, err := store.View(list[i].ID)
		if err != nil {
			r.Fatal(err)
		}
		var records []record
		err = v.Each(journal.Filter{}, func(row *journal.Row) error {
			rec := record{
				run: list[i].ID, job: v.Job(row.Job), index: row.Index, item: row.Item, outcome: row.Outcome,
				attempt: row.Attempt, resumed: row.Resumed, result: string(row.Result),
			}
			out, errs, err := v.Output(row)
			if err != nil {
				return fmt.Errorf("output of %s: %w", v.Label(row), err)
			}
			for _, s := range []struct {
				from *bytes.Buffer
				into *string
			}{{readAll(r, out), &rec.stdout}, {readAll(r, errs), &rec.stderr}} {
				*s.into = s.from.String()
			}
			records = append(records, rec)
			return nil
		})
		if err != nil {
			r.Fatal(err)
		}
		runs = append(runs, records)
		infos = append(infos, v.Info())
		v.Close()
	}
	return runs, infos
}

func readAll(r *trial, from interface{ Read([]byte) (int, error) }) *bytes.Buffer {
	r.Helper()
	b := new(bytes.Buffer)
	if _, err := b.ReadFrom(from); err != nil {
		r.Fatal(err)
	}
	return b
}

// has reports whether a file is there and holds a text.
func (r *trial) has(name, text string) bool {
	b, err := os.ReadFile(filepath.Join(r.dir, name))
	return err == nil && strings.Contains(string(b), text)
}

// stderrTo has stderr written to a file of this name, where it can be read while
// the call is under way.
func (r *trial) stderrTo(cmd *exec.Cmd) {
	r.Helper()
	f, err := os.Create(filepath.Join(r.dir, "stderr"))
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { f.Close() })
	cmd.Stderr = f
}

// saysSoon waits for a text there.
func (r *trial) saysSoon(text string) {
	r.Helper()
	eventually(r.T, callLimit(), "stderr says "+text, func() bool { return r.has("stderr", text) })
}

// done counts the records of a job, in the latest run.
func (r *trial) done(job string) (n int) {
	store, err := journal.Open(filepath.Join(r.dir, ".supervisor"))
	if err != nil {
		return 0
	}
	defer store.Close()
	last, err := store.Find("last")
	if err != nil {
		return 0
	}
	v, err := store.View(last.ID)
	if err != nil {
		return 0
	}
	defer v.Close()
	v.Each(journal.Filter{Job: job}, func(*journal.Row) error { n++; return nil })
	return n
}
