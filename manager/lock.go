package manager

import (
	"bytes"
	"context"
	"fmt"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/feac4032/multiproc/internal/broker"
	"github.com/feac4032/multiproc/internal/remote"
	"github.com/feac4032/multiproc/psync"
	"github.com/feac4032/multiproc/task"
)

// NewLock makes a lock. Errors are as for NewQueue; so are those of the other
// functions that make something.
func NewLock(m *Manager, name string) (*psync.Lock, error) {
	ref, err := m.create(request(remote.KindLock, name, "", 0, nil), build)
	if err != nil {
		return nil, err
	}
	return psync.OverLock(remote.NewLock(ref), psync.Named(name)), nil
}

// Lock opens a lock. Errors are as for Queue; so are those of the other functions
// that open something.
func Lock(ctx context.Context, name string) (*psync.Lock, error) {
	ref, err := open(ctx, request(remote.KindLock, name, "", 0, nil))
	if err != nil {
		return nil, err
	}
	return psync.OverLock(remote.NewLock(ref), psync.Named(name)), nil
}

// NewRLock makes a lock that its holder may take again.
func NewRLock(m *Manager, name string) (*psync.RLock, error) {
	ref, err := m.create(request(remote.KindRLock, name, "", 0, nil), build)
	if err != nil {
		return nil, err
	}
	return psync.OverRLock(remote.NewLock(ref), psync.Named(name)), nil
}

// RLock opens a lock that its holder may take again.
func RLock(ctx context.Context, name string) (*psync.RLock, error) {
	ref, err := open(ctx, request(remote.KindRLock, name, "", 0, nil))
	if err != nil {
		return nil, err
	}
	return psync.OverRLock(remote.NewLock(ref), psync.Named(name)), nil
}

// NewSemaphore makes a semaphore with n permits, 0 or more.
func NewSemaphore(m *Manager, name string, n int) (*psync.Semaphore, error) {
	ref, err := m.create(request(remote.KindSemaphore, name, "", n, nil), build)
	if err != nil {
		return nil, err
	}
	return psync.OverSemaphore(remote.NewSemaphore(ref), psync.Named(name)), nil
}

// Semaphore opens a semaphore.
func Semaphore(ctx context.Context, name string, opts ...OpenOption) (*psync.Semaphore, error) {
	ref, err := open(ctx, request(remote.KindSemaphore, name, "", 1, opts))
	if err != nil {
		return nil, err
	}
	return psync.OverSemaphore(remote.NewSemaphore(ref), psync.Named(name)), nil
}

// NewBoundedSemaphore makes a semaphore that never has more than its n permits.
func NewBoundedSemaphore(m *Manager, name string, n int) (*psync.BoundedSemaphore, error) {
	ref, err := m.create(request(remote.KindBoundedSemaphore, name, "", n, nil), build)
	if err != nil {
		return nil, err
	}
	return psync.OverBoundedSemaphore(remote.NewSemaphore(ref), psync.Named(name)), nil
}

// BoundedSemaphore opens a semaphore that never has more than its n permits.
func BoundedSemaphore(ctx context.Context, name string, opts ...OpenOption) (*psync.BoundedSemaphore, error) {
	ref, err := open(ctx, request(remote.KindBoundedSemaphore, name, "", 1, opts))
	if err != nil {
		return nil, err
	}
	return psync.OverBoundedSemaphore(remote.NewSemaphore(ref), psync.Named(name)), nil
}

// NewCondition makes a condition. Its lock is one of the same manager, which
// several conditions may have, or, nil, an RLock of its own.
func NewCondition(m *Manager, name string, lock psync.Locker) (*psync.Condition, error) {
	ref, err := m.create(request(remote.KindCondition, name, "", 0, nil), func(r *remote.OpenRequest) (built, error) {
		b, err := build(r)
		if lock == nil || err != nil {
			return b, err
		}
		its, err := refOf(lock)
		if err != nil {
			return b, err
		}
		obj, ok := table{m}.Object(its.ID)
		if !ok {
			return b, fmt.Errorf("%s, its lock, is of another manager, or removed: %w", its, ErrNotShared)
		}
		b.ref.PeerKind, b.ref.Peer = its.Kind, its.ID
		b.parts = []any{broker.NewCondition(name, obj.(*broker.Lock))}
		return b, nil
	})
	if err != nil {
		return nil, err
	}
	return psync.OverCondition(remote.NewCondition(ref), psync.Named(name)), nil
}

// refOf finds the reference as which a lock travels.
func refOf(lock psync.Locker) (remote.Ref, error) {
	b, err := task.Encode(nil, lock)
	if err != nil {
		return remote.Ref{}, err
	}
	return remote.DecodeRef(msgpack.NewDecoder(bytes.NewReader(b)), remote.KindLock, remote.KindRLock)
}

// Condition opens a condition, with its lock.
func Condition(ctx context.Context, name string) (*psync.Condition, error) {
	ref, err := open(ctx, request(remote.KindCondition, name, "", 0, nil))
	if err != nil {
		return nil, err
	}
	return psync.OverCondition(remote.NewCondition(ref), psync.Named(name)), nil
}

// NewEvent makes an event that is not set.
func NewEvent(m *Manager, name string) (*psync.Event, error) {
	ref, err := m.create(request(remote.KindEvent, name, "", 0, nil), build)
	if err != nil {
		return nil, err
	}
	return psync.OverEvent(remote.NewEvent(ref), psync.Named(name)), nil
}

// Event opens an event.
func Event(ctx context.Context, name string) (*psync.Event, error) {
	ref, err := open(ctx, request(remote.KindEvent, name, "", 0, nil))
	if err != nil {
		return nil, err
	}
	return psync.OverEvent(remote.NewEvent(ref), psync.Named(name)), nil
}

// NewBarrier makes a barrier of n parties, 1 or more. The action, which may be
// nil, runs in this process, whoever comes last.
func NewBarrier(m *Manager, name string, n int, action func() error) (*psync.Barrier, error) {
	ref, err := m.create(request(remote.KindBarrier, name, "", n, nil), func(r *remote.OpenRequest) (built, error) {
		b := built{ref: remote.Ref{Kind: r.Kind, Name: r.Name, Size: r.Size}}
		obj, err := broker.NewBarrier(name, n, action)
		b.parts = []any{obj}
		return b, err
	})
	if err != nil {
		return nil, err
	}
	return psync.OverBarrier(remote.NewBarrier(ref), psync.Named(name)), nil
}

// Barrier opens a barrier.
func Barrier(ctx context.Context, name string, opts ...OpenOption) (*psync.Barrier, error) {
	ref, err := open(ctx, request(remote.KindBarrier, name, "", 0, opts))
	if err != nil {
		return nil, err
	}
	return psync.OverBarrier(remote.NewBarrier(ref), psync.Named(name)), nil
}
