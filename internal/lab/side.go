package lab

import (
	"github.com/feac4032/multiproc/manager"
	"github.com/feac4032/multiproc/psync"
	"github.com/feac4032/multiproc/queue"
)

// side is where parties run: in threads if it has no manager, else in processes.
type side struct{ m *manager.Manager }

func (s side) threads() bool { return s.m == nil }

// onBoth does the same on both sides.
func onBoth[T any](f func(s side) (T, error)) (threads, processes T, err error) {
	if threads, err = f(side{}); err != nil {
		return threads, processes, err
	}
	m := manager.New()
	defer m.Close()
	processes, err = f(side{m})
	return threads, processes, err
}

// The objects of a side.

func (s side) lock(name string) (*psync.Lock, error) {
	if s.threads() {
		return psync.NewLock(psync.Named(name)), nil
	}
	return manager.NewLock(s.m, name)
}

func (s side) number(name string) (*psync.Number[int64], error) {
	if s.threads() {
		return psync.NewNumber(int64(0), psync.Named(name))
	}
	return manager.NewNumber(s.m, name, int64(0))
}

func (s side) array(name string, n int) (*psync.Array[int64], error) {
	if s.threads() {
		return psync.NewArray(make([]int64, n), psync.Named(name))
	}
	return manager.NewArray(s.m, name, make([]int64, n))
}

func (s side) condition(name string) (*psync.Condition, error) {
	if s.threads() {
		return psync.NewCondition(nil, psync.Named(name))
	}
	return manager.NewCondition(s.m, name, nil)
}

func (s side) semaphore(name string, n int) (*psync.Semaphore, error) {
	if s.threads() {
		return psync.NewSemaphore(n, psync.Named(name))
	}
	return manager.NewSemaphore(s.m, name, n)
}

func (s side) barrier(name string, n int) (*psync.Barrier, error) {
	if s.threads() {
		return psync.NewBarrier(n, nil, psync.Named(name))
	}
	return manager.NewBarrier(s.m, name, n, nil)
}

func (s side) event(name string) (*psync.Event, error) {
	if s.threads() {
		return psync.NewEvent(psync.Named(name)), nil
	}
	return manager.NewEvent(s.m, name)
}

func (s side) queue(name string, n int) (*queue.Queue[int64], error) {
	if s.threads() {
		return queue.New[int64](n, queue.Named(name)), nil
	}
	return manager.NewQueue[int64](s.m, name, n)
}
