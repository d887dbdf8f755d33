package config

import (
	"strings"
	"testing"
)

func TestNearest_FindsSlipsOnly(t *testing.T) {
	t.Parallel()
	names := []string{"run", "shell", "timeout", "continue_on_error", "env"}
	for written, want := range map[string]string{
		"rnu": "run", "shel": "shell", "timout": "timeout", "tiemout": "timeout", "continue_on_eror": "continue_on_error",
		"x": "", "ab": "", "environment": "", "zzzzzz": "",
	} {
		if got := Nearest(written, names); got != want {
			t.Errorf("nearest to %q is %q, want %q", written, got, want)
		}
	}
	if d := distance("kitten", "sitting", 10); d != 3 {
		t.Errorf("distance is %d, want 3", d)
	}
}

func TestParse_ForeachAsATextSaysWhichSourceWasMeant(t *testing.T) {
	t.Parallel()
	for written, want := range map[string]string{
		"1..3":    "write {range: 1..3}",
		`"*.jpg"`: `write {glob: "*.jpg"}`,
		"a.txt":   "write a list, or a source like {lines: FILE} or {glob: PATTERN}",
	} {
		_, err := Parse("f", []byte("jobs: [{id: a, run: [x], foreach: "+written+"}]"))
		if err == nil || !strings.Contains(err.Error(), "("+want+")") {
			t.Errorf("foreach: %s: %v, want the hint %q", written, err, want)
		}
	}
}
