package spawn

import (
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

func TestStart_ReportsExitCodesAndSignals(t *testing.T) {
	t.Parallel()
	g := open(t, Options{})
	for _, c := range []struct {
		script string
		code   int
		signal syscall.Signal
	}{
		{"exit 0", 0, 0},
		{"exit 1", 1, 0},
		{"exit 255", 255, 0},
		{"kill -KILL $$", -1, syscall.SIGKILL},
		{"kill -SEGV $$", -1, syscall.SIGSEGV},
		{"kill -TERM $$", -1, syscall.SIGTERM},
		{"kill -HUP $$", -1, syscall.SIGHUP},
	} {
		before := time.Now()
		st := waitDone(t, start(t, g, shell(nil, c.script)))
		if st.Code != c.code || st.Signal != c.signal || st.Lost || !st.TreeEmpty || len(st.Leaked) > 0 {
			t.Errorf("%s: %+v", c.script, st)
		}
		if st.Success() != (c.script == "exit 0") {
			t.Errorf("%s: Success = %v", c.script, st.Success())
		}
		if st.End.Before(before) || st.End.After(time.Now()) {
			t.Errorf("%s: End is %v, outside of the test", c.script, st.End)
		}
		if st.MaxRSS < 1<<20 || st.MaxRSS > 1<<30 {
			t.Errorf("%s: MaxRSS = %d", c.script, st.MaxRSS)
		}
	}
}

func TestStart_CountsCPUTimeOfWaitedForDescendants(t *testing.T) {
	t.Parallel()
	g := open(t, Options{})
	st := waitDone(t, start(t, g, shell(nil, "sh -c 'i=0; while [ $i -lt 30000 ]; do i=$((i+1)); done'; :")))
	if st.User+st.System < time.Millisecond {
		t.Errorf("CPU time = %v + %v", st.User, st.System)
	}
}

func TestStart_ErrorsNameTheStep(t *testing.T) {
	t.Parallel()
	g := open(t, Options{})
	dir := t.TempDir()
	plain := filepath.Join(dir, "plain")
	if err := os.WriteFile(plain, []byte("text"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name string
		spec Spec
		op   string
		err  error
		text string
	}{
		{"missing program", Spec{Path: "/nonexistent/x"}, "exec", syscall.ENOENT, "/nonexistent/x"},
		{"empty path", Spec{}, "exec", syscall.ENOENT, "empty"},
		{"not executable", Spec{Path: plain}, "exec", syscall.EACCES, plain},
		{"missing directory", Spec{Path: "/bin/true", Dir: dir + "/none"}, "chdir", syscall.ENOENT, dir + "/none"},
		{"directory is a file", Spec{Path: "/bin/true", Dir: plain}, "chdir", syscall.ENOTDIR, plain},
		{"NUL in path", Spec{Path: "/bin/tr\x00ue"}, "exec", syscall.EINVAL, "path contains a NUL"},
		{"NUL in argument", Spec{Path: "/bin/true", Argv: []string{"true", "a\x00b"}}, "exec", syscall.EINVAL, "argument 1 contains a NUL"},
		{"NUL in environment", Spec{Path: "/bin/true", Env: []string{"K=a\x00b"}}, "exec", syscall.EINVAL, `"K" contains a NUL`},
		{"NUL in directory", Spec{Path: "/bin/true", Dir: "\x00"}, "exec", syscall.EINVAL, "working directory contains a NUL"},
		{"one argument too long", Spec{Path: "/bin/true", Argv: []string{"true", strings.Repeat("x", 200_000)}}, "exec", syscall.E2BIG, "argument 1 is the longest with 200000"},
		{"all together too long", Spec{Path: "/bin/true", Argv: slices.Repeat([]string{strings.Repeat("x", 100_000)}, 70)}, "exec", syscall.E2BIG, "7000070 bytes of arguments"},
		{"absurdly long", Spec{Path: "/bin/true", Env: []string{"X=" + strings.Repeat("x", 9<<20)}}, "exec", syscall.E2BIG, "9437187 of environment"},
		{"too many files", Spec{Path: "/bin/true", Files: make([]*os.File, 254)}, "pass", syscall.EINVAL, "254 descriptors"},
	} {
		p, err := g.Start(&c.spec)
		var se *StartError
		if p != nil || !errors.As(err, &se) || se.Op != c.op || !errors.Is(err, c.err) || !strings.Contains(err.Error(), c.text) {
			t.Errorf("%s: %v, %v; want op %s, %v and %q", c.name, p, err, c.op, c.err, c.text)
		}
	}
	closed := &os.File{}
	if f, err := os.Open("/dev/null"); err == nil {
		f.Close()
		closed = f
	}
	if _, err := g.Start(&Spec{Path: "/bin/true", Files: []*os.File{closed}}); !errors.Is(err, os.ErrClosed) {
		t.Errorf("closed file: %v", err)
	}
	if st := waitDone(t, start(t, g, &Spec{Path: "/bin/true"})); !st.Success() {
		t.Errorf("after the errors: %+v", st)
	}
}

func TestStart_PassesLongArgumentsUnchanged(t *testing.T) {
	t.Parallel()
	g := open(t, Options{})
	for _, n := range []int{0, 100, 15_000, 16_300, 16_400, 100_000} {
		out := newOutput(t)
		arg := strings.Repeat("é", n/2) + "\xff\n$(x)`'\""
		s := &Spec{Path: "/bin/sh", Argv: []string{"sh", "-c", `printf %s "$1$2" && printf %s "$V"`, "sh", arg, ""}, Env: []string{"V=" + arg, TreeMarker + "=stale"}, Files: []*os.File{nil, out.w}}
		p := start(t, g, s)
		if got := out.ended(deadline); got != arg+arg {
			t.Errorf("%d bytes: got %d bytes back, want %d", n, len(got), 2*len(arg))
		}
		waitDone(t, p)
	}
}

func TestStart_RunsInDirectoryWithExactEnvironment(t *testing.T) {
	t.Parallel()
	g := open(t, Options{})
	out := newOutput(t)
	dir := t.TempDir()
	p := start(t, g, &Spec{Path: "/usr/bin/env", Dir: dir, Env: []string{"A=1", TreeMarker + "=stale", "B="}, Files: []*os.File{nil, out.w}})
	lines := strings.Split(strings.TrimSpace(out.ended(deadline)), "\n")
	if len(lines) != 3 || lines[0] != "A=1" || lines[1] != "B=" || !strings.HasPrefix(lines[2], TreeMarker+"=") || !strings.HasSuffix(lines[2], g.nonce+".1") {
		t.Errorf("environment is %q", lines)
	}
	waitDone(t, p)
	out = newOutput(t)
	start(t, g, &Spec{Path: "/bin/pwd", Dir: dir, Files: []*os.File{nil, out.w}})
	if got := strings.TrimSpace(out.ended(deadline)); got != dir {
		t.Errorf("directory is %q, want %q", got, dir)
	}
}

func TestStart_HundredAtOnceHaveTheSameDescriptors(t *testing.T) {
	t.Parallel()
	g := open(t, Options{})
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer w.Close()
	procs := make([]*Process, 100)
	var wg sync.WaitGroup
	for i := range procs {
		wg.Go(func() {
			p, err := g.Start(&Spec{Path: "/bin/sh", Argv: []string{"sh", "-c", "echo up; kill -STOP $$"}, Files: []*os.File{nil, w, w, nil, r}})
			if err != nil {
				t.Error(err)
				return
			}
			procs[i] = p
		})
	}
	wg.Wait()
	if t.Failed() {
		return
	}
	// One that is still being loaded has a library open.
	if _, err := io.ReadFull(r, make([]byte, len(procs)*len("up\n"))); err != nil {
		t.Fatal(err)
	}
	pipe := func(f *os.File) string {
		var st unix.Stat_t
		if err := unix.Fstat(int(f.Fd()), &st); err != nil {
			t.Fatal(err)
		}
		return fmt.Sprintf("pipe:[%d]", st.Ino)
	}
	want := []string{"0 /dev/null", "1 " + pipe(w), "2 " + pipe(w), "3 /dev/null", "4 " + pipe(r)}
	pids := map[int]bool{}
	for _, p := range procs {
		var got []string
		fds, err := readDirNumbers(fmt.Sprintf("/proc/%d/fd", p.PID()))
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(fds)
		for _, fd := range fds {
			name, _ := os.Readlink(fmt.Sprintf("/proc/%d/fd/%d", p.PID(), fd))
			got = append(got, fmt.Sprintf("%d %s", fd, name))
		}
		if !slices.Equal(got, want) {
			t.Errorf("descriptors of %d are %q, want %q", p.PID(), got, want)
		}
		pids[p.PID()] = true
		if err := p.Kill(); err != nil {
			t.Error(err)
		}
	}
	for _, p := range procs {
		if waitDone(t, p).Signal != syscall.SIGKILL {
			t.Errorf("status of %d is %+v", p.PID(), p.Status())
		}
	}
	if len(pids) != 100 {
		t.Errorf("%d different processes, want 100", len(pids))
	}
}

func TestStart_ThousandsLeaveNoTrace(t *testing.T) {
	g := open(t, Options{})
	n := 3000
	if testing.Short() {
		n = 300
	}
	count := func() (ours, theirs, threads int) {
		tasks, err := readDirNumbers(fmt.Sprintf("/proc/%d/task", g.current.pid))
		if err != nil {
			t.Fatal(err)
		}
		return len(openFiles("self")), len(openFiles(strconv.Itoa(g.current.pid))), len(tasks)
	}
	// The runtimes take the threads they need in the first rounds.
	for range 20 {
		waitDone(t, start(t, g, &Spec{Path: "/bin/true"}))
	}
	ours, theirs, threads := count()
	for range n {
		if st := waitDone(t, start(t, g, &Spec{Path: "/bin/true"})); !st.Success() {
			t.Fatalf("status is %+v", st)
		}
	}
	ours2, theirs2, threads2 := count()
	if ours2 != ours || theirs2 != theirs || threads2 > threads+3 {
		t.Errorf("descriptors %d and %d, threads %d; before %d starts %d, %d and %d", ours2, theirs2, threads2, n, ours, theirs, threads)
	}
}

func TestStart_GivesDefaultSignalsAndEmptyMask(t *testing.T) {
	t.Parallel()
	// A shell that ignores signals, then a supervisor that blocks some.
	cmd, in := helper(t, "signals", 0)
	cmd.Path = "/bin/sh"
	cmd.Args = []string{"sh", "-c", "trap '' INT HUP TERM QUIT TSTP TTIN TTOU USR1 PIPE CHLD; exec " + exe(t)}
	defer in.Close()
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, field := range []string{"SigBlk", "SigIgn", "SigCgt"} {
		if !strings.Contains(string(out), field+":\t0000000000000000\n") {
			t.Errorf("%s is not empty:\n%s", field, out)
		}
	}
}

var _ = register("signals", func() {
	lockAndBlockSignals()
	g, err := Open(Options{})
	must(err)
	p, err := g.Start(&Spec{Path: "/bin/cat", Argv: []string{"cat", "/proc/self/status"}, Files: []*os.File{nil, os.Stdout}})
	must(err)
	<-p.Done()
	must(g.Close())
})

func TestStart_WorksWithStandardDescriptorsClosed(t *testing.T) {
	t.Parallel()
	cmd, in := helper(t, "no descriptors", 0)
	defer in.Close()
	cmd.Path = "/bin/sh"
	cmd.Args = []string{"sh", "-c", "exec " + exe(t) + " <&- >&- 2>&-"}
	result := newOutput(t)
	cmd.ExtraFiles = []*os.File{result.w}
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	if got := result.ended(deadline); got != "hello\n" {
		t.Errorf("result is %q", got)
	}
}

var _ = register("no descriptors", func() {
	g, err := Open(Options{Exclusive: true})
	must(err)
	r, w, err := os.Pipe()
	must(err)
	p, err := g.Start(shell(w, "echo hello; ls /proc/$$/fd >/dev/null"))
	must(err)
	w.Close()
	b := make([]byte, 100)
	n, err := r.Read(b)
	must(err)
	<-p.Done()
	must(g.Close())
	os.NewFile(3, "result").Write(b[:n])
})

// exe is the test binary's path, quoted for a shell.
func exe(t testing.TB) string {
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return "'" + strings.ReplaceAll(path, "'", `'\''`) + "'"
}

func TestOpen_RefusesProgramsThatAreNoGuardians(t *testing.T) {
	t.Parallel()
	if g, err := Open(Options{Path: "/bin/true", Args: []string{"true"}}); g != nil || !errors.Is(err, ErrNoGuardMain) {
		t.Errorf("Open = %v, %v", g, err)
	}
	if g, err := Open(Options{Path: "/nonexistent"}); g != nil || !errors.Is(err, syscall.ENOENT) {
		t.Errorf("Open = %v, %v", g, err)
	}
}

func TestOpen_InsideGuardianIsNoForkBomb(t *testing.T) {
	t.Parallel()
	used.Store("beyond guardmain", true)
	result := newOutput(t)
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), helperEnv+"=beyond guardmain", "MULTIPROC_GUARD=ctl=0 parent=0")
	cmd.ExtraFiles = []*os.File{result.w}
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	if got := result.ended(deadline); got != "refused" {
		t.Errorf("result is %q", got)
	}
}

var _ = register("beyond guardmain", func() {
	_, err := Open(Options{})
	check(errors.Is(err, ErrInsideGuardian), "Open: %v", err)
	os.NewFile(3, "result").WriteString("refused")
})

func TestGuardian_SurvivesAllSignals(t *testing.T) {
	t.Parallel()
	g := open(t, Options{})
	p := start(t, g, shell(nil, "exec sleep 1000"))
	pid := g.current.pid
	for sig := syscall.Signal(1); sig <= 64; sig++ {
		switch sig {
		case syscall.SIGKILL, syscall.SIGSTOP, 32, 33, 34: // the last are of the C library
			continue
		}
		if err := syscall.Kill(pid, sig); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	if st := waitDone(t, p); st.Lost || st.Signal != syscall.SIGKILL {
		t.Errorf("status is %+v", st)
	}
	if g.current.pid != pid || !alive(pid) {
		t.Error("the guardian did not survive")
	}
}

func TestStart_BriefReturnsAtTheEndOrSoon(t *testing.T) {
	t.Parallel()
	g := open(t, Options{})
	for _, script := range []string{"exit 3", "sleep 0.2; exit 3"} {
		p, err := g.Start(&Spec{Path: "/bin/sh", Argv: []string{"sh", "-c", script}, Brief: true})
		if err != nil {
			t.Fatal(err)
		}
		if st := waitDone(t, p); st.Code != 3 || !st.TreeEmpty {
			t.Errorf("%q: %+v", script, st)
		}
	}
	if _, err := g.Start(&Spec{Path: "/no/such/program", Brief: true}); !errors.Is(err, syscall.ENOENT) {
		t.Errorf("error %v", err)
	}
	// A signal that comes early is not lost.
	p, err := g.Start(&Spec{Path: "/bin/sleep", Argv: []string{"sleep", "1000"}, Brief: true})
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Kill(); err != nil {
		t.Fatal(err)
	}
	if st := waitDone(t, p); st.Signal != syscall.SIGKILL {
		t.Errorf("%+v", st)
	}
}
