package pool_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/feac4032/multiproc/pool"
	"github.com/feac4032/multiproc/task"
)

// use takes what the limits are of.
var use = task.Define("use", func(_ context.Context, what string) (int, error) {
	dir := os.TempDir()
	switch what {
	case "memory":
		var all [][]byte
		for range 60 { // 480 MiB
			b := make([]byte, 8<<20)
			for i := range b {
				b[i] = 1
			}
			all = append(all, b)
			time.Sleep(2 * time.Millisecond)
		}
		return len(all), nil
	case "cpu":
		return compute(), nil
	case "a little cpu":
		for until := ownCPU() + 150*time.Millisecond; ownCPU() < until; {
		}
	case "files":
		for range 100 {
			f, err := os.Open(os.DevNull)
			if err != nil {
				return 0, err
			}
			defer f.Close()
		}
	case "file_size":
		f, err := os.CreateTemp(dir, "use-*")
		if err != nil {
			return 0, err
		}
		defer f.Close()
		defer os.Remove(f.Name())
		if _, err := f.Write(make([]byte, 1<<20)); err != nil {
			return 0, err
		}
	}
	return os.Getpid(), nil
})

// ownCPU is what this process has used.
func ownCPU() time.Duration {
	var u syscall.Rusage
	syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// usedUp is a limit, what goes over it as a command, and which that is.
var usedUp = []struct {
	which  string
	limits pool.Limits
	shell  string // "" = there is no such command
	task   bool
}{
	{"memory", pool.Limits{Memory: 100 << 20}, "head -c 400000000 /dev/zero | tail", true},
	{"cpu", pool.Limits{CPU: 300 * time.Millisecond}, "while :; do :; done", true},
	{"pids", pool.Limits{PIDs: 6}, "for i in 1 2 3 4 5 6 7 8 9 10; do sleep 60 & done; wait", false},
	{"files", pool.Limits{Files: 20}, "ulimit -n 8; exec 3</dev/null 4</dev/null 5</dev/null 6</dev/null 7</dev/null 8</dev/null", true},
	{"file_size", pool.Limits{FileSize: 64 << 10}, "head -c 1000000 /dev/zero > big", true},
}

func TestLimits_AreEnforcedOnCommands(t *testing.T) {
	t.Parallel()
	for _, c := range usedUp {
		t.Run(c.which, func(t *testing.T) {
			t.Parallel()
			b := setup(t, pool.Config{Workers: 1})
			j := shell(c.shell, &c.limits)
			j.Command.Dir, j.Timeout = t.TempDir(), 30*time.Second
			r := b.runJob(j)
			if r.Outcome != pool.Limited || r.Which != c.which || r.Limit == 0 || r.Observed < r.Limit || r.EnforcedBy == "" || r.Evidence == "" {
				t.Errorf("%s (%s), %d of %d by %q: %s", r.Outcome, r.Which, r.Observed, r.Limit, r.EnforcedBy, r.Evidence)
			}
			t.Logf("%s: %d of %d by %s: %s", r.Which, r.Observed, r.Limit, r.EnforcedBy, r.Evidence)
			if r := b.runJob(shell("exit 7", &c.limits)); r.Outcome != pool.Failed || r.ExitCode != 7 {
				t.Errorf("within the limits: %s (%s): %s", r.Outcome, r.Which, r.Evidence)
			}
		})
	}
}

func TestLimits_AreEnforcedOnTasks(t *testing.T) {
	t.Parallel()
	for _, c := range usedUp {
		if !c.task {
			continue
		}
		t.Run(c.which, func(t *testing.T) {
			t.Parallel()
			b := setup(t, pool.Config{Workers: 1, Program: pool.Program{Limits: &c.limits}})
			before, err := pool.Call(b.ctx, b.Pool, pid, struct{}{})
			if err != nil {
				t.Fatal(err)
			}
			_, err = pool.Call(b.ctx, b.Pool, use, c.which)
			var limit *pool.LimitError
			if !errors.As(err, &limit) || limit.Which != c.which || limit.Limit == 0 || limit.Observed < limit.Limit || limit.EnforcedBy == "" {
				t.Errorf("error %v: %+v", err, limit)
			}
			t.Log(err)
			after, err := pool.Call(b.ctx, b.Pool, pid, struct{}{})
			if err != nil || after == before {
				t.Errorf("process %d before and %d after, %v", before, after, err)
			}
		})
	}
}

func TestLimits_ThatAreTooLowForAWorkerAreNamed(t *testing.T) {
	t.Parallel()
	for want, limits := range map[string]pool.Limits{
		"memory 1 MiB": {Memory: 1 << 20},
		"cpu 1ns":      {CPU: 1},
		"pids 2":       {PIDs: 2},
		"files 7":      {Files: 7},
	} {
		t.Run(want, func(t *testing.T) {
			t.Parallel()
			b := setup(t, pool.Config{Workers: 1, Restarts: 1, Program: pool.Program{Limits: &limits}})
			if _, err := submit(b, noop, 1).Result(b.ctx); !errors.Is(err, pool.ErrRestartLimit) || !strings.Contains(err.Error(), want) {
				t.Errorf("error %v", err)
			}
		})
	}
}

// CPU time counts from the start of each job, not of the worker.
func TestLimits_CPUIsThatOfTheJob(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 1, Program: pool.Program{Limits: &pool.Limits{CPU: 500 * time.Millisecond}}})
	payload, _ := use.EncodeIn(nil, "a little cpu")
	pids := map[int]bool{}
	for range 6 {
		r := b.runJob(&pool.Job{Task: use.Name(), Payload: payload})
		if r.Outcome != pool.OK || r.CPU < 100*time.Millisecond || r.CPU > 450*time.Millisecond {
			t.Fatalf("%s, CPU %v: %s", r.Outcome, r.CPU, r.Evidence)
		}
		pids[r.PID] = true
	}
	if len(pids) != 1 {
		t.Errorf("%d workers", len(pids))
	}
}

func TestLimits_WhatADaemonUsesCounts(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 1})
	dir := t.TempDir()
	j := shell("setsid sh -c 'echo $$ > pid; while :; do :; done' & sleep 60", &pool.Limits{CPU: 300 * time.Millisecond})
	j.Command.Dir = dir
	r := b.runJob(j)
	if r.Outcome != pool.Limited || r.Which != pool.WhichCPU {
		t.Errorf("%s (%s): %s", r.Outcome, r.Which, r.Evidence)
	}
	id, err := os.ReadFile(filepath.Join(dir, "pid"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat("/proc/" + strings.TrimSpace(string(id))); err == nil {
		t.Errorf("process %s is left", id)
	}
}
