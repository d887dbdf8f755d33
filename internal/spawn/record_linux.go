package spawn

import (
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"sync"

	"golang.org/x/sys/unix"
)

// record is a file in Options.Records, which is named by the Guardian's nonce. Who
// finds it without a lock knows that neither the program nor its guardian lives, and
// what to look for: see relics. It holds the cgroups of the program, as
// /proc/self/cgroup has them.
type record struct {
	path   string // of the folder
	folder int    // descriptor of it
	name   string
	lock   int // descriptor of the file; the guardian has a copy, which has the lock too
	once   sync.Once
}

// recordTries bounds how often a record is begun anew because somebody took it for a
// dead one, or its folder away, in the moment in which it was made.
const recordTries = 20

// maxRecord bounds how much of a record is read.
const maxRecord = 64 << 10

// newNonce returns 32 hexadecimal digits.
func newNonce() string {
	var b [16]byte
	rand.Read(b[:])
	return hex.EncodeToString(b[:])
}

// isNonce reports whether newNonce can have made it.
func isNonce(s string) bool {
	if len(s) != 32 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || '9' < c) && (c < 'a' || 'f' < c) {
			return false
		}
	}
	return true
}

// newRecord makes a record in the folder, which it makes if it is not there.
//
// Between the making of a file and its lock somebody else may lock it, and remove it as
// that of a dead program. Then another is made: nothing carries the nonce yet.
func newRecord(path string) (*record, error) {
	path, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	for range recordTries {
		var folder int
		if folder, err = openRecords(path); err != nil {
			if err == unix.ENOENT {
				continue // the last one who used it has removed it
			}
			return nil, err
		}
		name := newNonce()
		var lock int
		lock, err = retry(func() (int, error) {
			return unix.Openat(folder, name, unix.O_RDWR|unix.O_CREAT|unix.O_EXCL|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0o600)
		})
		if err == nil {
			if err = tryLock(lock); err == nil && !isEntry(folder, name, lock) {
				err = unix.EWOULDBLOCK
			}
			if err == nil {
				r := &record{path: path, folder: folder, name: name, lock: lock}
				if own, err := readProc("/proc/self/cgroup"); err == nil && len(own) <= maxRecord {
					unix.Write(lock, own) // without it, less is found
				}
				return r, nil
			}
			unix.Close(lock)
		}
		unix.Close(folder)
		if err != unix.ENOENT && err != unix.EWOULDBLOCK {
			return nil, fmt.Errorf("make a file in %s: %w", path, err)
		}
	}
	return nil, fmt.Errorf("make a file in %s: %w", path, err)
}

// openRecords opens the folder, which must be this user's alone: what stands in it
// gets processes killed.
func openRecords(path string) (int, error) {
	if err := unix.Mkdir(path, 0o700); err != nil && err != unix.EEXIST {
		return -1, fmt.Errorf("make folder %s: %w", path, err)
	}
	fd, err := retry(func() (int, error) {
		return unix.Open(path, unix.O_RDONLY|unix.O_DIRECTORY|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0)
	})
	switch err {
	case nil:
	case unix.ENOENT:
		return -1, err
	default:
		return -1, fmt.Errorf("open folder %s: %w", path, err)
	}
	var st unix.Stat_t
	err = unix.Fstat(fd, &st)
	switch {
	case err != nil:
		err = fmt.Errorf("open folder %s: %w", path, err)
	case int(st.Uid) != os.Geteuid():
		err = fmt.Errorf("folder %s belongs to user %d: remove it, or set XDG_RUNTIME_DIR to a folder of your own", path, st.Uid)
	case st.Mode&0o777 != 0o700:
		err = fmt.Errorf("folder %s has mode %04o: remove it, or make it 0700", path, st.Mode&0o777)
	}
	if err != nil {
		unix.Close(fd)
		return -1, err
	}
	return fd, nil
}

// tryLock reports EWOULDBLOCK when somebody else has the lock.
func tryLock(fd int) error {
	_, err := retry(func() (int, error) { return 0, unix.Flock(fd, unix.LOCK_EX|unix.LOCK_NB) })
	return err
}

// isEntry reports whether the file is still the one of this name in the folder.
func isEntry(folder int, name string, file int) bool {
	var a, b unix.Stat_t
	return unix.Fstat(file, &a) == nil && unix.Fstatat(folder, name, &b, unix.AT_SYMLINK_NOFOLLOW) == nil &&
		a.Dev == b.Dev && a.Ino == b.Ino
}

// remove says that nothing is left of what the record is for. The folder goes with the
// last record in it. It reports whether there are others.
func (r *record) remove() (others bool) {
	if isEntry(r.folder, r.name, r.lock) {
		unix.Unlinkat(r.folder, r.name, 0)
	}
	err := unix.Rmdir(r.path)
	return errors.Is(err, unix.ENOTEMPTY) || errors.Is(err, unix.EEXIST)
}

// close gives the lock up, which the guardian may still have. It is idempotent.
func (r *record) close() {
	r.once.Do(func() {
		unix.Close(r.lock)
		unix.Close(r.folder)
	})
}

// heldRecord is the record that a guardian was given, nil if it was given none.
func heldRecord(lock, folder int) *record {
	if lock < 0 || folder < 0 {
		return nil
	}
	// The kernel knows the names; no message has to carry them.
	name, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", lock))
	if err != nil {
		return nil
	}
	path, err := os.Readlink(fmt.Sprintf("/proc/self/fd/%d", folder))
	if err != nil || !isNonce(filepath.Base(name)) {
		return nil
	}
	return &record{path: path, folder: folder, name: filepath.Base(name), lock: lock}
}
