package spawn

import (
	"bufio"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/feac4032/multiproc/internal/boot"
)

const helperEnv = "SPAWN_TEST_HELPER"

// helpers are what the test binary can be besides a test: each is registered
// beside the test that executes it.
var (
	helpers = map[string]func(){}
	used    sync.Map
)

func register(name string, f func()) bool {
	helpers[name] = f
	return true
}

func TestMain(m *testing.M) {
	if boot.Role == boot.Guard && os.Getenv(helperEnv) != "beyond guardmain" {
		GuardMain()
	}
	if name := os.Getenv(helperEnv); name != "" {
		f := helpers[name]
		if f == nil {
			fmt.Fprintf(os.Stderr, "no helper %q\n", name)
			os.Exit(2)
		}
		f()
		os.Exit(0)
	}
	flag.Parse()
	before := openFiles("self")
	code := m.Run()
	if code == 0 {
		code = leaks(before)
	}
	if code == 0 && flag.Lookup("test.run").Value.String() == "" && !testing.Short() && flag.Lookup("test.fuzz").Value.String() == "" {
		for name := range helpers {
			if _, ok := used.Load(name); !ok {
				fmt.Fprintf(os.Stderr, "helper %q was not used by any test\n", name)
				code = 1
			}
		}
	}
	os.Exit(code)
}

// openFiles names what a process has open, but for the descriptors that its
// runtime makes when it first needs them.
func openFiles(pid string) []string {
	var names []string
	fds, _ := readDirNumbers("/proc/" + pid + "/fd")
	for _, fd := range fds {
		name, err := os.Readlink(fmt.Sprintf("/proc/%s/fd/%d", pid, fd))
		if err == nil && !strings.HasPrefix(name, "anon_inode:[event") && !strings.HasPrefix(name, "/proc/") {
			names = append(names, fmt.Sprintf("%d %s", fd, name))
		}
	}
	return names
}

func leaks(before []string) int {
	code := 0
	for _, f := range openFiles("self") {
		if !slices.Contains(before, f) {
			fmt.Fprintln(os.Stderr, "leaked descriptor:", f)
			code = 1
		}
	}
	for _, pid := range childrenOf(nil, os.Getpid()) {
		name, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
		fmt.Fprintf(os.Stderr, "leaked child: %d %q\n", pid, name)
		code = 1
	}
	return code
}

// deadline is how long a test waits for what should take milliseconds.
const deadline = 20 * time.Second

// open returns a guardian that is closed at the end of the test, with a check
// that nothing is left.
func open(t testing.TB, o Options) *Guardian {
	t.Helper()
	g, err := Open(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := g.Close(); err != nil {
			t.Error(err)
		}
		if left := pidsOf(marked(g.nonce, nil)); len(left) > 0 {
			t.Errorf("processes left after Close: %v", left)
		}
	})
	return g
}

func start(t testing.TB, g *Guardian, s *Spec) *Process {
	t.Helper()
	p, err := g.Start(s)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// shell is a Spec that runs a script with its output going to w.
func shell(w *os.File, script string) *Spec {
	return &Spec{Path: "/bin/sh", Argv: []string{"sh", "-c", script}, Env: []string{"PATH=" + os.Getenv("PATH")}, Files: []*os.File{nil, w}}
}

func waitDone(t testing.TB, p *Process) Status {
	t.Helper()
	select {
	case <-p.Done():
	case <-time.After(deadline):
		t.Fatalf("process %d did not end", p.PID())
	}
	return p.Status()
}

// output is a pipe whose write end processes get. Its end of file says that
// none of those who have it is alive, whoever they are.
type output struct {
	t testing.TB
	r *os.File
	w *os.File
	b *bufio.Reader
}

func newOutput(t testing.TB) *output {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	return &output{t, r, w, bufio.NewReader(r)}
}

// line reads a line, without its end.
func (o *output) line() string {
	o.t.Helper()
	o.r.SetReadDeadline(time.Now().Add(deadline))
	s, err := o.b.ReadString('\n')
	if err != nil {
		o.t.Fatalf("read output: %v after %q", err, s)
	}
	return strings.TrimSuffix(s, "\n")
}

// ended closes the test's own write end, reads to the end of file and returns
// what came, or fails the test if it does not come in time.
func (o *output) ended(within time.Duration) string {
	o.t.Helper()
	o.w.Close()
	o.r.SetReadDeadline(time.Now().Add(within))
	b, err := io.ReadAll(o.b)
	if err != nil {
		o.t.Fatalf("output still held open after %v: %v", within, err)
	}
	return string(b)
}

func alive(pid int) bool {
	st, ok := readStat(pid)
	return ok && !st.dead()
}

// helper executes the test binary as a helper, with a pipe of its own on
// stdin: its end tells the helper to return.
func helper(t testing.TB, name string, uid uint32, env ...string) (*exec.Cmd, io.WriteCloser) {
	t.Helper()
	used.Store(name, true)
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), append(env, helperEnv+"="+name)...)
	cmd.Stderr = os.Stderr
	cmd.Dir = "/"
	if uid != 0 {
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: uid, Gid: uid}}
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	return cmd, in
}

// eachUser runs f as root and as nobody, or as who we are.
func eachUser(t *testing.T, f func(t *testing.T, uid uint32)) {
	t.Run("self", func(t *testing.T) {
		t.Parallel()
		f(t, 0)
	})
	if os.Getuid() == 0 {
		t.Run("nobody", func(t *testing.T) {
			t.Parallel()
			f(t, 65534)
		})
	}
}

// must is for helpers, which have no t.
func must(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, os.Getenv(helperEnv)+":", err)
		os.Exit(1)
	}
}

func check(ok bool, format string, args ...any) {
	if !ok {
		must(fmt.Errorf(format, args...))
	}
}
