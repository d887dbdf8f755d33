package owner

import (
	"errors"
	"fmt"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"testing"
)

// room is a resource.
type room struct {
	name   string
	holder atomic.Pointer[Owner]
}

func (r *room) Resource() string { return "room " + r.name }
func (r *room) Holder() *Owner   { return r.holder.Load() }

// circle makes n owners, each of which holds a room of its own.
func circle(n int) (owners []*Owner, rooms []*room) {
	for i := range n {
		o, r := New(Identity{Name: fmt.Sprint("o", i)}), &room{name: fmt.Sprint("r", i)}
		r.holder.Store(o)
		owners, rooms = append(owners, o), append(rooms, r)
	}
	return owners, rooms
}

// waiter is a wait that can be refused.
type waiter struct{ refused *DeadlockError }

func (w *waiter) Refuse(err *DeadlockError) { w.refused = err }

func TestGraph_RefusesTheWaitThatClosesACycle(t *testing.T) {
	t.Parallel()
	for n := 1; n <= 5; n++ {
		owners, rooms := circle(n)
		for i := range n - 1 {
			if err := owners[i].Wait(rooms[i+1]); err != nil {
				t.Fatal(err)
			}
		}
		err := owners[n-1].Wait(rooms[0])
		var deadlock *DeadlockError
		if !errors.Is(err, ErrDeadlock) || !errors.As(err, &deadlock) || len(deadlock.Cycle) != n {
			t.Fatalf("%d: got %v", n, err)
		}
		for i, e := range deadlock.Cycle {
			next := deadlock.Cycle[(i+1)%n]
			if e.Holder != next.Waiter {
				t.Fatalf("%d: edge %d does not lead to the next one: %v", n, i, err)
			}
		}
		if deadlock.Cycle[0].Waiter != owners[n-1].Identity() || deadlock.Cycle[0].Resource != "room r0" {
			t.Fatalf("%d: the first edge is not the one that was refused: %v", n, err)
		}
		// It was not noted; when another wait ends it can be.
		if n > 1 {
			owners[0].Unwait(rooms[1])
			if err := owners[n-1].Wait(rooms[0]); err != nil {
				t.Fatal(err)
			}
		}
	}
}

func TestGraph_SaysWhoHoldsAndWhoWaits(t *testing.T) {
	t.Parallel()
	e := &DeadlockError{Cycle: []Edge{
		{Identity{Name: "a", PID: 1}, `lock "x"`, Identity{Name: "b"}},
		{Identity{Name: "b"}, `lock "y"`, Identity{Name: "a", PID: 1}},
	}}
	want := `deadlock: a (pid 1) waits for lock "x", held by b, b waits for lock "y", held by a (pid 1)`
	if e.Error() != want {
		t.Fatalf("got %s", e)
	}
	e = &DeadlockError{Cycle: []Edge{{Identity{Name: "a"}, `lock "x"`, Identity{Name: "a"}}}}
	if want = `deadlock: a waits for lock "x", held by itself`; e.Error() != want {
		t.Fatalf("got %s", e)
	}
	if got := (&DeadlockError{}).Error(); got != "deadlock" {
		t.Fatalf("got %s", got)
	}
}

func TestGraph_FollowsAllWaitsOfAnOwner(t *testing.T) {
	t.Parallel()
	owners, rooms := circle(4)
	for _, w := range []struct{ who, what int }{{0, 1}, {0, 2}, {0, 3}, {1, 3}, {2, 3}} {
		if err := owners[w.who].Wait(rooms[w.what]); err != nil {
			t.Fatal(err)
		}
	}
	if err := owners[3].Wait(rooms[0]); !errors.Is(err, ErrDeadlock) {
		t.Fatalf("got %v", err)
	}
	owners[0].Unwait(rooms[2])
	owners[0].Unwait(rooms[3])
	if err := owners[3].Wait(rooms[0]); !errors.Is(err, ErrDeadlock) {
		t.Fatalf("got %v", err)
	}
	owners[0].Unwait(rooms[1])
	if err := owners[3].Wait(rooms[0]); err != nil {
		t.Fatal(err)
	}
}

func TestGraph_NobodyWaitsInVainForAnOwnerThatHasEnded(t *testing.T) {
	t.Parallel()
	owners, rooms := circle(2)
	if err := owners[0].Wait(rooms[1]); err != nil {
		t.Fatal(err)
	}
	owners[0].End(nil) // it has not given its room back yet, and its wait is noted still
	if err := owners[1].Wait(rooms[0]); err != nil {
		t.Fatal(err)
	}
}

func TestGraph_WaitThatMustBeRefusesTheNextOneThatCan(t *testing.T) {
	t.Parallel()
	owners, rooms := circle(4)
	var second, third waiter
	if err := owners[1].WaitAs(nil, rooms[2]); err != nil {
		t.Fatal(err)
	}
	if err := owners[2].WaitAs(&second, rooms[3]); err != nil {
		t.Fatal(err)
	}
	if err := owners[3].WaitAs(&third, rooms[0]); err != nil {
		t.Fatal(err)
	}
	victim, deadlock := owners[0].WaitAnyway(rooms[1])
	if victim != &second {
		t.Fatalf("got %v, want the wait of o2", victim)
	}
	if first := deadlock.Cycle[0]; len(deadlock.Cycle) != 4 || first.Waiter.Name != "o2" || first.Holder.Name != "o3" {
		t.Fatalf("got %v", deadlock)
	}
	// It was noted.
	owners[2].Unwait(rooms[3])
	if err := owners[2].Wait(rooms[0]); !errors.Is(err, ErrDeadlock) {
		t.Fatalf("got %v", err)
	}
}

func TestGraph_WaitThatMustBeIsNotedIfNobodyCanBeRefused(t *testing.T) {
	t.Parallel()
	owners, rooms := circle(2)
	if err := owners[0].Wait(rooms[1]); err != nil {
		t.Fatal(err)
	}
	if victim, err := owners[1].WaitAnyway(rooms[0]); victim != nil || err != nil {
		t.Fatal(victim, err)
	}
	if victim, err := owners[1].WaitAnyway(rooms[1]); victim != nil || err != nil { // for itself
		t.Fatal(victim, err)
	}
	owners[1].Unwait(rooms[0])
	owners[1].Unwait(rooms[1])
	owners[0].Unwait(rooms[1])
	for _, o := range owners {
		if len(o.waits) != 0 {
			t.Fatal("waits are left")
		}
	}
}

// The search agrees with a plain one: an edge from each owner to the holders of
// what it waits for.
func TestGraph_AgreesWithAPlainSearch(t *testing.T) {
	t.Parallel()
	for seed := range uint64(200) {
		rnd := rand.New(rand.NewPCG(seed, 0))
		owners, rooms := circle(8)
		waits := map[[2]int]bool{} // who waits for the room of whom
		var reaches func(from, to int, seen map[int]bool) bool
		reaches = func(from, to int, seen map[int]bool) bool {
			if from == to {
				return true
			}
			seen[from] = true
			for next := range owners {
				if waits[[2]int{from, next}] && !seen[next] && reaches(next, to, seen) {
					return true
				}
			}
			return false
		}
		for step := range 100 {
			a, b := rnd.IntN(8), rnd.IntN(8)
			edge := [2]int{a, b}
			if waits[edge] {
				owners[a].Unwait(rooms[b])
				delete(waits, edge)
				continue
			}
			want := reaches(b, a, map[int]bool{})
			if err := owners[a].Wait(rooms[b]); (err != nil) != want {
				t.Fatalf("seed %d, step %d: %d waits for %d: got %v, want a cycle: %v of %v", seed, step, a, b, err, want, waits)
			}
			if !want {
				waits[edge] = true
			}
		}
	}
}

func TestGraph_BetweenGoroutinesOneOfEachCycleIsRefused(t *testing.T) {
	t.Parallel()
	for range 200 {
		const n = 4
		owners, rooms := circle(n)
		var refused atomic.Int32
		var all sync.WaitGroup
		for i := range n {
			all.Go(func() {
				if owners[i].Wait(rooms[(i+1)%n]) != nil {
					refused.Add(1)
				}
			})
		}
		all.Wait()
		if got := refused.Load(); got != 1 {
			t.Fatalf("%d were refused", got)
		}
	}
}

func TestGraph_WaitAllocatesNothing(t *testing.T) {
	owners, rooms := circle(10)
	for i := range 9 {
		if err := owners[i].Wait(rooms[i+1]); err != nil {
			t.Fatal(err)
		}
	}
	o := New(Identity{})
	if n := testing.AllocsPerRun(100, func() {
		_ = o.Wait(rooms[0])
		o.Unwait(rooms[0])
	}); n != 0 {
		t.Fatalf("%v allocations", n)
	}
}

func BenchmarkGraph_Wait(b *testing.B) {
	for _, n := range []int{1, 10, 100} {
		b.Run(fmt.Sprint("chain of ", n), func(b *testing.B) {
			owners, rooms := circle(n)
			for i := range n - 1 {
				_ = owners[i].Wait(rooms[i+1])
			}
			o := New(Identity{})
			b.ReportAllocs()
			for b.Loop() {
				_ = o.Wait(rooms[0])
				o.Unwait(rooms[0])
			}
		})
	}
}
