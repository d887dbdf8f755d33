package batch

import (
	"bytes"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/feac4032/multiproc/config"
	"github.com/feac4032/multiproc/pool"
	"github.com/feac4032/multiproc/task"
)

// plansOf makes the plans of a job file.
func plansOf(t *testing.T, file string, s Settings) []*plan {
	t.Helper()
	f, err := config.Parse("/srv/jobs/job.yaml", []byte(file))
	if err != nil {
		t.Fatal(err)
	}
	if s.Environ == nil {
		s.Environ = []string{"PATH=/bin", "HOME=/h", "ITEM=stale", "MATRIX_X=stale", "JOB_ID=stale"}
	}
	plans, err := newPlans(f, &s)
	if err != nil {
		t.Fatal(err)
	}
	return plans
}

func TestPlan_EnvironmentOfAnInstance(t *testing.T) {
	t.Parallel()
	p := plansOf(t, `
vars: {size: 100}
env: {A: "{{.item.name}}", B: b}
jobs:
  - id: j
    run: [x]
    inherit_env: [PATH, "IT*"]
    env: {B: over}
    foreach: [{name: n, my-key: 3.0}]
    matrix: {w: [7]}
`, Settings{Env: []config.Field{{Name: "C", Value: config.String("{{c}}")}}})[0]
	in := &Instance{Job: p.job, plan: p, Index: 0, Item: p.job.Foreach.List[0], Matrix: p.combo(0)}
	var c pool.Command
	if err := p.process(&c, in, 2, 5); err != nil {
		t.Fatal(err)
	}
	key := p.keyOf(in)
	want := []string{
		"PATH=/bin", "VAR_SIZE=100", "A=n", "B=over", "C={{c}}",
		`ITEM={"name":"n","my-key":3.0}`, "ITEM_NAME=n", "ITEM_MY_KEY=3.0", "MATRIX_W=7",
		"JOB_ID=j", "INDEX=0", "JOB_KEY=" + key, "ATTEMPT=2", "SLOT=5",
	}
	if !slices.Equal(c.Env, want) {
		t.Errorf("got  %q\nwant %q", c.Env, want)
	}
	if c.Dir != "/srv/jobs" || len(key) != 32 {
		t.Errorf("dir %q, key %q", c.Dir, key)
	}
}

func TestPlan_PathsAreRelativeToTheFile(t *testing.T) {
	t.Parallel()
	p := plansOf(t, `
jobs:
  - {id: a, run: [x], cwd: "sub/{{.item}}", stdin: {file: "in/{{.item}}"}, foreach: [i]}
  - {id: b, task: echo, worker: [./w, -v]}
  - {id: c, task: echo, worker: [python3]}
`, Settings{StockWorker: []string{"/opt/worker"}})
	var c pool.Command
	if err := p[0].process(&c, &Instance{Job: p[0].job, plan: p[0], Item: config.String("i")}, 1, 1); err != nil {
		t.Fatal(err)
	}
	if c.Dir != "/srv/jobs/sub/i" || c.StdinPath != "/srv/jobs/in/i" {
		t.Errorf("dir %q, stdin %q", c.Dir, c.StdinPath)
	}
	if got := p[1].program.Command; !slices.Equal(got, []string{"/srv/jobs/w", "-v"}) || p[1].program.Dir != "/srv/jobs" {
		t.Errorf("worker %q", got)
	}
	if got := p[2].program.Command; !slices.Equal(got, []string{"python3"}) {
		t.Errorf("worker %q", got)
	}
}

func TestPlan_EqualClassesShareAProgram(t *testing.T) {
	t.Parallel()
	p := plansOf(t, `
jobs:
  - {id: a, task: echo}
  - {id: b, task: hash, env: {}}
  - {id: c, task: echo, env: {X: "1"}}
  - {id: d, task: echo, env: {X: "{{.item}}"}, foreach: ["1", "2"]}
`, Settings{})
	if p[0].program != p[1].program || p[0].program == p[2].program {
		t.Error("classes are told apart wrongly")
	}
	d1, err1 := p[3].programOf(&Instance{Job: p[3].job, plan: p[3], Item: config.String("1")})
	d2, err2 := p[3].programOf(&Instance{Job: p[3].job, plan: p[3], Item: config.String("2")})
	if err1 != nil || err2 != nil || d1 != p[2].program || d2 == d1 {
		t.Errorf("per item: %v %v, %p %p", err1, err2, d1, d2)
	}
}

func TestPlan_PayloadIsTheItemTyped(t *testing.T) {
	t.Parallel()
	p := plansOf(t, `
jobs:
  - id: j
    task: echo
    foreach: [text, 12, -3, 3.5, true, ~, [1, a], {k: {n: 18446744073709551615}}, -9223372036854775808, 70000]
  - id: k
    task: echo
    args: {path: "{{.item}}", n: "{{.index}}", s: "x{{.index}}"}
    foreach: [5]
`, Settings{})
	for i, v := range p[0].job.Foreach.List {
		got, err := p[0].payload(&Instance{Job: p[0].job, plan: p[0], Index: int64(i), Item: v}, 1, 1)
		if err != nil {
			t.Fatal(err)
		}
		b, err := task.AppendJSON(nil, got)
		if want := string(v.AppendJSON(nil)); err != nil || string(b) != want {
			t.Errorf("item %d: %s, %v; want %s", i, b, err, want)
		}
	}
	got, err := p[1].payload(&Instance{Job: p[1].job, plan: p[1], Index: 4, Item: config.IntValue(5)}, 1, 1)
	b, _ := task.AppendJSON(nil, got)
	if want := `{"path":5,"n":4,"s":"x4"}`; err != nil || string(b) != want {
		t.Errorf("args: %s, %v; want %s", b, err, want)
	}
}

func TestPayload_LongTextsAndLists(t *testing.T) {
	t.Parallel()
	for _, n := range []int{0, 15, 16, 31, 32, 255, 256, 65535, 65536} {
		s := strings.Repeat("x", n)
		list := make([]config.Value, n)
		if raw, ok := stringOf(appendString(nil, s)); !ok || string(raw) != s {
			t.Errorf("text of %d bytes comes back as %d", n, len(raw))
		}
		var back []any
		if err := task.Decode(appendMsgpack(nil, config.ListValue(list)), &back); err != nil || len(back) != n {
			t.Errorf("list of %d: %d, %v", n, len(back), err)
		}
	}
}

func TestKey_SaysWhatAnInstanceDoes(t *testing.T) {
	t.Parallel()
	keys := func(file string, items ...config.Value) (out []string) {
		p := plansOf(t, file, Settings{})[0]
		for i, it := range items {
			out = append(out, p.keyOf(&Instance{Job: p.job, plan: p, Index: int64(i), Item: it}))
		}
		return out
	}
	base := `jobs: [{id: j, run: [x, "{{.item}}"], foreach: [a]%s}]`
	file := func(extra string) string { return strings.Replace(base, "%s", extra, 1) }
	a, n := config.String("1"), config.IntValue(1)
	k := keys(file(""), a, a, n)
	if k[0] != k[1] {
		t.Error("equal instances have different keys")
	}
	if k[0] == k[2] {
		t.Error("a text and a number have one key")
	}
	for _, same := range []string{", timeout: 5s", ", retry: 3", ", max_parallel: 1"} {
		if keys(file(same), a)[0] != k[0] {
			t.Errorf("%s changes the key", same)
		}
	}
	for _, other := range []string{", env: {A: b}", ", cwd: sub", ", stdin: text"} {
		if keys(file(other), a)[0] == k[0] {
			t.Errorf("%s does not change the key", other)
		}
	}
	slot := keys(`jobs: [{id: j, run: [x, "{{.slot}}"], foreach: [a]}]`, a)
	zero := keys(`jobs: [{id: j, run: [x, "0"], foreach: [a]}]`, a)
	if slot[0] == zero[0] {
		t.Error("a slot and a number have one key")
	}
}

// Instances that do different things have different keys, also where what they are
// made of reads alike one after the other.
func TestKey_TellsPartsApart(t *testing.T) {
	t.Parallel()
	seen := map[string]string{}
	for _, job := range []string{
		`run: [make, sub]`,
		`run: [make], cwd: sub`,
		`run: [make], stdout: {file: sub}`,
		`run: [make], foreach: [sub]`,
		`run: [make], matrix: {m: [sub]}`,
		`run: [make], stdin: sub`,
		`run: [make], stdin: {file: sub}`,
		`run: [make, "", sub]`,
		`run: ["{{.slot}}", "0"]`,
		`run: ["0", "{{.slot}}"]`,
		`shell: make, matrix: {a: [x], b: [y]}`,
		`shell: make, matrix: {b: [x], a: [y]}`,
	} {
		p := plansOf(t, "jobs: [{id: j, "+job+"}]", Settings{})[0]
		in := &Instance{Job: p.job, plan: p, Matrix: p.combo(0)}
		if p.job.Foreach != nil {
			in.Item = p.job.Foreach.List[0]
		}
		key := p.keyOf(in)
		if other, found := seen[key]; found {
			t.Errorf("%s has the key of %s", job, other)
		}
		seen[key] = job
	}
}

func TestDryRun_PrintsWhatWouldRun(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := `
jobs:
  - {id: a, run: [echo, "{{.item}} it's"], foreach: [1, 2]}
  - {id: b, shell: 'cat "$ITEM"', foreach: ["x y"]}
  - {id: c, task: echo, args: {n: "{{.matrix.w}}"}, matrix: {w: [7]}}
  - {id: d, run: ["true"], needs: a, foreach: {lines: later.txt}}
  - {id: e, run: ["true"]}
`
	f, err := config.Parse(filepath.Join(dir, "job.yaml"), []byte(file))
	if err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	code := DryRun(Config{File: f, Stdout: &out, Stderr: &errs})
	want := `a#0: echo '1 it'\''s'
a#1: echo '2 it'\''s'
b#0: ITEM='x y' sh -c 'cat "$ITEM"'
c#0: task echo {"n":7}
d: for each of lines later.txt, read when a has ended
e: true
`
	if code != 0 || out.String() != want || errs.Len() > 0 {
		t.Errorf("exit %d\n%s%s", code, out.String(), errs.String())
	}
	if entries, _ := os.ReadDir(dir); len(entries) > 0 {
		t.Errorf("it left %v", entries)
	}
}

func TestExit_Precedence(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		e    ending
		want int
	}{
		{ending{}, 0},
		{ending{notOK: true}, 1},
		{ending{notOK: true, halted: "x"}, 3},
		{ending{halted: "x", usage: true}, 2},
		{ending{halted: "x", usage: true, unfit: true, notOK: true}, 4},
		{ending{unfit: true, internal: true}, 5},
		{ending{halted: "x", success: true, notOK: true}, 0},
		{ending{halted: "x", success: true, internal: true}, 5},
		{ending{lost: "stdout", halted: "x"}, 5},
		{ending{leaked: true, usage: true, notOK: true}, 5},
		{ending{signal: 15, lost: "stdout", internal: true, halted: "x"}, 143},
	} {
		if got := tc.e.code(); got != tc.want {
			t.Errorf("%+v: %d, want %d", tc.e, got, tc.want)
		}
	}
}
