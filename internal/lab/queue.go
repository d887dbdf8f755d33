package lab

import (
	"context"
	"time"

	"github.com/feac4032/multiproc/psync"
	"github.com/feac4032/multiproc/queue"
)

var throughQueue = Experiment{
	Name:  "queue",
	Claim: "What is put into a queue comes out once, and in order.",
	run:   tryQueue,
}

const queueSize = 100

// queueItems is how many items each of n producers puts: fewer where there are
// many, so that the number of parties does not make it long.
func queueItems(n int) int { return max(100, 2000/n) }

// exchange is what one party does with a queue.
type exchange struct {
	Queue *queue.Queue[int64]
	Ready *psync.Barrier // reached when all are there
	First int64          // of the items that it puts; 0: it gets
	Many  int64
}

// exchanged is what it came to.
type exchanged struct {
	Items      []int64 // that it got
	Begin, End int64   // of the exchange alone, in nanoseconds
}

var queueParty = parties("lab/queue", func(ctx context.Context, e exchange) (x exchanged, err error) {
	if _, err := e.Ready.Wait(ctx); err != nil {
		return x, err
	}
	x.Begin = time.Now().UnixNano()
	for i := range e.Many {
		if e.First > 0 {
			if err := e.Queue.Put(ctx, e.First+i); err != nil {
				return x, err
			}
			continue
		}
		item, err := e.Queue.Get(ctx)
		if err != nil {
			return x, err
		}
		x.Items = append(x.Items, item)
	}
	x.End = time.Now().UnixNano()
	return x, nil
})

func tryQueue(ctx context.Context, t *trial) (bool, error) {
	n := max(1, t.workers/2)
	each := queueItems(n)
	type result struct {
		transfer
		rate float64
	}
	threads, processes, err := onBoth(func(s side) (r result, err error) {
		q, err := s.queue("items", queueSize)
		if err != nil {
			return r, err
		}
		ready, err := s.barrier("ready", 2*n)
		if err != nil {
			return r, err
		}
		all := make([]exchange, 0, 2*n)
		for i := range n {
			all = append(all, exchange{q, ready, 0, int64(each)}, exchange{q, ready, 1 + int64(i*each), int64(each)})
		}
		seen, err := queueParty.all(ctx, s, all)
		if err != nil {
			return r, err
		}
		var lists [][]int64
		begin, end := seen[0].Begin, seen[0].End
		for _, one := range seen {
			lists = append(lists, one.Items)
			begin, end = min(begin, one.Begin), max(end, one.End)
		}
		return result{transferred(lists, n, each), float64(n*each) / time.Duration(end-begin).Seconds()}, nil
	})
	if err != nil {
		return false, err
	}
	t.count("producers, and as many consumers", n, n)
	t.count("room in the queue", queueSize, queueSize)
	t.count("items put", n*each, n*each)
	t.count("items got", threads.got, processes.got)
	t.count("got twice", threads.twice, processes.twice)
	t.count("out of their producer's order", threads.disordered, processes.disordered)
	t.note("rate", "items/s", threads.rate, processes.rate)
	good := func(r result) bool { return r.got == n*each && r.twice == 0 && r.disordered == 0 }
	return good(threads) && good(processes), nil
}
