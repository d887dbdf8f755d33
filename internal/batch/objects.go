package batch

import (
	"fmt"
	"slices"

	"github.com/feac4032/multiproc/config"
	"github.com/feac4032/multiproc/manager"
)

// queueKinds and lockKinds are what a declared name may be opened as.
var (
	queueKinds = []manager.Kind{manager.KindJoinable, manager.KindSimple}
	lockKinds  = []manager.Kind{manager.KindRLock}
	otherKinds = []manager.Kind{
		manager.KindSemaphore, manager.KindBoundedSemaphore, manager.KindCondition, manager.KindEvent,
		manager.KindBarrier, manager.KindValue, manager.KindNumber, manager.KindArray, manager.KindPipe,
	}
)

// openObjects makes the manager of a run's named objects. Where a file declares
// queues, or locks, there are no others; what it does not declare is made by being
// opened.
func openObjects(f *config.File) (*manager.Manager, error) {
	lax := slices.Clone(otherKinds)
	if f.Queues == nil {
		lax = append(append(lax, manager.KindQueue), queueKinds...)
	}
	if f.Locks == nil {
		lax = append(append(lax, manager.KindLock), lockKinds...)
	}
	m := manager.New(manager.Lax(lax...))
	declare := func(pos config.Pos, name string, size int, kind manager.Kind, or []manager.Kind) error {
		if err := m.Declare(name, size, kind, or...); err != nil {
			m.Close()
			return fmt.Errorf("%s:%d:%d: %w", f.Path, pos.Line, pos.Col, err)
		}
		return nil
	}
	for _, q := range f.Queues {
		if err := declare(q.Pos, q.Name, q.Size, manager.KindQueue, queueKinds); err != nil {
			return nil, err
		}
	}
	for _, l := range f.Locks {
		if err := declare(l.Pos, l.Name, 0, manager.KindLock, lockKinds); err != nil {
			return nil, err
		}
	}
	return m, nil
}
