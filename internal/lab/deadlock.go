package lab

import (
	"context"
	"errors"
	"strings"
	"time"

	"github.com/feac4032/multiproc/psync"
)

var deadlock = Experiment{
	Name:  "deadlock",
	Claim: "Who closes a circle of waits is refused, and the others go on.",
	run:   tryDeadlock,
}

// pair is the locks of one party, in the order in which it takes them.
type pair struct {
	First, Second *psync.Lock
	Both          *psync.Barrier // reached when each has its first one
}

// pairTaken is what became of it.
type pairTaken struct {
	Got     bool
	Refusal string // the error of the second lock
	After   time.Duration
}

var pairParty = parties("lab/deadlock", func(ctx context.Context, p pair) (taken pairTaken, err error) {
	err = p.First.Do(ctx, func() error {
		if _, err := p.Both.Wait(ctx); err != nil {
			return err
		}
		begin := time.Now()
		err := p.Second.Do(ctx, func() error { return nil })
		taken.After = time.Since(begin)
		var cycle *psync.DeadlockError
		if errors.As(err, &cycle) {
			taken.Refusal = err.Error()
			return nil
		}
		taken.Got = err == nil
		return err
	})
	return taken, err
})

func tryDeadlock(ctx context.Context, t *trial) (bool, error) {
	type result struct {
		got, refused int
		named        bool
		after        time.Duration
	}
	threads, processes, err := onBoth(func(s side) (r result, err error) {
		a, err := s.lock("lock-a")
		if err != nil {
			return r, err
		}
		b, err := s.lock("lock-b")
		if err != nil {
			return r, err
		}
		both, err := s.barrier("both", 2)
		if err != nil {
			return r, err
		}
		taken, err := pairParty.all(ctx, s, []pair{{a, b, both}, {b, a, both}})
		if err != nil {
			return r, err
		}
		for _, one := range taken {
			if one.Got {
				r.got++
			}
			if one.Refusal != "" {
				r.refused++
				r.after = one.After
				r.named = strings.Contains(one.Refusal, "lock-a") && strings.Contains(one.Refusal, "lock-b")
			}
		}
		return r, nil
	})
	if err != nil {
		return false, err
	}
	t.count("parties, each with one of two locks", 2, 2)
	t.count("got the other lock, too", threads.got, processes.got)
	t.count("were refused it", threads.refused, processes.refused)
	t.answer("the refusal names both locks", threads.named, processes.named)
	t.spans("it came after", threads.after, processes.after)
	good := func(r result) bool { return r.got == 1 && r.refused == 1 && r.named }
	return good(threads) && good(processes), nil
}
