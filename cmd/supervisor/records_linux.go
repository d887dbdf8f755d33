package main

import (
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"golang.org/x/sys/unix"
)

// recordsFolder is where runs leave a record of their guardians: see
// spawn.Options.Records. All runs of a user meet there, whatever their files. In memory
// a record costs some 50 µs; on a disk it may take longer than the rest of the start.
func recordsFolder() string {
	// With sudo it may be that of somebody else, who is not to find a folder of root there.
	if dir := os.Getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) {
		if fi, err := os.Stat(dir); err == nil && fi.IsDir() {
			if st, ok := fi.Sys().(*syscall.Stat_t); ok && int(st.Uid) == os.Geteuid() {
				return filepath.Join(dir, "multiproc")
			}
		}
	}
	dir := os.TempDir()
	var fs unix.Statfs_t
	if err := unix.Statfs(sharedMemory, &fs); err == nil && fs.Type == unix.TMPFS_MAGIC && unix.Access(sharedMemory, unix.W_OK|unix.X_OK) == nil {
		dir = sharedMemory
	}
	return filepath.Join(dir, "multiproc-"+strconv.Itoa(os.Geteuid()))
}

// sharedMemory is what all users can make files in that are in memory.
const sharedMemory = "/dev/shm"
