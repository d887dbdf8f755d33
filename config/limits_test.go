package config

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func TestLimits_MergeByKeyFromWorkerToDefaultsToJob(t *testing.T) {
	t.Parallel()
	f := mustParse(t, `
worker: {limits: {memory: 1GB, files: 7, best_effort: true}, isolation: sandbox, require_isolation: true}
defaults: {limits: {cpu: 9s, pids: 5}}
jobs:
  - {id: task, task: t, limits: {cpu: 1s, memory: 5, best_effort: false}}
  - {id: other, task: t, worker: {command: [w]}, limits: {output: 10}}
  - {id: run, run: [x], limits: {file_size: 1}}
  - {id: plain, run: [x]}
`)
	for i, want := range []*Limits{
		{Memory: 5, CPU: time.Second, PIDs: 5, Files: 7},
		{CPU: 9 * time.Second, PIDs: 5, Output: 10},
		{CPU: 9 * time.Second, PIDs: 5, FileSize: 1},
		{CPU: 9 * time.Second, PIDs: 5},
	} {
		j := f.Jobs[i]
		if diff := cmp.Diff(want, j.Limits, cmpopts.IgnoreUnexported(Limits{})); diff != "" {
			t.Errorf("%s (-want +got):\n%s", j.ID, diff)
		}
	}
	if l := mustParse(t, "defaults: {limits: {best_effort: true}}\njobs: [{id: a, run: [x], limits: {}}]").Jobs[0].Limits; l != nil {
		t.Errorf("a job without a limit has %+v", l)
	}
	if l := f.Worker.Limits; l.Memory != 1e9 || !l.BestEffort || l.CPU != 0 {
		t.Errorf("the merge has changed the worker's: %+v", l)
	}
}

func TestIsolation_IsTheJobsElseTheWorkers(t *testing.T) {
	t.Parallel()
	f := mustParse(t, `
worker: {isolation: sandbox, require_isolation: true}
jobs:
  - {id: task, task: t}
  - {id: own, task: t, isolation: process, require_isolation: false}
  - {id: run, run: [x]}
`)
	check := func(j *Job, isolation string, required bool) {
		t.Helper()
		if j.Isolation != isolation || j.RequireIsolation != required {
			t.Errorf("%s: %q, required %v; want %q, %v", j.ID, j.Isolation, j.RequireIsolation, isolation, required)
		}
	}
	check(f.Jobs[0], IsolationSandbox, true)
	check(f.Jobs[1], IsolationProcess, false)
	check(f.Jobs[2], "", false)
	f = mustParse(t, `
defaults: {isolation: namespaces, require_isolation: true}
jobs:
  - {id: a, run: [x]}
  - {id: b, run: [x], require_isolation: false}
  - {id: c, task: t, worker: {isolation: sandbox, require_isolation: false}}
`)
	check(f.Jobs[0], IsolationNamespaces, true)
	check(f.Jobs[1], IsolationNamespaces, false)
	check(f.Jobs[2], IsolationNamespaces, true)
}
