package config

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sort"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/santhosh-tekuri/jsonschema/v6"
	"go.yaml.in/yaml/v3"
)

func compileSchema(t *testing.T) *jsonschema.Schema {
	t.Helper()
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(Schema))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	c.DefaultDraft(jsonschema.Draft2020)
	if err := c.AddResource("schema.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// document gives a YAML text as an editor hands it to a schema.
func document(t *testing.T, src []byte) (any, bool) {
	t.Helper()
	c := &checker{file: "f"}
	n := c.document(src)
	if n == nil {
		return nil, false
	}
	v, ok := c.value(n)
	if !ok || n.Kind != yaml.MappingNode {
		return nil, false
	}
	return v.Any(), true
}

func TestSchema_AcceptsGoodFiles(t *testing.T) {
	t.Parallel()
	s := compileSchema(t)
	for _, path := range files(t, "testdata/good/*.yaml") {
		src, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		doc, ok := document(t, src)
		if !ok {
			t.Errorf("%s: no document", path)
			continue
		}
		if err := s.Validate(doc); err != nil {
			t.Errorf("%s: %v", path, err)
		}
	}
}

// What only names, templates or positions tell is beyond a schema.
func TestSchema_RefusesBadFiles(t *testing.T) {
	t.Parallel()
	s := compileSchema(t)
	beyond := map[string]bool{"yaml-values.yaml": true, "unquoted.yaml": true}
	templates := map[string]bool{"templates.yaml": true, "chunks.yaml": true}
	for _, path := range files(t, "testdata/bad/*.yaml") {
		if beyond[filepath.Base(path)] {
			continue
		}
		src, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		doc, ok := document(t, src)
		if !ok {
			continue
		}
		if s.Validate(doc) == nil && !templates[filepath.Base(path)] {
			t.Errorf("%s: accepted", path)
		}
	}
}

// values are what each key is tried with, so that parser and schema agree on
// every type.
var values = []string{
	"~", `""`, "x", "true", "0", "1", "-1", "1.5", "5000000", "[]", "[x]", "[[x]]", "[~]", "{}", "{x: y}", "{file: x}", "{max: 2}",
	"{task: t}", "30s", "0s", "1h30m", "-3s", "all", "none", "ok", "group", "live", "never", "soon,fail=10%", "'now,fail=0%'", "1..5", "5", "[0, 3]", "[256]",
	"auto", "10/s", "64MiB", "{memory: 1GB}", "{size: 3}", "process", `"a b"`, `"a/b"`, "../x", "[x, x]", "{lines: f}", "{lines: f, nul: g}",
	"{range: 1..5}", "{range: 01..5}", "{range: x}", "{glob: x, empty: ok}", "{empty: ok}", "{glob: [x, y]}", "{csv: f}", "{from: a}", "{a: [1, 2]}", "{a: []}", "{a: 1}",
	"{a: [1], include: [{a: 3}], exclude: []}", "{include: []}", "{max: 1, causes: [failed]}", "{max: 1, causes: [limit]}", "{max: 1, causes: [oom]}",
	"{max: 1, causes: ['exit:70-79', 'signal:9']}", "{max: 1, factor: 0.5}", "{max: 1, jitter: 1, backoff: 0, max_backoff: 1m}", "{command: [x]}",
	"{command: [x], start_timeout: 3s}", "{command: []}", "{max_jobs: 3}", "{A: x}", "{A: [x]}", "{ITEM_X: x}", "{VAR_: x}", "{A: ~}", "{A=B: x}", "[PATH, 'LC_*']",
	"echo", "[echo, 1, true]", "[{a: b}]", "{name: [1, 2]}",
	"{work: 100}", "{work: 0}", "{work: -1}", "{work: ~}", "{work: }", "{work: {}}", "{work: {size: 0}}", "{work: {size: ~}}", "{work: [1]}", "{a b: 1}",
	"failed", "order", "lives", "90/m", "01/s", "{gpu: [0, 1]}", "{gpu: ['a,b']}", "{gpu: [x, x]}", "{slots: 2}", "{Memory: 1}", "{memory: 0}", "65", "64",
	"{lines_of: b}", "{jsonl_of: a b}", "{from: b, csv: c}", "{file: ''}", "{task: t, args: [1]}", "{task: t, arg: 1}",
	"{work: {size: 2000000}}", "[db, cache]", "[db, db]", "[db, true]", "[a/b]",
	"namespaces", "{cpu: 3s, pids: 9, best_effort: true}", "{pids: 0}", "{cpu: 3}", "{file_size: 10MB, output: 4096, files: 64}", "{ram: 1}",
	"[TOKEN]", "[ITEM_X]", "[A=B]", "[.env, other.env]",
}

// beyondSchema tells what the parser refuses for reasons that a schema has no
// words for, by key and value.
func beyondSchema(key, value string) bool {
	switch key {
	case "needs": // there is no such job, or it is the job itself
		return true
	case "deadline", "timeout", "start_timeout", "max_age", "idle_timeout", "stuck_after": // a pattern cannot count
		return value == "0s"
	case "halt":
		return value == "'now,fail=0%'"
	case "matrix": // it has no axes, or one that holds a value twice
		return value == "{include: []}" || value == "{gpu: [x, x]}"
	case "uses": // there is no such resource
		return value == "{a b: 1}" || value == "{Memory: 1}" || value == "{cpu: 3}" || value == "{ram: 1}"
	case "inherit_env": // the schema takes any text for a name
		return value == "[A=B]"
	case "foreach": // there is no such job, or it is the job itself
		return value == "{from: a}" || value == "{lines_of: b}"
	case "when": // there is no need that can fail
		return value == "failed"
	}
	return false
}

func TestSchema_AgreesWithTheParserOnEveryKey(t *testing.T) {
	t.Parallel()
	s := compileSchema(t)
	check := func(t *testing.T, key, value, src string) {
		t.Helper()
		doc, ok := document(t, []byte(src))
		if !ok {
			t.Fatalf("no document:\n%s", src)
		}
		_, parseErr := Parse("f", []byte(src))
		schemaErr := s.Validate(doc)
		if (parseErr == nil) == (schemaErr == nil) {
			return
		}
		if parseErr != nil && beyondSchema(key, value) {
			return
		}
		t.Errorf("%s: %s\nparser: %v\nschema: %v", key, value, parseErr, schemaErr)
	}
	for _, key := range topKeys.names {
		for _, v := range values {
			src := key + ": " + v + "\n"
			if key != "jobs" {
				src += "jobs: [{id: a, run: [x]}]\n"
			}
			check(t, key, v, src)
		}
	}
	for _, key := range jobKeys.names {
		for _, v := range values {
			kind := "run: [x]"
			switch key {
			case "run", "shell", "task":
				kind = "timeout: 1s"
			case "args", "worker":
				kind = "task: t"
			}
			id := "id: a, "
			if key == "id" {
				id = ""
			}
			resources := ""
			if key == "uses" {
				resources = "resources: {a: 9, max: 9, size: 9, work: 100, max_jobs: 9}\n"
			}
			check(t, key, v, resources+fmt.Sprintf("jobs: [{%s%s, %s: %s}]\n", id, kind, key, v))
			if key != "args" && key != "worker" {
				check(t, key, v, resources+fmt.Sprintf("defaults: {%s: %s}\njobs: [{id: a, run: [x]}]\n", key, v))
			}
		}
	}
	for _, key := range workerKeys.names {
		for _, v := range values {
			check(t, key, v, fmt.Sprintf("worker: {%s: %s}\njobs: [{id: a, run: [x]}]\n", key, v))
		}
	}
}

// propertiesOf gives the names under properties at a path of the schema.
func propertiesOf(t *testing.T, path ...any) []string {
	t.Helper()
	var doc any
	if err := json.Unmarshal(Schema, &doc); err != nil {
		t.Fatal(err)
	}
	for _, p := range append(path, "properties") {
		switch p := p.(type) {
		case string:
			m, ok := doc.(map[string]any)
			if !ok || m[p] == nil {
				t.Fatalf("the schema has nothing at %v", path)
			}
			doc = m[p]
		case int:
			doc = doc.([]any)[p]
		}
	}
	var names []string
	for name, v := range doc.(map[string]any) {
		names = append(names, name)
		if m, ok := v.(map[string]any); ok && m["description"] == nil && m["$ref"] == nil && m["type"] == nil {
			t.Errorf("%v: %s has no description", path, name)
		}
	}
	sort.Strings(names)
	return names
}

func TestSchema_HasTheParsersKeys(t *testing.T) {
	t.Parallel()
	var inDefaults []string
	for _, n := range jobKeys.names {
		if !slices.Contains(ownKeys[:], n) {
			inDefaults = append(inDefaults, n)
		}
	}
	for _, c := range []struct {
		names []string
		path  []any
	}{
		{topKeys.names, nil},
		{jobKeys.names, []any{"$defs", "job"}},
		{inDefaults, []any{"$defs", "defaults"}},
		{workerKeys.names, []any{"$defs", "worker", "anyOf", 1}},
		{initKeys.names, []any{"$defs", "worker", "anyOf", 1, "properties", "init"}},
		{limitKeys.names, []any{"$defs", "limits"}},
		{foreachKeys.names, []any{"$defs", "foreach", "anyOf", 1}},
		{retryKeys.names, []any{"$defs", "retry", "anyOf", 1}},
		{stdinKeys.names, []any{"$defs", "job", "properties", "stdin", "anyOf", 1}},
		{stdoutKeys.names, []any{"$defs", "job", "properties", "stdout"}},
		{queueKeys.names, []any{"properties", "queues", "additionalProperties", "anyOf", 1}},
	} {
		want := append([]string(nil), c.names...)
		sort.Strings(want)
		if diff := cmp.Diff(want, propertiesOf(t, c.path...)); diff != "" {
			t.Errorf("%v (-parser +schema):\n%s", c.path, diff)
		}
	}
}
