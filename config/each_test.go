package config

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func mustEach(t *testing.T, spec Each) *Job {
	t.Helper()
	if spec.Dir == "" {
		spec.Dir = "/work"
	}
	f, err := NewEach(spec)
	if err != nil {
		t.Fatal(err)
	}
	return f.Jobs[0]
}

func TestEach_HasTheDefaultsOfAFile(t *testing.T) {
	t.Parallel()
	f, err := NewEach(Each{Argv: []string{"echo"}, Dir: "/work"})
	if err != nil {
		t.Fatal(err)
	}
	j := f.Jobs[0]
	if f.Name != "each" || f.Dir != "/work" || f.Job(EachID) != j || len(f.Levels) != 1 || f.Levels[0][0] != j {
		t.Errorf("file is %+v", f)
	}
	of := mustParse(t, "jobs: [{id: each, run: [echo], foreach: {lines: \"-\"}}]\n").Jobs[0]
	clean := func(j *Job) Job {
		c := *j
		c.Pos, c.Run = Pos{}, nil
		fe := *c.Foreach
		fe.Pos = Pos{}
		c.Foreach = &fe
		return c
	}
	unexported := cmp.AllowUnexported(Foreach{}, needRef{})
	if diff := cmp.Diff(clean(of), clean(j), unexported); diff != "" {
		t.Errorf("differs from a job of a file (-file +each):\n%s", diff)
	}
}

func TestEach_TakesWhatIsGiven(t *testing.T) {
	t.Parallel()
	f, err := NewEach(Each{
		Argv: []string{"echo"}, Path: "items", Nul: true, N: 7, Dir: "/work",
		Timeout: time.Minute, Retry: 3, Output: OutputLive, Name: "mine",
	})
	if err != nil {
		t.Fatal(err)
	}
	j := f.Jobs[0]
	if j.Foreach.Source != FromNul || j.Foreach.Path != "items" || j.Chunk != (Chunk{Size: 7}) {
		t.Errorf("items come from %+v by %+v", j.Foreach, j.Chunk)
	}
	if j.Timeout != time.Minute || j.Retry.Max != 3 || !j.Retry.Matches("failed", true, 1, 0) || f.Output != OutputLive || f.Name != "mine" {
		t.Errorf("file is %+v, job is %+v", f, j)
	}
	if j := mustEach(t, Each{Argv: []string{"x"}, N: -1}); j.Chunk != (Chunk{Auto: true}) {
		t.Errorf("chunk is %+v", j.Chunk)
	}
}

// What GNU parallel makes of the same words and items.
func TestEach_PlaceholdersMeanWhatTheyMeanToParallel(t *testing.T) {
	t.Parallel()
	words := []string{"{}", "{/}", "{//}", "{.}", "{/.}"}
	for item, want := range map[string][]string{
		"a.txt":              {"a.txt", "a.txt", ".", "a", "a"},
		"dir/a.txt":          {"dir/a.txt", "a.txt", "dir", "dir/a", "a"},
		"/x/y/a.tar.gz":      {"/x/y/a.tar.gz", "a.tar.gz", "/x/y", "/x/y/a.tar", "a.tar"},
		"/a":                 {"/a", "a", "/", "/a", "a"},
		"plain":              {"plain", "plain", ".", "plain", "plain"},
		"sub.dir/plain":      {"sub.dir/plain", "plain", "sub.dir", "sub.dir/plain", "plain"},
		"dir/":               {"dir/", "", ".", "dir/", ""},
		"a/b/":               {"a/b/", "", "a", "a/b/", ""},
		"a//b":               {"a//b", "b", "a", "a//b", "b"},
		"/":                  {"/", "", "/", "/", ""},
		".profile":           {".profile", ".profile", ".", "", ""},
		"home/.profile":      {"home/.profile", ".profile", "home", "home/", ""},
		"dot.":               {"dot.", "dot.", ".", "dot.", "dot."},
		"a/../b.c":           {"a/../b.c", "b.c", "a/..", "a/../b", "b"},
		"with space/ä b.ö":   {"with space/ä b.ö", "ä b.ö", "with space", "with space/ä b", "ä b"},
		"{}":                 {"{}", "{}", ".", "{}", "{}"},
		"{{.job}}":           {"{{.job}}", "{{.job}}", ".", "{{", "{{"},
		"not\xffutf/8\xfe.x": {"not\xffutf/8\xfe.x", "8\xfe.x", "not\xffutf", "not\xffutf/8\xfe", "8\xfe"},
		"":                   {"", "", ".", "", ""},
	} {
		got, err := mustEach(t, Each{Argv: append([]string{"x"}, words...)}).Argv(&Scope{Item: String(item)})
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(want, got[1:]); diff != "" {
			t.Errorf("%q (-want +got):\n%s", item, diff)
		}
	}
}

func TestEach_WordsAreNoTemplates(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		n           int
		words, want []string
	}{
		{0, []string{"echo"}, []string{"echo", "d/a.b"}},
		{0, []string{"echo", "", "-n"}, []string{"echo", "", "-n", "d/a.b"}},
		{0, []string{"echo", "{}"}, []string{"echo", "d/a.b"}},
		{0, []string{"echo", "{}{}", "x{/}y{#}z"}, []string{"echo", "d/a.bd/a.b", "xa.by8z"}},
		{0, []string{"echo", "{#}"}, []string{"echo", "8"}},
		{0, []string{"{//}/run", "a"}, []string{"d/run", "a"}},
		{0, []string{"echo", "{{.item}}", "{{", "{x}", "{ }", "{"}, []string{"echo", "{{.item}}", "{{", "{x}", "{ }", "{", "d/a.b"}},
		{0, []string{"echo", "{{}}"}, []string{"echo", "{d/a.b}"}},
		{0, []string{"echo", "{{.item}}{}"}, []string{"echo", "{{.item}}d/a.b"}},
		{3, []string{"echo"}, []string{"echo", "1", "", "{}"}},
		{3, []string{"mv", "{}", "to"}, []string{"mv", "1", "", "{}", "to"}},
		{3, []string{"tar", "-f", "{#}.tar", "{}"}, []string{"tar", "-f", "8.tar", "1", "", "{}"}},
		{-1, []string{"{}", "{}"}, []string{"1", "", "{}", "1", "", "{}"}},
	} {
		j := mustEach(t, Each{Argv: c.words, N: c.n})
		s := &Scope{Item: String("d/a.b"), Items: []Value{Scalar("1"), String(""), String("{}")}, Index: 7, Job: "no"}
		got, err := j.Argv(s)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%q with %d (-want +got):\n%s", c.words, c.n, diff)
		}
		if item, items := j.RefersTo("item"), j.RefersTo("items"); item && items || items != (c.n != 0) {
			t.Errorf("%q with %d refers to item: %v, items: %v", c.words, c.n, item, items)
		}
	}
}

func TestEach_AScriptIsTakenAsItIs(t *testing.T) {
	t.Parallel()
	j := mustEach(t, Each{Argv: []string{"set -- a;", `echo "$ITEM" ${#} {{.item}}`, "{ echo; }"}, Shell: true})
	if want := `set -- a; echo "$ITEM" ${#} {{.item}} { echo; }`; j.Kind != Shell || j.Shell != want || j.Run != nil {
		t.Errorf("%v: %s", j.Kind, j.Shell)
	}
}

func TestEach_RefusesWhatItCannotRun(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		spec Each
		want string
	}{
		{Each{}, "each: there is no command; write it behind --"},
		{Each{Argv: []string{""}}, "each: the program is empty"},
		{Each{Argv: []string{"", " "}, Shell: true}, "each: the script is empty"},
		{Each{Argv: []string{"cat {}"}, Shell: true}, `each: {} is not expanded in a script (write "$ITEM")`},
		{Each{Argv: []string{"cat", "{}"}, Shell: true, N: 2}, `each: {} is not expanded in a script (write "$@")`},
		{Each{Argv: []string{"echo ${#} {#}"}, Shell: true, N: 2}, `each: {#} is not expanded in a script (write "$((INDEX + 1))")`},
		{Each{Argv: []string{"echo", "{/.}"}, Shell: true}, `each: {/.} is not expanded in a script (write "$(basename "${ITEM%.*}")")`},
		{Each{Argv: []string{"x", "{/}"}, N: 2}, `each: {/} in "{/}": with packed items only a word that is just {} becomes them`},
		{Each{Argv: []string{"x", "{}", "y{}"}, N: -1}, `each: {} in "y{}": with packed items only a word that is just {} becomes them`},
		{Each{Argv: []string{"x"}, Dir: "work"}, `each: the working directory "work" is not absolute`},
		{Each{Argv: []string{"x"}, N: -2}, "each: -2 items in one instance: want 1 to 1048576, or auto"},
		{Each{Argv: []string{"x"}, Retry: 1001}, "each: 1001 retries: want 0 to 1000"},
		{Each{Argv: []string{"x"}, Timeout: -time.Second}, "each: the timeout -1s is negative"},
		{Each{Argv: []string{"x"}, Output: "all"}, `each: output "all": want one of group, live, order, none`},
		{Each{Argv: []string{"x", "a\x00b"}}, `each: "a\x00b" holds a NUL byte`},
		{Each{Argv: []string{"x"}, Path: "a\x00"}, `each: "a\x00" holds a NUL byte`},
	} {
		if c.spec.Dir == "" {
			c.spec.Dir = "/work"
		}
		if _, err := NewEach(c.spec); err == nil || err.Error() != c.want {
			t.Errorf("%q gives %v\nwant %s", c.spec.Argv, err, c.want)
		}
	}
}

func FuzzNewEach(f *testing.F) {
	for _, s := range []string{"{}", "x{/}{#}", "{{}}", "{/.{//}}", "{{.item}}", "{", "${#}", ""} {
		f.Add(s, "dir/a.b\xff", false, 0)
		f.Add(s, "", true, 2)
	}
	f.Fuzz(func(t *testing.T, word, item string, shell bool, n int) {
		file, err := NewEach(Each{Argv: []string{"x", word}, Shell: shell, N: n, Dir: "/"})
		if err != nil || shell {
			return
		}
		s := &Scope{Item: String(item), Items: []Value{String(item), String(item)}, Index: 1<<53 - 1}
		argv, err := file.Jobs[0].Argv(s)
		if err != nil || len(argv) < 2 {
			t.Fatalf("%q with %q gives %q, %v", word, item, argv, err)
		}
		if at, _ := nextPlaceholder(word); at < 0 && (argv[1] != word || argv[2] != item) {
			t.Fatalf("%q with %q gives %q", word, item, argv)
		}
	})
}
