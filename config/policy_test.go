package config

import (
	"errors"
	"testing"
	"time"
)

func TestRetry_MatchesCauses(t *testing.T) {
	t.Parallel()
	type end struct {
		outcome string
		exited  bool
		code    int
		signal  int
	}
	failed3, failed75 := end{"failed", true, 3, 0}, end{"failed", true, 75, 0}
	segv, killed := end{"crashed", false, 0, 11}, end{"crashed", false, 0, 9}
	timeout, panicked := end{"timeout", false, 0, 9}, end{"failed", false, 0, 0}
	all := []end{failed3, failed75, segv, killed, timeout, panicked}
	for _, c := range []struct {
		causes string
		want   []end
	}{
		{"[failed, crashed, timeout]", all},
		{"[failed]", []end{failed3, failed75, panicked}},
		{"[crashed]", []end{segv, killed}},
		{"[timeout]", []end{timeout}},
		{"['exit:75']", []end{failed75}},
		{"['exit:0-10']", []end{failed3}},
		{"['signal:9']", []end{killed}}, // the signal of our own kill does not count
		{"['signal:11', 'exit:3']", []end{failed3, segv}},
	} {
		r := mustParse(t, "jobs: [{id: a, run: [x], retry: {max: 1, causes: "+c.causes+"}}]\n").Jobs[0].Retry
		want := map[end]bool{}
		for _, e := range c.want {
			want[e] = true
		}
		for _, e := range all {
			if got := r.Matches(e.outcome, e.exited, e.code, e.signal); got != want[e] {
				t.Errorf("%s matches %+v: %v, want %v", c.causes, e, got, want[e])
			}
		}
	}
	none := DefaultRetry(1)
	for _, outcome := range []string{"ok", "cancelled", "limit", "poisoned", "internal"} {
		if none.Matches(outcome, true, 1, 0) {
			t.Errorf("the default retries %s", outcome)
		}
	}
}

func TestCause_StringIsWhatTheFileWrites(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"failed", "crashed", "timeout", "exit:0", "exit:70-79", "signal:9"} {
		c, err := parseCause(text)
		if err != nil || c.String() != text {
			t.Errorf("%s gives %s, %v", text, c, err)
		}
	}
	if _, err := parseCause("limit"); !errors.Is(err, ErrNotAvailable) {
		t.Errorf("limit gives %v", err)
	}
}

func TestRetry_DelayGrowsUpToTheBound(t *testing.T) {
	t.Parallel()
	r := Retry{Backoff: time.Second, Factor: 2, MaxBackoff: 5 * time.Second, Jitter: 0.2}
	for n, want := range map[int]time.Duration{1: time.Second, 2: 2 * time.Second, 3: 4 * time.Second, 4: 5 * time.Second, 5000: 5 * time.Second} {
		if got := r.Delay(n, 0.5); got != want {
			t.Errorf("delay %d is %v, want %v", n, got, want)
		}
	}
	if lo, hi := r.Delay(1, 0), r.Delay(1, 1); lo != 800*time.Millisecond || hi != 1200*time.Millisecond {
		t.Errorf("jitter spans %v to %v", lo, hi)
	}
}

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

func TestParseDuration(t *testing.T) {
	t.Parallel()
	if d, err := ParseDuration("1h30m"); err != nil || d != 90*time.Minute {
		t.Errorf("got %v, %v", d, err)
	}
	for text, want := range map[string]string{
		"30":  `duration "30" has no unit: write 30s, 30m or 30h`,
		"-1s": `duration "-1s" is negative`,
		"1d":  `duration "1d": want a number with a unit, like 250ms, 30s or 1h30m`,
		"":    `duration "": want a number with a unit, like 250ms, 30s or 1h30m`,
	} {
		if _, err := ParseDuration(text); err == nil || err.Error() != want {
			t.Errorf("%q gives %v, want %s", text, err, want)
		}
	}
}

func TestParseSize(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{
		"0": 0, "4096": 4096, "10MB": 10e6, "64MiB": 64 << 20, "1.5GiB": 3 << 29, "1 kB": 1000, "2TiB": 2 << 40, "9223372036854775807": 1<<63 - 1,
	} {
		if got, err := ParseSize(text); err != nil || got != want {
			t.Errorf("%s gives %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "-1", "MB", "1XB", "1mb", "1e3", "9223372036854775808", "9999999TiB", "0x10", "1.MB"} {
		if got, err := ParseSize(text); err == nil {
			t.Errorf("%q gives %d", text, got)
		}
	}
}

func TestInheritEnv_StarStandsForAnyCharacters(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		pattern, name string
		want          bool
	}{
		{"PATH", "PATH", true}, {"PATH", "PATHS", false}, {"AWS_*", "AWS_KEY", true}, {"AWS_*", "AWS", false},
		{"*", "", true}, {"*_KEY", "A_KEY", true}, {"*_KEY", "A_KEYS", false}, {"A*B*C", "AxBxBC", true}, {"A*B*C", "AC", false},
		{"A*A", "A", false}, {"[A]", "A", false}, {"?", "A", false},
	} {
		ie := InheritEnv{Patterns: []string{c.pattern}}
		if got := ie.Match(c.name); got != c.want {
			t.Errorf("%s matches %s: %v, want %v", c.pattern, c.name, got, c.want)
		}
	}
	if !(&InheritEnv{All: true}).Match("X") || (&InheritEnv{}).Match("X") {
		t.Error("all or none")
	}
}

func TestEnvName(t *testing.T) {
	t.Parallel()
	for field, want := range map[string]string{"width": "ITEM_WIDTH", "a-b.c": "ITEM_A_B_C", "Ü9": "ITEM__9", "": "ITEM_"} {
		if got := EnvName("ITEM", field); got != want {
			t.Errorf("%q gives %s, want %s", field, got, want)
		}
	}
	if ReservedEnv("ITEMS") || ReservedEnv("PATH") || !ReservedEnv("SLOT") || !ReservedEnv("USES_GPU") {
		t.Error("ReservedEnv")
	}
}

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
