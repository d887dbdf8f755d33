package batch

import (
	"slices"
	"testing"
	"time"

	"github.com/feac4032/multiproc/pool"
)

func TestPlan_HandsLimitsAndIsolationOn(t *testing.T) {
	t.Parallel()
	plans := plansOf(t, `
worker: {limits: {memory: 1MiB}, isolation: namespaces}
jobs:
  - {id: run, run: [x], limits: {cpu: 2s, output: 9, best_effort: true}, isolation: sandbox, require_isolation: true}
  - {id: one, task: t}
  - {id: same, task: t}
  - {id: other, task: t, limits: {files: 3}}
  - {id: plain, run: [x]}
`, Settings{})
	var c pool.Command
	command := func(p *plan) pool.Command {
		t.Helper()
		c = pool.Command{}
		if err := p.process(&c, &Instance{Job: p.job, plan: p}, 1, 1); err != nil {
			t.Fatal(err)
		}
		return c
	}
	if c := command(plans[0]); c.Limits == nil || *c.Limits != (pool.Limits{CPU: 2 * time.Second, Output: 9, BestEffort: true}) || c.Isolation != pool.Sandbox || c.Lenient {
		t.Errorf("the command has %+v", c)
	}
	if c := command(plans[4]); c.Limits != nil || c.Isolation != pool.Plain || !c.Lenient {
		t.Errorf("the plain command has %+v", c)
	}
	one, same, other := plans[1].program, plans[2].program, plans[3].program
	if one.Limits == nil || one.Limits.Memory != 1<<20 || one.Isolation != pool.Namespaces || !one.Lenient {
		t.Errorf("the worker has %+v", one)
	}
	if one != same {
		t.Error("tasks within the same bounds do not share their workers")
	}
	if one == other || *other.Limits != (pool.Limits{Memory: 1 << 20, Files: 3}) {
		t.Errorf("a task of its own limits runs in %+v", other)
	}
}

func TestPlan_LimitsAndIsolationAreNoPartOfTheKey(t *testing.T) {
	t.Parallel()
	key := func(more string) string {
		t.Helper()
		p := plansOf(t, "jobs: [{id: j, run: [x]"+more+"}]", Settings{})[0]
		return p.keyOf(&Instance{Job: p.job, plan: p})
	}
	if key("") != key(", limits: {memory: 1}, isolation: sandbox, require_isolation: true") {
		t.Error("they change it")
	}
}

func TestPlan_IsolatedInstancesInheritLittle(t *testing.T) {
	t.Parallel()
	settings := Settings{Environ: []string{
		"PATH=/bin", "HOME=/h", "USER=u", "LANG=C", "LC_ALL=C", "TZ=UTC", "TMPDIR=/tmp", "SECRET=s", "PATHS=x",
	}}
	plans := plansOf(t, `
jobs:
  - {id: plain, run: [x], isolation: process}
  - {id: apart, run: [x], isolation: namespaces}
  - {id: said, run: [x], isolation: sandbox, inherit_env: [SECRET]}
`, settings)
	if got := plans[0].env; !slices.Equal(got, settings.Environ) {
		t.Errorf("process: %q", got)
	}
	if got := plans[1].env; !slices.Equal(got, settings.Environ[:7]) {
		t.Errorf("namespaces: %q", got)
	}
	if got := plans[2].env; !slices.Equal(got, []string{"SECRET=s"}) {
		t.Errorf("what the file says: %q", got)
	}
}
