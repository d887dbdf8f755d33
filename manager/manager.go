package manager

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"unicode/utf8"

	"github.com/feac4032/multiproc/internal/owner"
	"github.com/feac4032/multiproc/internal/remote"
	"github.com/feac4032/multiproc/ipc"
	"github.com/feac4032/multiproc/task"
)

// Kind is what an object is.
type Kind string

// The kinds of objects.
const (
	KindLock             Kind = remote.KindLock
	KindRLock            Kind = remote.KindRLock
	KindSemaphore        Kind = remote.KindSemaphore
	KindBoundedSemaphore Kind = remote.KindBoundedSemaphore
	KindCondition        Kind = remote.KindCondition
	KindEvent            Kind = remote.KindEvent
	KindBarrier          Kind = remote.KindBarrier
	KindValue            Kind = remote.KindValue
	KindNumber           Kind = remote.KindNumber
	KindArray            Kind = remote.KindArray
	KindQueue            Kind = remote.KindQueue
	KindJoinable         Kind = remote.KindJoinable
	KindSimple           Kind = remote.KindSimple
	KindPipe             Kind = remote.KindPipe
)

// Manager owns named objects. Its methods may be called by many goroutines at
// once. A nil *Manager has no objects, and takes none.
type Manager struct {
	home   uint64 // the upper half of its objects' numbers
	lax    map[Kind]bool
	laxAll bool

	mu       sync.RWMutex
	closed   bool
	last     uint64
	names    map[string]*entry
	declared map[string]*declaration // those to come; nil without any
	objects  map[uint64]any          // what the numbers name: of package broker
}

// entry is an object under its name.
type entry struct {
	ref   remote.Ref
	parts []uint64 // the numbers that go with it, its own first
}

// Option is an optional property of a manager.
type Option func(*Manager)

// maxMade is how many objects there may be for one more to be made by being opened.
const maxMade = 1 << 16

// Lax lets objects of these kinds, or of all if none is given, be made by being
// opened, up to 65,536 in all. Without it, opening what nobody has made is
// ErrNotFound, so that a name with a typing error in it is found out.
func Lax(kinds ...Kind) Option {
	return func(m *Manager) {
		if len(kinds) == 0 {
			m.laxAll = true
		}
		for _, k := range kinds {
			m.lax[k] = true
		}
	}
}

// New makes a manager, which should be closed when it is not used any more.
func New(opts ...Option) *Manager {
	m := &Manager{lax: map[Kind]bool{}, names: map[string]*entry{}, objects: map[uint64]any{}}
	for _, o := range opts {
		o(m)
	}
	m.home = remote.Register(table{m})
	return m
}

// Close removes all objects. What waits for one, in whatever process, and what
// comes later, gets ErrRemoved. Close may be called again.
func (m *Manager) Close() error {
	m.mu.Lock()
	closed := m.closed
	m.closed = true
	all := m.names
	m.names = map[string]*entry{}
	var gone []removable
	for _, e := range all {
		gone = append(gone, m.take(e)...)
	}
	m.mu.Unlock()
	if closed {
		return nil
	}
	for _, o := range gone {
		o.Remove(fmt.Errorf("manager closed: %w", ErrRemoved))
	}
	remote.Unregister(m.home)
	return nil
}

// removable is what every object of package broker is.
type removable interface{ Remove(cause error) }

// take takes the objects of an entry out of the table. The caller holds mu.
func (m *Manager) take(e *entry) (gone []removable) {
	for _, id := range e.parts {
		gone = append(gone, m.objects[id].(removable))
		delete(m.objects, id)
	}
	return gone
}

// Remove removes an object. What waits for it, in whatever process, and what comes
// later, gets ErrRemoved; the name is free again. ErrNotFound says that there is
// no object of this name.
func (m *Manager) Remove(name string) error {
	m.mu.Lock()
	e := m.names[name]
	if e == nil {
		there := m.others()
		m.mu.Unlock()
		return there.notFound("object", name)
	}
	delete(m.names, name)
	gone := m.take(e)
	m.mu.Unlock()
	cause := fmt.Errorf("%s was %w", e.ref, ErrRemoved)
	for _, o := range gone {
		o.Remove(cause)
	}
	return nil
}

// Names returns the names of all objects, sorted.
func (m *Manager) Names() []string {
	m.mu.RLock()
	defer m.mu.RUnlock()
	return slices.Sorted(maps.Keys(m.names))
}

// managerKey is what a context answers with its manager.
type managerKey struct{}

// With returns a context with which objects of m are opened by their names, for
// goroutines of the process that m is in.
func With(ctx context.Context, m *Manager) context.Context {
	return context.WithValue(ctx, managerKey{}, m)
}

// Session serves the calls of one worker's link, see package remote. A nil
// manager refuses them all.
func (m *Manager) Session(jobs remote.Jobs, who owner.Identity, send func(remote.Reply), warn func(msg string, kv ...any)) *remote.Session {
	if m == nil {
		return remote.NewSession(nil, jobs, who, send, warn)
	}
	return remote.NewSession(table{m}, jobs, who, send, warn)
}

// table is the manager as package remote knows it.
type table struct{ m *Manager }

// Object implements remote.Table.
func (t table) Object(id uint64) (any, bool) {
	t.m.mu.RLock()
	obj, ok := t.m.objects[id]
	t.m.mu.RUnlock()
	return obj, ok
}

// Open implements remote.Table.
func (t table) Open(r *remote.OpenRequest) (remote.Ref, error) {
	t.m.mu.Lock()
	ref, err := t.m.open(r)
	var there others
	if err == errNotThere {
		there = t.m.others()
	}
	t.m.mu.Unlock()
	if err == errNotThere {
		err = there.notFound(r.Kind, r.Name)
	}
	return ref, err
}

// errNotThere is ErrNotFound before it says what there is.
var errNotThere = errors.New("not there")

// open finds an object, or makes it. The caller holds mu.
func (m *Manager) open(r *remote.OpenRequest) (remote.Ref, error) {
	if e := m.names[r.Name]; e != nil {
		return e.ref, fits(e.ref, r)
	}
	if m.closed {
		return remote.Ref{}, fmt.Errorf("%s %q: manager closed: %w", r.Kind, r.Name, ErrRemoved)
	}
	if len(m.names) >= maxMade {
		return remote.Ref{}, fmt.Errorf("%s %q: %w, and there are %d objects: no more are made by being opened", r.Kind, r.Name, ErrNotFound, len(m.names))
	}
	d := m.declared[r.Name]
	if d == nil && !m.laxAll && !m.lax[Kind(r.Kind)] {
		return remote.Ref{}, errNotThere
	}
	if d != nil {
		var err error
		if r, err = d.fit(r); err != nil {
			return remote.Ref{}, err
		}
	}
	made, err := build(r)
	if err != nil {
		return remote.Ref{}, fmt.Errorf("%s %q: %w", r.Kind, r.Name, err)
	}
	return m.add(made)
}

// fits compares an object with what it is opened as.
func fits(ref remote.Ref, r *remote.OpenRequest) error {
	switch {
	case ref.Kind != r.Kind:
		return fmt.Errorf("%s %q: %w: it is a %s", r.Kind, r.Name, ErrMismatch, ref.Kind)
	case ref.Type != r.Type:
		return fmt.Errorf("%s: %w: it is one of %s, not of %s", ref, ErrMismatch, ref.Type, r.Type)
	case r.Sized && ref.Size != r.Size:
		return fmt.Errorf("%s: %w: its size is %d, not %d", ref, ErrMismatch, ref.Size, r.Size)
	case r.PeerKind != "" && ref.PeerKind != r.PeerKind:
		return fmt.Errorf("%s: %w: its lock is a %s, not a %s", ref, ErrMismatch, ref.PeerKind, r.PeerKind)
	}
	return nil
}

// built is an object that has no number yet. Its parts are of package broker; the
// second one, if there is one, is the peer, and has a number of its own unless peer
// names one that has.
type built struct {
	ref   remote.Ref
	parts []any
}

// create makes an object that has to be new.
func (m *Manager) create(r *remote.OpenRequest, make func(*remote.OpenRequest) (built, error)) (remote.Ref, error) {
	if m == nil {
		return remote.Ref{}, fmt.Errorf("%s %q: %w", r.Kind, r.Name, ErrNoManager)
	}
	made, err := make(r)
	if err != nil {
		return remote.Ref{}, fmt.Errorf("%s %q: %w", r.Kind, r.Name, err)
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	switch old := m.names[r.Name]; {
	case m.closed:
		return remote.Ref{}, fmt.Errorf("%s %q: manager closed: %w", r.Kind, r.Name, ErrRemoved)
	case old != nil:
		return remote.Ref{}, fmt.Errorf("%s %q: %w: a %s", r.Kind, r.Name, ErrExists, old.ref.Kind)
	}
	return m.add(made)
}

// add gives an object its number and its name. The caller holds mu.
func (m *Manager) add(b built) (remote.Ref, error) {
	if err := checkName(b.ref.Name); err != nil {
		return remote.Ref{}, fmt.Errorf("%s: %w", b.ref.Kind, err)
	}
	e := &entry{ref: b.ref}
	for _, obj := range b.parts {
		m.last++
		id := m.home | m.last
		m.objects[id] = obj
		e.parts = append(e.parts, id)
	}
	e.ref.ID = e.parts[0]
	if len(e.parts) > 1 {
		e.ref.Peer = e.parts[1]
	}
	m.names[e.ref.Name] = e
	return e.ref, nil
}

func checkName(name string) error {
	if name == "" || len(name) > ipc.MaxName || !utf8.ValidString(name) {
		return fmt.Errorf("name %.64q: %w, want 1 to %d bytes of UTF-8", name, errName, ipc.MaxName)
	}
	return nil
}

// open finds or makes an object for a context: that of a manager in this process,
// or of a worker.
func open(ctx context.Context, r *remote.OpenRequest) (remote.Ref, error) {
	if m, ok := ctx.Value(managerKey{}).(*Manager); ok && m != nil {
		return table{m}.Open(r)
	}
	ref, err := remote.Open(ctx, r)
	var answered *task.Failure
	switch {
	case errors.As(err, &answered) && !errors.Is(err, ErrNoManager):
		return ref, err // the manager has named the object
	case err != nil:
		return ref, fmt.Errorf("%s %q: %w", r.Kind, r.Name, err)
	}
	return ref, fits(ref, r)
}
