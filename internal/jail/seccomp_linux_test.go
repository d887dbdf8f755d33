package jail

import (
	"encoding/binary"
	"runtime"
	"testing"

	"golang.org/x/sys/unix"
)

// verdict runs the filter as the kernel does, for one call.
func verdict(t *testing.T, arch, number uint32, args ...uint64) uint32 {
	t.Helper()
	data := binary.NativeEndian.AppendUint32(nil, number)
	data = binary.NativeEndian.AppendUint32(data, arch)
	data = binary.NativeEndian.AppendUint64(data, 0) // the instruction pointer
	for i := range 6 {
		arg := uint64(0)
		if i < len(args) {
			arg = args[i]
		}
		data = binary.NativeEndian.AppendUint64(data, arg)
	}
	f, acc := filter(), uint32(0)
	for pc := 0; pc < len(f); pc++ {
		in := f[pc]
		jump := func(is bool) {
			if is {
				pc += int(in.Jt)
			} else {
				pc += int(in.Jf)
			}
		}
		switch in.Code {
		case unix.BPF_LD | unix.BPF_W | unix.BPF_ABS:
			acc = binary.NativeEndian.Uint32(data[in.K:])
		case unix.BPF_JMP | unix.BPF_JEQ | unix.BPF_K:
			jump(acc == in.K)
		case unix.BPF_JMP | unix.BPF_JGE | unix.BPF_K:
			jump(acc >= in.K)
		case unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K:
			jump(acc&in.K != 0)
		case unix.BPF_RET | unix.BPF_K:
			return in.K
		default:
			t.Fatalf("instruction %d: %+v", pc, in)
		}
	}
	t.Fatal("the filter does not end")
	return 0
}

func TestFilter_DeniesWhatItNamesAndNothingElse(t *testing.T) {
	t.Parallel()
	if auditArch == 0 {
		t.Skip("no filter for " + runtime.GOARCH)
	}
	const (
		allow  = unix.SECCOMP_RET_ALLOW
		eperm  = unix.SECCOMP_RET_ERRNO | uint32(unix.EPERM)
		enosys = unix.SECCOMP_RET_ERRNO | uint32(unix.ENOSYS)
		high   = 0xffffffff << 32
	)
	for _, number := range denied {
		if got := verdict(t, auditArch, number); got != eperm {
			t.Errorf("call %d: %#x", number, got)
		}
	}
	for _, c := range []struct {
		name   string
		arch   uint32
		number uint32
		args   []uint64
		want   uint32
	}{
		{"read", auditArch, unix.SYS_READ, nil, allow},
		{"execve", auditArch, unix.SYS_EXECVE, nil, allow},
		{"a thread", auditArch, unix.SYS_CLONE, []uint64{unix.CLONE_VM | unix.CLONE_FS | unix.CLONE_FILES | unix.CLONE_SIGHAND | unix.CLONE_THREAD}, allow},
		{"a fork", auditArch, unix.SYS_CLONE, []uint64{high | uint64(unix.SIGCHLD)}, allow},
		{"a user namespace", auditArch, unix.SYS_CLONE, []uint64{uint64(unix.CLONE_NEWUSER) | uint64(unix.SIGCHLD)}, eperm},
		{"a mount namespace, upper half set", auditArch, unix.SYS_CLONE, []uint64{high | unix.CLONE_NEWNS}, eperm},
		{"clone3", auditArch, unix.SYS_CLONE3, nil, enosys},
		{"window size", auditArch, unix.SYS_IOCTL, []uint64{0, unix.TIOCGWINSZ}, allow},
		{"typing into a terminal", auditArch, unix.SYS_IOCTL, []uint64{0, tiocsti}, eperm},
		{"typing, upper half set", auditArch, unix.SYS_IOCTL, []uint64{0, high | tiocsti}, eperm},
		{"pasting into a console", auditArch, unix.SYS_IOCTL, []uint64{0, tioclinux}, eperm},
		{"an internet socket", auditArch, unix.SYS_SOCKET, []uint64{unix.AF_INET}, allow},
		{"a socket to the host", auditArch, unix.SYS_SOCKET, []uint64{high | unix.AF_VSOCK}, eperm},
		{"openat2", auditArch, unix.SYS_OPENAT2, nil, enosys},
		{"a mode", auditArch, unix.SYS_FCHMODAT, []uint64{0, 0, 0o1777}, allow},
		{"a set-user-id mode", auditArch, unix.SYS_FCHMODAT, []uint64{0, 0, 0o4755}, eperm},
		{"a set-group-id mode, upper half set", auditArch, unix.SYS_FCHMOD, []uint64{0, high | 0o2755}, eperm},
		{"making a file", auditArch, unix.SYS_OPENAT, []uint64{0, 0, unix.O_CREAT | unix.O_RDWR, 0o755}, allow},
		{"making a set-user-id file", auditArch, unix.SYS_OPENAT, []uint64{0, 0, unix.O_CREAT | unix.O_RDWR, 0o4755}, eperm},
		{"making one without a name", auditArch, unix.SYS_OPENAT, []uint64{0, 0, unix.O_TMPFILE | unix.O_RDWR, 0o4755}, eperm},
		{"opening, with garbage for a mode", auditArch, unix.SYS_OPENAT, []uint64{0, 0, unix.O_DIRECTORY, 0o4755}, allow},
		{"a foreign architecture", unix.AUDIT_ARCH_I386, unix.SYS_READ, nil, enosys},
	} {
		if got := verdict(t, c.arch, c.number, c.args...); got != c.want {
			t.Errorf("%s: %#x, want %#x", c.name, got, c.want)
		}
	}
	if runtime.GOARCH == "amd64" {
		if got := verdict(t, auditArch, x32|unix.SYS_READ); got != enosys {
			t.Errorf("a call of the third ABI: %#x", got)
		}
	}
}

func FuzzMessages(f *testing.F) {
	f.Add([]byte(`{"Parts":3}`), 1)
	f.Add([]byte(`{"Status":true,"Wait":256}`), 1)
	f.Add([]byte("a\x00b\x00"), 1)
	f.Fuzz(func(t *testing.T, b []byte, argc int) {
		if e, ok := ParseEnd(b); ok && !e.Wait.Exited() && !e.Wait.Signaled() {
			t.Errorf("an end that is none: %+v", e)
		}
		_, _ = ParseAnswer(b)
		argv, envv, err := splitStrings(b, argc)
		if err == nil && (len(argv) != argc || string(Strings(argv, envv)) != string(b)) {
			t.Errorf("%q is %q and %q", b, argv, envv)
		}
	})
}
