package report

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"

	"github.com/feac4032/multiproc/task"
)

// OutputDir writes a folder for each instance: JOB/INDEX, or JOB for the only
// instance of its job, with the files stdout and stderr, and where a task returned
// something result.json, or result.txt when that is a text.
//
// Each file is written beside and then renamed. They are not synced: what a run
// must not lose is in its journal. Links in the folder are not followed out of it.
type OutputDir struct {
	path string
	root *os.Root
	w    *bufio.Writer
	err  error
}

// OpenOutputDir opens the folder, which is made if it is not there, and fails if
// nothing can be written into it.
func OpenOutputDir(path string) (*OutputDir, error) {
	p := place{path: path, target: filepath.Join(path, "x")}
	if err := os.MkdirAll(path, 0o755); err != nil {
		return nil, p.fault(err)
	}
	root, err := os.OpenRoot(path)
	if err != nil {
		return nil, p.fault(err)
	}
	s, err := p.spool()
	if err != nil {
		root.Close()
		return nil, err
	}
	s.discard()
	return &OutputDir{path: path, root: root, w: bufio.NewWriterSize(nil, 32<<10)}, nil
}

// Add writes the files of an instance, and removes a result that an earlier run
// left. Of an instance that has neither outputs nor a result at hand, such as one
// that was skipped, nothing is touched.
func (d *OutputDir) Add(r *Row) error {
	if d.err != nil || r.Index < 0 || r.Stdout == nil && r.Stderr == nil && len(r.Result) == 0 {
		return d.err
	}
	d.err = d.add(r)
	return d.err
}

func (d *OutputDir) add(r *Row) error {
	if !safe(r.Job) {
		return fmt.Errorf("%s: %q is no name for a folder", d.path, r.Job)
	}
	name := r.Job
	if !r.single() {
		name = filepath.Join(name, strconv.FormatInt(r.Index, 10))
	}
	f, err := d.folder(name)
	if err != nil {
		return d.fault(name, err)
	}
	defer f.Close()
	for _, x := range [...]struct {
		name string
		out  Output
	}{{"stdout", r.Stdout}, {"stderr", r.Stderr}} {
		if x.out == nil {
			continue
		}
		if err := f.write(x.name, func(w io.Writer) error { _, err := x.out.WriteTo(w); return err }); err != nil {
			return d.fault(filepath.Join(name, x.name), err)
		}
	}
	at, err := f.result(r.Result)
	return d.fault(filepath.Join(name, at), err)
}

// folder is that of one instance.
type folder struct {
	*os.Root
	old bool // it was there before
	w   *bufio.Writer
}

// folder opens the folder of an instance, which is made if it is not there.
func (d *OutputDir) folder(name string) (folder, error) {
	f := folder{w: d.w}
	err := d.root.Mkdir(name, 0o755)
	if errors.Is(err, fs.ErrNotExist) { // the first of its job
		if err = d.root.MkdirAll(filepath.Dir(name), 0o755); err == nil {
			err = d.root.Mkdir(name, 0o755)
		}
	}
	if errors.Is(err, fs.ErrExist) {
		f.old, err = true, nil
	}
	if err == nil {
		f.Root, err = d.root.OpenRoot(name)
	}
	return f, err
}

// result writes a task's result, and removes what is not its form. It returns the
// name of the file that an error is about.
func (f folder) result(result []byte) (string, error) {
	const asJSON, asText = "result.json", "result.txt"
	name := ""
	var body []byte
	if len(result) > 0 && !(len(result) == 1 && result[0] == msgpackNil) {
		if s, ok := textResult(result); ok {
			name, body = asText, []byte(s)
		} else if b, err := task.AppendJSON(nil, result); err == nil {
			name, body = asJSON, append(b, '\n')
		} else {
			return asJSON, err
		}
	}
	for _, stale := range [...]string{asJSON, asText} {
		if stale == name || !f.old {
			continue
		}
		if err := f.Remove(stale); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return stale, err
		}
	}
	if name == "" {
		return "", nil
	}
	return name, f.write(name, func(w io.Writer) error { _, err := w.Write(body); return err })
}

// write writes a file beside its name and renames it.
func (f folder) write(name string, fill func(io.Writer) error) error {
	aside := "." + name + ".new"
	open := func() (*os.File, error) { return f.OpenFile(aside, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644) }
	file, err := open()
	if errors.Is(err, fs.ErrExist) {
		// A killed run left it, or somebody else put it there: it must not be written
		// through.
		if err = f.Remove(aside); err == nil {
			file, err = open()
		}
	}
	if err != nil {
		return err
	}
	f.w.Reset(file)
	err = errors.Join(fill(f.w), f.w.Flush(), file.Close())
	f.w.Reset(nil)
	if err == nil {
		err = f.Rename(aside, name)
	}
	if err != nil {
		f.Remove(aside)
	}
	return err
}

// fault names the file under the folder.
func (d *OutputDir) fault(name string, err error) error {
	return place{path: filepath.Join(d.path, name)}.fault(err)
}

// Close closes the folder.
func (d *OutputDir) Close(*Summary) error {
	if d.root == nil {
		return nil
	}
	err := d.err
	if cerr := d.root.Close(); err == nil {
		err = cerr
	}
	d.root, d.err = nil, ErrClosed
	return err
}

// safe reports whether a job's id is a name for a folder, as all ids are that the
// job file lets through.
func safe(id string) bool {
	for i := range len(id) {
		c := id[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c == '_'
		if !letter && (i == 0 || c != '-' && (c < '0' || c > '9')) {
			return false
		}
	}
	return len(id) > 0 && len(id) <= 255 && filepath.IsLocal(id)
}
