package manager_test

import (
	"flag"
	"fmt"
	"slices"
	"strings"
	"testing"
)

// With a flag that only some packages have: go test ./manager -run 'TestKill|TestChaos' -seeds 200
var seeds = flag.Int("seeds", 20, "how many random plans the tests play that kill")

// troupe are those who go on: a process, a job of the pool and a goroutine of the
// supervisor.
type troupe []*party

// shuffled returns them in random order.
func (tr troupe) shuffled(s *stage) troupe {
	some := slices.Clone(tr)
	s.Shuffle(len(some), func(i, j int) { some[i], some[j] = some[j], some[i] })
	return some
}

// scenes are what a party may be at when it ends. Each takes a victim that can end
// as it is told.
var scenes = []struct {
	name string
	play func(*stage, troupe, *ending)
}{
	{"holds a Lock", holderOfLock},
	{"holds an RLock", holderOfRLock},
	{"holds permits of a Semaphore", holderOfPermits},
	{"holds permits of a BoundedSemaphore", holderOfBoundedPermits},
	{"holds the lock of a Condition", holderOfCondition},
	{"holds what a waiter on a Condition gives up for", holderWhenWaiterGivesUp},
	{"waits for a Lock", waiterForLock},
	{"waits on a Condition", waiterOnCondition},
	{"was notified by a Condition", notifiedWaiter},
	{"may have woken from a Condition", wokenWaiter},
	{"waits for an Event", waiterForEvent},
	{"waits at a Barrier", waiterAtBarrier},
	{"puts into a bounded queue, 1 B", producerOf(1, true)},
	{"puts into a bounded queue, 1 MiB", producerOf(1<<20, true)},
	{"puts into an unbounded queue, 1 B", producerOf(1, false)},
	{"puts into an unbounded queue, 1 MiB", producerOf(1<<20, false)},
	{"waits for room in a queue", waiterForRoom},
	{"gets from a bounded queue, 1 B", consumerOf(1, true)},
	{"gets from a bounded queue, 1 MiB", consumerOf(1<<20, true)},
	{"gets from an unbounded queue, 1 B", consumerOf(1, false)},
	{"gets from an unbounded queue, 1 MiB", consumerOf(1<<20, false)},
	{"waits for an item", waiterForItem},
	{"has leases", holderOfLeases},
	{"works through leases", workerOnLeases},
	{"leases an item that is the end of many", poisonedByItem},
	{"has an end of a pipe", holderOfPipeEnd},
}

// Whatever a process or job is at when it is killed, or ends in another way, the
// others go on at once, and nothing is lost but what it had taken.
func TestKill(t *testing.T) {
	t.Parallel()
	for seed := range *seeds {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			t.Parallel()
			s := newStage(t, seed, 3)
			others := troupe{s.enter("process"), s.enter("job"), s.enter("goroutine")}
			for _, scene := range scenes {
				s.play(scene.name, func(s *stage) {
					scene.play(s, others, &killed)
					e := s.another()
					scene.play(s, others, &e)
				})
			}
		})
	}
}

// name is one that no other object of the stage has.
func (s *stage) name(of string) string {
	*s.names++
	return fmt.Sprintf("%s %d", of, *s.names)
}

// blames checks what is told of a party that has ended.
func (s *stage) blames(l legacy, p *party, e *ending) {
	s.t.Helper()
	if l.Identity != p.identity() {
		s.t.Errorf("abandoned by %#v, want %#v", l.Identity, p.identity())
	}
	if len(e.cause) == 0 {
		if l.Cause != "" {
			s.t.Errorf("%s: abandoned because %q, want no cause", e.name, l.Cause)
		}
		return
	}
	if l.Cause == "" || !slices.ContainsFunc(e.cause, func(part string) bool { return strings.Contains(l.Cause, part) }) {
		s.t.Errorf("%s: abandoned because %q, want one of %q", e.name, l.Cause, e.cause)
	}
}
