package config

import (
	"testing"
)

func TestParseHalt(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"never", "now,fail=1", "soon,fail=10%", "now,success=1", "soon,success=12.5%"} {
		h, err := ParseHalt(text)
		if err != nil || h.String() != text {
			t.Errorf("%s gives %s, %v", text, h, err)
		}
	}
	for _, text := range []string{"", "now", "now,", "now,fail", "now,fail=", "now,fail=0", "now,fail=-1", "now,fail=1.5", "later,fail=1", "now,done=1", "now,fail=0%", "now,fail=101%", "now,fail=NaN%", "never,fail=1"} {
		if h, err := ParseHalt(text); err == nil {
			t.Errorf("%q gives %s", text, h)
		}
	}
}

func TestHalt_Reached(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		policy       string
		ok, finished int64
		want         bool
	}{
		{"never", 0, 1000, false},
		{"now,fail=2", 9, 10, false},
		{"now,fail=2", 8, 10, true},
		{"now,success=1", 0, 10, false},
		{"now,success=1", 1, 10, true},
		{"soon,fail=10%", 0, 19, false}, // too few to tell
		{"soon,fail=10%", 18, 20, true},
		{"soon,fail=10%", 19, 20, false},
	} {
		h, err := ParseHalt(c.policy)
		if err != nil {
			t.Fatal(err)
		}
		if got := h.Reached(c.ok, c.finished); got != c.want {
			t.Errorf("%s with %d ok of %d: %v, want %v", c.policy, c.ok, c.finished, got, c.want)
		}
	}
}
