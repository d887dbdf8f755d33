package spawn

import (
	"errors"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"github.com/feac4032/multiproc/internal/boot"
)

var levels = []Level{Plain, Namespaces, Sandbox}

// eachLevel runs f at each level, with the same guardian.
func eachLevel(t *testing.T, f func(t *testing.T, g *Guardian, level Level)) {
	g := open(t, Options{})
	for _, level := range levels {
		t.Run(level.String(), func(t *testing.T) { f(t, g, level) })
	}
}

func TestJail_ExitCodesAreThoseOfThePlainProcess(t *testing.T) {
	t.Parallel()
	eachLevel(t, func(t *testing.T, g *Guardian, level Level) {
		for code := 0; code < 256; code += 1 + 6*min(code, 1) { // 0, 1, 8, …, 253
			s := shell(nil, "exit "+strconv.Itoa(code))
			s.Level = level
			if st := waitDone(t, start(t, g, s)); st.Code != code || st.Signal != 0 || !st.TreeEmpty {
				t.Errorf("exit %d: %+v", code, st)
			}
		}
	})
}

func TestJail_SignalsEndAProcessAsTheyEndThePlainOne(t *testing.T) {
	t.Parallel()
	eachLevel(t, func(t *testing.T, g *Guardian, level Level) {
		harmless := []syscall.Signal{unix.SIGCHLD, unix.SIGCONT, unix.SIGURG, unix.SIGWINCH, unix.SIGSTOP, unix.SIGTSTP, unix.SIGTTIN, unix.SIGTTOU}
		for n := syscall.Signal(1); n <= 64; n++ {
			if slices.Contains(harmless, n) || n == 32 || n == 33 { // the last two are for a C library's threads
				continue
			}
			// By itself, and by its supervisor.
			s := shell(nil, fmt.Sprintf("kill -%d $$; exit 7", n))
			s.Level = level
			if st := waitDone(t, start(t, g, s)); st.Code != -1 || st.Signal != n || !st.TreeEmpty {
				t.Errorf("signal %d by itself: %+v", n, st)
			}
			p := start(t, g, &Spec{Path: "/bin/sleep", Argv: []string{"sleep", "1000"}, Level: level})
			if err := p.Signal(n); err != nil {
				t.Fatal(err)
			}
			if st := waitDone(t, p); st.Code != -1 || st.Signal != n || !st.TreeEmpty {
				t.Errorf("signal %d by the supervisor: %+v", n, st)
			}
		}
	})
}

var _ = register("count", func() {
	signals := make(chan os.Signal, 100)
	signal.Notify(signals, syscall.SIGTERM, syscall.SIGUSR1)
	fmt.Println("ready")
	for terms := 0; ; {
		if <-signals == syscall.SIGUSR1 {
			fmt.Println(terms)
			return
		}
		terms++
		fmt.Println("term")
	}
})

func TestJail_TerminateReachesTheProgramOnce(t *testing.T) {
	t.Parallel()
	used.Store("count", true)
	eachLevel(t, func(t *testing.T, g *Guardian, level Level) {
		out := newOutput(t)
		p := start(t, g, &Spec{Path: "/proc/" + strconv.Itoa(os.Getpid()) + "/exe", Argv: []string{"count"}, Env: as("count"), Files: []*os.File{nil, out.w}, Level: level})
		for _, want := range []string{"ready", "term", "1"} {
			if got := out.line(); got != want {
				t.Fatalf("got %q, want %q", got, want)
			}
			var err error
			if want == "ready" {
				err = p.Terminate()
			} else {
				err = p.Signal(syscall.SIGUSR1)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if st := waitDone(t, p); st.Code != 0 {
			t.Errorf("%+v", st)
		}
	})
}

func TestJail_WhoIgnoresTermIsKilledWithItsTree(t *testing.T) {
	t.Parallel()
	eachLevel(t, func(t *testing.T, g *Guardian, level Level) {
		out := newOutput(t)
		s := shell(out.w, "trap '' TERM; setsid sh -c 'env -i sleep 1000 & env -i sleep 1000 & echo ready; exec sleep 1000' & wait; wait; wait")
		s.Level = level
		p := start(t, g, s)
		out.line()
		if err := p.Stop(30 * time.Millisecond); err != nil {
			t.Fatal(err)
		}
		if st := waitDone(t, p); st.Signal != syscall.SIGKILL || !st.TreeEmpty || len(st.Leaked) > 0 {
			t.Errorf("%+v", st)
		}
		out.ended(time.Second)
	})
}

func TestJail_WhatIsLeftInTheBackgroundEnds(t *testing.T) {
	t.Parallel()
	eachLevel(t, func(t *testing.T, g *Guardian, level Level) {
		out := newOutput(t)
		s := shell(out.w, "(setsid sh -c 'trap \"\" TERM HUP; (sleep 1000 &); sleep 1000' &); exit 3")
		s.Level = level
		if st := waitDone(t, start(t, g, s)); st.Code != 3 || !st.TreeEmpty {
			t.Errorf("%+v", st)
		}
		out.ended(time.Second)
	})
}

func TestJail_DescriptorsAreTheSame(t *testing.T) {
	t.Parallel()
	used.Store("descriptors", true)
	eachLevel(t, func(t *testing.T, g *Guardian, level Level) {
		in, out, extra := newOutput(t), newOutput(t), newOutput(t)
		fmt.Fprintln(in.w, "hello")
		in.w.Close()
		p := start(t, g, &Spec{
			Path: "/proc/" + strconv.Itoa(os.Getpid()) + "/exe", Argv: []string{"descriptors"}, Env: as("descriptors"), Level: level,
			Files: []*os.File{in.r, out.w, out.w, nil, nil, extra.w},
		})
		if got, want := out.ended(deadline), "hello\n0 1 2 3 4 5\nagain"; got != want {
			t.Errorf("got %q, want %q", got, want)
		}
		if got := extra.ended(deadline); got != "extra" {
			t.Errorf("descriptor 5 carried %q", got)
		}
		waitDone(t, p)
	})
}

var _ = register("descriptors", func() {
	b := make([]byte, 100)
	n, err := os.Stdin.Read(b)
	must(err)
	os.Stdout.Write(b[:n])
	var fds []string
	for fd := range 200 {
		if flags, err := unix.FcntlInt(uintptr(fd), unix.F_GETFD, 0); err == nil && flags&unix.FD_CLOEXEC == 0 {
			fds = append(fds, strconv.Itoa(fd))
		}
	}
	fmt.Println(strings.Join(fds, " "))
	os.NewFile(5, "extra").WriteString("extra")
	again, err := os.OpenFile("/dev/stdout", os.O_WRONLY, 0)
	must(err)
	again.WriteString("again")
})

func TestJail_EndOfAPipeIsSeenWhileTheProgramRuns(t *testing.T) {
	t.Parallel()
	eachLevel(t, func(t *testing.T, g *Guardian, level Level) {
		out := newOutput(t)
		s := shell(out.w, "exec >&- 2>&-; exec sleep 1000")
		s.Level = level
		p := start(t, g, s)
		out.ended(deadline)
		if err := p.Kill(); err != nil {
			t.Error(err)
		}
		waitDone(t, p)
	})
}

func TestJail_PassesAMegabyteOfArguments(t *testing.T) {
	t.Parallel()
	eachLevel(t, func(t *testing.T, g *Guardian, level Level) {
		s := shell(nil, `[ $# = 10 ] && [ ${#5} = 100000 ] && [ "$V" = "a b" ]`)
		s.Argv = append(s.Argv, "sh")
		s.Argv = append(s.Argv, slices.Repeat([]string{strings.Repeat("x", 100_000)}, 10)...)
		s.Env = append(s.Env, "V=a b")
		s.Level = level
		if st := waitDone(t, start(t, g, s)); st.Code != 0 {
			t.Errorf("%+v", st)
		}
	})
}

func TestJail_FindsProgramAndDirectoryWhereverTheyAre(t *testing.T) {
	t.Parallel()
	uncovered, covered := openDir(t, "/var/tmp", 0o755), openDir(t, "/tmp", 0o755)
	for _, base := range []string{uncovered, covered} {
		private := filepath.Join(base, "private", "deep")
		for _, dir := range []string{private, filepath.Join(base, "cwd")} {
			if err := os.MkdirAll(dir, 0o755); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Chmod(filepath.Join(base, "private"), 0o700); err != nil {
			t.Fatal(err)
		}
		for name, mode := range map[string]os.FileMode{"script": 0o755, "own": 0o700} {
			if err := os.WriteFile(filepath.Join(private, name), []byte("#!/bin/sh\npwd\necho x > made || exit 9\nexit 5\n"), mode); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Link("/bin/true", filepath.Join(private, "binary")); err != nil {
			b, err := os.ReadFile("/bin/true")
			if err == nil {
				err = os.WriteFile(filepath.Join(private, "binary"), b, 0o700)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Symlink("script", filepath.Join(private, "link")); err != nil {
			t.Fatal(err)
		}
	}
	eachLevel(t, func(t *testing.T, g *Guardian, level Level) {
		for _, base := range []string{uncovered, covered} {
			for _, cwd := range []string{"cwd", "private/deep"} {
				for _, program := range []string{"script", "own", "link", "binary"} {
					dir := filepath.Join(base, cwd)
					out := newOutput(t)
					p, err := g.Start(&Spec{Path: filepath.Join(base, "private/deep", program), Dir: dir, Level: level, Files: []*os.File{nil, out.w, out.w}})
					if err != nil {
						t.Errorf("%s in %s: %v", program, dir, err)
						continue
					}
					code, want := 5, dir+"\n"
					if program == "binary" {
						code, want = 0, ""
					}
					got := out.ended(deadline)
					if st := waitDone(t, p); st.Code != code || got != want {
						t.Errorf("%s in %s: output %q, %+v", program, dir, got, st)
					}
					if _, err := os.Stat(filepath.Join(dir, "made")); err != nil && code == 5 {
						t.Errorf("%s in %s: its file is not there: %v", program, dir, err)
					}
					os.Remove(filepath.Join(dir, "made"))
				}
			}
		}
	})
}

func TestJail_KeepsTheRootDirectoryReadOnly(t *testing.T) {
	t.Parallel()
	g := open(t, Options{})
	for _, level := range levels[1:] {
		for _, dir := range []string{"/", "/proc", "/dev", "/run"} {
			out := newOutput(t)
			s := shell(out.w, "pwd; touch planted 2>/dev/null && exit 43; touch /planted 2>/dev/null && exit 43; exit 42")
			s.Dir, s.Level = dir, level
			p := start(t, g, s)
			if got, st := out.ended(deadline), waitDone(t, p); st.Code != asItShould || got != dir+"\n" {
				t.Errorf("%v in %s: output %q, %+v", level, dir, got, st)
			}
		}
		out := newOutput(t)
		s := shell(out.w, "pwd; touch planted-by-jail && ls planted-by-jail")
		s.Dir, s.Level = "/tmp", level
		p := start(t, g, s)
		if got, st := out.ended(deadline), waitDone(t, p); st.Code != 0 || got != "/tmp\nplanted-by-jail\n" {
			t.Errorf("%v in /tmp: output %q, %+v", level, got, st)
		}
		if err := os.Remove("/tmp/planted-by-jail"); err != nil {
			t.Error(err)
		}
	}
}

func TestJail_ErrorsAreThoseOfThePlainProcess(t *testing.T) {
	t.Parallel()
	dir := openDir(t, "/var/tmp", 0o755)
	write := func(name, text string, mode os.FileMode) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), mode); err != nil {
			t.Fatal(err)
		}
		return path
	}
	text, lost, garbage := write("text", "text", 0o644), write("lost", "#!/nonexistent/x\n", 0o755), write("garbage", "\x7fELF", 0o755)
	eachLevel(t, func(t *testing.T, g *Guardian, level Level) {
		for _, c := range []struct {
			name string
			spec Spec
			op   string
			err  error
		}{
			{"missing program", Spec{Path: "/nonexistent/x"}, "exec", syscall.ENOENT},
			{"missing program in a directory", Spec{Path: "./x", Dir: dir}, "exec", syscall.ENOENT},
			{"not executable", Spec{Path: text}, "exec", syscall.EACCES},
			{"a directory", Spec{Path: dir}, "exec", syscall.EACCES},
			{"no interpreter", Spec{Path: lost}, "exec", syscall.ENOENT},
			{"no format", Spec{Path: garbage}, "exec", syscall.ENOEXEC},
			{"missing directory", Spec{Path: "/bin/true", Dir: dir + "/none"}, "chdir", syscall.ENOENT},
			{"directory is a file", Spec{Path: "/bin/true", Dir: text}, "chdir", syscall.ENOTDIR},
			{"too long", Spec{Path: "/bin/true", Argv: []string{"true", strings.Repeat("x", 200_000)}}, "exec", syscall.E2BIG},
		} {
			c.spec.Level = level
			p, err := g.Start(&c.spec)
			var se *StartError
			if p != nil || !errors.As(err, &se) || se.Op != c.op || !errors.Is(err, c.err) {
				t.Errorf("%s: %v, %v; want op %s, %v", c.name, p, err, c.op, c.err)
			}
		}
		if st := waitDone(t, start(t, g, &Spec{Path: "./true", Dir: "/bin", Level: level})); !st.Success() {
			t.Errorf("a relative path: %+v", st)
		}
	})
}

func TestJail_TellsWhatIsInForce(t *testing.T) {
	t.Parallel()
	g := open(t, Options{})
	s, err := g.Survey()
	if err != nil {
		t.Fatal(err)
	}
	for _, level := range levels {
		var want []string
		if level > Plain {
			want = []string{"process"}
		}
		for _, p := range s.Parts {
			if p.Level <= level {
				want = append(want, p.Name)
			}
			if !p.OK {
				t.Errorf("not on this machine: %v", p)
			}
		}
		if st := waitDone(t, start(t, g, &Spec{Path: "/bin/true", Level: level})); !slices.Equal(st.Isolation, want) {
			t.Errorf("%v: %q, want %q", level, st.Isolation, want)
		}
	}
}

func TestJail_LimitsBindTheProgramAlone(t *testing.T) {
	t.Parallel()
	eachLevel(t, func(t *testing.T, g *Guardian, level Level) {
		out := newOutput(t)
		s := shell(out.w, "ulimit -n; ulimit -Hn; ulimit -f")
		s.Level, s.Limits = level, &Limits{Files: 4, FileSize: 512 << 10}
		p := start(t, g, s)
		if got := out.ended(deadline); got != "4\n4\n1024\n" {
			t.Errorf("limits are %q", got)
		}
		if st := waitDone(t, p); st.Code != 0 {
			t.Errorf("%+v", st)
		}
	})
}

// "modest" has a soft limit of descriptors below its hard one, which the runtime of
// every Go program on the way raises for itself.
var _ = register("modest", func() {
	g, err := Open(Options{Exclusive: true})
	must(err)
	for _, level := range levels {
		for _, limits := range []*Limits{nil, {FileSize: 1 << 20}} {
			p, err := g.Start(&Spec{Path: "/bin/sh", Argv: []string{"sh", "-c", `test "$(ulimit -n)" = 300`}, Level: level, Limits: limits})
			must(err)
			<-p.Done()
			check(p.Status().Success(), "at %v with %+v: %+v", level, limits, p.Status())
		}
	}
	must(g.Close())
})

func TestJail_SoftLimitOfDescriptorsStaysLow(t *testing.T) {
	t.Parallel()
	cmd, in := helper(t, "modest", 0)
	defer in.Close()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Path, cmd.Args = "/bin/sh", []string{"sh", "-c", `ulimit -Sn 300; exec "$0"`, self}
	if out, err := cmd.Output(); err != nil {
		t.Errorf("%v after %q", err, out)
	}
}

func TestJail_LeavesNothing(t *testing.T) {
	t.Parallel()
	g := open(t, Options{})
	guardian := strconv.Itoa(g.current.pid)
	mounts := func() string {
		b, err := os.ReadFile("/proc/self/mountinfo")
		if err != nil {
			t.Fatal(err)
		}
		return string(b)
	}
	before := mounts()
	var files []string
	for range 3 {
		for _, level := range levels[1:] {
			waitDone(t, start(t, g, &Spec{Path: "/bin/true", Level: level}))
			g.Start(&Spec{Path: "/nonexistent/x", Level: level})
			g.Start(&Spec{Path: "/etc/passwd", Level: level})
		}
		now := openFiles(guardian)
		if files != nil && len(now) > len(files) {
			t.Errorf("descriptors of the guardian: %q, before %q", now, files)
		}
		files = now
	}
	if after := mounts(); after != before {
		t.Errorf("mounts are\n%s, before\n%s", after, before)
	}
}

func TestJail_EndsWithItsGuardian(t *testing.T) {
	t.Parallel()
	for _, level := range levels[1:] {
		g := open(t, Options{})
		out := newOutput(t)
		s := shell(out.w, "setsid env -i sleep 1000 & echo ready; exec sleep 1000")
		s.Level = level
		p := start(t, g, s)
		out.line()
		if err := unix.Kill(g.current.pid, unix.SIGKILL); err != nil {
			t.Fatal(err)
		}
		if st := waitDone(t, p); !st.Lost || !st.TreeEmpty {
			t.Errorf("%+v", st)
		}
		out.ended(time.Second)
	}
}

// withoutLandlock makes the kernel one that does not know Landlock, for all threads of
// this process and what they start.
func withoutLandlock() error {
	filter := []unix.SockFilter{
		{Code: unix.BPF_LD | unix.BPF_W | unix.BPF_ABS},
		{Code: unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K, K: unix.SYS_LANDLOCK_CREATE_RULESET, Jf: 1},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)},
		{Code: unix.BPF_RET | unix.BPF_K, K: unix.SECCOMP_RET_ALLOW},
	}
	program := unix.SockFprog{Len: uint16(len(filter)), Filter: &filter[0]}
	return syscallError(unix.SYS_SECCOMP, unix.SECCOMP_SET_MODE_FILTER, unix.SECCOMP_FILTER_FLAG_TSYNC, uintptr(unsafe.Pointer(&program)))
}

// "deprived" is a supervisor on a machine that has no Landlock and no network
// namespaces left, as far as it can see.
var _ = register("deprived", func() {
	must(os.WriteFile("/proc/sys/user/max_net_namespaces", []byte("0"), 0))
	must(withoutLandlock())
	g, err := Open(Options{Exclusive: true})
	must(err)
	survey, err := g.Survey()
	must(err)
	for _, p := range survey.Parts {
		missing := slices.Contains([]string{"net", "landlock", "uid"}, p.Name) // it is root of nothing but itself
		check(p.OK != missing, "survey: %+v", p)
		check(p.OK || p.Why != "" && p.Fix != "", "survey: %+v", p)
	}
	again, err := g.Survey()
	must(err)
	check(slices.Equal(survey.Parts, again.Parts), "second survey: %+v", again)
	_, err = g.Start(&Spec{Path: "/bin/true", Level: Namespaces})
	var se *StartError
	check(errors.As(err, &se) && se.Op == "confine" && errors.Is(err, syscall.ENOSPC) &&
		strings.Contains(se.Detail, "net: ") && strings.Contains(se.Detail, "user.max_net_namespaces"), "without: %v", err)
	for level, want := range map[Level][]string{
		Namespaces: {"process", "user", "pid", "ipc", "uts", "mount"},
		Sandbox:    {"process", "user", "pid", "ipc", "uts", "mount", "no_new_privs", "seccomp"},
	} {
		p, err := g.Start(&Spec{Path: "/bin/sh", Argv: []string{"sh", "-c", "test $$ -lt 100 && exit 42"}, Level: level, Lenient: true})
		must(err)
		<-p.Done()
		check(p.Status().Code == asItShould && slices.Equal(p.Status().Isolation, want), "leniently: %+v", p.Status())
	}
	_, err = g.Start(&Spec{Path: "/nonexistent/x", Level: Sandbox, Lenient: true})
	check(errors.As(err, &se) && se.Op == "exec" && errors.Is(err, syscall.ENOENT), "a missing program, leniently: %v", err)
	must(g.Close())
})

func TestJail_LeavesOutWhatIsNotThereOnlyIfItMay(t *testing.T) {
	t.Parallel()
	cmd, in := helper(t, "deprived", 0)
	defer in.Close()
	uid, gid := os.Getuid(), os.Getgid()
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags:  unix.CLONE_NEWUSER,
		UidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: uid, Size: 1}},
		GidMappings: []syscall.SysProcIDMap{{ContainerID: 0, HostID: gid, Size: 1}},
	}
	if out, err := cmd.Output(); err != nil {
		t.Errorf("%v after %q", err, out)
	}
}

func TestJail_StartsForAnOrdinaryUser(t *testing.T) {
	t.Parallel()
	if os.Getuid() != 0 {
		t.Skip("the other tests are for the one who runs them")
	}
	dir := openDir(t, "/tmp", 0o700)
	if err := os.Chown(dir, 65534, 65534); err != nil {
		t.Fatal(err)
	}
	cmd, in := helper(t, "ordinary", 65534, "CWD="+dir)
	defer in.Close()
	if out, err := cmd.Output(); err != nil {
		t.Errorf("%v after %q", err, out)
	}
	if b, err := os.ReadFile(dir + "/made"); err != nil || string(b) != "x\nx\n" {
		t.Errorf("its file holds %q, %v", b, err)
	}
}

// "ordinary" has its program and directory below /tmp, where only it may go.
var _ = register("ordinary", func() {
	dir := os.Getenv("CWD")
	must(os.Mkdir(dir+"/bin", 0o700))
	must(os.WriteFile(dir+"/bin/script", []byte("#!/bin/sh\necho x >> made; exit 5\n"), 0o700))
	g, err := Open(Options{Exclusive: true})
	must(err)
	for _, level := range levels[1:] {
		p, err := g.Start(&Spec{Path: dir + "/bin/script", Dir: dir, Level: level})
		must(err)
		<-p.Done()
		check(p.Status().Code == 5, "in its directory: %+v", p.Status())
		p, err = g.Start(&Spec{Path: dir + "/bin/script", Dir: "/", Level: level})
		must(err)
		<-p.Done()
		check(p.Status().Code == 5, "from the root: %+v", p.Status())
		for _, script := range []string{"kill -TERM $$", "sleep 1000"} {
			p, err := g.Start(&Spec{Path: "/bin/sh", Argv: []string{"sh", "-c", script}, Level: level})
			must(err)
			must(p.Terminate())
			<-p.Done()
			check(p.Status().Signal == syscall.SIGTERM && p.Status().TreeEmpty, "%s: %+v", script, p.Status())
		}
		check(!slices.Contains(p.Status().Isolation, "uid"), "isolation is %q", p.Status().Isolation)
	}
	must(g.Close())
})

// "private" is a worker of this kit as far as package boot goes.
var _ = register("private", func() {
	dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0)
	must(err)
	check(os.Getenv(boot.PrivateMarker) == "", "the marker is inherited")
	if boot.Role == boot.Worker && dumpable == 0 {
		os.Exit(asItShould)
	}
	os.Exit(letThrough)
})

func TestJail_WorkersOfTheSandboxMakeThemselvesUnreadable(t *testing.T) {
	t.Parallel()
	used.Store("private", true)
	eachLevel(t, func(t *testing.T, g *Guardian, level Level) {
		self := "/proc/" + strconv.Itoa(os.Getpid()) + "/exe"
		st := waitDone(t, start(t, g, &Spec{Path: self, Argv: []string{"private"}, Env: append(as("private"), boot.WorkerMarker+"=out=2"), Level: level}))
		want := letThrough
		if level == Sandbox {
			want = asItShould
		}
		if st.Code != want || slices.Contains(st.Isolation, "non_dumpable") != (level == Sandbox) {
			t.Errorf("%+v", st)
		}
		// Of other programs, also those that say they are one, it is not claimed.
		s := shell(nil, "exit 0")
		s.Env, s.Level = append(s.Env, boot.WorkerMarker+"="), level
		if st := waitDone(t, start(t, g, s)); slices.Contains(st.Isolation, "non_dumpable") {
			t.Errorf("a shell: %q", st.Isolation)
		}
	})
}
