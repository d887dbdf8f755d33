package boot

import (
	"bytes"
	"io"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// The init function under test runs before TestMain: what it did is told by a
// helper, the test binary executed with a marker.
func TestMain(m *testing.M) {
	if os.Getenv("BOOT_TEST_HELPER") != "" {
		tell()
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// tell prints to stdout what a program would, and answers over the link.
func tell() {
	os.Stdout.WriteString("printed\n")
	n, err := os.Stdin.Read(make([]byte, 1))
	report := []string{
		"role=" + Role, "control=" + strconv.Itoa(Control), "parent=" + strconv.Itoa(Parent), "page=" + strconv.Itoa(Page),
		"stdin=" + strconv.Itoa(n), "markers=" + os.Getenv(WorkerMarker) + os.Getenv(GuardMarker),
	}
	if err != nil {
		report = append(report, "read="+err.Error())
	}
	if Err != nil {
		report = append(report, "err="+Err.Error())
	}
	to := os.Stderr
	if In >= 0 {
		if In < 10 || Out < 10 {
			report = append(report, "link too low")
		}
		in, err := io.ReadAll(os.NewFile(uintptr(In), "in"))
		if err != nil {
			report = append(report, err.Error())
		}
		report = append(report, "in="+string(in))
		to = os.NewFile(uintptr(Out), "out")
	}
	for name, fd := range map[string]int{"in": In, "out": Out, "page": Page, "control": Control, "parent": Parent} {
		if fd < 0 {
			continue
		}
		flags, _, errno := syscall.RawSyscall(syscall.SYS_FCNTL, uintptr(fd), syscall.F_GETFD, 0)
		if errno == 0 && flags&syscall.FD_CLOEXEC == 0 {
			report = append(report, name+" is inherited")
		}
	}
	if name, _ := os.Readlink("/proc/self/fd/3"); strings.Contains(name, "capture") {
		report = append(report, "capture is open")
	}
	sh := exec.Command("/usr/bin/env")
	sh.Env = append(os.Environ(), "BOOT_TEST_HELPER=")
	if env, err := sh.Output(); err != nil || bytes.Contains(env, []byte("MULTIPROC_")) {
		report = append(report, "marker is inherited")
	}
	to.WriteString(strings.Join(report, "\n"))
}

type run struct {
	report         map[string]bool
	stdout, stderr string
	captured       string
}

// execute runs the helper with env and, as its descriptors 3 and 4, a file for
// captured output and another.
func execute(t *testing.T, env string, in string) run {
	t.Helper()
	capture, err := os.CreateTemp(t.TempDir(), "capture")
	if err != nil {
		t.Fatal(err)
	}
	defer capture.Close()
	other, err := os.Open(os.DevNull)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	var stdout, stderr bytes.Buffer
	cmd := exec.Command("/proc/self/exe")
	cmd.Env = append(os.Environ(), "BOOT_TEST_HELPER=1", env)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(in), &stdout, &stderr
	cmd.ExtraFiles = []*os.File{capture, other}
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	captured, err := os.ReadFile(capture.Name())
	if err != nil {
		t.Fatal(err)
	}
	r := run{map[string]bool{}, stdout.String(), stderr.String(), string(captured)}
	for _, line := range strings.Split(r.stdout+r.stderr, "\n") {
		r.report[line] = true
	}
	return r
}

func (r run) expect(t *testing.T, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if !r.report[line] {
			t.Errorf("no %q in the report:\n%s%s", line, r.stdout, r.stderr)
		}
	}
}

func (r run) refuse(t *testing.T, lines ...string) {
	t.Helper()
	for _, line := range lines {
		if r.report[line] {
			t.Errorf("%q in the report:\n%s%s", line, r.stdout, r.stderr)
		}
	}
}

func TestWorker_LinkIsTakenOffStandardDescriptors(t *testing.T) {
	t.Parallel()
	r := execute(t, WorkerMarker+"=out=3 page=4", "over the link")
	r.expect(t, "role=worker", "page=4", "stdin=0", "read=EOF", "markers=", "in=over the link", "control=-1")
	r.refuse(t, "in is inherited", "out is inherited", "page is inherited", "capture is open", "marker is inherited", "link too low")
	if r.captured != "printed\n" || strings.Contains(r.stdout, "printed") || r.stderr != "" {
		t.Errorf("captured %q, stdout %q, stderr %q", r.captured, r.stdout, r.stderr)
	}
}

func TestWorker_WithoutCaptureDropsStdout(t *testing.T) {
	t.Parallel()
	r := execute(t, WorkerMarker+"=", "x")
	r.expect(t, "role=worker", "page=-1", "in=x")
	if r.captured != "" || strings.Contains(r.stdout, "printed") {
		t.Errorf("captured %q, stdout %q", r.captured, r.stdout)
	}
}

func TestWorker_BrokenMarkerIsAnError(t *testing.T) {
	t.Parallel()
	r := execute(t, WorkerMarker+"=out=x", "")
	r.expect(t, "role=worker", "markers=", `err=environment variable `+WorkerMarker+` is malformed: "out=x"`)
	r = execute(t, WorkerMarker+"=out=77", "")
	r.expect(t, "role=worker", "err=bad file descriptor")
	r = execute(t, WorkerMarker+"=out=3 page=78", "")
	r.expect(t, "role=worker", "err=bad file descriptor", "page=-1")
}

func TestGuard_KeepsItsDescriptorsToItself(t *testing.T) {
	t.Parallel()
	r := execute(t, GuardMarker+"=ctl=3 parent=4", "")
	r.expect(t, "role=guard", "control=3", "parent=4", "page=-1", "markers=")
	r.refuse(t, "control is inherited", "parent is inherited", "marker is inherited")
	if r.stdout != "printed\n" {
		t.Errorf("stdout %q", r.stdout)
	}
	execute(t, GuardMarker+"=ctl=3", "").expect(t, "role=guard", "control=-1", `err=environment variable `+GuardMarker+` is malformed: "ctl=3"`)
	execute(t, GuardMarker+"=ctl=3 parent=79", "").expect(t, "role=guard", "err=bad file descriptor")
}

func TestProgram_IsLeftAlone(t *testing.T) {
	t.Parallel()
	r := execute(t, "NOTHING=1", "x")
	r.expect(t, "role=", "stdin=1", "capture is open")
	if r.stdout != "printed\n" {
		t.Errorf("stdout %q", r.stdout)
	}
}
