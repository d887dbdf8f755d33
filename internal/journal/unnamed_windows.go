package journal

import (
	"os"
	"path/filepath"

	"golang.org/x/sys/windows"
)

// unnamed makes a file that ends with its last handle.
func unnamed(dir string) (*os.File, error) {
	f, err := os.CreateTemp(dir, "multiproc-*")
	if err != nil {
		return nil, err
	}
	path := f.Name()
	f.Close()
	name, err := windows.UTF16PtrFromString(filepath.Clean(path))
	if err != nil {
		return nil, err
	}
	h, err := windows.CreateFile(name, windows.GENERIC_READ|windows.GENERIC_WRITE|windows.DELETE,
		windows.FILE_SHARE_DELETE, nil, windows.OPEN_EXISTING,
		windows.FILE_ATTRIBUTE_TEMPORARY|windows.FILE_FLAG_DELETE_ON_CLOSE, 0)
	if err != nil {
		os.Remove(path)
		return nil, &os.PathError{Op: "open", Path: path, Err: err}
	}
	return os.NewFile(uintptr(h), path), nil
}
