//go:build unix

package death

import (
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/feac4032/multiproc/internal/spawn"
)

func TestLimit_IsReadFromWhatTheKernelAnswered(t *testing.T) {
	t.Parallel()
	all := spawn.Limits{Memory: 1, CPU: time.Second, PIDs: 2, Files: 3, FileSize: 4}
	code := func(n int) Exits { return Exits{Code: n} }
	for name, c := range map[string]struct {
		how        Exits
		text, want string
	}{
		"nothing said":            {code(1), "it is all wrong", ""},
		"sh files":                {code(2), "sh: 1: cannot open x: Too many open files\n", spawn.Files},
		"go files":                {code(1), "open /x: too many open files", spawn.Files},
		"python files":            {code(1), "OSError: [Errno 24] Too many open files: '/x'", spawn.Files},
		"node files":              {code(1), "Error: EMFILE: too many open files, open '/x'", spawn.Files},
		"SIGXFSZ":                 {Exits{Code: -1, Signal: syscall.SIGXFSZ}, "", spawn.FileSize},
		"SIGXFSZ of sh":           {code(153), "", spawn.FileSize},
		"go file size":            {code(1), "write /x: file too large", spawn.FileSize},
		"python size":             {code(1), "OSError: [Errno 27] File too large", spawn.FileSize},
		"SIGXCPU, of whom ever":   {Exits{Code: -1, Signal: syscall.SIGXCPU}, "", ""},
		"bash pids":               {code(1), "bash: fork: retry: Resource temporarily unavailable", spawn.PIDs},
		"dash pids":               {code(2), "sh: 1: Cannot fork", spawn.PIDs},
		"go pids":                 {code(1), "fork/exec /bin/true: resource temporarily unavailable", spawn.PIDs},
		"python pids":             {code(1), "  File \"w.py\", line 3, in f\n    os.fork()\nBlockingIOError: [Errno 11] Resource temporarily unavailable", spawn.PIDs},
		"python thread":           {code(1), "RuntimeError: can't start new thread", spawn.PIDs},
		"a read that would block": {code(1), "read: resource temporarily unavailable", ""},
		"go memory":               {code(2), "fatal error: runtime: out of memory\n\ngoroutine 1 [running]:\n", spawn.Memory},
		"c memory":                {code(1), "malloc: Cannot allocate memory", spawn.Memory},
		"python memory":           {code(1), "MemoryError\n", spawn.Memory},
		"SIGKILL":                 {Exits{Code: -1, Signal: syscall.SIGKILL}, "", ""},
		"another signal":          {Exits{Code: -1, Signal: syscall.SIGSEGV}, "", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b := Limit(&all, c.how, "", c.text)
			got := ""
			if b != nil {
				got = b.Resource
				if b.Limit != allowed(&all, got) || b.Observed != b.Limit || b.EnforcedBy != "rlimit" || b.Evidence == "" {
					t.Errorf("%+v", b)
				}
				if c.text != "" && !strings.Contains(strings.ToLower(c.text), strings.ToLower(strings.TrimPrefix(b.Evidence, "it said: "))) {
					t.Errorf("evidence %q does not quote %q", b.Evidence, c.text)
				}
			}
			if got != c.want {
				t.Errorf("limit %q, want %q", got, c.want)
			}
			if b := Limit(&spawn.Limits{}, c.how, c.text); b != nil {
				t.Errorf("%+v, and no limit was set", b)
			}
			if b := Limit(nil, c.how, c.text); b != nil {
				t.Errorf("%+v, and there are no limits", b)
			}
		})
	}
}
