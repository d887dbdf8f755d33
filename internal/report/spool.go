package report

import "os"

// spool is a file for what waits to be written, or is to be renamed in the end. It
// is gone with its descriptor where the system allows, however the process ends.
type spool struct {
	*os.File
	path string // "" = no path leads to it
}

// openNamed opens a spool that has its name until it is discarded.
func openNamed(path string) (*spool, error) {
	f, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o644)
	if err != nil {
		return nil, err
	}
	return &spool{File: f, path: path}, nil
}

// rename gives a spool that has a name another, and closes it.
func (s *spool) rename(path string) error {
	if err := s.Close(); err != nil {
		return err
	}
	if err := os.Rename(s.path, path); err != nil {
		return err
	}
	s.path = ""
	return nil
}

// discard closes the spool, and removes it unless it was given a name.
func (s *spool) discard() {
	s.Close()
	if s.path != "" {
		os.Remove(s.path)
		s.path = ""
	}
}
