package report

import "testing"

func TestRow_SaysWhichLimitAndWhoHeldIt(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		row  Row
		want string
	}{
		{
			Row{Which: "memory", Limit: 128 << 20, Observed: 131 << 20, EnforcedBy: "cgroup v2", Evidence: "oom_kill rose", ExitCode: -1},
			"oom_kill rose (observed 131 MiB, limit 128 MiB, cgroup v2)",
		},
		{
			Row{Which: "cpu", Limit: 15e8, Observed: 16e8, EnforcedBy: "watch\x1b[1mdog", ExitCode: -1},
			`observed 1.60 s, limit 1.50 s, watch\x1b[1mdog`,
		},
		{Row{Which: "files", Limit: 10, EnforcedBy: "rlimit", Evidence: "it said", ExitCode: 1}, "it said (limit 10, rlimit, exit code 1)"},
		{Row{Which: "panic", Evidence: "boom", ExitCode: -1}, "boom"},
	} {
		if got := c.row.why(500); got != c.want {
			t.Errorf("%q, want %q", got, c.want)
		}
	}
	if got := by("") + by("cgroup\x07 v1"); got != ` (cgroup\x07 v1)` {
		t.Errorf("%q", got)
	}
}
