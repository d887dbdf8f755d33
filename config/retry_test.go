package config

import (
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
	for _, text := range []string{"failed", "crashed", "timeout", "limit", "exit:0", "exit:70-79", "signal:9"} {
		c, err := parseCause(text)
		if err != nil || c.String() != text {
			t.Errorf("%s gives %s, %v", text, c, err)
		}
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
