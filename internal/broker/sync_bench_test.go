package broker

import (
	"testing"

	"github.com/feac4032/multiproc/internal/owner"
)

// What need not wait allocates nothing. These tests are not parallel: others
// would be counted.
func TestUncontendedCallsAllocateNothing(t *testing.T) {
	o := newOwner("o")
	plain, recursive := NewLock("l", false), NewLock("r", true)
	bounded, counting := newSemaphore(t, 2, true), newSemaphore(t, 2, false)
	event := NewEvent("e")
	event.Set()
	alone := newBarrier(t, 1, nil)
	cells := NewCells("c", [][]byte{encoded(t, 1)})
	one := encoded(t, 1)
	condition := NewCondition("c", recursive)
	tickets, next := make([]Ticket, 2000), 0
	ticket := func() *Ticket {
		tk := &tickets[next]
		tk.Owner, tk.Settled = o, func(*Ticket) {}
		next++
		return tk
	}
	for name, call := range map[string]func(){
		"Lock.TryAcquire": func() {
			_, _ = plain.TryAcquire(o)
			_, _ = plain.TryAcquire(o) // would block
			_, _ = plain.Release(o)
		},
		"Lock.Acquire":               func() { plain.Acquire(ticket()); _, _ = plain.Release(o) },
		"RLock.TryAcquire":           func() { _, _ = recursive.TryAcquire(o); _, _ = recursive.Release(o) },
		"BoundedSemaphore":           func() { _, _ = bounded.TryAcquire(o, false); _ = bounded.Release(o) },
		"BoundedSemaphore, detached": func() { _, _ = bounded.TryAcquire(nil, true); _ = bounded.Release(nil) },
		"Semaphore":                  func() { _, _ = counting.TryAcquire(o, false); _ = counting.Release(o) },
		"Semaphore.Acquire":          func() { counting.Acquire(ticket(), false); _ = counting.Release(o) },
		"Event.Wait":                 func() { event.Wait(ticket()) },
		"Barrier.Wait":               func() { alone.Wait(ticket()) },
		"Condition.Notify": func() {
			_, _ = recursive.TryAcquire(o)
			_ = condition.Notify(o, -1)
			_, _ = recursive.Release(o)
		},
		"Cells": func() {
			v, version, _ := cells.Load(0)
			_ = cells.Store(0, v)
			_, _ = cells.CompareAndSwap(0, version, one)
			_, _ = cells.CompareAndSwapValue(0, v, one)
		},
	} {
		next = 0
		if n := testing.AllocsPerRun(1000, call); n != 0 {
			t.Errorf("%s: %v allocations", name, n)
		}
	}
}

// Waiting costs the ticket and what its owner needs to wait for it, and nothing
// for each hand-over.
func TestWaitingAllocatesNothingInTheMachine(t *testing.T) {
	l := NewLock("l", false)
	a, b := newOwner("a"), newOwner("b")
	tickets, next := make([]Ticket, 2100), 0
	if _, err := l.TryAcquire(a); err != nil {
		t.Fatal(err)
	}
	holder, other := a, b
	settled := func(*Ticket) {}
	if n := testing.AllocsPerRun(1000, func() {
		tk := &tickets[next]
		next++
		tk.Owner, tk.Settled = other, settled
		l.Acquire(tk)
		_, _ = l.Release(holder)
		holder, other = other, holder
	}); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

func TestTellingManyAllocatesNothing(t *testing.T) {
	e := NewEvent("e")
	tickets := make([]Ticket, 100)
	told := 0
	settled := func(*Ticket) { told++ }
	if n := testing.AllocsPerRun(10, func() {
		for i := range tickets {
			tickets[i] = Ticket{Settled: settled}
			e.Wait(&tickets[i])
		}
		e.Set()
		e.Clear()
	}); n != 0 || told != 1100 {
		t.Errorf("%v allocations, %d told", n, told)
	}
}

func BenchmarkLock_Uncontended(b *testing.B) {
	for name, l := range map[string]*Lock{"Lock": NewLock("l", false), "RLock": NewLock("l", true)} {
		b.Run(name, func(b *testing.B) {
			o := newOwner("o")
			b.ReportAllocs()
			for b.Loop() {
				_, _ = l.TryAcquire(o)
				_, _ = l.Release(o)
			}
		})
	}
}

// One goroutine, two owners that hand the lock to each other: the machine alone.
func BenchmarkLock_HandOver(b *testing.B) {
	l := NewLock("l", false)
	holder, other := newOwner("a"), newOwner("b")
	_, _ = l.TryAcquire(holder)
	settled := func(*Ticket) {}
	b.ReportAllocs()
	for b.Loop() {
		l.Acquire(&Ticket{Owner: other, Settled: settled})
		_, _ = l.Release(holder)
		holder, other = other, holder
	}
}

// Goroutines that wait for each other: mostly the scheduler.
func BenchmarkLock_ContendedByGoroutines(b *testing.B) {
	l := NewLock("l", false)
	b.ReportAllocs()
	b.SetParallelism(4)
	b.RunParallel(func(pb *testing.PB) {
		o := newOwner("o")
		for pb.Next() {
			_ = Await(b.Context(), &Ticket{Owner: o}, l.Acquire)
			_, _ = l.Release(o)
		}
	})
}

func BenchmarkSemaphore_Uncontended(b *testing.B) {
	for _, holders := range []int{1, 100} {
		b.Run(map[int]string{1: "alone", 100: "100 holders"}[holders], func(b *testing.B) {
			s, _ := NewSemaphore("s", holders, true)
			var o *owner.Owner
			for range holders {
				o = newOwner("o")
				_, _ = s.TryAcquire(o, false)
			}
			_ = s.Release(o)
			b.ReportAllocs()
			for b.Loop() {
				_, _ = s.TryAcquire(o, false)
				_ = s.Release(o)
			}
		})
	}
}

func BenchmarkCondition_WaitAndNotify(b *testing.B) {
	l := NewLock("l", true)
	c := NewCondition("c", l)
	waiter, notifier := newOwner("w"), newOwner("n")
	settled := func(*Ticket) {}
	b.ReportAllocs()
	for b.Loop() {
		_, _ = l.TryAcquire(waiter)
		c.Wait(&Ticket{Owner: waiter, Settled: settled})
		_, _ = l.TryAcquire(notifier)
		_ = c.Notify(notifier, 1)
		_, _ = l.Release(notifier)
		_, _ = l.Release(waiter)
	}
}

func BenchmarkEvent_SetWith100Waiters(b *testing.B) {
	e := NewEvent("e")
	settled := func(*Ticket) {}
	tickets := make([]Ticket, 100)
	b.ReportAllocs()
	for b.Loop() {
		for i := range tickets {
			tickets[i] = Ticket{Settled: settled}
			e.Wait(&tickets[i])
		}
		e.Set()
		e.Clear()
	}
}

func BenchmarkCells(b *testing.B) {
	c := NewCells("c", [][]byte{encoded(b, 1)})
	b.Run("Load", func(b *testing.B) {
		b.ReportAllocs()
		for b.Loop() {
			_, _, _ = c.Load(0)
		}
	})
	b.Run("Add", func(b *testing.B) {
		one := encoded(b, 1)
		b.ReportAllocs()
		for b.Loop() {
			_, _ = c.Add(0, 2, one)
		}
	})
}
