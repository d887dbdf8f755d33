package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"
)

// lock is a run's lock. Its file says who took it last, and what for.
type lock struct {
	file *os.File
}

// purpose is what an exclusive lock is held for.
type purpose string

const (
	forRun    purpose = "run"
	forResume purpose = "resume"
	forRemove purpose = "remove"
)

// patience is how long the lock of a run is waited for that is to be resumed: a
// guardian gives it back within 2 s of its supervisor's end.
const patience = 2 * time.Second

// lockRun takes the exclusive lock of a run, whose folder is root.
func lockRun(root *os.Root, run string, what purpose, wait time.Duration) (*lock, error) {
	flags := os.O_RDWR
	if what == forRun {
		flags |= os.O_CREATE
	}
	f, err := openRegular(root, "lock", flags)
	if err != nil {
		return nil, err
	}
	// No event tells when a lock is given back, except to those who block without
	// a limit.
	for deadline := time.Now().Add(wait); ; time.Sleep(10 * time.Millisecond) {
		ok, err := flock(f, true)
		if err != nil {
			f.Close()
			return nil, err
		}
		if ok {
			break
		}
		if time.Now().After(deadline) {
			_, pid := readHolder(f)
			f.Close()
			return nil, &InUseError{Run: run, PID: pid}
		}
	}
	// Who waited may hold the lock of a file that has been removed meanwhile.
	mine, err := f.Stat()
	if err == nil {
		var now fs.FileInfo
		if now, err = root.Lstat("lock"); err == nil && !os.SameFile(mine, now) {
			err = fs.ErrNotExist
		}
	}
	if err == nil {
		if err = f.Truncate(0); err == nil {
			_, err = f.WriteAt(fmt.Appendf(nil, "%s %d\n", what, os.Getpid()), 0)
		}
	}
	if err != nil {
		f.Close()
		if errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("run %s: %w", run, ErrNotFound)
		}
		return nil, fmt.Errorf("run %s: %w", run, err)
	}
	return &lock{file: f}, nil
}

// shareLock keeps a run from being removed. nil when that is not possible; such
// a run may be read all the same.
func shareLock(root *os.Root) *lock {
	f, err := openRegular(root, "lock", os.O_RDONLY)
	if err != nil {
		return nil
	}
	if ok, err := flock(f, false); !ok || err != nil {
		f.Close()
		return nil
	}
	return &lock{file: f}
}

func (l *lock) release() error {
	if l == nil {
		return nil
	}
	return l.file.Close()
}

// alive reports whether a run's supervisor, or its guardian, lives.
func alive(root *os.Root) (bool, error) {
	f, err := openRegular(root, "lock", os.O_RDONLY)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer f.Close()
	free, err := flock(f, false)
	if free || err != nil {
		return false, err
	}
	what, _ := readHolder(f)
	return what == forRun, nil
}

func readHolder(f *os.File) (what purpose, pid int) {
	var b [64]byte
	n, _ := f.ReadAt(b[:], 0)
	word, rest, _ := strings.Cut(string(b[:n]), " ")
	fmt.Sscanf(rest, "%d", &pid)
	return purpose(word), pid
}
