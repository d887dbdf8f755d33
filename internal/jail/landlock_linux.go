package jail

import (
	"errors"
	"unsafe"

	"golang.org/x/sys/unix"
)

// What a ruleset may forbid grew with the kernel: by number of the ABI, files first.
var landlockFiles = [...]uint64{
	0,
	unix.LANDLOCK_ACCESS_FS_EXECUTE | unix.LANDLOCK_ACCESS_FS_WRITE_FILE | unix.LANDLOCK_ACCESS_FS_READ_FILE |
		unix.LANDLOCK_ACCESS_FS_READ_DIR | unix.LANDLOCK_ACCESS_FS_REMOVE_DIR | unix.LANDLOCK_ACCESS_FS_REMOVE_FILE |
		unix.LANDLOCK_ACCESS_FS_MAKE_CHAR | unix.LANDLOCK_ACCESS_FS_MAKE_DIR | unix.LANDLOCK_ACCESS_FS_MAKE_REG |
		unix.LANDLOCK_ACCESS_FS_MAKE_SOCK | unix.LANDLOCK_ACCESS_FS_MAKE_FIFO | unix.LANDLOCK_ACCESS_FS_MAKE_BLOCK |
		unix.LANDLOCK_ACCESS_FS_MAKE_SYM,
	unix.LANDLOCK_ACCESS_FS_REFER,
	unix.LANDLOCK_ACCESS_FS_TRUNCATE,
	0, // TCP
	unix.LANDLOCK_ACCESS_FS_IOCTL_DEV,
	0, // scopes
}

const (
	landlockNetABI   = 4
	landlockScopeABI = 6

	landlockRead  = unix.LANDLOCK_ACCESS_FS_EXECUTE | unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_READ_DIR
	landlockOnlyF = unix.LANDLOCK_ACCESS_FS_EXECUTE | unix.LANDLOCK_ACCESS_FS_READ_FILE | unix.LANDLOCK_ACCESS_FS_WRITE_FILE |
		unix.LANDLOCK_ACCESS_FS_TRUNCATE | unix.LANDLOCK_ACCESS_FS_IOCTL_DEV // rights that a file can have
)

// writableFiles and writableDirs may be written to besides the working directory.
var (
	writableFiles = []string{"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty", "/dev/ptmx"}
	writableDirs  = []string{"/tmp", "/dev/shm", "/dev/pts"}
)

// newRuleset makes the rules by which a process may read and execute everything, and
// write only to the working directory, where that is its own, and to the places
// above. Signals and abstract sockets reach only who is under the same rules. TCP is
// forbidden only where there is no network namespace: in one, a program may well talk
// to itself.
func newRuleset(parts Part, ownDir bool, exe int) (set int, err error) {
	v, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, 0, 0, unix.LANDLOCK_CREATE_RULESET_VERSION)
	if errno != 0 {
		return -1, errno
	}
	abi := int(v)
	var rules unix.LandlockRulesetAttr
	for i, files := range landlockFiles {
		if i <= abi {
			rules.Handled_access_fs |= files
		}
	}
	if abi >= landlockNetABI && parts&Net == 0 {
		rules.Handled_access_net = unix.LANDLOCK_ACCESS_NET_BIND_TCP | unix.LANDLOCK_ACCESS_NET_CONNECT_TCP
	}
	if abi >= landlockScopeABI {
		rules.Scoped = unix.LANDLOCK_SCOPE_ABSTRACT_UNIX_SOCKET | unix.LANDLOCK_SCOPE_SIGNAL
	}
	// Older kernels take a longer structure as long as what they do not know is zero.
	fd, _, errno := unix.Syscall(unix.SYS_LANDLOCK_CREATE_RULESET, uintptr(unsafe.Pointer(&rules)), unsafe.Sizeof(rules), 0)
	if errno != 0 {
		return -1, errno
	}
	set = int(fd)
	defer func() {
		if err != nil {
			unix.Close(set)
		}
	}()

	if err := allow(set, "/", landlockRead); err != nil {
		return -1, err
	}
	all := rules.Handled_access_fs
	if ownDir {
		if err := allow(set, ".", all); err != nil {
			return -1, err
		}
	}
	for _, path := range writableDirs {
		if err := allow(set, path, all); err != nil && !errors.Is(err, unix.ENOENT) {
			return -1, err
		}
	}
	for _, path := range writableFiles {
		if err := allow(set, path, all&landlockOnlyF); err != nil && !errors.Is(err, unix.ENOENT) {
			return -1, err
		}
	}
	if exe >= 0 {
		if err := allowFD(set, exe, unix.LANDLOCK_ACCESS_FS_EXECUTE|unix.LANDLOCK_ACCESS_FS_READ_FILE); err != nil {
			return -1, err
		}
	}
	return set, nil
}

func allow(set int, path string, access uint64) error {
	fd, err := unix.Open(path, unix.O_PATH|unix.O_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	return allowFD(set, fd, access)
}

func allowFD(set, fd int, access uint64) error {
	beneath := unix.LandlockPathBeneathAttr{Allowed_access: access, Parent_fd: int32(fd)}
	_, _, errno := unix.Syscall6(unix.SYS_LANDLOCK_ADD_RULE, uintptr(set), unix.LANDLOCK_RULE_PATH_BENEATH, uintptr(unsafe.Pointer(&beneath)), 0, 0, 0)
	if errno != 0 {
		return errno
	}
	return nil
}
