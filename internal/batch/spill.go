package batch

import (
	"errors"
	"io"
	"io/fs"
	"os"
)

// spill is a file for what does not fit in memory. It has no name as soon as it is
// open, where the system allows that, so that nothing is left of it whatever
// happens.
type spill struct {
	f     *os.File
	named bool
}

func newSpill(dir string) (*spill, error) {
	f, err := os.CreateTemp(dir, "spill-")
	if err != nil {
		return nil, err
	}
	return &spill{f: f, named: os.Remove(f.Name()) != nil}, nil
}

func (s *spill) close() {
	if s == nil {
		return
	}
	s.f.Close()
	if s.named {
		if err := os.Remove(s.f.Name()); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return // nobody is left whom it would help to know
		}
	}
}

// from reads the file from its beginning.
func (s *spill) from(size int64) io.ReadCloser {
	return io.NopCloser(io.NewSectionReader(s.f, 0, size))
}
