package manager

import (
	"fmt"
	"slices"

	"github.com/feac4032/multiproc/internal/remote"
)

// declaration is an object to come.
type declaration struct {
	kinds []Kind
	size  int64
}

// Declare gives a name to an object whose type only those know who will use it: it
// is made when it is opened for the first time, as what it is opened as then, which
// has to be of this kind or one of the others, and with this size, which only
// matters to kinds that have one. The error is ErrExists if the name is taken.
func (m *Manager) Declare(name string, size int, kind Kind, or ...Kind) error {
	if err := checkName(name); err != nil {
		return err
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.names[name] != nil || m.declared[name] != nil {
		return fmt.Errorf("%q: %w", name, ErrExists)
	}
	if m.declared == nil {
		m.declared = map[string]*declaration{}
	}
	m.declared[name] = &declaration{kinds: append([]Kind{kind}, or...), size: int64(size)}
	return nil
}

// fit makes a request one for what was declared.
func (d *declaration) fit(r *remote.OpenRequest) (*remote.OpenRequest, error) {
	switch {
	case !slices.Contains(d.kinds, Kind(r.Kind)):
		return nil, fmt.Errorf("%s %q: %w: it was declared as a %s", r.Kind, r.Name, ErrMismatch, d.kinds[0])
	case r.Sized && r.Size != d.size:
		return nil, fmt.Errorf("%s %q: %w: its size is %d, not %d", r.Kind, r.Name, ErrMismatch, d.size, r.Size)
	}
	own := *r
	own.Size = d.size
	return &own, nil
}
