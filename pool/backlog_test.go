package pool

import (
	"cmp"
	"math/rand/v2"
	"slices"
	"testing"
)

func TestBacklog_OrdersByPriorityThenByArrival(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	var b backlog
	var want []*Job // as it should come out
	seq := uint64(0)
	for range 20000 {
		switch n := r.IntN(10); {
		case n < 5:
			seq++
			j := &Job{Priority: r.IntN(5) - 2}
			j.pending.seq = seq
			b.pushBack(j)
			want = append(want, j)
			slices.SortStableFunc(want, func(a, b *Job) int {
				return cmp.Or(cmp.Compare(b.Priority, a.Priority), cmp.Compare(a.pending.seq, b.pending.seq))
			})
		case n < 8 && len(want) > 0:
			if j := b.popFront(); j != want[0] {
				t.Fatalf("job %d of priority %d came, want %d of %d", j.pending.seq, j.Priority, want[0].pending.seq, want[0].Priority)
			}
			want = want[1:]
		case n < 9 && len(want) > 0: // taken, and put back
			b.pushFront(b.popFront())
		case len(want) > 0:
			i := r.IntN(len(want))
			if !b.remove(want[i]) {
				t.Fatal("a job that waits was not found")
			}
			if b.remove(want[i]) {
				t.Fatal("a job was there twice")
			}
			want = slices.Delete(want, i, i+1)
		}
		if b.len() != len(want) || b.n > 0 && b.front() != want[0] {
			t.Fatalf("%d wait, want %d", b.len(), len(want))
		}
	}
}
