package config

import (
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
)

// MaxSize is the largest job file that is read, in bytes. Larger sets of items
// belong into files that `foreach` names.
const MaxSize = 16 << 20

// Load reads and checks the job file at path. Mistakes in it come back as
// [Errors], all of them at once; a file that cannot be read is an [Errors] of
// one that wraps the cause.
func Load(path string) (*File, error) {
	src, err := readFile(path)
	if err != nil {
		return nil, Errors{{File: path, Msg: "job file cannot be read: " + cause(err), Err: err}}
	}
	return Parse(path, src)
}

func readFile(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	// One byte over the limit is enough for Parse to see that it is too much.
	return io.ReadAll(io.LimitReader(f, MaxSize+1))
}

func cause(err error) string {
	if pe, ok := err.(*os.PathError); ok {
		return pe.Err.Error()
	}
	return err.Error()
}

// Parse checks a job file that was read already; name is its path, which the
// errors show and [File.Dir] comes from. Errors are [Errors]. It opens no file.
func Parse(name string, src []byte) (*File, error) {
	c := &checker{file: name, budget: nearBudget, looks: lookBudget, byID: make(map[string]*Job)}
	node := c.document(src)
	if node == nil {
		return nil, c.result()
	}
	base := filepath.Base(name)
	f := &File{
		Path: name,
		Dir:  filepath.Dir(name),
		Name: strings.TrimSuffix(base, filepath.Ext(base)),
	}
	if f.Name == "" {
		f.Name = base
	}
	c.tree(node)
	c.top(f, node)
	if err := c.result(); err != nil {
		return nil, err
	}
	return f, nil
}

// SetVar gives a declared variable another value, as a flag does: text is read
// like an unquoted scalar of the file, see [Scalar]. A name that the file does
// not declare is an error.
func (f *File) SetVar(name, text string) error {
	names := make([]string, len(f.Vars))
	for i := range f.Vars {
		if f.Vars[i].Name == name {
			f.Vars[i].Value = Scalar(text)
			return nil
		}
		names[i] = f.Vars[i].Name
	}
	if near := Nearest(name, names); near != "" {
		return fmt.Errorf("%s declares no variable %q (did you mean %q?)", f.Path, name, near)
	}
	return fmt.Errorf("%s declares no variable %q", f.Path, name)
}

// Job gives the job with that id, nil if there is none.
func (f *File) Job(id string) *Job {
	for _, j := range f.Jobs {
		if j.ID == id {
			return j
		}
	}
	return nil
}
