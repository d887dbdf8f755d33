package jail

import (
	"errors"
	"fmt"
	"os"
	"path"
	"strings"

	"golang.org/x/sys/unix"
)

// Covers are the folders of which a process has its own, empty.
var Covers = []string{"/tmp", "/dev/shm", "/run"}

// devices are those that every program may count on, and no others are there.
var devices = []string{"/dev/null", "/dev/zero", "/dev/full", "/dev/random", "/dev/urandom", "/dev/tty"}

// system folders are never writable, also not as a working directory: what one would
// write there is meant for the machine.
var system = []string{"/proc", "/sys", "/dev"}

const (
	safe  = unix.MS_NOSUID | unix.MS_NODEV
	clone = unix.OPEN_TREE_CLONE | unix.OPEN_TREE_CLOEXEC
)

// Below reports whether a clean path is dir, or lies below it.
func Below(name, dir string) bool {
	return name == dir || dir == "/" || strings.HasPrefix(name, dir) && name[len(dir)] == '/'
}

// Writable reports whether a working directory is made writable. Of "/" that would
// undo everything else.
func Writable(dir string) bool {
	if dir == "" || dir == "/" || dir == "/run" {
		return false
	}
	for _, s := range system {
		if Below(dir, s) && !Below(dir, "/dev/shm") {
			return false
		}
	}
	return true
}

// mounts makes the view of the file system that doc.go describes, out of the copy of
// the guardian's that this mount namespace began with.
func (s *stub) mounts() (err error) {
	own := Writable(s.order.Dir)
	if own && s.dir < 0 {
		if s.dir, err = unix.OpenTree(unix.AT_FDCWD, s.order.Dir, clone|unix.AT_RECURSIVE); err != nil {
			return fmt.Errorf("clone the mount of %s: %w", s.order.Dir, err)
		}
	}
	covered := s.order.ExePath != "" && !(own && Below(s.order.ExePath, s.order.Dir)) && isCovered(s.order.ExePath)
	if covered && s.prog < 0 {
		// Not there for a stub that has less rights than its guardian: then it is
		// executed as an open file.
		if s.prog, err = unix.OpenTree(unix.AT_FDCWD, s.order.ExePath, clone); err != nil {
			s.prog = -1
		}
	}
	nodes := make(map[string]int, len(devices))
	for _, name := range devices {
		fd, err := unix.OpenTree(unix.AT_FDCWD, name, clone)
		if err != nil {
			continue // a machine without it
		}
		defer unix.Close(fd)
		nodes[name] = fd
	}

	// Nothing that is mounted from here on is seen outside, and nothing from outside
	// comes in.
	private := &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_NOSUID | unix.MOUNT_ATTR_NODEV, Propagation: unix.MS_PRIVATE}
	if own {
		if err := setattr(s.dir, private); err != nil {
			return fmt.Errorf("set the mount of %s (Linux 5.12 or newer is needed): %w", s.order.Dir, err)
		}
	}
	private.Attr_set |= unix.MOUNT_ATTR_RDONLY
	if s.prog >= 0 {
		if err := setattr(s.prog, private); err != nil {
			return fmt.Errorf("set the mount of %s: %w", s.order.ExePath, err)
		}
	}
	if err := unix.MountSetattr(unix.AT_FDCWD, "/", unix.AT_RECURSIVE, private); err != nil {
		return fmt.Errorf("make all mounts read-only (Linux 5.12 or newer is needed): %w", err)
	}

	for name, fd := range nodes {
		if err := attach(fd, name); err != nil {
			return err
		}
	}
	if s.order.Parts&Pid != 0 {
		if err := unix.Mount("proc", "/proc", "proc", safe|unix.MS_NOEXEC|unix.MS_RDONLY, ""); err != nil {
			return fmt.Errorf("mount /proc (in a container, its own must not be covered in parts): %w", err)
		}
	}
	if err := terminals(); err != nil {
		return err
	}
	for _, name := range Covers {
		if own && s.order.Dir == name {
			continue // covered by itself, below
		}
		if err := cover(name); err != nil && !errors.Is(err, unix.ENOENT) {
			return err
		}
	}
	var hidden []string
	if own {
		made, err := place(s.dir, s.order.Dir, true)
		if err != nil {
			return err
		}
		hidden = append(hidden, made)
	}
	if s.prog >= 0 && !(own && Below(s.order.ExePath, s.order.Dir)) {
		made, err := place(s.prog, s.order.ExePath, false)
		if err != nil {
			return err
		}
		hidden = append(hidden, made)
	}
	fixed := &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_RDONLY}
	for _, name := range append(hidden, "/run") {
		if name == "" {
			continue
		}
		if err := unix.MountSetattr(unix.AT_FDCWD, name, 0, fixed); err != nil && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("make %s read-only: %w", name, err)
		}
	}
	return nil
}

func isCovered(name string) bool {
	for _, c := range Covers {
		if Below(name, c) {
			return true
		}
	}
	return false
}

func setattr(tree int, attr *unix.MountAttr) error {
	return unix.MountSetattr(tree, "", unix.AT_EMPTY_PATH|unix.AT_RECURSIVE, attr)
}

func attach(tree int, name string) error {
	if err := unix.MoveMount(tree, "", unix.AT_FDCWD, name, unix.MOVE_MOUNT_F_EMPTY_PATH); err != nil {
		return fmt.Errorf("mount %s: %w", name, err)
	}
	return nil
}

// cover mounts an empty folder.
func cover(name string) error {
	mode := "mode=1777"
	if name == "/run" {
		mode = "mode=0755"
	}
	if err := unix.Mount("tmpfs", name, "tmpfs", safe, mode); err != nil {
		return fmt.Errorf("mount an empty %s: %w", name, err)
	}
	return nil
}

// terminals mounts a folder of pseudo-terminals of their own.
func terminals() error {
	err := unix.Mount("devpts", "/dev/pts", "devpts", unix.MS_NOSUID|unix.MS_NOEXEC, "newinstance,ptmxmode=0666,mode=0620")
	if errors.Is(err, unix.ENOENT) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("mount /dev/pts: %w", err)
	}
	var st unix.Stat_t
	if unix.Lstat("/dev/ptmx", &st) != nil || st.Mode&unix.S_IFMT == unix.S_IFLNK {
		return nil
	}
	tree, err := unix.OpenTree(unix.AT_FDCWD, "/dev/pts/ptmx", clone)
	if err != nil {
		return fmt.Errorf("clone the mount of /dev/pts/ptmx: %w", err)
	}
	defer unix.Close(tree)
	return attach(tree, "/dev/ptmx")
}

// place attaches a tree where it was outside. Where the way to it is covered, the
// folders of the way are made; where this user may not go it, the first such folder is
// covered, and returned.
func place(tree int, name string, dir bool) (made string, err error) {
	parent := path.Dir(name)
	for at := parent; at != "/"; at = path.Dir(at) {
		// From the top, the first that may not be entered.
		if errors.Is(unix.Access(at, unix.X_OK), unix.EACCES) {
			made = at
		}
	}
	if made != "" {
		// A folder that may not be entered can be mounted on.
		if err := unix.Mount("tmpfs", made, "tmpfs", safe, "mode=0755"); err != nil {
			return "", fmt.Errorf("cover %s, which is not open to all: %w", made, err)
		}
	}
	if err := os.MkdirAll(parent, 0o755); err != nil {
		return "", err
	}
	var st unix.Stat_t
	if err := unix.Stat(name, &st); errors.Is(err, unix.ENOENT) {
		if dir {
			err = unix.Mkdir(name, 0o755)
		} else {
			err = unix.Mknod(name, unix.S_IFREG|0o644, 0)
		}
		if err != nil {
			return "", fmt.Errorf("make %s: %w", name, err)
		}
	}
	return made, attach(tree, name)
}
