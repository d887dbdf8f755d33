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
	return &OutputDir{path: path, root: root}, nil
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
	folder := r.Job
	if !r.single() {
		folder = filepath.Join(folder, strconv.FormatInt(r.Index, 10))
	}
	if err := d.root.MkdirAll(folder, 0o755); err != nil {
		return d.fault(folder, err)
	}
	for _, x := range [...]struct {
		name string
		out  Output
	}{{"stdout", r.Stdout}, {"stderr", r.Stderr}} {
		if x.out == nil {
			continue
		}
		if err := d.write(filepath.Join(folder, x.name), func(w io.Writer) error {
			_, err := x.out.WriteTo(w)
			return err
		}); err != nil {
			return err
		}
	}
	return d.result(folder, r.Result)
}

// result writes a task's result, and removes what is not its form.
func (d *OutputDir) result(folder string, result []byte) error {
	const asJSON, asText = "result.json", "result.txt"
	name := ""
	var body []byte
	if len(result) > 0 && !(len(result) == 1 && result[0] == msgpackNil) {
		if s, ok := textResult(result); ok {
			name, body = asText, []byte(s)
		} else if b, err := task.AppendJSON(nil, result); err == nil {
			name, body = asJSON, append(b, '\n')
		} else {
			return fmt.Errorf("%s: %w", filepath.Join(d.path, folder, asJSON), err)
		}
	}
	for _, old := range [...]string{asJSON, asText} {
		if old == name {
			continue
		}
		if err := d.root.Remove(filepath.Join(folder, old)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return d.fault(filepath.Join(folder, old), err)
		}
	}
	if name == "" {
		return nil
	}
	return d.write(filepath.Join(folder, name), func(w io.Writer) error { _, err := w.Write(body); return err })
}

// write writes a file beside its name and renames it.
func (d *OutputDir) write(name string, fill func(io.Writer) error) error {
	aside := filepath.Join(filepath.Dir(name), "."+filepath.Base(name)+".new")
	// One that a killed run left is in the way, and one that somebody else put
	// there must not be written through.
	if err := d.root.Remove(aside); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return d.fault(name, err)
	}
	f, err := d.root.OpenFile(aside, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return d.fault(name, err)
	}
	w := bufio.NewWriter(f)
	err = errors.Join(fill(w), w.Flush(), f.Close())
	if err == nil {
		err = d.root.Rename(aside, name)
	}
	if err != nil {
		d.root.Remove(aside)
		return d.fault(name, err)
	}
	return nil
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
