package config

import (
	"fmt"
	"runtime"
	"strings"
	"testing"
	"time"
)

// What nobody writes on purpose: each gives one clear error, in time.
func TestParse_HostileFilesGiveClearErrors(t *testing.T) {
	t.Parallel()
	const job = "jobs:\n  - id: a\n    run: [x]\n"
	bomb := "vars:\n  a: &a [x, x, x, x, x, x, x, x, x, x]\n"
	for c := 'b'; c <= 'j'; c++ {
		bomb += fmt.Sprintf("  %c: &%c [%s]\n", c, c, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*%c, ", c-1), 10), ", "))
	}
	cases := []struct{ name, src, want string }{
		{"alias bomb", bomb + job, "f:2:6: anchors are not supported (quote a text that starts with &)"},
		{"unknown alias", job + "    cwd: *home\n", "f:4:10: aliases are not supported (quote a text that starts with *)"},
		{"100,000 lists", strings.Repeat("[", 100_000), "f:1:1: nested deeper than 100 levels"},
		{"100,000 maps", strings.Repeat("{a: ", 100_000), "f:1:1: nested deeper than 100 levels"},
		{"100,000 block lists", strings.Repeat("- ", 100_000), "f:1:1: nested deeper than 100 levels"},
		{"100,000 keys in keys", strings.Repeat("? ", 100_000), "f:1:1: nested deeper than 100 levels"},
		{"5,000 lists in vars", "vars:\n  deep: " + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + "\n" + job, "f:2:107: nested deeper than 100 levels"},
		{"duplicate keys", job + "    run: [y]\n", `f:4:5: key "run" repeated, first in line 3`},
		{"unknown key", job + "    rum: [y]\n", `f:4:5: unknown key "rum" in a job (did you mean "run"?)`},
		{"second document", job + "---\n" + job, "f:4:1: a second document starts here (a job file is one document)"},
		{"broken second document", job + "---\n[", "f:5:1: not valid YAML: did not find expected node content"},
		{"NUL", "jobs:\n  - id: a\x00\n", `f:2:10: the job file holds a NUL byte (in a double-quoted text it is "\0")`},
		{"invalid UTF-8", "jobs:\n  - id: \"\u00e9\xff\"\n", "f:2:11: the job file is not valid UTF-8: byte 0xff (items that are not UTF-8 can come from a file that foreach names)"},
		{"UTF-16", "\xff\xfej\x00", `f:1:4: the job file holds a NUL byte (in a double-quoted text it is "\0")`},
		{"control character", "jobs: \"\x01\"\n", "f:1:1: not valid YAML: control characters are not allowed"},
		{"tab", "jobs:\n\t- id: a\n", "f:2:1: a tab indents this line (indent with spaces)"},
		{"tab after spaces", "jobs:\n  - id: a\n  \trun: [x]\n", "f:3:3: a tab indents this line (indent with spaces)"},
		{"leading zero", job + "    stdin: 017\n", "f:4:12: 017 has a leading zero (write 17, or quote it for a text)"},
		{"underscores", job + "    max_parallel: 1_000\n", "f:4:19: 1_000 has underscores in a number (write 1000, or quote it for a text)"},
		{"float for a count", job + "    max_parallel: 3.0\n", "f:4:19: max_parallel must be an integer from 1 to 1048576, not the number 3.0"},
		{"null", job + "    cwd: ~\n", `f:4:10: cwd must be a text, not nothing (quote it, "" is the empty text)`},
		{"huge integer", job + "    stdin: 123456789012345678901234567890\n", "f:4:12: 123456789012345678901234567890 does not fit 64 bits (quote it for a text)"},
		{"nan", job + "    stdin: .nan\n", "f:4:12: .nan is not a number that can be passed on (quote it for a text)"},
		{"custom tag", job + "    stdin: !secret x\n", "f:4:12: the tag !secret is not supported (quote a text that starts with !)"},
		{"binary tag", job + "    stdin: !!binary aGk=\n", "f:4:12: the tag !!binary is not supported (quote a text that starts with !)"},
		{"tagged key", job + "    !!str cwd: x\n", "f:4:5: tags are not supported"},
		{"merge key", job + "    <<: {cwd: x}\n", "f:4:5: merge keys are not supported (defaults holds what jobs share)"},
		{"directives", strings.Repeat("%TAG !a! x\n", 1000) + "---\n" + job, "f:1:1: YAML directives are not supported"},
		{"late directive", job + "...\n%YAML 1.1\n---\n", "f:5:1: YAML directives are not supported"},
		{"empty", "", "f:1:1: the job file is empty (a job file has at least jobs:)"},
		{"only a BOM", "\ufeff", "f:1:1: the job file is empty (a job file has at least jobs:)"},
		{"only comments", "# nothing\n\n", "f:1:1: the job file is empty (a job file has at least jobs:)"},
		{"null document", "---\n", "f:2:1: the job file must be a map, not nothing"},
		{"a list", "- a\n", "f:1:1: the job file must be a map, not a list"},
		{"a text", "hello", `f:1:1: the job file must be a map, not the text "hello"`},
		{"no jobs", "name: x\n", "f:1:1: there are no jobs: the key jobs is missing"},
		{"empty jobs", "jobs: []\n", "f:1:7: jobs is empty"},
		{"null jobs", "jobs:\n", "f:1:6: jobs must be a list, not nothing"},
		{"jobs as a map", "jobs: {a: {run: [x]}}\n", "f:1:7: jobs must be a list, not a map (each job is an entry: - id: NAME)"},
		{"list as key", "? [a]\n: b\n" + job, "f:1:3: a key must be a text"},
		{"unquoted template", "jobs:\n  - id: a\n    run: [cat, {{.item}}]\n", `f:3:16: YAML takes {{ for a map (quote it: "{{.item}}")`},
		{"unquoted template with more", "jobs:\n  - id: a\n    run: [cat, {{.item}}.txt]\n", `f:3:16: a text that starts with {{ is not quoted (quote it: "{{…}}")`},
		{"unquoted template as value", "jobs:\n  - id: a\n    cwd: {{.item}}/x\n    run: [x]\n", `f:3:10: a text that starts with {{ is not quoted (quote it: "{{…}}")`},
		{"unclosed list", "jobs:\n  - id: a\n    run: [x\n  - id: b\n", "f:3:5: not valid YAML: did not find expected ',' or ']'"},
		{"bad indentation", "jobs:\n  - id: a\n   run: [x]\n", "f:3:4: not valid YAML: did not find expected '-' indicator"},
		{"2,000 actions", job + "    stdin: \"" + strings.Repeat("{{.job}}", 2000) + "\"\n", "f:4:12: template has 2000 actions, at most 1000 are allowed"},
		{"deep parentheses", job + "    stdin: \"{{" + strings.Repeat("(", 20_000) + "}}\"\n", "f:4:12: template: max expression depth exceeded"},
		{"line breaks in a key", job + "    uses: {\"a\\nb\\u2028\": 0}\n", `f:4:12: uses names "a\nb\u2028", which is no resource (declare it at the top: resources: {NAME: 1})`},
		{"a chain that bites its tail", "jobs:\n  - {id: a, run: [\"{{.item.x}}\"], foreach: {from: b}}\n  - {id: b, run: [\"{{.item.x}}\"], foreach: {from: a}}\n", "f:2:5: needs form a cycle: a → b → a"},
		{"more units than there are numbers", "resources: {a: 99999999999999999999}\n" + job, "f:1:16: 99999999999999999999 does not fit 64 bits (quote it for a text)"},
		{"two lists of locks", "locks: [a]\nlocks: [b]\n" + job, `f:2:1: key "locks" repeated, first in line 1`},
		{"line breaks in a lock", "locks: [\"a\\nb\\u2028\"]\n" + job, `f:1:9: lock "a\nb\u2028" must be letters, digits, _ and -, start with a letter or _, and have at most 128 bytes`},
		{"a lock's name without end", "locks: [" + strings.Repeat("a", 100_000) + "]\n" + job, `f:1:9: lock "` + strings.Repeat("a", 60) + `…" must be letters, digits, _ and -, start with a letter or _, and have at most 128 bytes`},
		{"a queue larger than memory", "queues: {a: 99999999999999999999}\n" + job, "f:1:13: 99999999999999999999 does not fit 64 bits (quote it for a text)"},
		{"100,000 locks of one name", "locks: [" + strings.TrimSuffix(strings.Repeat("a,", 100_000), ",") + "]\n" + job, `f:1:11: lock "a": the name is taken by the lock in line 1`},
		{"NUL in an argument", "jobs:\n  - id: a\n    run: [x, \"\\0\"]\n", "f:3:14: an argument in run holds a NUL byte"},
		{"too large", strings.Repeat("#", MaxSize+1), "f:1:1: the job file is larger than 16 MiB (put items into a file and name it in foreach)"},
		{"too many combinations", job + "    matrix: {a: &l " + longList(1001) + "}\n", "f:4:17: anchors are not supported (quote a text that starts with &)"},
		{"large matrix", job + "    matrix: {a: " + longList(1001) + ", b: " + longList(1000) + "}\n", "f:4:13: matrix has more than 1000000 combinations (put the longest axis into foreach)"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			start := time.Now()
			_, err := Parse("f", []byte(c.src))
			took := time.Since(start)
			if err == nil {
				t.Fatal("no error")
			}
			first, _, _ := strings.Cut(err.Error(), "\n")
			if first != c.want {
				t.Errorf("got  %s\nwant %s", first, c.want)
			}
			if took > 20*time.Second {
				t.Errorf("took %v", took)
			}
		})
	}
}

func longList(n int) string {
	var b strings.Builder
	b.WriteByte('[')
	for i := range n {
		fmt.Fprintf(&b, "%d,", i)
	}
	b.WriteByte(']')
	return b.String()
}

func TestParse_ManyMistakesAreCounted(t *testing.T) {
	t.Parallel()
	_, err := Parse("f", []byte("jobs:\n"+strings.Repeat("  - {}\n", 3000)))
	lines := strings.Split(err.Error(), "\n")
	if len(lines) != maxErrors+1 {
		t.Fatalf("got %d lines, want %d", len(lines), maxErrors+1)
	}
	if got, want := lines[maxErrors], "f:501:5: and 5000 more mistakes"; got != want {
		t.Errorf("last line is %q, want %q", got, want)
	}
}

// manyJobs writes n jobs in a chain of needs.
func manyJobs(n int) []byte {
	var b strings.Builder
	b.WriteString("defaults: {timeout: 30s, env: {A: \"{{.job}}\"}}\njobs:\n")
	for i := range n {
		fmt.Fprintf(&b, "  - id: job%d\n    run: [echo, \"{{.index}}\", x]\n", i)
		if i > 0 {
			fmt.Fprintf(&b, "    needs: [job%d]\n", i-1)
		}
	}
	return []byte(b.String())
}

func TestParse_HundredThousandJobs(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds under -race")
	}
	src := manyJobs(100_000)
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	start := time.Now()
	f, err := Parse("f", src)
	took := time.Since(start)
	if err != nil {
		t.Fatal(err)
	}
	runtime.GC()
	runtime.ReadMemStats(&after)
	t.Logf("%d bytes, %v, holds %d MiB", len(src), took, (int64(after.HeapAlloc)-int64(before.HeapAlloc))>>20)
	if len(f.Levels) != 100_000 || f.Jobs[99_999].Level != 99_999 {
		t.Errorf("%d levels, want 100000", len(f.Levels))
	}
	runtime.KeepAlive(f)
}

// A name that is wrong everywhere must not be compared with every other one.
func TestParse_HundredThousandUnknownNeedsEndInTime(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds under -race")
	}
	var b strings.Builder
	b.WriteString("jobs:\n")
	for i := range 100_000 {
		fmt.Fprintf(&b, "  - {id: job%d, run: [x], needs: nob%d}\n", i, i)
	}
	start := time.Now()
	_, err := Parse("f", []byte(b.String()))
	if err == nil || !strings.Contains(err.Error(), "and 99000 more mistakes") {
		t.Error("the mistakes were not counted")
	}
	if took := time.Since(start); took > 30*time.Second {
		t.Errorf("took %v", took)
	}
}

// Jobs may hand items on in a long chain, and all of them may name fields.
func TestParse_LongChainsOfItemsAreCheckedInTime(t *testing.T) {
	if testing.Short() {
		t.Skip("takes seconds under -race")
	}
	const n = 30_000
	var b strings.Builder
	fmt.Fprintf(&b, "jobs:\n  - {id: job0, run: [x], foreach: %s}\n", longList(n))
	for i := 1; i < n; i++ {
		fmt.Fprintf(&b, "  - {id: job%d, run: [\"{{.item.x}}\"], foreach: {from: job%d}}\n", i, i-1)
	}
	start := time.Now()
	_, err := Parse("f", []byte(b.String()))
	took := time.Since(start)
	t.Logf("%v", took)
	if want := `f:3:22: {{.item.x}}: no item of the list has a field "x"`; err == nil || !strings.HasPrefix(err.Error(), want) {
		t.Errorf("got %.200v\nwant %s", err, want)
	}
	if took > 30*time.Second {
		t.Errorf("took %v", took)
	}
}

func TestParse_LongCycleIsShortened(t *testing.T) {
	t.Parallel()
	src := strings.Replace(string(manyJobs(50)), "  - id: job0\n", "  - id: job0\n    needs: [job49]\n", 1)
	_, err := Parse("f", []byte(src))
	want := "f:3:5: needs form a cycle: job0 → job49 → job48 → job47 → job46 → job45 → … → job5 → job4 → job3 → job2 → job1 → job0"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
}
