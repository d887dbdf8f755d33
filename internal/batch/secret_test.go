package batch

import (
	"bytes"
	"encoding/json"
	"errors"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/feac4032/multiproc/internal/mask"
	"github.com/feac4032/multiproc/ipc"
	"github.com/feac4032/multiproc/pool"
	"github.com/feac4032/multiproc/task"
)

func TestPlan_SecretsLieBetweenWhatIsInheritedAndWhatIsDeclared(t *testing.T) {
	t.Parallel()
	tr := setup(t, `
inherit_env: [PATH]
env: {D: declared}
jobs:
  - {id: a, run: [x], secrets: [TOKEN, F], env_file: [one.env, two.env]}
  - {id: b, run: [x]}
  - {id: c, run: [x], secrets: [TOKEN]}
`)
	tr.write("one.env", "F=filed\nD=one\nE=one\n")
	tr.write("two.env", "E=two\n")
	tr.cfg.Settings.Environ = []string{"PATH=/bin", "TOKEN=old", "TOKEN=token", "F=outer", "E=outer"}
	plans, err := newPlans(tr.cfg.File, &tr.cfg.Settings)
	if err != nil {
		t.Fatal(err)
	}
	value := func(env []string, name string) (value string) {
		for _, kv := range env {
			if n, v, _ := strings.Cut(kv, "="); n == name {
				value = v
			}
		}
		return value
	}
	for name, want := range map[string]string{"PATH": "/bin", "TOKEN": "token", "F": "filed", "E": "two", "D": "declared"} {
		if got := value(plans[0].env, name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	if got, want := plans[1].env, []string{"PATH=/bin", "D=declared"}; !slices.Equal(got, want) {
		t.Errorf("a job without secrets has %q", got)
	}
	if got, want := plans[2].env, []string{"PATH=/bin", "TOKEN=token", "D=declared"}; !slices.Equal(got, want) {
		t.Errorf("a job with a secret has %q", got)
	}
	m := plans[1].mask
	for _, s := range []string{"token", "filed"} {
		if m.Text(s) != mask.Shown {
			t.Errorf("%s is shown", s)
		}
	}
	for _, s := range []string{"one", "two"} { // too short for a value that no job calls a secret
		if m.Text(s) != s {
			t.Errorf("%s is hidden", s)
		}
	}
}

func TestPlan_SecretsAreNoPartOfTheKey(t *testing.T) {
	t.Parallel()
	key := func(secrets, token string) string {
		t.Helper()
		p := plansOf(t, "jobs: [{id: j, run: [x]"+secrets+"}]", Settings{Environ: []string{"TOKEN=" + token}})[0]
		return p.keyOf(&Instance{Job: p.job, plan: p})
	}
	if a, b, c := key("", "abcd"), key(", secrets: [TOKEN]", "abcd"), key(", secrets: [TOKEN]", "efgh"); a != b || b != c {
		t.Errorf("%s, %s and %s", a, b, c)
	}
}

func TestSecrets_MistakeOfDefaultsIsSaidOnce(t *testing.T) {
	t.Parallel()
	tr := setup(t, `
defaults: {secrets: [ABSENT], env_file: absent.env}
jobs:
  - {id: a, run: [x]}
  - {id: b, run: [x]}
`)
	_, err := OpenSecrets(tr.cfg.File, &tr.cfg.Settings)
	var usage *UsageError
	if !errors.As(err, &usage) || len(usage.Problems) != 2 {
		t.Errorf("got %v", err)
	}
	rep := tr.run()
	if rep.Exit != ExitUsage || len(tr.ex.submitted()) > 0 {
		t.Errorf("exit %d, %v started", rep.Exit, tr.ex.submitted())
	}
}

func TestSecrets_NoneCostNothing(t *testing.T) { // not in parallel, since it counts allocations
	tr := setup(t, "jobs: [{id: a, run: [x]}]")
	s, err := OpenSecrets(tr.cfg.File, &tr.cfg.Settings)
	if s != nil || err != nil || s.Masker() != nil {
		t.Fatalf("%v, %v", s, err)
	}
	r := &run{}
	res := printing("out", "err")
	if h, _ := r.hidden(res); h != res {
		t.Error("a result is copied")
	}
	if n := testing.AllocsPerRun(100, func() {
		h, done := r.hidden(res)
		Hide(nil, h.Value)
		done()
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestRun_HidesSecretsInLargeOutputsAndFailures(t *testing.T) {
	t.Parallel()
	tr := setup(t, "jobs: [{id: a, run: [x], secrets: [TOKEN]}]")
	tr.cfg.Settings.Environ = []string{"TOKEN=hunter2"}
	large := strings.Repeat("a line with hunter2 in it\n", 1<<14)
	tr.ex.auto = func(*Instance) *pool.Result {
		res := printing(large, "hunter2")
		res.Outcome, res.Evidence = pool.Failed, "lost hunter2"
		res.Failure = &task.Failure{Msg: "lost hunter2", Stack: "main.hunter2()"}
		return res
	}
	rep := tr.run()
	if got, want := tr.stdout.String(), strings.ReplaceAll(large, "hunter2", mask.Shown); got != want {
		t.Errorf("%d bytes were printed, want %d", len(got), len(want))
	}
	b, err := rep.JSON()
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"report": string(b), "stderr": tr.stderr.String(), "events": tr.events.String()} {
		if strings.Contains(text, "hunter2") || !strings.Contains(text, mask.Shown) {
			t.Errorf("%s: %s", name, text)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(tr.cfg.File.Dir, "spill-*")); len(left) > 0 {
		t.Errorf("%v are left", left)
	}
}

// Any result stays one that can be shown, and holds no secret.
func FuzzHide(f *testing.F) {
	m := mask.New([]string{"hunter2", "48291377"})
	for _, v := range []any{
		"hunter2", map[string]any{"hunter2": []any{"a hunter2 b", 48291377, 1.5, nil, true}, "b": []byte("x hunter2")},
		strings.Repeat("hunter2", 50), strings.Repeat("x", 70000) + "hunter2", -48291377.0, int64(-1),
	} {
		b, err := task.Encode(nil, v)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(b)
	}
	f.Add([]byte{0xc7, 8, 5, 'h', 'u', 'n', 't', 'e', 'r', '2', '!'})
	f.Add([]byte{0xd9, 200, 'x'})
	f.Add([]byte("hunter20"))
	f.Add([]byte("\x97hunter2"))
	f.Fuzz(func(t *testing.T, v []byte) {
		was := bytes.Clone(v)
		h := Hide(m, v)
		if !bytes.Equal(was, v) {
			t.Fatal("the value was changed in place")
		}
		if m.In(h) {
			t.Fatalf("%x still holds one", h)
		}
		if ipc.ValidatePayload(v) != nil {
			return
		}
		before, err := task.AppendJSON(nil, v)
		if err != nil {
			return
		}
		after, err := task.AppendJSON(nil, h)
		if err != nil || !json.Valid(after) {
			t.Fatalf("%s became %s, %v", before, after, err)
		}
		if !m.In(before) && !m.In(v) && !bytes.Equal(before, after) {
			t.Fatalf("%s became %s", before, after)
		}
	})
}
