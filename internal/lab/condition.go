package lab

import (
	"context"

	"github.com/feac4032/multiproc/psync"
)

var condition = Experiment{
	Name:  "condition",
	Claim: "A buffer with wait and notify never overflows, and loses nothing.",
	run:   tryCondition,
}

// bufferSize is how many items the buffer holds, bufferItems how many a party puts
// or takes.
const (
	bufferSize  = 4
	bufferItems = 50
)

// buffer is a ring in variables that the parties share.
type buffer struct {
	Changed     *psync.Condition // guards the rest
	Ring        *psync.Array[int64]
	Put, Taken  *psync.Number[int64] // how many, so far
	First, Many int64                // of the items that this party puts; First 0: it takes
}

// seenInBuffer is what a party saw.
type seenInBuffer struct {
	Items []int64 // that it took
	Most  int64   // items in the buffer at a time
	Waits int64
}

var bufferParty = parties("lab/condition", func(ctx context.Context, b buffer) (seen seenInBuffer, err error) {
	for i := range b.Many {
		err := b.Changed.Do(ctx, func() error {
			if b.First > 0 {
				return b.put(ctx, b.First+i, &seen)
			}
			return b.take(ctx, &seen)
		})
		if err != nil {
			return seen, err
		}
	}
	return seen, nil
})

// put waits for room. The condition's lock is held, but while it waits.
func (b *buffer) put(ctx context.Context, item int64, seen *seenInBuffer) error {
	put, _, err := b.await(ctx, seen, func(n int64) bool { return n < bufferSize })
	if err != nil {
		return err
	}
	if err := b.Ring.Store(ctx, int(put%bufferSize), item); err != nil {
		return err
	}
	if _, err := b.Put.Add(ctx, 1); err != nil {
		return err
	}
	return b.Changed.NotifyAll(ctx)
}

// take waits for an item.
func (b *buffer) take(ctx context.Context, seen *seenInBuffer) error {
	_, taken, err := b.await(ctx, seen, func(n int64) bool { return n > 0 })
	if err != nil {
		return err
	}
	item, err := b.Ring.Load(ctx, int(taken%bufferSize))
	if err != nil {
		return err
	}
	seen.Items = append(seen.Items, item)
	if _, err := b.Taken.Add(ctx, 1); err != nil {
		return err
	}
	return b.Changed.NotifyAll(ctx)
}

// await waits until ok holds for the number of items in the buffer.
func (b *buffer) await(ctx context.Context, seen *seenInBuffer, ok func(int64) bool) (put, taken int64, err error) {
	for {
		if put, err = b.Put.Load(ctx); err != nil {
			return 0, 0, err
		}
		if taken, err = b.Taken.Load(ctx); err != nil {
			return 0, 0, err
		}
		seen.Most = max(seen.Most, put-taken)
		if ok(put - taken) {
			return put, taken, nil
		}
		seen.Waits++
		if _, err := b.Changed.Wait(ctx); err != nil {
			return 0, 0, err
		}
	}
}

func tryCondition(ctx context.Context, t *trial) (bool, error) {
	n := max(1, t.workers/2)
	type result struct {
		items transfer
		most  int
		waits int
	}
	threads, processes, err := onBoth(func(s side) (r result, err error) {
		b := buffer{Many: bufferItems}
		if b.Changed, err = s.condition("changed"); err != nil {
			return r, err
		}
		if b.Ring, err = s.array("ring", bufferSize); err != nil {
			return r, err
		}
		if b.Put, err = s.number("put"); err != nil {
			return r, err
		}
		if b.Taken, err = s.number("taken"); err != nil {
			return r, err
		}
		all := make([]buffer, 0, 2*n)
		for i := range n {
			putter := b
			putter.First = 1 + int64(i)*bufferItems
			all = append(all, b, putter)
		}
		seen, err := bufferParty.all(ctx, s, all)
		if err != nil {
			return r, err
		}
		var lists [][]int64
		for _, one := range seen {
			lists = append(lists, one.Items)
			r.most = max(r.most, int(one.Most))
			r.waits += int(one.Waits)
		}
		r.items = transferred(lists, n, bufferItems)
		return r, nil
	})
	if err != nil {
		return false, err
	}
	t.count("producers, and as many consumers", n, n)
	t.count("items put", n*bufferItems, n*bufferItems)
	t.count("room in the buffer", bufferSize, bufferSize)
	t.count("most items in it at a time", threads.most, processes.most)
	t.count("items taken", threads.items.got, processes.items.got)
	t.count("taken twice", threads.items.twice, processes.items.twice)
	t.count("times that somebody waited", threads.waits, processes.waits)
	good := func(r result) bool {
		return r.most <= bufferSize && r.items.got == n*bufferItems && r.items.twice == 0
	}
	return good(threads) && good(processes), nil
}
