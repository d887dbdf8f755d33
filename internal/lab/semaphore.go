package lab

import (
	"context"
	"slices"
	"time"

	"github.com/feac4032/multiproc/psync"
)

var semaphore = Experiment{
	Name:  "semaphore",
	Claim: "A semaphore of n permits has at most n holders at a time.",
	run:   trySemaphore,
}

// gate is what one party goes through, so many times.
type gate struct {
	Permits *psync.Semaphore
	Inside  *psync.Number[int64]
	Times   int
}

const (
	permits    = 2
	throughGo  = 5
	insideTime = 2 * time.Millisecond
)

var gateParty = parties("lab/semaphore", func(ctx context.Context, g gate) (most int64, err error) {
	for range g.Times {
		err := g.Permits.Do(ctx, func() error {
			n, err := g.Inside.Add(ctx, 1)
			if err != nil {
				return err
			}
			most = max(most, n)
			time.Sleep(insideTime)
			_, err = g.Inside.Add(ctx, -1)
			return err
		})
		if err != nil {
			return 0, err
		}
	}
	return most, nil
})

func trySemaphore(ctx context.Context, t *trial) (bool, error) {
	n := t.workers + permits
	threads, processes, err := onBoth(func(s side) (int, error) {
		sem, err := s.semaphore("permits", permits)
		if err != nil {
			return 0, err
		}
		inside, err := s.number("inside")
		if err != nil {
			return 0, err
		}
		most, err := gateParty.all(ctx, s, slices.Repeat([]gate{{sem, inside, throughGo}}, n))
		if err != nil {
			return 0, err
		}
		return int(slices.Max(most)), nil
	})
	if err != nil {
		return false, err
	}
	t.count("permits", permits, permits)
	t.count("parties", n, n)
	t.count("times that each one gets a permit", throughGo, throughGo)
	t.count("most holders at a time", threads, processes)
	return threads <= permits && processes <= permits, nil
}
