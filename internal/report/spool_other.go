//go:build !linux

package report

// openSpool opens a new file at path. It stays if the process is killed.
func openSpool(path string) (*spool, error) { return openNamed(path) }

// name gives the spool another name and closes it.
func (s *spool) name(path string) error { return s.rename(path) }
