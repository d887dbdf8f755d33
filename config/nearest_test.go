package config

import (
	"testing"
)

func TestNearest_FindsSlipsOnly(t *testing.T) {
	t.Parallel()
	names := []string{"run", "shell", "timeout", "continue_on_error", "env"}
	for written, want := range map[string]string{
		"rnu": "run", "shel": "shell", "timout": "timeout", "tiemout": "timeout", "continue_on_eror": "continue_on_error",
		"x": "", "ab": "", "environment": "", "zzzzzz": "",
	} {
		if got := nearest(written, names); got != want {
			t.Errorf("nearest to %q is %q, want %q", written, got, want)
		}
	}
	if d := distance("kitten", "sitting", 10); d != 3 {
		t.Errorf("distance is %d, want 3", d)
	}
}
