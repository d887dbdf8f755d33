package lab

import (
	"context"
	"fmt"
	"os"
	"sync"
	"time"

	"github.com/feac4032/multiproc/psync"
)

var lockDeath = Experiment{
	Name:  "lock-death",
	Claim: "A lock whose holder dies goes on to the next one, who is told.",
	run:   tryLockDeath,
}

// legacy is the lock of one who dies, and what the next one needs.
type legacy struct {
	Lock   *psync.Lock
	Held   *psync.Event
	Died   *psync.Number[int64] // when, in nanoseconds
	Holder bool
	Killed bool // the holder dies by SIGKILL, not by a panic
}

// inherited is what the next one found.
type inherited struct {
	At     int64 // when it got the lock, in nanoseconds
	Told   bool
	Holder string
}

var legacyParty = parties("lab/lock-death", func(ctx context.Context, l legacy) (inherited, error) {
	if !l.Holder {
		if err := l.Held.Wait(ctx); err != nil {
			return inherited{}, err
		}
		held, err := l.Lock.Acquire(ctx)
		if err != nil {
			return inherited{}, err
		}
		got := inherited{At: time.Now().UnixNano(), Told: held.Abandoned != nil}
		if got.Told {
			got.Holder = held.Abandoned.Name
		}
		return got, held.Release()
	}
	if _, err := l.Lock.Acquire(ctx); err != nil {
		return inherited{}, err
	}
	if err := l.Held.Set(ctx); err != nil {
		return inherited{}, err
	}
	time.Sleep(20 * time.Millisecond) // so that the next one waits for it
	if err := l.Died.Store(ctx, time.Now().UnixNano()); err != nil {
		return inherited{}, err
	}
	if !l.Killed {
		panic("the holder of a lock dies")
	}
	self, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = self.Kill()
	}
	if err == nil {
		select {} // until it comes
	}
	return inherited{}, err
})

func tryLockDeath(ctx context.Context, t *trial) (bool, error) {
	type result struct {
		inherited
		after time.Duration
	}
	threads, processes, err := onBoth(func(s side) (r result, err error) {
		l := legacy{Killed: !s.threads()}
		if l.Lock, err = s.lock("lock"); err != nil {
			return r, err
		}
		if l.Held, err = s.event("held"); err != nil {
			return r, err
		}
		if l.Died, err = s.number("died"); err != nil {
			return r, err
		}
		holder := l
		holder.Holder = true
		found, errs, err := legacyParty.run(ctx, s, []legacy{holder, l})
		switch {
		case err != nil:
			return r, err
		case errs[0] == nil:
			return r, fmt.Errorf("the holder came back")
		case errs[1] != nil:
			return r, errs[1]
		}
		died, err := l.Died.Load(ctx)
		return result{found[1], time.Duration(found[1].At - died)}, err
	})
	if err != nil {
		return false, err
	}
	t.words("end of the holder", "panic", "SIGKILL")
	t.note("a sync.Mutex goes on to the next one", "", mutexGoesOn(), none)
	t.answer("a lock of package psync does", threads.At > 0, processes.At > 0)
	t.answer("the next one is told", threads.Told, processes.Told)
	t.words("of whom", threads.Holder, processes.Holder)
	t.spans("it has the lock after", threads.after, processes.after)
	good := func(r result) bool { return r.Told && r.after < lockDeathLimit }
	return good(threads) && good(processes), nil
}

// lockDeathLimit is far above what it takes, so that a busy machine does not look
// like a lock that nobody gets.
const lockDeathLimit = 5 * time.Second

// mutexGoesOn tries the same with a sync.Mutex.
func mutexGoesOn() bool {
	var mu sync.Mutex
	gone := make(chan struct{})
	go func() {
		defer close(gone)
		defer func() { _ = recover() }()
		mu.Lock()
		panic("the holder of a mutex dies")
	}()
	<-gone
	return mu.TryLock()
}
