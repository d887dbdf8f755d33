package spawn

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// mechanisms are what limits can be enforced by on the machines that tests run on.
// Version 2 has no controllers on some: then it groups, and the watchdog limits.
var mechanisms = []string{byV2, byV1, byWatchdog}

// hog is a Spec of this binary as one of the hogs. Its standard output is w.
func hog(w *os.File, name string, l Limits) *Spec {
	used.Store("hog "+name, true)
	return &Spec{
		Path: "/proc/self/exe", Argv: []string{"hog"},
		Env:    []string{helperEnv + "=hog " + name},
		Files:  []*os.File{nil, w, os.Stderr},
		Limits: &l,
	}
}

var (
	_ = register("hog memory", func() { hogMemory(400 << 20) })
	_ = register("hog shared memory", func() { hogShared(400 << 20) })
	_ = register("hog processes", func() { hogProcesses(500) })
	_ = register("hog cpu", func() { spin(deadline) })
	_ = register("hog descriptors", func() {
		for range 5000 {
			if _, err := unix.Open("/dev/null", unix.O_RDONLY, 0); err != nil {
				break
			}
		}
		// The runtime's own sleep needs descriptors.
		unix.Select(0, nil, nil, nil, &unix.Timeval{Sec: int64(deadline / time.Second)})
	})
)

// hogMemory takes up memory, at a pace that is the machine's only when it is busy.
func hogMemory(n int) {
	b, err := unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_PRIVATE|unix.MAP_ANON)
	must(err)
	for i := 0; i < n; i += 4096 {
		b[i] = 1
		if i%(1<<20) == 0 {
			time.Sleep(500 * time.Microsecond)
		}
	}
	time.Sleep(deadline)
}

// headlessHog is a process whose first thread ends before it takes up memory.
var _ = register("headless hog", func() {
	go func() {
		for {
			if b, err := readProc("/proc/self/stat"); err == nil && strings.Contains(string(b), ") Z ") {
				break
			}
			time.Sleep(time.Millisecond)
		}
		if os.Getenv("SHARED") != "" {
			hogShared(400 << 20)
		}
		hogMemory(400 << 20)
	}()
	unix.Syscall(unix.SYS_EXIT, 0, 0, 0)
})

func TestLimits_HoldWithoutAFirstThread(t *testing.T) {
	t.Parallel()
	used.Store("headless hog", true)
	for _, shared := range []string{"", "1"} {
		t.Run("shared "+shared, func(t *testing.T) {
			t.Parallel()
			g := openOnly(t, byWatchdog)
			p := start(t, g, &Spec{
				Path: "/proc/self/exe", Argv: []string{"hog"}, Env: []string{helperEnv + "=headless hog", "SHARED=" + shared},
				Files: []*os.File{nil, os.Stderr, os.Stderr}, Limits: &Limits{Memory: 128 << 20},
			})
			st := waitDone(t, p)
			if st.Breach == nil || st.Breach.Resource != Memory {
				t.Errorf("status is %+v", st)
			}
		})
	}
}

func TestLimits_HoldForMoreProcessesThanAreHeldOpen(t *testing.T) {
	t.Parallel()
	g := openOnly(t, byWatchdog)
	out, in := newOutput(t), newOutput(t)
	s := shell(out.w, fmt.Sprintf("i=0; while [ $i -lt %d ]; do sleep 1000 & i=$((i+1)); done; echo up; read x <&3; sh -c 'while :; do :; done'", maxHeld+10))
	s.Files = append(s.Files, nil, in.r)
	s.Limits = &Limits{CPU: 3 * time.Second, Memory: 1 << 30, Files: 100}
	p := start(t, g, s)
	if line := out.line(); line != "up" {
		t.Fatal(line)
	}
	in.w.WriteString("go\n")
	if st := waitDone(t, p); st.Breach == nil || st.Breach.Resource != CPU {
		t.Errorf("status is %+v", st)
	}
	out.ended(deadline)
}

// hogShared takes up memory of which each process has a part, and all together too much.
func hogShared(n int) {
	b, err := unix.Mmap(-1, 0, n, unix.PROT_READ|unix.PROT_WRITE, unix.MAP_SHARED|unix.MAP_ANON)
	must(err)
	for i := 0; i < n; i += 4096 {
		b[i] = 1
		if i%(1<<20) == 0 {
			time.Sleep(500 * time.Microsecond)
		}
	}
	time.Sleep(deadline)
}

// hogProcesses starts sleepers in sessions of their own. They keep the environment, by
// which an orphan is known that the watchdog has not yet seen.
func hogProcesses(n int) {
	for range n {
		_, err := syscall.ForkExec("/bin/sleep", []string{"sleep", "1000"}, &syscall.ProcAttr{Env: os.Environ(), Files: []uintptr{0, 1, 2}, Sys: &syscall.SysProcAttr{Setsid: true}})
		if err != nil {
			break
		}
	}
	time.Sleep(deadline)
}

// spin uses CPU time, by the clock of the process itself.
func spin(cpu time.Duration) {
	var u syscall.Rusage
	for {
		must(syscall.Getrusage(syscall.RUSAGE_SELF, &u))
		if time.Duration(u.Utime.Nano()+u.Stime.Nano()) >= cpu {
			return
		}
	}
}

// bigFile is a script that writes a byte 10 GB from the beginning of a file.
const bigFile = "f=$(mktemp) && exec 3<>$f && rm $f && dd if=/dev/zero bs=1 count=1 seek=10G of=/dev/fd/3 2>/dev/null"

// groupsLeft lists the control groups of a guardian, wherever they may be.
func groupsLeft(nonce string) (left []string) {
	filepath.WalkDir("/sys/fs/cgroup", func(path string, d os.DirEntry, err error) error {
		if err == nil && d.IsDir() && strings.HasSuffix(path, "multiproc-"+nonce) {
			left = append(left, path)
		}
		return nil
	})
	return left
}

// openOnly is open for a mechanism, with a check that no group is left.
func openOnly(t testing.TB, only string) *Guardian {
	var g *Guardian
	t.Cleanup(func() {
		if left := groupsLeft(g.nonce); len(left) > 0 {
			t.Errorf("left after Close: %v", left)
		}
	})
	g = open(t, Options{only: only})
	return g
}

func TestLimits_EndWhoExceedsOne(t *testing.T) {
	t.Parallel()
	file := func(w *os.File, l Limits) *Spec {
		s := shell(w, bigFile)
		s.Limits = &l
		return s
	}
	byHog := func(name string) func(*os.File, Limits) *Spec {
		return func(w *os.File, l Limits) *Spec { return hog(w, name, l) }
	}
	for _, c := range []struct {
		name   string
		spec   func(*os.File, Limits) *Spec
		limits Limits
		want   Breach
		by     [3]string // what may have enforced it, by mechanism, where it is not the watchdog
	}{
		{"memory", byHog("memory"), Limits{Memory: 128 << 20}, Breach{Resource: Memory, Limit: 128 << 20}, [3]string{byV2, byV1}},
		{"shared memory", byHog("shared memory"), Limits{Memory: 128 << 20}, Breach{Resource: Memory, Limit: 128 << 20}, [3]string{byV2, byV1}},
		{"processes", byHog("processes"), Limits{PIDs: 40}, Breach{Resource: PIDs, Limit: 40}, [3]string{byV2, byV1}},
		{"cpu", byHog("cpu"), Limits{CPU: 200 * time.Millisecond}, Breach{Resource: CPU, Limit: 2e8}, [3]string{}},
		{"descriptors", byHog("descriptors"), Limits{Files: 64}, Breach{Resource: Files, Limit: 64}, [3]string{byRlimit, byRlimit, byRlimit}},
		{"file", file, Limits{FileSize: 1 << 30}, Breach{Resource: FileSize, Limit: 1 << 30}, [3]string{byRlimit, byRlimit, byRlimit}},
	} {
		for i, only := range mechanisms {
			t.Run(c.name+" by "+only, func(t *testing.T) {
				t.Parallel()
				g := openOnly(t, only)
				neighbour := start(t, g, &Spec{Path: "/bin/sleep", Argv: []string{"sleep", "1000"}, Limits: &c.limits})
				out := newOutput(t)
				st := waitDone(t, start(t, g, c.spec(out.w, c.limits)))
				out.ended(deathWait)
				b := st.Breach
				if b == nil || b.Resource != c.want.Resource || b.Limit != c.want.Limit || b.Observed < b.Limit || b.Evidence == "" {
					t.Fatalf("breach %+v, want %+v; status %+v", b, c.want, st)
				}
				if b.EnforcedBy != c.by[i] && (b.EnforcedBy != byWatchdog || only == byV1 && c.by[i] == byV1) {
					t.Errorf("enforced by %s, by %s or the watchdog expected", b.EnforcedBy, c.by[i])
				}
				if !st.TreeEmpty || st.Success() || st.Usage.CPU <= 0 || st.Usage.CPUSource == "" {
					t.Errorf("status %+v", st)
				}
				if c.limits.Memory > 0 {
					t.Logf("peak %.3f of the limit by %s", float64(st.Usage.Peak)/float64(c.limits.Memory), b.EnforcedBy)
					// What the watchdog has to let pass depends on how busy the machine is.
					if off := st.Usage.Peak - c.limits.Memory; st.Usage.PeakSource == "" || off < -c.limits.Memory/4 || b.EnforcedBy != byWatchdog && off > c.limits.Memory/4 {
						t.Errorf("peak %d by %s, limit %d", st.Usage.Peak, st.Usage.PeakSource, c.limits.Memory)
					}
				}
				select {
				case <-neighbour.Done():
					t.Errorf("the neighbour was ended: %+v", neighbour.Status())
				default:
				}
			})
		}
	}
}

// TestLimits_EndTheTreeForOneProcess has a child exceed the limit, and its parent go on:
// the kernel of version 1 kills the child only.
func TestLimits_EndTheTreeForOneProcess(t *testing.T) {
	t.Parallel()
	for _, only := range mechanisms {
		t.Run("by "+only, func(t *testing.T) {
			t.Parallel()
			g := openOnly(t, only)
			out := newOutput(t)
			s := shell(out.w, "(x=12345678; while :; do x=$x$x; done); sleep 1000; exit 5")
			s.Limits = &Limits{Memory: 64 << 20}
			st := waitDone(t, start(t, g, s))
			out.ended(deathWait)
			if st.Breach == nil || st.Breach.Resource != Memory || st.Signal != unix.SIGKILL || !st.TreeEmpty {
				t.Errorf("status %+v", st)
			}
		})
	}
}

func TestSurvey_TellsWhatEnforcesLimits(t *testing.T) {
	t.Parallel()
	for _, only := range append(mechanisms, "") {
		t.Run("by "+only, func(t *testing.T) {
			t.Parallel()
			g := openOnly(t, only)
			s, err := g.Survey()
			if err != nil {
				t.Fatal(err)
			}
			for i, r := range []string{Memory, CPU, PIDs, Files, FileSize} {
				l := s.Limits[i]
				if l.Resource != r || l.EnforcedBy == "" {
					t.Errorf("%s: %+v", r, l)
				}
				if (r == Memory || r == PIDs) && (l.EnforcedBy == byWatchdog) != (l.Fix != "") {
					t.Errorf("%s: %+v", r, l)
				}
				if r != Memory && r != PIDs {
					continue
				}
				// It is what Start uses.
				sh := shell(nil, "x=12345678; while :; do x=$x$x; done")
				sh.Limits = &Limits{Memory: 32 << 20}
				if r == PIDs {
					sh = shell(nil, "while :; do sleep 1000 & done")
					sh.Limits = &Limits{PIDs: 10}
				}
				if st := waitDone(t, start(t, g, sh)); st.Breach == nil || st.Breach.EnforcedBy != l.EnforcedBy {
					t.Errorf("%s by %s, but %+v", r, l.EnforcedBy, st.Breach)
				}
			}
		})
	}
}

func TestLimits_HoldForNobody(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("the other tests run as nobody special already")
	}
	cmd, in := helper(t, "limits", 65534)
	defer in.Close()
	if out, err := cmd.Output(); err != nil {
		t.Errorf("%v after %q", err, out)
	}
}

var _ = register("limits", func() {
	g, err := Open(Options{})
	must(err)
	for name, l := range map[string]Limits{
		"memory": {Memory: 128 << 20}, "processes": {PIDs: 40}, "cpu": {CPU: 200 * time.Millisecond}, "descriptors": {Files: 64},
	} {
		p, err := g.Start(hog(os.Stderr, name, l))
		must(err)
		<-p.Done()
		st := p.Status()
		check(st.Breach != nil && st.TreeEmpty, "%s: %+v", name, st)
	}
	s, err := g.Survey()
	must(err)
	for _, l := range s.Limits {
		check(l.EnforcedBy != byWatchdog || l.Resource == CPU || l.Why != "" && !strings.Contains(l.Why, "\n") && l.Fix != "", "%+v", l)
	}
	must(g.Close())
})

func TestLimits_ThatAreNotReachedChangeNothing(t *testing.T) {
	t.Parallel()
	for _, only := range append(mechanisms, "") {
		t.Run("by "+only, func(t *testing.T) {
			t.Parallel()
			g := openOnly(t, only)
			out := newOutput(t)
			s := shell(out.w, "ulimit -n; ulimit -c; echo $A; sleep 0.1; exit 3")
			s.Env = append(s.Env, "A=b\xff c")
			s.Dir = "/proc"
			s.Limits = &Limits{Memory: 256 << 20, CPU: time.Minute, PIDs: 50, Files: 100, FileSize: 1 << 20}
			st := waitDone(t, start(t, g, s))
			if text := out.ended(deathWait); text != "100\n0\nb\xff c\n" {
				t.Errorf("output %q", text)
			}
			for _, tree := range groupsLeft(g.nonce) {
				if groups, _ := filepath.Glob(tree + "/[0-9]*"); len(groups) > 0 {
					t.Errorf("left when the process is done: %v", groups)
				}
			}
			if st.Code != 3 || st.Breach != nil || st.OOM || !st.TreeEmpty || st.Usage.CPU <= 0 || st.Usage.Peak <= 0 {
				t.Errorf("status %+v", st)
			}
		})
	}
}

func TestLimits_AreNotBlamedForWhatOthersSet(t *testing.T) {
	t.Parallel()
	for name, script := range map[string]string{
		"exit code":          "exit 152",
		"limit of a program": "ulimit -S -t 0; exec sh -c 'while :; do :; done'",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			g := openOnly(t, "")
			s := shell(nil, script)
			s.Brief, s.Limits = true, &Limits{CPU: time.Minute}
			if st := waitDone(t, start(t, g, s)); st.Breach != nil || st.Success() {
				t.Errorf("status is %+v", st)
			}
		})
	}
}

func TestLimits_TinyOnesEndClearly(t *testing.T) {
	t.Parallel()
	for _, only := range mechanisms {
		t.Run("by "+only, func(t *testing.T) {
			t.Parallel()
			g := openOnly(t, only)
			for range 20 {
				p := start(t, g, &Spec{Path: "/bin/true", Limits: &Limits{PIDs: 1}})
				if st := waitDone(t, p); !st.Success() || st.Breach != nil {
					t.Fatalf("one process under pids 1: %+v", st)
				}
			}
			s := shell(nil, "sleep 1000; :")
			s.Limits = &Limits{PIDs: 1}
			if st := waitDone(t, start(t, g, s)); st.Breach == nil || st.Breach.Resource != PIDs {
				t.Errorf("two processes under pids 1: %+v", st)
			}
			s = shell(nil, "x=12345678; while :; do x=$x$x; done")
			s.Limits = &Limits{Memory: 1 << 20}
			if st := waitDone(t, start(t, g, s)); st.Breach == nil || st.Breach.Resource != Memory {
				t.Errorf("memory 1 MiB: %+v", st)
			}
			// Its libraries cannot be opened, which it says itself.
			s = shell(nil, "exit 0")
			s.Limits = &Limits{Files: 3}
			if st := waitDone(t, start(t, g, s)); st.Success() {
				t.Errorf("files 3: %+v", st)
			}
			s.Limits = &Limits{Files: 2}
			var e *StartError
			if _, err := g.Start(s); !errors.As(err, &e) || e.Op != "confine" || !strings.Contains(e.Detail, "files") {
				t.Errorf("files 2: %v", err)
			}
			// So little that there is no process is no reason to say that it cannot be limited.
			s.Limits = &Limits{Memory: 1}
			if p, err := g.Start(s); err == nil {
				waitDone(t, p) // too quick for the watchdog, maybe
			} else if !errors.As(err, &e) || e.Op != "exec" || e.Detail != "within a limit of memory of 1 byte" {
				t.Errorf("memory 1 B: %v", err)
			}
			s.Limits = &Limits{CPU: 1}
			s.Argv[2] = "while :; do :; done"
			if st := waitDone(t, start(t, g, s)); st.Breach == nil || st.Breach.Resource != CPU {
				t.Errorf("cpu 1 ns: %+v", st)
			}
		})
	}
}

func TestLimits_AboveThoseOfTheGuardianAreItsOwn(t *testing.T) {
	t.Parallel()
	cmd, in := helper(t, "lowered", 0)
	defer in.Close()
	if out, err := cmd.Output(); err != nil || string(out) != "200 200\n" {
		t.Errorf("%v after %q", err, out)
	}
}

var _ = register("lowered", func() {
	low := &unix.Rlimit{Cur: 200, Max: 200}
	must(unix.Setrlimit(unix.RLIMIT_NOFILE, low))
	must(unix.Setrlimit(unix.RLIMIT_FSIZE, &unix.Rlimit{Cur: 1 << 20, Max: 1 << 20}))
	g, err := Open(Options{Exclusive: true})
	must(err)
	must(unix.Prlimit(g.current.pid, unix.RLIMIT_NOFILE, low, nil))
	p, err := g.Start(&Spec{
		Path: "/bin/sh", Argv: []string{"sh", "-c", "echo $(ulimit -n) $(ulimit -Hn)"}, Files: []*os.File{nil, os.Stdout, os.Stderr},
		Limits: &Limits{Files: 1 << 20, FileSize: 1 << 40},
	})
	must(err)
	<-p.Done()
	check(p.Status().Success(), "status is %+v", p.Status())
	must(g.Close())
})

func TestLimits_StartErrorsAreThoseOfAPlainProcess(t *testing.T) {
	t.Parallel()
	g := openOnly(t, "")
	for _, l := range []*Limits{nil, {CPU: time.Minute}, {Files: 100, Memory: 1 << 30}} {
		for _, s := range []*Spec{
			{Path: "/no such program"},
			{Path: "/etc/passwd"},
			{Path: "/bin/true", Dir: "/no such folder"},
			{Path: "/bin/true", Argv: []string{"true", strings.Repeat("x", 1<<20)}},
		} {
			s.Limits = nil
			_, want := g.Start(s)
			s.Limits = l
			if _, err := g.Start(s); err == nil || err.Error() != want.Error() {
				t.Errorf("limits %+v: %v, want %v", l, err, want)
			}
		}
	}
}

// TestLimits_KeepTheTreeTogether has the escapes run in a group each: all of them are
// found by it, those too that hide from everything else.
func TestLimits_KeepTheTreeTogether(t *testing.T) {
	t.Parallel()
	for _, only := range mechanisms {
		t.Run("by "+only, func(t *testing.T) {
			t.Parallel()
			g := openOnly(t, only)
			for name, script := range escapes {
				out := newOutput(t)
				s := shell(out.w, script)
				s.Files = []*os.File{nil, out.w, out.w, out.w}
				s.Limits = &Limits{PIDs: 1000}
				p := start(t, g, s)
				if line := out.line(); line != "up" {
					t.Fatalf("%s: %q", name, line)
				}
				if err := p.Kill(); err != nil {
					t.Fatal(err)
				}
				if st := waitDone(t, p); st.Signal != unix.SIGKILL || !st.TreeEmpty || st.Breach != nil || len(st.Leaked) > 0 {
					t.Errorf("%s: status %+v", name, st)
				}
				out.ended(deathWait)
			}
		})
	}
}

// TestLimits_OrphansAreTheirGroups has several trees run at once, so that an orphan that
// hides its environment and has left its session could be of any.
func TestLimits_OrphansAreTheirGroups(t *testing.T) {
	t.Parallel()
	g := openOnly(t, "")
	if probe, err := g.Survey(); err != nil || probe.Limits[2].EnforcedBy == byWatchdog {
		t.Skipf("no groups here: %v", err)
	}
	other := start(t, g, &Spec{Path: "/bin/sleep", Argv: []string{"sleep", "1000"}, Limits: &Limits{PIDs: 10}})
	plain := start(t, g, &Spec{Path: "/bin/sleep", Argv: []string{"sleep", "1000"}})
	out := newOutput(t)
	s := shell(out.w, "(setsid env -i /bin/sh -c 'echo up; exec /bin/sleep 1000' &); read never")
	in := newOutput(t)
	s.Files[0] = in.r
	s.Limits = &Limits{PIDs: 10}
	p := start(t, g, s)
	if line := out.line(); line != "up" {
		t.Fatal(line)
	}
	plain.Kill()
	if st := waitDone(t, plain); !st.TreeEmpty || len(st.Leaked) > 0 {
		t.Errorf("status of another %+v", st)
	}
	in.w.Close() // it ends by itself, the orphan does not
	if st := waitDone(t, p); !st.TreeEmpty || len(st.Leaked) > 0 {
		t.Errorf("status %+v", st)
	}
	out.ended(deathWait)
	select {
	case <-other.Done():
		t.Errorf("another tree was ended: %+v", other.Status())
	default:
	}
}

func TestLimits_TreesKeepWhoLeavesTheirGroups(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("needs root")
	}
	g := openOnly(t, "")
	other := start(t, g, &Spec{Path: "/bin/sleep", Argv: []string{"sleep", "1000"}, Limits: &Limits{PIDs: 10}})
	out, in := newOutput(t), newOutput(t)
	// Those that it moves to are of no tree.
	s := shell(out.w, "(setsid /bin/sh -c 'for f in $ROOTS; do echo 0 2>/dev/null >$f/cgroup.procs; done; echo $$; exec /bin/sleep 1000' &); read never")
	roots, _ := filepath.Glob("/sys/fs/cgroup/*/cgroup.procs")
	for i := range roots {
		roots[i] = filepath.Dir(roots[i])
	}
	s.Env = append(s.Env, "ROOTS="+strings.Join(roots, " "))
	s.Files[0] = in.r
	s.Limits = &Limits{PIDs: 10}
	p := start(t, g, s)
	pid := pidLine(t, out)
	in.w.Close()
	if st := waitDone(t, p); !st.TreeEmpty || len(st.Leaked) > 0 {
		t.Errorf("status %+v", st)
	}
	if alive(pid) {
		t.Error("who has left the groups is alive")
	}
	out.ended(deathWait)
	select {
	case <-other.Done():
		t.Errorf("another tree was ended: %+v", other.Status())
	default:
	}
}

func TestMark_BeginsAnotherAttempt(t *testing.T) {
	t.Parallel()
	for _, only := range mechanisms {
		t.Run("by "+only, func(t *testing.T) {
			t.Parallel()
			g := openOnly(t, only)
			used.Store("attempts", true)
			in, out := newOutput(t), newOutput(t)
			p := start(t, g, &Spec{
				Path: "/proc/self/exe", Argv: []string{"attempts"}, Env: []string{helperEnv + "=attempts"},
				Files: []*os.File{in.r, out.w, os.Stderr}, Limits: &Limits{Memory: 256 << 20, CPU: 500 * time.Millisecond},
			})
			for i := range 4 {
				if err := p.Mark(); err != nil {
					t.Fatal(err)
				}
				// Together they exceed the limit, and none does.
				fmt.Fprintln(in.w, "300ms")
				if line := out.line(); line != "done" {
					t.Fatalf("attempt %d: %q", i, line)
				}
				u, err := p.Measure()
				if err != nil || u.CPU < 200*time.Millisecond || u.CPU > 500*time.Millisecond || u.CPUSource == "" {
					t.Errorf("attempt %d: usage %+v, %v", i, u, err)
				}
			}
			fmt.Fprintln(in.w, "10s")
			st := waitDone(t, p)
			if st.Breach == nil || st.Breach.Resource != CPU || st.Breach.Observed > int64(5*time.Second) {
				t.Errorf("status %+v", st)
			}
			if err := p.Mark(); err != ErrEnded {
				t.Errorf("Mark after the end: %v", err)
			}
			if _, err := p.Measure(); err != ErrEnded {
				t.Errorf("Measure after the end: %v", err)
			}
		})
	}
}

var _ = register("attempts", func() {
	var cpu string
	for {
		if _, err := fmt.Scan(&cpu); err != nil {
			return
		}
		d, err := time.ParseDuration(cpu)
		must(err)
		var u syscall.Rusage
		must(syscall.Getrusage(syscall.RUSAGE_SELF, &u))
		spin(time.Duration(u.Utime.Nano()+u.Stime.Nano()) + d)
		fmt.Println("done")
	}
})

func TestMark_OfAPlainProcessDoesNothing(t *testing.T) {
	t.Parallel()
	g := openOnly(t, "")
	p := start(t, g, &Spec{Path: "/bin/sleep", Argv: []string{"sleep", "1000"}})
	if err := p.Mark(); err != nil {
		t.Error(err)
	}
	if u, err := p.Measure(); err != nil || u != (Usage{}) {
		t.Errorf("usage %+v, %v", u, err)
	}
	p.Kill()
	if st := waitDone(t, p); st.Usage != (Usage{}) {
		t.Errorf("status %+v", st)
	}
}

// TestLimits_LeaveNoGroupAfterDeath kills the supervisor, or the guardian.
func TestLimits_LeaveNoGroupAfterDeath(t *testing.T) {
	t.Parallel()
	for _, victim := range []string{"supervisor", "guardian"} {
		for _, only := range []string{byV2, byV1} {
			t.Run(victim+" "+only, func(t *testing.T) {
				t.Parallel()
				out := newOutput(t)
				cmd, in := helper(t, "grouped", 0, "ONLY="+only)
				defer in.Close()
				cmd.ExtraFiles = []*os.File{out.w}
				if err := cmd.Start(); err != nil {
					t.Fatal(err)
				}
				var guardian int
				var nonce string
				if _, err := fmt.Sscan(out.line(), &guardian, &nonce); err != nil {
					t.Fatal(err)
				}
				if left := groupsLeft(nonce); len(left) == 0 {
					t.Log("no groups here")
				}
				killed := time.Now()
				if victim == "guardian" {
					unix.Kill(guardian, unix.SIGKILL)
					if line := out.line(); line != "lost" {
						t.Error(line)
					}
				} else {
					cmd.Process.Kill()
					cmd.Wait()
					// A signal of the runtime may end the wait.
					for limit := killed.Add(deathWait); time.Now().Before(limit); {
						if endsOf([]int{guardian}, deathWait).await(limit) || unix.Kill(guardian, 0) != nil {
							break
						}
					}
				}
				if left := groupsLeft(nonce); len(left) > 0 {
					t.Errorf("left %v after: %v", time.Since(killed), left)
				}
				in.Close()
				if victim == "guardian" {
					if err := cmd.Wait(); err != nil {
						t.Error(err)
					}
				}
				out.ended(deathWait)
			})
		}
	}
}

var _ = register("grouped", func() {
	unix.CloseOnExec(3)
	w := os.NewFile(3, "output")
	g, err := Open(Options{Exclusive: true, only: os.Getenv("ONLY")})
	must(err)
	s := shell(w, "while :; do (setsid sleep 1000 &); sleep 0.01; done")
	s.Limits = &Limits{PIDs: 200, CPU: time.Hour}
	p, err := g.Start(s)
	must(err)
	fmt.Fprintln(w, g.current.pid, g.nonce)
	<-p.Done()
	check(p.Status().Lost && p.Status().TreeEmpty, "status %+v", p.Status())
	fmt.Fprintln(w, "lost")
	must(g.Close())
})
