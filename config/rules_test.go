package config

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func rules(t *testing.T) *File {
	t.Helper()
	f, err := Load("testdata/good/rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestResources_HaveUnitsAndIDs(t *testing.T) {
	t.Parallel()
	f := rules(t)
	var got []string
	for _, r := range f.Resources {
		for i := range r.Count {
			got = append(got, r.Name+" "+r.ID(i))
		}
	}
	if diff := cmp.Diff([]string{"gpu 0", "gpu 1", "gpu spare", "db 0", "db 1"}, got); diff != "" {
		t.Errorf("units (-want +got):\n%s", diff)
	}
	if f.Memory != 8<<30 {
		t.Errorf("memory is %d", f.Memory)
	}
	if f.Output != OutputOrder {
		t.Errorf("output is %q", f.Output)
	}
}

func TestUses_ReplaceThoseOfDefaults(t *testing.T) {
	t.Parallel()
	f := rules(t)
	type uses struct {
		Slots  int
		Memory int64
		Units  map[string]int
	}
	for id, want := range map[string]uses{
		"rows":  {Slots: 2, Units: map[string]int{"db": 1}},
		"each":  {Slots: 1, Memory: 3 << 29, Units: map[string]int{"gpu": 2}},
		"lines": {Slots: 1, Units: map[string]int{}},
	} {
		j := f.Job(id)
		got := uses{Slots: j.Slots, Memory: j.Memory, Units: map[string]int{}}
		for _, u := range j.Uses {
			got.Units[u.Resource.Name] = u.Count
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", id, diff)
		}
	}
	if f.Job("each").Uses[0].Resource != f.Resources[0] {
		t.Error("a use does not point to the file's resource")
	}
	if j := mustParse(t, "jobs: [{id: a, run: [x]}]\n").Jobs[0]; j.Slots != 1 || j.Uses != nil || j.Memory != 0 {
		t.Errorf("a job that says nothing uses %+v", j)
	}
}

// The file may declare resources behind the jobs that use them.
func TestResources_MayStandBehindTheJobs(t *testing.T) {
	t.Parallel()
	f := mustParse(t, "jobs: [{id: a, run: [x], uses: {db: 2}}]\ndefaults: {uses: {db: 1}}\nresources: {db: 2}\n")
	if u := f.Jobs[0].Uses; len(u) != 1 || u[0].Resource != f.Resources[0] || u[0].Count != 2 {
		t.Errorf("uses %+v", u)
	}
}

func TestJob_HasItsRules(t *testing.T) {
	t.Parallel()
	f := rules(t)
	type rule struct {
		When       string
		Let, Allow bool
		Rate       Rate
		Priority   int
		Chunk      Chunk
	}
	for id, want := range map[string]rule{
		"rows":    {When: "ok", Allow: true, Rate: Rate{90, time.Minute}, Priority: -3, Chunk: Chunk{Size: 100}},
		"each":    {When: "failed", Let: true, Rate: Rate{10, time.Second}, Priority: -3, Chunk: Chunk{Auto: true}},
		"lines":   {When: "always", Allow: true, Rate: Rate{5, time.Hour}, Priority: 7, Chunk: Chunk{Size: 100}},
		"cleanup": {When: "failed", Allow: true, Rate: Rate{90, time.Minute}, Priority: -3},
		"first":   {When: "ok", Allow: true, Rate: Rate{90, time.Minute}, Priority: -3},
	} {
		j := f.Job(id)
		got := rule{j.When.String(), j.ContinueOnError, j.AllowFailure, j.Rate, j.Priority, j.Chunk}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", id, diff)
		}
	}
	each := f.Job("each")
	scope := &Scope{Index: 4, Attempt: 2, Slot: 3}
	if got, err := each.Stdout.Text(scope); err != nil || got != "out/4.2.3" {
		t.Errorf("stdout is %q, %v", got, err)
	}
	if got, err := each.Creates.Text(scope); err != nil || got != "out/4" {
		t.Errorf("creates is %q, %v", got, err)
	}
	if !each.RefersTo("slot") || f.Job("rows").Stdout != nil || f.Job("rows").Creates != nil {
		t.Error("stdout and creates are not the job's own")
	}
}

func TestForeach_FromAnotherJobNeedsIt(t *testing.T) {
	t.Parallel()
	f := rules(t)
	for id, want := range map[string]struct {
		source Source
		of     string
		needs  []string
		level  int
	}{
		"rows":    {FromCSV, "", nil, 0},
		"each":    {FromJob, "rows", []string{"rows"}, 1},
		"lines":   {FromLinesOf, "each", []string{"rows", "each"}, 2},
		"values":  {FromJSONLOf, "lines", []string{"lines"}, 3},
		"cleanup": {0, "", []string{"values"}, 4},
	} {
		j := f.Job(id)
		var needs []string
		for _, n := range j.Needs {
			needs = append(needs, n.ID)
		}
		if diff := cmp.Diff(want.needs, needs); diff != "" || j.Level != want.level {
			t.Errorf("%s is at level %d, needs (-want +got):\n%s", id, j.Level, diff)
		}
		if j.Foreach == nil {
			continue
		}
		if j.Foreach.Source != want.source || j.Foreach.Of != f.Job(want.of) {
			t.Errorf("%s takes its items from %+v", id, j.Foreach)
		}
		if _, known := j.Foreach.Count(); known {
			t.Errorf("%s knows how many items there are", id)
		}
	}
}

func TestWorker_HasTheFilesSettings(t *testing.T) {
	t.Parallel()
	f := rules(t)
	args, err := ParseJSON([]byte(`{"model":"m.bin","layers":[1,2.50]}`))
	if err != nil {
		t.Fatal(err)
	}
	want := &Worker{
		Pos: Pos{3, 9}, StartTimeout: StartTimeout, Init: &Init{Pos: Pos{3, 16}, Task: "load", Args: args},
		MaxJobs: 1000, MaxAge: time.Hour, MaxMemory: 1 << 30, IdleTimeout: time.Minute, Spares: 1, Threads: 2, StuckAfter: 10 * time.Second,
	}
	if diff := cmp.Diff(want, f.Job("rows").Worker, cmp.Comparer(Value.Equal)); diff != "" {
		t.Errorf("the file's worker (-want +got):\n%s", diff)
	}
	own := &Worker{Pos: Pos{34, 13}, StartTimeout: StartTimeout, Threads: MaxThreads, StuckAfter: StuckAfter}
	if diff := cmp.Diff(own, f.Job("values").Worker, cmp.Comparer(Value.Equal)); diff != "" {
		t.Errorf("a job's worker does not replace the file's (-want +got):\n%s", diff)
	}
}

func TestArgv_ItemsAloneBecomeManyArguments(t *testing.T) {
	t.Parallel()
	f := mustParse(t, `
jobs:
  - id: a
    run: [x, "{{.items}}", "{{ .items }}", "y{{.items}}", "{{range .items}}{{.}},{{end}}", "{{len .items}}"]
    foreach: {lines: f}
    chunk: 3
`)
	argv, err := f.Jobs[0].Argv(&Scope{Items: []Value{String("a b"), Scalar("3.0"), String("{{.job}}")}})
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		"x", "a b", "3.0", "{{.job}}", "a b", "3.0", "{{.job}}",
		`y["a b",3.0,"{{.job}}"]`, "a b,3,{{.job}},", "3",
	}
	if diff := cmp.Diff(want, argv); diff != "" {
		t.Errorf("argv (-want +got):\n%s", diff)
	}
}

func TestArgs_ItemsAloneAreTheList(t *testing.T) {
	t.Parallel()
	f := rules(t)
	s := &Scope{Items: []Value{MapValue([]Field{{"name", String("x")}}), MapValue([]Field{{"name", String("y")}})}}
	v, err := f.Job("rows").Args.Value(s)
	if err != nil {
		t.Fatal(err)
	}
	if want := `[[{"name":"x"},{"name":"y"}],"x y "]`; v.Text() != want {
		t.Errorf("got  %s\nwant %s", v.Text(), want)
	}
}
