package report

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
)

// Check finds out whether a file could be written at path, without leaving
// anything there: its folder must exist and take new files, and it must be no
// folder itself. Pipes and devices are taken for writable.
func Check(path string) error {
	_, err := placeOf(path)
	return err
}

// WriteFile writes a file as the reports are written: beside, and then renamed, so
// that nobody ever sees half of it, and nothing is left if fill fails; straight to a
// pipe or a device. Errors name the file.
func WriteFile(path string, fill func(w io.Writer) error) error {
	p, err := placeOf(path)
	if err != nil {
		return err
	}
	return p.replace(func(f *os.File) error { return fill(f) })
}

// place is where a file is to be written.
type place struct {
	path   string // as given, for errors
	target string // behind symbolic links
	direct bool   // a pipe or a device: written where it is
}

// placeOf looks at a path as Check says.
func placeOf(path string) (place, error) {
	p := place{path: path, target: path}
	if path == "" || path == "-" {
		return p, fmt.Errorf("%q is no file; standard output is %s", path, os.Stdout.Name())
	}
	// What a descriptor leads to is nobody's to replace, be it a file.
	if strings.HasPrefix(path, "/dev/") || strings.HasPrefix(path, "/proc/") {
		p.direct = true
	}
	st, err := os.Stat(path)
	switch {
	case err == nil && st.IsDir():
		return p, p.fault(syscall.EISDIR)
	case err == nil && (p.direct || !st.Mode().IsRegular()):
		p.direct = true
		return p, nil
	case err == nil:
		// Renaming onto a link would replace it, not what it leads to.
		if p.target, err = filepath.EvalSymlinks(path); err != nil {
			return p, p.fault(err)
		}
	case !errors.Is(err, fs.ErrNotExist):
		return p, p.fault(err)
	}
	f, err := p.spool()
	if err != nil {
		return p, err
	}
	f.discard()
	return p, nil
}

// fault names the file, and not how it was come upon.
func (p place) fault(err error) error {
	if err == nil {
		return nil
	}
	var path *fs.PathError
	var link *os.LinkError
	var sys *os.SyscallError
	switch {
	case errors.As(err, &path):
		err = path.Err
	case errors.As(err, &link):
		err = link.Err
	case errors.As(err, &sys):
		err = sys.Err
	}
	return fmt.Errorf("%s: %w", p.path, err)
}

// stream opens the file for what is written as it comes: a file is cut off first.
func (p place) stream() (*os.File, error) {
	switch p.path {
	// Opened once more these would have an offset of their own, and what others
	// write would be written over.
	case os.Stdout.Name():
		return os.Stdout, nil
	case os.Stderr.Name():
		return os.Stderr, nil
	}
	flag := os.O_WRONLY | os.O_CREATE | os.O_TRUNC
	if p.direct {
		flag = os.O_WRONLY | os.O_APPEND
	}
	f, err := os.OpenFile(p.target, flag, 0o644)
	return f, p.fault(err)
}

// standard reports a file that is not ours to close.
func standard(f *os.File) bool { return f == os.Stdout || f == os.Stderr }

// replace writes the file with fill: beside and then renamed, so that nobody ever
// sees half of it, or straight to a pipe or a device.
func (p place) replace(fill func(*os.File) error) error {
	if p.direct {
		f, err := p.stream()
		if err != nil {
			return err
		}
		err = fill(f)
		if !standard(f) {
			err = errors.Join(err, f.Close())
		}
		return p.fault(err)
	}
	aside, err := p.spool()
	if err != nil {
		return err
	}
	defer aside.discard()
	if err := fill(aside.File); err != nil {
		return p.fault(err)
	}
	name := p.beside()
	if err := aside.name(name); err != nil {
		return p.fault(err)
	}
	if err := os.Rename(name, p.target); err != nil {
		os.Remove(name)
		return p.fault(err)
	}
	return nil
}

// beside gives a new name for a file in the same folder.
func (p place) beside() string {
	return filepath.Join(filepath.Dir(p.target), "."+filepath.Base(p.target)+"."+strconv.FormatUint(rand.Uint64(), 36))
}

// spool opens a new file in the folder of the file, or for pipes and devices in
// that of temporary files.
func (p place) spool() (*spool, error) {
	name := p.beside()
	if p.direct {
		name = filepath.Join(os.TempDir(), filepath.Base(name))
	}
	f, err := openSpool(name)
	return f, p.fault(err)
}
