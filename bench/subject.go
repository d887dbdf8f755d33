package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/feac4032/multiproc/bench/figure"
)

// Role is what a subject is measured for.
type Role string

// The roles.
const (
	Floor Role = "floor" // system calls and nothing else
	Ours  Role = "ours"
	Peer  Role = "peer"
)

// Subject is one way to do a work. A run of it is a process of its own.
type Subject struct {
	ID    string
	Title string // Markdown
	Role  Role
	Tool  string // what the machine needs for it; "" = it always works
	// Full is how many jobs, items or starts a run has, Short how many with -short.
	Full, Short int
	Rounds      int    // in how many rounds it runs; 0 = all
	Never       string // why it cannot be measured at all; "" = it can
	Run         func(ctx context.Context, s *Stand, n int) (figure.Set, error)

	samples map[figure.Kind][]float64
	missing string // why there are no samples
	failed  error
}

// summary is what the samples of a figure come to.
func (s *Subject) summary(kind figure.Kind) Summary { return summarize(s.samples[kind]) }

// runLimit bounds a run, so that a subject which hangs is one that failed.
const runLimit = 3 * time.Minute

// endLimit bounds the time that a subject has between SIGTERM and SIGKILL.
const endLimit = 3 * time.Second

// measure runs it once.
func (s *Subject) measure(ctx context.Context, stand *Stand, n int) (figure.Set, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, runLimit, fmt.Errorf("it took more than %v", runLimit))
	defer cancel()
	figures, err := s.Run(ctx, stand, n)
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return figures, err
}

// reported is a program that prints its figures; the stand says where it is, and
// its last argument is n.
func reported(argv ...string) func(context.Context, *Stand, int) (figure.Set, error) {
	return func(ctx context.Context, stand *Stand, n int) (figure.Set, error) {
		out, _, err := stand.execute(ctx, "", append(stand.resolve(argv), strconv.Itoa(n)))
		if err != nil {
			return nil, err
		}
		return figure.Parse(out)
	}
}

// timed is a program that is timed as a whole while it does n things. It gets them
// as lines on its stdin.
func timed(argv ...string) func(context.Context, *Stand, int) (figure.Set, error) {
	return func(ctx context.Context, stand *Stand, n int) (figure.Set, error) {
		var lines strings.Builder
		for i := range n {
			fmt.Fprintln(&lines, i+1)
		}
		_, took, err := stand.execute(ctx, lines.String(), stand.resolve(argv))
		if err != nil {
			return nil, err
		}
		return figure.PerSecond(n, took), nil
	}
}

// execute runs a program in a folder of its own, which is removed, and returns what
// it wrote to stdout and how long it took. Whatever it has started ends with it.
func (s *Stand) execute(ctx context.Context, stdin string, argv []string) ([]byte, time.Duration, error) {
	dir, err := os.MkdirTemp(s.dir, "run-")
	if err != nil {
		return nil, 0, err
	}
	defer os.RemoveAll(dir)
	return s.executeIn(ctx, dir, stdin, argv)
}

func (s *Stand) executeIn(ctx context.Context, dir, stdin string, argv []string) ([]byte, time.Duration, error) {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = dir
	cmd.Env = append(os.Environ(), "TMPDIR="+dir, "PARALLEL_HOME="+dir, "PYTHONDONTWRITEBYTECODE=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	// All of the group are asked to end: a program that is told alone may leave others.
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = endLimit
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	// A file, because a pipe would need a goroutine of this program while it is timed.
	in, err := os.CreateTemp(s.dir, "in-")
	if err != nil {
		return nil, 0, err
	}
	defer os.Remove(in.Name())
	defer in.Close()
	if _, err := in.WriteString(stdin); err != nil {
		return nil, 0, err
	}
	if _, err := in.Seek(0, 0); err != nil {
		return nil, 0, err
	}
	cmd.Stdin = in
	start := time.Now()
	err = cmd.Run()
	took := time.Since(start)
	if cmd.Process != nil {
		endGroup(cmd.Process.Pid)
	}
	if err != nil {
		lines := strings.Split(strings.TrimSpace(stderr.String()), "\n")
		return nil, took, fmt.Errorf("%w: %s", err, lines[len(lines)-1])
	}
	return stdout.Bytes(), took, nil
}

// adopt makes what subjects leave behind this program's children, so that it, and
// not the first process of the system at its leisure, learns of their ends.
func adopt() error { return unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) }

// endGroup gives what is left of a process group a moment to tidy up, and kills the
// rest.
func endGroup(pgid int) {
	for end := time.Now().Add(endLimit / 3); time.Now().Before(end); time.Sleep(time.Millisecond) {
		if emptied(pgid) {
			return
		}
	}
	syscall.Kill(-pgid, syscall.SIGKILL)
	for !emptied(pgid) {
		time.Sleep(time.Millisecond)
	}
}

// emptied takes in the children of this program that have ended in a process group,
// and says whether there are none left.
func emptied(pgid int) bool {
	for {
		switch pid, err := syscall.Wait4(-pgid, nil, syscall.WNOHANG, nil); {
		case errors.Is(err, syscall.EINTR), pid > 0:
		default:
			return errors.Is(err, syscall.ECHILD)
		}
	}
}
