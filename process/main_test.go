package process

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/feac4032/multiproc/internal/boot"
	"github.com/feac4032/multiproc/worker"
)

// helperEnv names what the test binary shall be instead of a worker.
const helperEnv = "PROCESS_TEST_HELPER"

// helpers are registered beside the tests that use them. They return the exit
// code.
var helpers = map[string]func() int{}

func register(name string, f func() int) string {
	helpers[name] = f
	return name
}

func TestMain(m *testing.M) {
	if name := os.Getenv(helperEnv); name != "" && boot.Role != boot.Guard {
		f := helpers[name]
		if f == nil {
			fmt.Fprintf(os.Stderr, "no helper %q\n", name)
			os.Exit(99)
		}
		os.Exit(f())
	}
	worker.Init()
	tmp, err := os.MkdirTemp("", "process-test")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	os.Setenv("TMPDIR", tmp)
	// With the race detector every child would sleep for a second at its end.
	os.Setenv("GORACE", os.Getenv("GORACE")+" atexit_sleep_ms=0")
	before := openFiles("self")
	code := m.Run()
	if err := closeGuardian(); err != nil {
		fmt.Fprintln(os.Stderr, err)
		code = 1
	}
	if code == 0 {
		code = leaks(tmp, before)
	}
	os.RemoveAll(tmp)
	os.Exit(code)
}

// leaks reports what the tests have left behind.
func leaks(tmp string, before []string) (code int) {
	complain := func(format string, args ...any) {
		fmt.Fprintf(os.Stderr, "leaked "+format+"\n", args...)
		code = 1
	}
	if err := goleak.Find(); err != nil {
		complain("goroutines: %v", err)
	}
	if runtime.GOOS == "linux" {
		for _, f := range openFiles("self") {
			if !slices.Contains(before, f) {
				complain("descriptor: %s", f)
			}
		}
		for _, pid := range childrenOf("self") {
			line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", pid))
			complain("child: %d %q", pid, line)
		}
	}
	left, _ := os.ReadDir(tmp)
	for _, e := range left {
		complain("file: %s", e.Name())
	}
	return code
}

// openFiles names what a process has open, but for what its runtime opens when
// it first needs it. Pipes are told apart by their descriptor alone.
func openFiles(pid string) []string {
	var names []string
	fds, _ := os.ReadDir("/proc/" + pid + "/fd")
	for _, fd := range fds {
		name, err := os.Readlink("/proc/" + pid + "/fd/" + fd.Name())
		if err != nil || strings.HasPrefix(name, "anon_inode:[event") || strings.HasPrefix(name, "/proc/") || strings.HasPrefix(name, "/sys/fs/cgroup/") {
			continue
		}
		name, _, _ = strings.Cut(name, ":[")
		names = append(names, fd.Name()+" "+name)
	}
	slices.Sort(names)
	return names
}

// childrenOf lists the children of all threads of a process.
func childrenOf(pid string) []int {
	var pids []int
	lists, _ := filepath.Glob("/proc/" + pid + "/task/*/children")
	for _, list := range lists {
		b, _ := os.ReadFile(list)
		for f := range strings.FieldsSeq(string(b)) {
			n, _ := strconv.Atoi(f)
			pids = append(pids, n)
		}
	}
	return pids
}

// patience is how long a test waits for what should take milliseconds.
const patience = 30 * time.Second

// within returns a context that ends the waiting of a test that would hang.
func within(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	t.Cleanup(cancel)
	return ctx
}

// start starts p for as long as the test lasts.
func start(t testing.TB, p *Process) {
	t.Helper()
	ctx, cancel := context.WithCancel(context.Background())
	if err := p.Start(ctx); err != nil {
		cancel()
		t.Fatal(err)
	}
	t.Cleanup(func() {
		cancel()
		p.Kill()
		<-p.Done()
	})
}

// exit waits for the end of p, and checks that it is an *ExitError with a code.
func exit(t testing.TB, p *Process, code int) *ExitError {
	t.Helper()
	err := p.Join(within(t))
	var e *ExitError
	if !errors.As(err, &e) {
		t.Fatalf("Join: %v (%T), want an *ExitError", err, err)
	}
	got, ok := p.ExitCode()
	if got != code || !ok || e.Code != code {
		t.Fatalf("exit code %d, %v, in the error %d, want %d (%v)", got, ok, e.Code, code, err)
	}
	return e
}

// selfAs is the test binary as a helper.
func selfAs(t testing.TB, helper string, opts ...Option) *Process {
	t.Helper()
	exe, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return Command([]string{exe}, append(opts, environ(helperEnv+"="+helper))...)
}

// environ is this process's environment with more in it.
func environ(kv ...string) Option { return WithEnv(append(os.Environ(), kv...)) }

// lines is a pipe whose writing end a process gets: its end says that nobody
// holds that any more.
type lines struct {
	t testing.TB
	r *os.File
	w *os.File
	b *bufio.Reader
}

func newLines(t testing.TB) *lines {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	return &lines{t, r, w, bufio.NewReader(r)}
}

func (l *lines) next() string {
	l.t.Helper()
	l.r.SetReadDeadline(time.Now().Add(patience))
	s, err := l.b.ReadString('\n')
	if err != nil {
		l.t.Fatalf("read output: %v after %q", err, s)
	}
	return strings.TrimSuffix(s, "\n")
}

// ended checks that nobody holds the pipe but the test.
func (l *lines) ended() {
	l.t.Helper()
	l.gone(time.Second)
}

// gone checks that nobody holds the pipe after a time but the test.
func (l *lines) gone(within time.Duration) {
	l.t.Helper()
	l.w.Close()
	l.r.SetReadDeadline(time.Now().Add(within))
	if _, err := io.Copy(io.Discard, l.b); err != nil {
		l.t.Fatalf("somebody is left: %v", err)
	}
}

// buffer may be written by a process and read by the test.
type buffer struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (b *buffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.Write(p)
}

func (b *buffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.b.String()
}
