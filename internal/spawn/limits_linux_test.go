package spawn

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

func TestStart_WithoutDescriptorsFailsAndRecovers(t *testing.T) {
	t.Parallel()
	for _, where := range []string{"supervisor", "guardian"} {
		t.Run(where, func(t *testing.T) {
			t.Parallel()
			cmd, in := helper(t, "exhaust", 0, "WHERE="+where)
			defer in.Close()
			if out, err := cmd.Output(); err != nil {
				t.Errorf("%v after %q", err, out)
			}
		})
	}
}

var _ = register("exhaust", func() {
	g, err := Open(Options{Exclusive: true})
	must(err)
	pid := os.Getpid()
	if os.Getenv("WHERE") == "guardian" {
		pid = g.current.pid
	}
	var old unix.Rlimit
	must(unix.Prlimit(pid, unix.RLIMIT_NOFILE, nil, &old))
	for range 3 {
		must(unix.Prlimit(pid, unix.RLIMIT_NOFILE, &unix.Rlimit{Cur: 40, Max: old.Max}, nil))
		var running []*Process
		var files []*os.File
		for {
			var p *Process
			r, w, err := os.Pipe()
			if err == nil {
				files = append(files, r)
				p, err = g.Start(&Spec{Path: "/bin/sleep", Argv: []string{"sleep", "1000"}, Files: []*os.File{nil, w, w, nil, w, w, w}})
				w.Close()
			}
			if err != nil {
				check(errors.Is(err, syscall.EMFILE), "after %d starts: %v", len(running), err)
				break
			}
			running = append(running, p)
			check(len(running) < 100, "no limit reached")
		}
		// Again and again, without a hang.
		for range 20 {
			if p, err := g.Start(&Spec{Path: "/bin/true", Files: []*os.File{os.Stderr, os.Stderr, os.Stderr, os.Stderr, os.Stderr, os.Stderr}}); err == nil {
				<-p.Done()
			} else {
				check(errors.Is(err, syscall.EMFILE), "again: %v", err)
			}
		}
		must(unix.Prlimit(pid, unix.RLIMIT_NOFILE, &old, nil))
		for _, p := range running {
			must(p.Kill())
			<-p.Done()
			check(p.Status().Signal == syscall.SIGKILL && p.Status().TreeEmpty, "status is %+v", p.Status())
		}
		for _, f := range files {
			f.Close()
		}
		p, err := g.Start(&Spec{Path: "/bin/true"})
		must(err)
		<-p.Done()
		check(p.Status().Success(), "afterwards: %+v", p.Status())
	}
	must(g.Close())
})

func TestStart_TooLargeNamesWhatIs(t *testing.T) {
	t.Parallel()
	g := open(t, Options{})
	long := strings.Repeat("x", 1<<20)
	for want, s := range map[string]*Spec{
		"argument 1 is the longest with 1048576":                {Path: "/bin/true", Argv: []string{"true", long}},
		"environment variable ITEM is the longest with 1048576": {Path: "/bin/true", Env: []string{"A=b", "ITEM=" + long}},
	} {
		if _, err := g.Start(s); !errors.Is(err, syscall.E2BIG) || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v, want %q", err, want)
		}
	}
}
