package lab

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/feac4032/multiproc/pool"
	"github.com/feac4032/multiproc/task"
	"github.com/feac4032/multiproc/thread"
)

var latency = Experiment{
	Name:  "latency",
	Claim: "Threads hand over a pointer, processes a copy, whose size counts.",
	run:   tryLatency,
}

// sendBack is the other side of a round trip.
var sendBack = task.Define("lab/latency", func(_ context.Context, b []byte) ([]byte, error) { return b, nil })

func tryLatency(ctx context.Context, t *trial) (bool, error) {
	p, err := openPool(ctx, 1)
	if err != nil {
		return false, err
	}
	defer p.Close()
	type pair struct{ thread, process time.Duration }
	var seen []pair
	for _, s := range []struct {
		name  string
		size  int
		trips int
	}{{"1 B", 1, 301}, {"1 KiB", 1 << 10, 301}, {"64 KiB", 64 << 10, 101}, {"1 MiB", 1 << 20, 31}} {
		message := make([]byte, s.size)
		call := func() error {
			back, err := pool.Call(ctx, p, sendBack, message)
			if err == nil && len(back) != len(message) {
				err = fmt.Errorf("%d bytes came back of %d", len(back), len(message))
			}
			return err
		}
		if err := call(); err != nil { // the worker is started, and its buffers are there
			return false, err
		}
		var m pair
		if m.process, err = medianOf(s.trips, call); err != nil {
			return false, err
		}
		if m.thread, err = threadTrips(ctx, message, s.trips); err != nil {
			return false, err
		}
		seen = append(seen, m)
		t.note("round trip of "+s.name+" (median)", "µs", micro(m.thread), micro(m.process))
	}
	small, large := seen[0], seen[len(seen)-1]
	return large.process > 2*small.process && large.process > large.thread, nil
}

// threadTrips sends a message to a thread and back, over channels.
func threadTrips(ctx context.Context, message []byte, trips int) (time.Duration, error) {
	there, back := make(chan []byte), make(chan []byte)
	th := thread.New(func(context.Context) error {
		for b := range there {
			back <- b
		}
		return nil
	})
	if err := th.Start(ctx); err != nil {
		return 0, err
	}
	median, err := medianOf(trips, func() error {
		there <- message
		<-back
		return nil
	})
	close(there)
	return median, errors.Join(err, th.Join(ctx))
}
