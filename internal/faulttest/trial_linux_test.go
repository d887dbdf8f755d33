package faulttest_test

import (
	"bytes"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// trial is a folder in which the built supervisor is called.
type trial struct {
	*testing.T
	dir    string // the working directory
	tmp    string // for temporary files
	own    string // for what runs of a user share
	tag    string // in the environment of all that is started
	secret string // the part of a variable in that that no quoting changes; to be found nowhere else
}

// patience is longer than any call takes.
const patience = 90 * time.Second

// gate bounds how many rows run at a time: more would measure each other.
var gate = make(chan struct{}, 4)

// newTrial waits for the gate, unless the row only waits.
func newTrial(t *testing.T, idle bool) *trial {
	t.Helper()
	if !idle {
		gate <- struct{}{}
		t.Cleanup(func() { <-gate })
	}
	dir, err := os.MkdirTemp("", "fault") // t.TempDir is closed to other users
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	r := &trial{T: t, dir: filepath.Join(dir, "work"), tmp: filepath.Join(dir, "tmp"), own: filepath.Join(dir, "own")}
	r.tag = "FAULT_TRIAL=" + dir
	r.secret = fmt.Sprintf("planted-%016x", rand.Uint64())
	for _, step := range []error{os.Chmod(dir, 0o755), os.Mkdir(r.dir, 0o755), os.Mkdir(r.tmp, 0o777), os.Chmod(r.tmp, 0o777), os.Mkdir(r.own, 0o700)} {
		if step != nil {
			t.Fatal(step)
		}
	}
	t.Cleanup(r.nothingLeft)
	return r
}

func (r *trial) write(name, content string) {
	r.Helper()
	if err := os.WriteFile(filepath.Join(r.dir, name), []byte(content), 0o644); err != nil {
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

// has reports whether a file is there and holds a text.
func (r *trial) has(name, text string) bool {
	b, err := os.ReadFile(filepath.Join(r.dir, name))
	return err == nil && strings.Contains(string(b), text)
}

// command is a call of the supervisor that has not begun.
func (r *trial) command(args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(bin, "supervisor"), args...)
	r.furnish(cmd)
	return cmd
}

// furnish gives a command the folder and the environment of the trial, with the
// supervisor as $SUPERVISOR and the program that does harm as $FAULTWORKER.
func (r *trial) furnish(cmd *exec.Cmd) {
	cmd.Dir = r.dir
	cmd.Env = append(os.Environ(), "TMPDIR="+r.tmp, "XDG_RUNTIME_DIR="+r.own, "PLANTED="+r.secret+` "it's" \é`, r.tag,
		"SUPERVISOR="+filepath.Join(bin, "supervisor"), "FAULTWORKER="+filepath.Join(bin, "faultworker"))
}

// call is what a call of the supervisor came to.
type call struct {
	stdout, stderr string
	code           int // 128+n = a signal has ended it
	wall           time.Duration
}

func (r *trial) call(args ...string) call {
	r.Helper()
	return r.finish(r.command(args...))
}

// started is a call that is under way.
type started struct {
	*exec.Cmd
	stdout, stderr bytes.Buffer
	begin          time.Time
	stop           func() bool
}

// start starts a call, which is killed when it takes longer than any is to.
func (r *trial) start(cmd *exec.Cmd) *started {
	r.Helper()
	s := &started{Cmd: cmd, begin: time.Now()}
	if cmd.Stdout == nil {
		cmd.Stdout = &s.stdout
	}
	if cmd.Stderr == nil {
		cmd.Stderr = &s.stderr
	}
	if err := cmd.Start(); err != nil {
		r.Fatal(err)
	}
	s.stop = time.AfterFunc(patience, func() { cmd.Process.Signal(syscall.SIGQUIT) }).Stop
	r.Cleanup(func() { s.stop(); cmd.Process.Kill() })
	return s
}

func (r *trial) finish(cmd *exec.Cmd) call {
	r.Helper()
	return r.ended(r.start(cmd))
}

// ended waits for the end of a call.
func (r *trial) ended(s *started) (c call) {
	r.Helper()
	err := s.Wait()
	s.stop()
	c = call{s.stdout.String(), s.stderr.String(), 0, time.Since(s.begin)}
	if f, ok := s.Stderr.(*os.File); ok {
		b, err := os.ReadFile(f.Name())
		if err != nil {
			r.Fatal(err)
		}
		c.stderr = string(b)
	}
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

// stderrTo has stderr written to a file of this name, where it can be read while
// the call is under way.
func (r *trial) stderrTo(cmd *exec.Cmd, name string) {
	r.Helper()
	f, err := os.Create(filepath.Join(r.dir, name))
	if err != nil {
		r.Fatal(err)
	}
	r.Cleanup(func() { f.Close() })
	cmd.Stderr = f
}

// await waits for what no event tells of.
func (r *trial) await(what string, ok func() bool) {
	r.Helper()
	for deadline := time.Now().Add(patience); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			r.Fatalf("not within %v: %s", patience, what)
		}
	}
}

func shorten(s string) string {
	if len(s) > 4000 {
		return s[:2000] + "\n[…]\n" + s[len(s)-2000:]
	}
	return s
}
