package psync_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"github.com/feac4032/multiproc/internal/broker"
	"github.com/feac4032/multiproc/internal/local"
	"github.com/feac4032/multiproc/internal/owner"
	"github.com/feac4032/multiproc/internal/remote"
	"github.com/feac4032/multiproc/psync"
	"github.com/feac4032/multiproc/psync/psynctest"
)

// What other processes share and what is in the memory of this one serve the same
// types.
var (
	_ psync.LockBackend      = local.Lock{}
	_ psync.LockBackend      = (*remote.Lock)(nil)
	_ psync.SemaphoreBackend = local.Semaphore{}
	_ psync.SemaphoreBackend = (*remote.Semaphore)(nil)
	_ psync.ConditionBackend = local.Condition{}
	_ psync.ConditionBackend = (*remote.Condition)(nil)
	_ psync.EventBackend     = local.Event{}
	_ psync.EventBackend     = (*remote.Event)(nil)
	_ psync.BarrierBackend   = local.Barrier{}
	_ psync.BarrierBackend   = (*remote.Barrier)(nil)
	_ psync.CellsBackend     = local.Cells{}
	_ psync.CellsBackend     = (*remote.Cells)(nil)

	_ psync.Locker = (*psync.Lock)(nil)
	_ psync.Locker = (*psync.RLock)(nil)
)

// names gives every party the same object under the same name.
type names struct {
	mu      sync.Mutex
	objects map[string]any
}

func open[B any](n *names, kind, name string, make func() (B, error)) (B, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	key := kind + " " + name
	if b, ok := n.objects[key]; ok {
		return b.(B), nil
	}
	b, err := make()
	if err == nil {
		n.objects[key] = b
	}
	return b, err
}

// must opens what cannot fail.
func must[B any](b B, err error) B {
	if err != nil {
		panic(fmt.Sprintf("opening cannot fail: %v", err))
	}
	return b
}

func lockOpener(n *names, kind string, recursive bool) func(psynctest.Party, string) psync.LockBackend {
	return func(_ psynctest.Party, name string) psync.LockBackend {
		return must(open(n, kind, name, func() (psync.LockBackend, error) {
			return local.Lock{L: broker.NewLock(name, recursive)}, nil
		}))
	}
}

func semaphoreOpener(n *names, kind string, bounded bool) func(psynctest.Party, string, int) (psync.SemaphoreBackend, error) {
	return func(_ psynctest.Party, name string, permits int) (psync.SemaphoreBackend, error) {
		return open(n, kind, name, func() (psync.SemaphoreBackend, error) {
			s, err := broker.NewSemaphore(name, permits, bounded)
			return local.Semaphore{S: s}, err
		})
	}
}

func memoryHarness(*testing.T) psynctest.Harness {
	n := &names{objects: map[string]any{}}
	return psynctest.Harness{
		Party: func(ctx context.Context, name string) psynctest.Party {
			o := owner.New(owner.Identity{Name: name})
			return psynctest.Party{Name: name, Ctx: owner.With(ctx, o), End: o.End}
		},
		Lock:             lockOpener(n, "lock", false),
		RLock:            lockOpener(n, "rlock", true),
		Semaphore:        semaphoreOpener(n, "semaphore", false),
		BoundedSemaphore: semaphoreOpener(n, "bounded semaphore", true),
		Condition: func(_ psynctest.Party, name string, recursive bool) psync.ConditionBackend {
			return must(open(n, "condition", name, func() (psync.ConditionBackend, error) {
				l := broker.NewLock(name, recursive)
				return local.Condition{Lock: local.Lock{L: l}, C: broker.NewCondition(name, l)}, nil
			}))
		},
		Event: func(_ psynctest.Party, name string) psync.EventBackend {
			return must(open(n, "event", name, func() (psync.EventBackend, error) {
				return local.Event{E: broker.NewEvent(name)}, nil
			}))
		},
		Barrier: func(_ psynctest.Party, name string, parties int, action func() error) (psync.BarrierBackend, error) {
			return open(n, "barrier", name, func() (psync.BarrierBackend, error) {
				b, err := broker.NewBarrier(name, parties, action)
				return local.Barrier{B: b}, err
			})
		},
		Cells: func(_ psynctest.Party, name string, values [][]byte) psync.CellsBackend {
			return must(open(n, "cells", name, func() (psync.CellsBackend, error) {
				return local.Cells{C: broker.NewCells(name, values)}, nil
			}))
		},
		Bubble: true,
	}
}

func TestMemory_Conforms(t *testing.T) { psynctest.Run(t, memoryHarness) }
