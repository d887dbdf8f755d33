package child

import (
	"strings"
	"testing"
)

func TestParent_FitsInAnEnvironment(t *testing.T) {
	t.Parallel()
	for _, p := range []Parent{
		{PID: 1, Name: "MainProcess"},
		{PID: 4194304, Name: "Process-1:2", Daemon: true},
		{PID: 7, Name: "a \"b\"\n\x00=naïve"},
	} {
		_, value, _ := strings.Cut(p.marker(), "=")
		if strings.ContainsAny(value, "\x00\n") {
			t.Errorf("%q cannot stand in an environment", value)
		}
		if got, ok := parseParent(value); got != p || !ok {
			t.Errorf("%q: %+v, %v, want %+v", value, got, ok, p)
		}
	}
}

func FuzzParseParent(f *testing.F) {
	for _, s := range []string{"", `1 child "x"`, `99 daemon "a\u00e9"`, `0 child "x"`, `1 child x`, `1 child ""`, `1 uncle "x"`, "1", "1 child"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		p, ok := parseParent(s)
		if !ok {
			return
		}
		if p.PID <= 0 || p.Name == "" {
			t.Fatalf("%q: %+v", s, p)
		}
		_, value, _ := strings.Cut(p.marker(), "=")
		if again, ok := parseParent(value); again != p || !ok {
			t.Fatalf("%q: %+v, and then %+v", s, p, again)
		}
	})
}
