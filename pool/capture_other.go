//go:build !linux

package pool

import "os"

// unnamedFile opens a new file that is unlinked at once where the system allows
// that, and else when it is closed at the latest by the folder's owner.
func unnamedFile(dir string, flag int) (*os.File, error) {
	f, err := os.CreateTemp(spillName(dir), ".multiproc-*")
	if err != nil {
		return nil, err
	}
	name := f.Name()
	f.Close()
	f, err = os.OpenFile(name, os.O_RDWR|flag, 0o600)
	os.Remove(name)
	return f, err
}

func punch(*os.File, int64, int64) {}
