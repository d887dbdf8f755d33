package report

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

func TestCheck_TellsWhatCannotBeWritten(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	file := filepath.Join(dir, "file")
	if err := os.WriteFile(file, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]error{
		file:                                nil,
		filepath.Join(dir, "new"):           nil,
		os.DevNull:                          nil,
		dir:                                 syscall.EISDIR,
		filepath.Join(dir, "none", "a.csv"): os.ErrNotExist,
		filepath.Join(file, "a.csv"):        syscall.ENOTDIR,
	} {
		err := Check(path)
		if !errors.Is(err, want) {
			t.Errorf("%s: %v, want %v", path, err, want)
		}
		if err != nil && !strings.HasPrefix(err.Error(), path+": ") {
			t.Errorf("%v does not begin with %s", err, path)
		}
	}
	for _, path := range []string{"", "-"} {
		if err := Check(path); err == nil || !strings.Contains(err.Error(), os.Stdout.Name()) {
			t.Errorf("%q: %v", path, err)
		}
	}
	alone(t, file)
	if b, _ := os.ReadFile(file); string(b) != "old" {
		t.Errorf("the file holds %q", b)
	}
}

func TestPlace_KeepsLinksAndReplacesWhatTheyLeadTo(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	real, link := filepath.Join(dir, "real"), filepath.Join(dir, "link")
	if err := errors.Join(os.WriteFile(real, []byte("old"), 0o600), os.Symlink("real", link)); err != nil {
		t.Fatal(err)
	}
	p, err := placeOf(link)
	if err != nil {
		t.Fatal(err)
	}
	err = p.replace(func(f *os.File) error {
		if b, err := os.ReadFile(link); string(b) != "old" {
			t.Errorf("while it is written it holds %q, %v", b, err)
		}
		_, err := f.WriteString("new")
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	if b, err := os.ReadFile(real); string(b) != "new" {
		t.Errorf("real holds %q, %v", b, err)
	}
	if to, err := os.Readlink(link); to != "real" {
		t.Errorf("link leads to %q, %v", to, err)
	}
}

func TestPlace_LeavesTheFileWhenItCannotBeFilled(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(path, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	p, err := placeOf(path)
	if err != nil {
		t.Fatal(err)
	}
	err = p.replace(func(f *os.File) error { f.WriteString("half"); return syscall.ENOSPC })
	if !errors.Is(err, syscall.ENOSPC) || err.Error() != path+": "+syscall.ENOSPC.Error() {
		t.Errorf("%v", err)
	}
	if b, _ := os.ReadFile(path); string(b) != "old" {
		t.Errorf("the file holds %q", b)
	}
	alone(t, path)
}

func TestSpool_WithANameIsRenamedOrRemoved(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	to := filepath.Join(dir, "to")
	s, err := openNamed(filepath.Join(dir, "a"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := s.WriteString("x"); err != nil {
		t.Fatal(err)
	}
	if err := s.name(to); err != nil {
		t.Fatal(err)
	}
	s.discard()
	if b, err := os.ReadFile(to); string(b) != "x" {
		t.Errorf("%q, %v", b, err)
	}
	if s, err = openNamed(filepath.Join(dir, "b")); err != nil {
		t.Fatal(err)
	}
	s.discard()
	alone(t, to)
}

func TestSinks_FindOutEarlyThatTheirFileCannotBeWritten(t *testing.T) {
	t.Parallel()
	dir := filepath.Join(t.TempDir(), "none")
	for name, open := range opens {
		path := filepath.Join(dir, name)
		if _, err := open(path); !errors.Is(err, os.ErrNotExist) || !strings.HasPrefix(err.Error(), path) {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// TestSinks_WriteToAPipe reads what each sink writes where it cannot rename.
func TestSinks_WriteToAPipe(t *testing.T) {
	t.Parallel()
	for name, open := range opens {
		path := filepath.Join(t.TempDir(), name)
		if err := mkfifo(path); err != nil {
			t.Skip(err)
		}
		read := make(chan string)
		go func() {
			f, err := os.Open(path)
			if err != nil {
				read <- err.Error()
				return
			}
			defer f.Close()
			b, err := io.ReadAll(f)
			if err != nil {
				read <- err.Error()
				return
			}
			read <- string(b)
		}()
		s, err := open(path)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(s.Add(&Row{Job: "a", Label: "a", Outcome: "ok", Attempts: 1, Slot: 1, Start: begin}), s.Close(&Summary{Begin: begin})); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if got := <-read; !strings.Contains(got, "ok") && !strings.Contains(got, `name="a"`) {
			t.Errorf("%s: read %q", name, got)
		}
	}
}
