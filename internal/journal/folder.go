package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// openFolder opens a folder as a root that nothing in it can lead out of. It has
// to be this user's; others lose the right to write into it.
func openFolder(path string) (*os.Root, error) {
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, err
	}
	if err := ownFolder(root); err != nil {
		root.Close()
		return nil, fmt.Errorf("state folder %s: %w", path, err)
	}
	return root, nil
}

// openIn opens the folder name, which is no link, in root.
func openIn(root *os.Root, name string) (*os.Root, error) {
	info, err := root.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.IsDir() {
		return nil, fmt.Errorf("%s is %s where a folder should be: %w", join(root, name), kind(info), ErrForeign)
	}
	in, err := root.OpenRoot(name)
	if err != nil {
		return nil, err
	}
	now, err := in.Stat(".")
	if err == nil && !os.SameFile(info, now) {
		err = fmt.Errorf("it was replaced while it was opened: %w", ErrForeign)
	}
	if err == nil {
		err = ownFolder(in)
	}
	if err != nil {
		in.Close()
		return nil, fmt.Errorf("state folder %s: %w", join(root, name), err)
	}
	return in, nil
}

// makeIn opens the folder name in root, and makes it if need be.
func makeIn(root *os.Root, name string) (*os.Root, error) {
	if err := root.Mkdir(name, 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return nil, err
	}
	return openIn(root, name)
}

func ownFolder(root *os.Root) error {
	info, err := root.Stat(".")
	if err != nil {
		return err
	}
	if err := own(info); err != nil {
		return err
	}
	if writable := info.Mode().Perm() & 0o022; writable != 0 {
		return root.Chmod(".", info.Mode().Perm()&^0o022)
	}
	return nil
}

// openRegular opens a regular file of this user's in root.
func openRegular(root *os.Root, name string, flags int) (*os.File, error) {
	if info, err := root.Lstat(name); err == nil {
		if err := regular(root, name, info); err != nil {
			return nil, err
		}
	} else if !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	f, err := root.OpenFile(name, flags|noFollow, 0o600)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil {
		err = regular(root, name, info)
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// checkRegular says why a file cannot be used, without opening it; one that is
// not there can.
func checkRegular(root *os.Root, name string) error {
	info, err := root.Lstat(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return regular(root, name, info)
}

func regular(root *os.Root, name string, info fs.FileInfo) error {
	if !info.Mode().IsRegular() {
		return fmt.Errorf("%s is %s where a file should be: %w", join(root, name), kind(info), ErrForeign)
	}
	if err := own(info); err != nil {
		return fmt.Errorf("%s: %w", join(root, name), err)
	}
	return nil
}

func kind(info fs.FileInfo) string {
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		return "a symbolic link"
	case info.IsDir():
		return "a folder"
	}
	return "something"
}

func join(root *os.Root, name string) string { return filepath.Join(root.Name(), name) }

// syncFolder makes the names in a folder durable.
func syncFolder(root *os.Root) error {
	d, err := root.Open(".")
	if err != nil {
		return err
	}
	defer d.Close()
	return syncNames(d)
}
