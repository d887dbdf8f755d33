package spawn

import (
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Exit codes of a probe. Neither is one that a jail which did not start, or a probe
// that broke, could have.
const (
	asItShould = 42
	letThrough = 43
)

// places is what a probe needs of the world outside.
type places struct {
	port     int    // of a listener on the loopback interface
	outside  string // a folder that everybody may write to
	hidden   string // the name of a file in /tmp
	stranger int    // a process
	abstract string // a listening socket
}

func (p places) env() []string {
	return []string{"PORT=" + strconv.Itoa(p.port), "OUTSIDE=" + p.outside, "HIDDEN=" + p.hidden, "STRANGER=" + strconv.Itoa(p.stranger), "ABSTRACT=" + p.abstract}
}

// probe is something that a process in a jail tries. It returns nil if that came out
// as it should, errLet if it was not prevented.
type probe struct {
	level Level // the lowest at which it holds
	try   func() error
}

var errLet = errors.New("let through")

// refused is for what must fail in one of these ways: any other could be the probe's
// own fault.
func refused(err error, ways ...error) error {
	if err == nil {
		return errLet
	}
	for _, way := range ways {
		if errors.Is(err, way) {
			return nil
		}
	}
	return fmt.Errorf("refused for another reason than %v: %w", ways, err)
}

func create(name string) error {
	f, err := os.OpenFile(name, os.O_CREATE|os.O_WRONLY, 0o644)
	if err == nil {
		f.Close()
	}
	return err
}

func syscallError(number uintptr, args ...uintptr) error {
	var a [6]uintptr
	copy(a[:], args)
	if _, _, errno := unix.Syscall6(number, a[0], a[1], a[2], a[3], a[4], a[5]); errno != 0 {
		return errno
	}
	return nil
}

var probes = map[string]probe{
	"network of the machine": {level: Namespaces, try: func() error {
		_, err := net.Dial("tcp", "127.0.0.1:"+os.Getenv("PORT"))
		return refused(err, unix.ECONNREFUSED)
	}},
	"abstract socket of the machine": {level: Namespaces, try: func() error {
		_, err := net.Dial("unix", os.Getenv("ABSTRACT"))
		return refused(err, unix.ECONNREFUSED)
	}},
	"network of one's own": {level: Namespaces, try: func() error {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		c, err := net.Dial("tcp", l.Addr().String())
		if err == nil {
			c.Close()
		}
		return err
	}},
	"processes of the machine": {level: Namespaces, try: func() error {
		stranger, _ := strconv.Atoi(os.Getenv("STRANGER"))
		pids, err := readDirNumbers("/proc")
		if err != nil {
			return err
		}
		if len(pids) > 2 || os.Getpid() > 100 || !slices.Contains(pids, 1) {
			return errLet
		}
		return refused(unix.Kill(stranger, 0), unix.ESRCH)
	}},
	"file outside": {level: Namespaces, try: func() error {
		return refused(create(os.Getenv("OUTSIDE")+"/planted"), unix.EROFS, unix.EACCES)
	}},
	"file outside by the root of process 1": {level: Namespaces, try: func() error {
		return refused(create("/proc/1/root"+os.Getenv("OUTSIDE")+"/planted"), unix.EROFS, unix.EACCES)
	}},
	"remount": {level: Namespaces, try: func() error {
		return refused(unix.Mount("", "/", "", unix.MS_REMOUNT|unix.MS_BIND, ""), unix.EPERM)
	}},
	"unmount": {level: Namespaces, try: func() error {
		return refused(unix.Unmount("/tmp", unix.MNT_DETACH), unix.EPERM)
	}},
	"remount in a nested user namespace": {level: Namespaces, try: func() error { return nested("nested remount") }},
	"unmount in a nested user namespace": {level: Namespaces, try: func() error { return nested("nested unmount") }},
	"kernel settings": {level: Namespaces, try: func() error {
		_, err := os.OpenFile("/proc/sys/kernel/core_pattern", os.O_WRONLY, 0)
		return refused(err, unix.EROFS, unix.EACCES)
	}},
	"control groups": {level: Namespaces, try: func() error {
		return refused(os.Mkdir("/sys/fs/cgroup/planted", 0o755), unix.EROFS, unix.EACCES, unix.EPERM)
	}},
	"device": {level: Namespaces, try: func() error {
		_, err := os.Open("/dev/kmsg")
		return refused(err, unix.EACCES)
	}},
	"harmless devices": {level: Namespaces, try: func() error {
		for _, name := range []string{"/dev/null", "/dev/zero", "/dev/full", "/dev/ptmx"} {
			f, err := os.OpenFile(name, os.O_RDWR, 0)
			if err != nil {
				return err
			}
			f.Close()
		}
		_, err := os.Open("/dev/urandom")
		return err
	}},
	"sockets of daemons": {level: Namespaces, try: func() error {
		names, err := os.ReadDir("/run")
		if err != nil {
			return err
		}
		if len(names) > 0 {
			return errLet
		}
		return refused(create("/run/planted"), unix.EROFS, unix.EACCES)
	}},
	"working directory": {level: Namespaces, try: func() error {
		if err := create("made"); err != nil {
			return err
		}
		var st unix.Stat_t
		if err := unix.Stat("made", &st); err != nil {
			return err
		}
		if int(st.Uid) != os.Getuid() {
			return fmt.Errorf("a new file belongs to %d, not %d", st.Uid, os.Getuid())
		}
		return os.Rename("made", "kept")
	}},
	"temporary files": {level: Namespaces, try: func() error {
		for _, dir := range []string{"/tmp", "/dev/shm"} {
			if err := os.WriteFile(dir+"/"+os.Getenv("HIDDEN")+".inside", []byte("x"), 0o600); err != nil {
				return err
			}
		}
		if _, err := os.Stat("/tmp/" + os.Getenv("HIDDEN")); !errors.Is(err, os.ErrNotExist) {
			return errLet
		}
		return nil
	}},
	"capabilities": {level: Namespaces, try: func() error {
		b, err := os.ReadFile("/proc/self/status")
		if err != nil {
			return err
		}
		for line := range strings.Lines(string(b)) {
			if name, value, _ := strings.Cut(line, ":"); strings.HasPrefix(name, "Cap") && strings.Trim(value, "0\t\n") != "" {
				return errLet
			}
		}
		return nil
	}},
	"signals to process 1": {level: Namespaces, try: func() error {
		for n := syscall.Signal(1); n <= 64; n++ {
			if err := unix.Kill(1, n); err != nil && err != unix.EPERM {
				return err
			}
		}
		return nil // that it is told says that process 1 lives
	}},
	"memory of process 1": {level: Namespaces, try: func() error {
		for _, name := range []string{"/proc/1/mem", "/proc/1/environ", "/proc/1/maps"} {
			if _, err := os.Open(name); refused(err, unix.EACCES, unix.EPERM) != nil {
				return errLet
			}
		}
		for _, name := range []string{"/proc/1/fd/0", "/proc/1/exe"} {
			if _, err := os.Readlink(name); refused(err, unix.EACCES, unix.EPERM) != nil {
				return errLet
			}
		}
		return refused(syscallError(unix.SYS_PTRACE, unix.PTRACE_SEIZE, 1), unix.EPERM)
	}},
	"tracing a child": {level: Sandbox, try: func() error {
		child, err := os.StartProcess("/bin/sleep", []string{"sleep", "60"}, &os.ProcAttr{})
		if err != nil {
			return err
		}
		defer child.Kill()
		return refused(syscallError(unix.SYS_PTRACE, unix.PTRACE_SEIZE, uintptr(child.Pid)), unix.EPERM)
	}},
	"memory of others": {level: Sandbox, try: func() error {
		b := make([]byte, 1)
		vec := unix.Iovec{Base: &b[0], Len: 1}
		at := uintptr(unsafe.Pointer(&vec))
		return refused(syscallError(unix.SYS_PROCESS_VM_READV, uintptr(os.Getpid()), at, 1, at, 1, 0), unix.EPERM)
	}},
	"mount": {level: Sandbox, try: func() error {
		return refused(unix.Mount("tmpfs", "/tmp", "tmpfs", 0, ""), unix.EPERM)
	}},
	"unshare": {level: Sandbox, try: func() error { return refused(unix.Unshare(unix.CLONE_NEWUSER), unix.EPERM) }},
	"clone of namespaces": {level: Sandbox, try: func() error {
		child, err := os.StartProcess("/bin/true", []string{"true"}, &os.ProcAttr{Sys: &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER}})
		if err == nil {
			child.Wait()
		}
		return refused(err, unix.EPERM)
	}},
	"clone3": {level: Sandbox, try: func() error { return refused(syscallError(unix.SYS_CLONE3, 0, 0), unix.ENOSYS) }},
	"typing into a terminal": {level: Sandbox, try: func() error {
		for _, request := range []uintptr{0x5412, 0x541c, 1<<32 | 0x5412} {
			if refused(syscallError(unix.SYS_IOCTL, 0, request, 0), unix.EPERM) != nil {
				return errLet
			}
		}
		return nil
	}},
	"keys": {level: Sandbox, try: func() error { return refused(syscallError(unix.SYS_KEYCTL, 0, 0), unix.EPERM) }},
	"socket to the host of a machine": {level: Sandbox, try: func() error {
		_, err := unix.Socket(unix.AF_VSOCK, unix.SOCK_STREAM, 0)
		return refused(err, unix.EPERM)
	}},
	"calls of another architecture": {level: Sandbox, try: func() error {
		if runtime.GOARCH != "amd64" {
			return nil
		}
		return refused(syscallError(0x40000000|unix.SYS_GETPID), unix.ENOSYS)
	}},
	"no_new_privs": {level: Sandbox, try: func() error {
		if n, err := unix.PrctlRetInt(unix.PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0); err != nil || n != 1 {
			return errLet
		}
		return nil
	}},
	"signals past the rules of Landlock": {level: Sandbox, try: func() error { return refused(unix.Kill(1, 0), unix.EPERM) }},
	"set-user-id files": {level: Sandbox, try: func() error {
		if err := create("program"); err != nil {
			return err
		}
		if err := refused(unix.Chmod("program", unix.S_ISUID|0o755), unix.EPERM); err != nil {
			return err
		}
		fd, err := unix.Open("other", unix.O_CREAT|unix.O_WRONLY, unix.S_ISUID|0o755)
		if err == nil {
			unix.Close(fd)
		}
		return refused(err, unix.EPERM)
	}},
	"secrets of root": {level: Sandbox, try: func() error {
		_, err := os.Open("/etc/shadow")
		return refused(err, unix.EACCES)
	}},
}

// nested tries something in a user and mount namespace below, where this process is
// root. Where it may make none, that is as it should be, too.
func nested(name string) error {
	child, err := os.StartProcess("/proc/self/exe", []string{"nested"}, &os.ProcAttr{
		Env: as(name), Files: []*os.File{nil, nil, os.Stderr},
		Sys: &syscall.SysProcAttr{Cloneflags: unix.CLONE_NEWUSER | unix.CLONE_NEWNS, AmbientCaps: []uintptr{unix.CAP_SYS_ADMIN}},
	})
	if err != nil {
		return refused(err, unix.EPERM)
	}
	state, err := child.Wait()
	if err != nil {
		return err
	}
	switch state.ExitCode() {
	case asItShould:
		return nil
	case letThrough:
		return errLet
	}
	return fmt.Errorf("nested: %v", state)
}

// as is the environment of a helper that this one starts.
func as(name string) []string {
	env := slices.DeleteFunc(os.Environ(), func(kv string) bool { return strings.HasPrefix(kv, helperEnv+"=") })
	return append(env, helperEnv+"="+name)
}

func conclude(err error) {
	switch {
	case err == nil:
		os.Exit(asItShould)
	case errors.Is(err, errLet):
		os.Exit(letThrough)
	}
	fmt.Fprintln(os.Stderr, err)
	os.Exit(1)
}

var _ = register("nested remount", func() {
	for _, dir := range []string{"/", os.Getenv("OUTSIDE")} {
		_ = unix.Mount("", dir, "", unix.MS_REMOUNT|unix.MS_BIND, "")
	}
	_ = unix.MountSetattr(unix.AT_FDCWD, "/", unix.AT_RECURSIVE, &unix.MountAttr{Attr_clr: unix.MOUNT_ATTR_RDONLY})
	// A bind of it, and a tmpfs, work: this process is root here.
	must(unix.Mount("/", "/tmp", "", unix.MS_BIND|unix.MS_REC, ""))
	_ = unix.Mount("", "/tmp", "", unix.MS_REMOUNT|unix.MS_BIND, "")
	for _, dir := range []string{os.Getenv("OUTSIDE"), "/tmp" + os.Getenv("OUTSIDE")} {
		if err := refused(create(dir+"/planted"), unix.EROFS, unix.EACCES); err != nil {
			conclude(err)
		}
	}
	conclude(nil)
})

var _ = register("nested unmount", func() {
	for _, dir := range []string{"/tmp", "/run", "/proc", "/dev/null"} {
		if err := refused(unix.Unmount(dir, unix.MNT_DETACH), unix.EINVAL); err != nil {
			conclude(fmt.Errorf("%s: %w", dir, err))
		}
	}
	conclude(nil)
})

var _ = register("probe", func() { conclude(probes[os.Getenv("PROBE")].try()) })

func TestJail_HoldsWhatAProcessTries(t *testing.T) {
	t.Parallel()
	eachUser(t, func(t *testing.T, uid uint32) {
		listener, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		abstract, err := net.Listen("unix", "@multiproc-"+strconv.Itoa(os.Getpid())+"-"+strconv.Itoa(int(uid)))
		if err != nil {
			t.Fatal(err)
		}
		defer abstract.Close()
		outside := openDir(t, "/var/tmp", 0o777)
		hidden, err := os.CreateTemp("/tmp", "hidden")
		if err != nil {
			t.Fatal(err)
		}
		hidden.Close()
		defer os.Remove(hidden.Name())
		p := places{port: listener.Addr().(*net.TCPAddr).Port, outside: outside, hidden: filepath.Base(hidden.Name()), stranger: os.Getpid(), abstract: abstract.Addr().String()}

		used.Store("probe", true)
		used.Store("nested remount", true)
		used.Store("nested unmount", true)
		cmd, in := helper(t, "try probes", uid, append(p.env(), "CWD="+openDir(t, "/var/tmp", 0o777))...)
		defer in.Close()
		if uid != 0 {
			if err := os.Chown(valueOf(cmd.Env, "CWD"), int(uid), int(uid)); err != nil {
				t.Fatal(err)
			}
		}
		out, err := cmd.Output()
		if err != nil {
			t.Errorf("%v after %q", err, out)
		}
		if names, _ := os.ReadDir(outside); len(names) > 0 {
			t.Errorf("found outside: %v", names)
		}
		if _, err := os.Stat(hidden.Name() + ".inside"); err == nil {
			t.Error("a file in the process's own /tmp is outside")
		}
	})
}

func valueOf(env []string, name string) (value string) {
	for _, kv := range env {
		if k, v, _ := strings.Cut(kv, "="); k == name {
			value = v
		}
	}
	return value
}

// openDir is t.TempDir elsewhere: what is in /tmp is hidden from a jail.
func openDir(t testing.TB, in string, mode os.FileMode) string {
	t.Helper()
	dir, err := os.MkdirTemp(in, "jail")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	if err := os.Chmod(dir, mode); err != nil {
		t.Fatal(err)
	}
	return dir
}

// "try probes" is a supervisor that runs every probe at each level.
var _ = register("try probes", func() {
	g, err := Open(Options{Exclusive: true})
	must(err)
	bad := 0
	for name, probe := range probes {
		for level := probe.level; level <= Sandbox; level++ {
			p, err := g.Start(&Spec{
				Path: "/proc/" + strconv.Itoa(os.Getpid()) + "/exe", Argv: []string{"probe"}, Dir: os.Getenv("CWD"), Level: level,
				Env: append(as("probe"), "PROBE="+name), Files: []*os.File{nil, os.Stderr, os.Stderr},
			})
			must(err)
			<-p.Done()
			if st := p.Status(); st.Code != asItShould || !st.TreeEmpty {
				fmt.Fprintf(os.Stderr, "%s at %v: code %d (%d = let through), %+v\n", name, level, st.Code, letThrough, st)
				bad++
			}
		}
	}
	must(g.Close())
	check(bad == 0, "%d probes failed", bad)
})
