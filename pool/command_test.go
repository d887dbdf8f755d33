//go:build unix

package pool_test

import (
	"bytes"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/feac4032/multiproc/pool"
)

func runCommand(b *bundle, j *pool.Job) (r pool.Result, stdout, stderr string) {
	done := make(chan struct{})
	j.Done = func(_ *pool.Job, res *pool.Result) {
		r = *res
		var o, e bytes.Buffer
		res.Stdout.WriteTo(&o)
		res.Stderr.WriteTo(&e)
		stdout, stderr = o.String(), e.String()
		close(done)
	}
	if err := b.Go(j); err != nil {
		b.Fatal(err)
	}
	<-done
	return r, stdout, stderr
}

func TestCommand_OutcomesAndOutput(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 4})
	sh := func(script string) *pool.Command { return &pool.Command{Argv: []string{"sh", "-c", script}} }
	for _, c := range []struct {
		name    string
		job     pool.Job
		outcome pool.Outcome
		which   string
		code    int
		signal  int
		out     string
		err     string
	}{
		{"ok", pool.Job{Command: sh("echo out; echo err >&2")}, pool.OK, "", 0, 0, "out\n", "err\n"},
		{"exit 3", pool.Job{Command: sh("exit 3")}, pool.Failed, "", 3, 0, "", ""},
		{"exit 3 is ok", pool.Job{Command: &pool.Command{Argv: []string{"sh", "-c", "exit 3"}, OKExit: []int{0, 3}}}, pool.OK, "", 3, 0, "", ""},
		{"killed", pool.Job{Command: sh("kill -9 $$")}, pool.Crashed, "", -1, 9, "", ""},
		{"timeout", pool.Job{Command: sh("echo a; sleep 60"), Timeout: 100 * time.Millisecond}, pool.TimedOut, "", -1, 15, "a\n", ""},
		{"timeout, deaf", pool.Job{Command: sh("trap '' TERM; echo a; while :; do sleep 1; done"), Timeout: 100 * time.Millisecond, KillAfter: 100 * time.Millisecond}, pool.TimedOut, "", -1, 9, "a\n", ""},
		{"not found", pool.Job{Command: &pool.Command{Argv: []string{"no-such-program"}}}, pool.Failed, pool.WhichSpawn, -1, 0, "", ""},
		{"no such folder", pool.Job{Command: &pool.Command{Argv: []string{"/bin/true"}, Dir: "/nowhere"}}, pool.Failed, pool.WhichSpawn, -1, 0, "", ""},
		{"too long", pool.Job{Command: &pool.Command{Argv: []string{"/bin/echo", strings.Repeat("x", 1<<20)}}}, pool.Failed, pool.WhichSpawn, -1, 0, "", ""},
		{"stdin", pool.Job{Command: &pool.Command{Argv: []string{"cat"}, Stdin: []byte("hello")}}, pool.OK, "", 0, 0, "hello", ""},
		{"environment", pool.Job{Command: &pool.Command{Argv: []string{"/bin/sh", "-c", "echo $A"}, Env: []string{"A=b"}}}, pool.OK, "", 0, 0, "b\n", ""},
		{"background child", pool.Job{Command: sh("sleep 1000 & echo done")}, pool.OK, "", 0, 0, "done\n", ""},
		{"large", pool.Job{Command: sh("head -c 3000000 /dev/zero | tr '\\0' x")}, pool.OK, "", 0, 0, strings.Repeat("x", 3000000), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			r, out, errs := runCommand(b, &c.job)
			if r.Outcome != c.outcome || r.Which != c.which || r.ExitCode != c.code || r.Signal != c.signal {
				t.Errorf("%s/%s, exit %d, signal %d (%s)", r.Outcome, r.Which, r.ExitCode, r.Signal, r.Evidence)
			}
			if out != c.out || errs != c.err {
				t.Errorf("%d bytes of stdout, stderr %q", len(out), errs)
			}
		})
	}
}

func TestRetry_WaitsForNoTreeThatIsNotEmpty(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 2})
	dir := t.TempDir()
	ended := make(chan struct{})
	bystander := &pool.Job{
		Command: &pool.Command{Argv: []string{"sh", "-c", "echo >up; exec sleep 1000"}, Dir: dir},
		Done:    func(*pool.Job, *pool.Result) { close(ended) },
	}
	b.Go(bystander)
	waitFor(t, func() bool { _, err := os.Stat(filepath.Join(dir, "up")); return err == nil })
	// Its orphan could as well be the bystander's.
	r, _, _ := runCommand(b, &pool.Job{
		Command: &pool.Command{Argv: []string{"sh", "-c", "(setsid env -i sh -c 'echo $$ >pid; exec sleep 1000' &); until [ -s pid ]; do :; done; exit 7"}, Dir: dir},
		Retry:   pool.Retry{Max: 1, NoBackoff: true},
	})
	if r.Attempt != 1 || r.Outcome != pool.Failed || len(r.Leaked) != 1 || !strings.Contains(r.Evidence, "exit code 7; not tried again") {
		t.Errorf("attempt %d, %s (%s), leaked %v", r.Attempt, r.Outcome, r.Evidence, r.Leaked)
	}
	b.Cancel(bystander)
	<-ended
}

// What says why stands above the stacks of all goroutines.
func TestCommand_FailuresHaveTheLastWordsOfTheRuntime(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 2})
	for script, want := range map[string]string{
		`printf 'panic: no way\n\ngoroutine 1 [running]:\nmain.f(...)\n\t/src/f.go:7 +0x1\n\ngoroutine 2 [idle]:\n' >&2; exit 2`: "exit code 2: panic: no way, in main.f (f.go:7)",
		`printf 'fatal error: stack overflow\n' >&2; exit 2`:                                                                     "exit code 2: fatal error: stack overflow",
		`printf 'Fatal Python error: Aborted\n' >&2; kill -ABRT $$`:                                                              "ended by SIGABRT: Fatal Python error: Aborted",
		`printf 'no such file\n' >&2; exit 3`:                                                                                    "exit code 3",
	} {
		r, _, _ := runCommand(b, &pool.Job{Command: &pool.Command{Argv: []string{"sh", "-c", script}, Env: os.Environ()}})
		if r.Evidence != want || r.Which != "" {
			t.Errorf("%s: %q, which %q, want %q", script, r.Evidence, r.Which, want)
		}
	}
}

func TestCommand_CancelEndsTheTree(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 1})
	mark := filepath.Join(t.TempDir(), "pid")
	done := make(chan pool.Outcome, 1)
	started := make(chan struct{})
	j := &pool.Job{
		Command: &pool.Command{Argv: []string{"sh", "-c", "setsid sleep 1000 & echo $! >" + mark + "; wait"}},
		Started: func(*pool.Job, int, int, string, int) { close(started) },
		Done:    func(_ *pool.Job, r *pool.Result) { done <- r.Outcome },
	}
	b.Go(j)
	<-started
	waitFor(t, func() bool { s, err := os.ReadFile(mark); return err == nil && len(s) > 1 })
	b.Cancel(j)
	if o := <-done; o != pool.Cancelled {
		t.Errorf("outcome %s", o)
	}
	text, _ := os.ReadFile(mark)
	pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	if err := syscall.Kill(pid, 0); err != syscall.ESRCH {
		t.Errorf("the grandchild %d is still there: %v", pid, err)
	}
}
