package config

import (
	"os"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

func FuzzParse(f *testing.F) {
	for _, pattern := range []string{"testdata/good/*.yaml", "testdata/bad/*.yaml"} {
		for _, path := range files(f, pattern) {
			src, err := os.ReadFile(path)
			if err != nil {
				f.Fatal(err)
			}
			f.Add(src)
		}
	}
	for _, s := range []string{"", "\ufeff", "a: &a [*a]", "{{", "? ? ?", "- - -", "\t", "%", "--- ---", "!!", "a: |2", "jobs: [{id: a, run: [\"{{\"]}]"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		if len(src) > 64<<10 {
			return
		}
		start := time.Now()
		file, err := Parse("f", src)
		if took := time.Since(start); took > 10*time.Second {
			t.Fatalf("%d bytes took %v", len(src), took)
		}
		if err != nil {
			errs, ok := err.(Errors)
			if !ok || len(errs) == 0 {
				t.Fatalf("%T is not Errors with entries", err)
			}
			for _, e := range errs {
				if e.Line < 1 || e.Col < 1 || strings.ContainsAny(e.Error(), "\n\x00") || !utf8.ValidString(e.Error()) {
					t.Fatalf("malformed error %+v", e)
				}
			}
			return
		}
		if len(file.Jobs) == 0 {
			t.Fatal("a file without jobs was accepted")
		}
		levelled := 0
		for _, l := range file.Levels {
			levelled += len(l)
		}
		if levelled != len(file.Jobs) {
			t.Fatalf("%d of %d jobs have a level", levelled, len(file.Jobs))
		}
		scope := &Scope{Item: String("{{.job}}"), Items: []Value{String("{{.items}}"), {}}, Vars: file.Vars, Attempt: 1, Slot: 1}
		for _, j := range file.Jobs {
			if j.Kind == 0 || j.ID == "" || len(j.OkExit) == 0 || j.Slots < 1 {
				t.Fatalf("job is not resolved: %+v", j)
			}
			if f := j.Foreach; f.feeds() && (f.Of == nil || f.Of.Level >= j.Level) {
				t.Fatalf("%s takes its items from %v, which does not end before it", j.ID, f.Of)
			}
			for _, u := range j.Uses {
				if u.Count < 1 || u.Count > u.Resource.Count || u.Resource.ID(u.Count-1) == "" {
					t.Fatalf("%s uses %d of %+v", j.ID, u.Count, u.Resource)
				}
			}
			if j.Matrix != nil {
				scope.Matrix = j.Matrix.At(j.Matrix.Len() - 1)
			}
			j.eachTemplate(func(tmpl *Template) {
				if expands(tmpl) {
					_, _ = tmpl.Text(scope)
				}
			})
		}
	})
}

// expands keeps templates out that take long because they say so.
func expands(t *Template) bool {
	return !strings.Contains(t.Raw(), "range") && !strings.Contains(t.Raw(), "printf")
}

func FuzzParseJSON(f *testing.F) {
	for _, s := range []string{`{"a":[1,2.50,"x\u00e9\ud83d\ude00",null,true]}`, `[[[[`, `"\ud800"`, `1e400`, `{"a":1,"a":2}`, `-0`, "\"\xff\"", ` 17 `} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		v, err := ParseJSON(src)
		if err != nil {
			return
		}
		again, err := ParseJSON(v.AppendJSON(nil))
		if err != nil {
			t.Fatalf("%q gives %q, which does not read: %v", src, v.AppendJSON(nil), err)
		}
		if string(again.AppendJSON(nil)) != string(v.AppendJSON(nil)) {
			t.Fatalf("%q changes from %q to %q", src, v.AppendJSON(nil), again.AppendJSON(nil))
		}
	})
}
