package lab

import (
	"context"
	"fmt"
	"runtime"

	"github.com/feac4032/multiproc/psync"
)

var lostUpdate = Experiment{
	Name:  "lost-update",
	Claim: "A counter loses updates without a lock, and none with one.",
	run:   tryLostUpdate,
}

// counting is how one party counts.
type counting struct {
	Number *psync.Number[int64]
	Lock   *psync.Lock
	How    string
	Times  int
}

const (
	bare    = "without a lock"
	locked  = "with a lock"
	inOneGo = "as one step (Add)"
)

var countParty = parties("lab/lost-update", func(ctx context.Context, c counting) (struct{}, error) {
	add := func() error {
		n, err := c.Number.Load(ctx)
		if err != nil {
			return err
		}
		runtime.Gosched() // what may happen between the two, happens
		return c.Number.Store(ctx, n+1)
	}
	for range c.Times {
		var err error
		switch c.How {
		case bare:
			err = add()
		case locked:
			err = c.Lock.Do(ctx, add)
		default:
			_, err = c.Number.Add(ctx, 1)
		}
		if err != nil {
			return struct{}{}, err
		}
	}
	return struct{}{}, nil
})

func tryLostUpdate(ctx context.Context, t *trial) (bool, error) {
	n := max(2, t.workers)
	each := max(50, 400/n)
	want := int64(n * each)
	t.count("parties", n, n)
	t.count("each adds 1, so many times", each, each)
	holds := true
	for _, how := range []string{bare, locked, inOneGo} {
		attempt := 0
		count := func(s side) (int64, error) {
			attempt++
			number, err := s.number(fmt.Sprint("count ", how, attempt))
			if err != nil {
				return 0, err
			}
			lock, err := s.lock(fmt.Sprint("lock ", how, attempt))
			if err != nil {
				return 0, err
			}
			all := make([]counting, n)
			for i := range all {
				all[i] = counting{number, lock, how, each}
			}
			if _, err := countParty.all(ctx, s, all); err != nil {
				return 0, err
			}
			return number.Load(ctx)
		}
		threads, processes, err := onBoth(func(s side) (int64, error) {
			// Parties that happen to run one after the other lose nothing.
			for range 20 {
				if found, err := count(s); err != nil || how != bare || found != want {
					return found, err
				}
			}
			return want, nil
		})
		if err != nil {
			return false, err
		}
		t.note(how+": found", "", threads, processes)
		if how == bare {
			holds = holds && threads < want && processes < want
		} else {
			holds = holds && threads == want && processes == want
		}
	}
	return holds, nil
}
