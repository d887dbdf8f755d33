package config

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestEnvFile_ReadsWhatShellsWrite(t *testing.T) {
	t.Parallel()
	src := "\ufeff# comment = not a variable\n\n  \t\r\n" +
		"PLAIN=one two  # comment\r\n" +
		"  export\tEXPORTED = x#y \n" +
		"EMPTY=\n" +
		"ONLY_COMMENT= # nothing\n" +
		`SINGLE='a "b" \n $X # c' # d` + "\n" +
		`DOUBLE="a 'b' \n\t\\ \"c\" \$X \` + "`" + ` \q # d"` + "\n" +
		"LINES='one\n two\r\n'\n" +
		"JOINED=\"a\\\nb\\\r\nc\nd\"\n" +
		`INNER=a"b"'c'\n$PLAIN` + "\n" +
		"exported=lower\n" +
		"PLAIN=last"
	got, err := ParseEnvFile("x.env", []byte(src))
	if err != nil {
		t.Fatal(err)
	}
	want := []EnvEntry{
		{"PLAIN", "last"}, {"EXPORTED", "x#y"}, {"EMPTY", ""}, {"ONLY_COMMENT", ""},
		{"SINGLE", `a "b" \n $X # c`}, {"DOUBLE", "a 'b' \n\t\\ \"c\" $X ` \\q # d"},
		{"LINES", "one\n two\n"}, {"JOINED", "abc\nd"}, {"INNER", `a"b"'c'\n$PLAIN`}, {"exported", "lower"},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}

func TestEnvFile_MistakesNameTheLineAndShowNoValue(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ src, want string }{
		{"A=1\n\nhunter2\n", "x.env:3: want NAME=VALUE: the line has no ="},
		{"A='x\ny'\nhunter2-x=1\n", "x.env:3: want NAME=VALUE: a name is letters, digits and underscores, at most 128 bytes"},
		{"=hunter2\n", "x.env:1: want NAME=VALUE: a name is letters, digits and underscores, at most 128 bytes"},
		{"A=1\nB=\"hunter2\nC=2\n", "x.env:2: the quote that begins here is not closed"},
		{"B='a\nhunter2' hunter2\n", "x.env:2: there is something behind the closing quote"},
		{"ITEM_X=hunter2\n", "x.env:1: ITEM_X is set by the supervisor itself"},
		{"A=hunter2\x00\n", "x.env:1: the value of A holds a NUL byte"},
		{"A=1\nexport hunter2\nhunter2\n", "x.env:2: want NAME=VALUE: the line has no =\nx.env:3: want NAME=VALUE: the line has no ="},
		{strings.Repeat("#", MaxEnvFile+1), "x.env:1: a file of variables has at most 256 KiB"},
	} {
		_, err := ParseEnvFile("x.env", []byte(c.src))
		var errs Errors
		if !errors.As(err, &errs) || err.Error() != c.want {
			t.Errorf("%.40q gives %v\nwant %s", c.src, err, c.want)
		}
	}
}

func FuzzParseEnvFile(f *testing.F) {
	for _, s := range []string{"A=1", "export A='b'\n#c\nB=\"\\n\\", "A=\"\\\r\n\"", "=", "\ufeff", "A='\n\n' x\nB", "export", "A=\r\r\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		entries, err := ParseEnvFile("f", src)
		if err != nil && entries != nil {
			t.Fatalf("both %v and %v", entries, err)
		}
		lines := strings.Count(string(src), "\n") + 1
		var errs Errors
		if errors.As(err, &errs) {
			for _, e := range errs {
				if e.Line < 1 || e.Line > lines || strings.ContainsAny(e.Error(), "\n\x00") {
					t.Fatalf("malformed error %+v", e)
				}
			}
		}
		seen := map[string]bool{}
		for _, e := range entries {
			if seen[e.Name] || !plainName.MatchString(e.Name) || ReservedEnv(e.Name) || strings.IndexByte(e.Value, 0) >= 0 {
				t.Fatalf("bad entry %q", e)
			}
			seen[e.Name] = true
		}
	})
}
