package faulttest_test

import "testing"

const (
	hurried = "timeout: 300ms"
	swift   = "start_timeout: 1s"
)

// A worker's death costs the job that it had started, and names its cause.
func TestFaults_DeathOfAWorker(t *testing.T) {
	rows(t, false, []row{
		{name: "SIGKILL", want: "crashed", because: "was ended by SIGKILL, sender unknown"},
		{name: "SIGSEGV", want: "crashed", because: "SIGSEGV"},
		{name: "abort", want: "crashed", because: "SIGABRT: assertion failed"},
		{name: "panic", want: "crashed", which: "panic", because: "panic: aargh"},
		{name: "fatal error of Go", want: "crashed", which: "fatal", because: "fatal error: sync: unlock of unlocked mutex"},
		{name: "exit 0 without a result", want: "crashed", because: "exited with code 0 under the job"},
		{name: "exit 3 without a result", want: "crashed", because: "exited with code 3 under the job: no space"},
		{name: "exit after the result", told: "exited with code 5"},
		{name: "SIGKILL with the result in the ring", told: "SIGKILL"},
		{name: "SIGKILL with half of the result in the ring", want: "crashed", because: "SIGKILL, sender unknown"},
		{name: "SIGSTOP", job: hurried, want: "timeout", because: "timeout of 300ms"},
		{name: "SIGSTOP before the start", job: hurried, want: "timeout", because: "timeout of 300ms"},
		{name: "hang", job: hurried, want: "timeout", because: "timeout of 300ms"},
		{name: "ignores SIGTERM", job: hurried, want: "timeout", because: "was killed"},
		{name: "death before ready", told: "exited with code 3 before it was ready: no model"},
		{name: "SIGKILL before ready", told: "SIGKILL"},
		{name: "never ready", worker: swift, told: "not ready within 1s"},
		{name: "crash loop between jobs", want: "skipped", because: "restart limit.*exited with code 4", code: 3, all: true, halted: true, again: true},
		{name: "job that kills any worker", job: "retry: 3", want: "poisoned", because: "SIGKILL", all: true, again: true},
		{name: "gives every job back", want: "skipped", because: "restart limit", code: 3, all: true, halted: true, again: true},
		{name: "daemon that holds the link", want: "crashed", because: "exited with code 0 under the job"},
		{name: "closes its output", want: "protocol", because: "closed its end of the link and went on"},
	})
}

// A command ends as what it was, whatever it leaves behind.
func TestFaults_DeathOfACommand(t *testing.T) {
	rows(t, true, []row{
		{name: "SIGKILL", want: "crashed", because: "SIGKILL.*sender unknown"},
		{name: "SIGSEGV", want: "crashed", because: "SIGSEGV"},
		{name: "abort", want: "crashed", because: "SIGABRT"},
		{name: "panic", want: "failed", because: "exit code 2"},
		{name: "exit 3", want: "failed", because: "exit code 3"},
		{name: "SIGSTOP", job: hurried, want: "timeout", because: "timeout of 300ms"},
		{name: "hang", job: hurried, want: "timeout", because: "timeout of 300ms"},
		{name: "ignores SIGTERM", job: hurried, want: "timeout", because: "timeout of 300ms"},
	})
}
