package pool_test

import (
	"context"
	"errors"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/feac4032/multiproc/pool"
)

func TestKillOfAnIdleWorker_CostsNothing(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 1})
	id, err := pool.Call(b.ctx, b.Pool, pid, struct{}{})
	if err != nil {
		t.Fatal(err)
	}
	for range 10 {
		syscall.Kill(id, syscall.SIGKILL)
		next, err := pool.Call(b.ctx, b.Pool, pid, struct{}{})
		if err != nil || next == id {
			t.Fatalf("after the kill of %d: process %d, %v", id, next, err)
		}
		id = next
	}
	r := b.Shutdown(b.ctx)
	if r.Leaked != nil || r.Killed != nil || r.Cancelled != 0 || r.WorkersLost != 10 {
		t.Errorf("%+v", r)
	}
}

func TestProgramThatDiesAtOnce_IsOneClearError(t *testing.T) {
	t.Parallel()
	b := setup(t, pool.Config{Workers: 2, Program: pool.Program{Command: []string{"/bin/sh", "-c", "echo no license >&2; exit 4"}}})
	start := time.Now()
	_, err := pool.Call(b.ctx, b.Pool, noop, 1)
	if !errors.Is(err, pool.ErrRestartLimit) || !strings.Contains(err.Error(), "no license") || !strings.Contains(err.Error(), "code 4") {
		t.Errorf("error %v", err)
	}
	if d := time.Since(start); d > 20*time.Second {
		t.Errorf("it took %v", d)
	}
	if s := b.Stats(); s.Started > 8 {
		t.Errorf("%d were started", s.Started)
	}
}

func TestConfig_WhatCannotBeMeantIsRefusedBeforeAnythingStarts(t *testing.T) {
	t.Parallel()
	for says, cfg := range map[string]pool.Config{
		"Workers is -1":                {Workers: -1},
		"MaxWindow is -1":              {MaxWindow: -1},
		"Threads is 63":                {Program: pool.Program{Threads: 63}},
		"Spares is -1":                 {Program: pool.Program{Spares: -1}},
		"MaxJobs is -1":                {Program: pool.Program{MaxJobs: -1}},
		"MaxMemory is -1":              {Program: pool.Program{MaxMemory: -1}},
		"a time is negative":           {Program: pool.Program{MaxAge: -1}},
		"InitWith":                     {Program: pool.Program{Init: &pool.Init{}}},
		"Retry: -1":                    {Retry: pool.Retry{Max: -1}},
		"Restarts and Within must not": {Restarts: -1},
	} {
		if p, err := pool.New(context.Background(), cfg); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("want an error with %q, got %v, %v", says, p, err)
		}
	}
	b := setup(t, pool.Config{Workers: 1})
	if err := b.Go(&pool.Job{Task: "noop", Program: &pool.Program{Threads: -1}, Done: func(*pool.Job, *pool.Result) {}}); !errors.Is(err, pool.ErrJob) {
		t.Errorf("of a job's program: %v", err)
	}
}
