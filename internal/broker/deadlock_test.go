package broker

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"runtime"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/feac4032/multiproc/internal/owner"
)

// Goroutines take locks in whatever order, wait for conditions with locks in their
// hands, and give all back when they are refused: then nobody stands still, which
// they would if one circle were not found.
func TestLock_GoroutinesThatTakeThemInAnyOrderDoNotStandStill(t *testing.T) {
	t.Parallel()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	var locks []*Lock
	var conditions []*Condition
	for i := range 4 {
		locks = append(locks, NewLock(fmt.Sprint("l", i), i%2 == 0))
		conditions = append(conditions, NewCondition(fmt.Sprint("c", i), locks[i]))
	}
	var refused atomic.Int32
	// try takes three locks, and waits for a condition of the second one: nobody
	// notifies, so the wait ends by its context only, and must have its lock again.
	try := func(o *owner.Owner, rnd *rand.Rand) (err error) {
		var held []*Lock
		defer func() {
			for _, l := range held {
				if _, err := l.Release(o); err != nil {
					t.Error(err)
				}
			}
		}()
		for n, i := range rnd.Perm(len(locks))[:3] {
			if err := Await(ctx, &Ticket{Owner: o}, locks[i].Acquire); err != nil {
				return err
			}
			held = append(held, locks[i])
			runtime.Gosched() // on one processor too the others come in between
			if n == 1 && rnd.IntN(3) == 0 {
				brief, cancel := context.WithCancel(ctx)
				go cancel()
				if err := Await(brief, &Ticket{Owner: o}, conditions[i].Wait); !errors.Is(err, context.Canceled) {
					t.Errorf("a wait that must have its lock again: %v", err)
				}
				cancel()
			}
		}
		return nil
	}
	var all sync.WaitGroup
	for g := range uint64(6) {
		all.Go(func() {
			rnd := rand.New(rand.NewPCG(g, 0))
			for range 150 {
				o := newOwner(fmt.Sprint("o", g))
				for {
					err := try(o, rnd)
					if err == nil {
						break
					}
					if !errors.Is(err, owner.ErrDeadlock) {
						t.Error(err)
						return
					}
					refused.Add(1)
				}
				if n := len(o.Parties()); n != 0 {
					t.Errorf("%d parties are left", n)
				}
				o.End(nil)
			}
		})
	}
	all.Wait()
	must(t, ctx.Err())
	if refused.Load() == 0 {
		t.Error("no circle was closed")
	}
}
