package queuetest

import (
	"context"
	"errors"
	"sync"
	"time"

	"github.com/feac4032/multiproc/queue"
)

// joinable opens a joinable queue of ints, and puts 0, 1, … up to n-1.
func joinable(b *bench, n int) (put, get *queue.Joinable[int]) {
	b.Helper()
	p, g := b.OpenJoinable(0)
	put, get = queue.OverJoinable[int](p, queue.Named("j")), queue.OverJoinable[int](g, queue.Named("j"))
	for v := range n {
		must(b, put.Put(b.ctx, v))
	}
	must(b, put.Flush(b.ctx)) // the other side may be in another process
	return put, get
}

// ownerOf makes an owner whose end is the test's at the latest.
func ownerOf(b *bench) (context.Context, func()) {
	ctx, end := b.Owner(b.ctx)
	var once sync.Once
	return ctx, func() { once.Do(end) }
}

// lease wants the next item to be v, handed out for the nth time.
func lease(b *bench, ctx context.Context, q *queue.Joinable[int], v, n int) queue.Lease[int] {
	b.Helper()
	l, err := q.Lease(ctx)
	must(b, err)
	if l.Value != v || l.Deliveries != n {
		b.Fatalf("leased item %d, delivery %d, want item %d, delivery %d", l.Value, l.Deliveries, v, n)
	}
	return l
}

func unfinished(b *bench, q *queue.Joinable[int], want int) {
	b.Helper()
	n, err := q.Unfinished(b.ctx)
	must(b, err)
	if n != want {
		b.Fatalf("%d items are unfinished, want %d", n, want)
	}
}

func leaseNeedsOwner(b *bench) {
	_, get := joinable(b, 1)
	for name, f := range map[string]func() error{
		"Lease":    func() error { _, err := get.Lease(b.ctx); return err },
		"TryLease": func() error { _, err := get.TryLease(b.ctx); return err },
		"Get":      func() error { _, err := get.Get(b.ctx); return err },
		"TryGet":   func() error { _, err := get.TryGet(b.ctx); return err },
		"TaskDone": func() error { return get.TaskDone(b.ctx) },
	} {
		if err := f(); !errors.Is(err, queue.ErrNoOwner) {
			b.Errorf("%s without an owner: %v, want ErrNoOwner", name, err)
		}
	}
	unfinished(b, get, 1)
}

func taskDoneOldest(b *bench) {
	_, get := joinable(b, 3)
	ctx, end := ownerOf(b)
	for want := range 2 {
		v, err := get.Get(ctx)
		must(b, err)
		if v != want {
			b.Fatalf("got %d, want %d", v, want)
		}
	}
	v, err := get.TryGet(ctx)
	must(b, err)
	if v != 2 {
		b.Fatalf("got %d, want 2", v)
	}
	late, cancel := context.WithCancel(ctx)
	cancel()
	must(b, get.TaskDone(late)) // 0, though there is no time left
	end()
	// What is not done comes back, and tells which one was.
	next, end := ownerOf(b)
	defer end()
	lease(b, next, get, 1, 2)
	lease(b, next, get, 2, 2)
	if l, err := get.TryLease(next); !errors.Is(err, queue.ErrEmpty) {
		b.Errorf("TryLease = %d, %v, want ErrEmpty", l.Value, err)
	}
}

func oneTooManyDone(b *bench) {
	_, get := joinable(b, 2)
	ctx, end := ownerOf(b)
	defer end()
	other, endOther := ownerOf(b)
	defer endOther()
	l := lease(b, ctx, get, 0, 1)
	if err := get.TaskDone(other); !errors.Is(err, queue.ErrTooManyDone) {
		b.Errorf("TaskDone of an owner that has nothing: %v, want ErrTooManyDone", err)
	}
	must(b, l.Done())
	for name, f := range map[string]func() error{
		"Done": l.Done, "Return": l.Return, "TaskDone": func() error { return get.TaskDone(ctx) },
	} {
		if err := f(); !errors.Is(err, queue.ErrTooManyDone) {
			b.Errorf("%s of an item that is done: %v, want ErrTooManyDone", name, err)
		}
	}
	unfinished(b, get, 1)
}

func joinWaits(b *bench) {
	put, get := joinable(b, 0)
	must(b, put.Join(b.ctx)) // nothing was put
	must(b, put.Put(b.ctx, 0))
	must(b, put.Put(b.ctx, 1))
	joined := make(chan error, 1)
	go func() { joined <- put.Join(b.ctx) }()
	ctx, end := ownerOf(b)
	defer end()
	first, second := lease(b, ctx, get, 0, 1), lease(b, ctx, get, 1, 1)
	must(b, second.Done())
	unfinished(b, get, 1)
	select {
	case err := <-joined:
		b.Fatalf("Join returned %v while an item was open", err)
	default:
	}
	must(b, first.Done())
	select {
	case err := <-joined:
		must(b, err)
	case <-b.ctx.Done():
		b.Fatal("Join still waits")
	}
}

func cancelledJoin(b *bench) {
	put, get := joinable(b, 1)
	ctx, cancel := context.WithTimeout(b.ctx, 5*time.Millisecond)
	defer cancel()
	if err := put.Join(ctx); !errors.Is(err, context.DeadlineExceeded) {
		b.Errorf("Join: %v, want DeadlineExceeded", err)
	}
	owned, end := ownerOf(b)
	defer end()
	l := lease(b, owned, get, 0, 1)
	must(b, l.Done())
	must(b, put.Join(b.ctx))
}

func leasedAreNotQueued(b *bench) {
	p, g := b.OpenJoinable(1)
	put, get := queue.OverJoinable[int](p), queue.OverJoinable[int](g)
	must(b, put.Put(b.ctx, 0))
	ctx, end := ownerOf(b)
	defer end()
	l := lease(b, ctx, get, 0, 1)
	n, err := get.Len(b.ctx)
	must(b, err)
	if n != 0 {
		b.Errorf("Len = %d, want 0", n)
	}
	must(b, put.TryPut(b.ctx, 1)) // there is room again
	unfinished(b, get, 2)
	must(b, l.Return()) // over the size: what was let in once is not refused
	unfinished(b, get, 2)
	lease(b, ctx, get, 0, 2)
	lease(b, ctx, get, 1, 1)
}

func returnedIsNext(b *bench) {
	_, get := joinable(b, 4)
	ctx, end := ownerOf(b)
	defer end()
	lease(b, ctx, get, 0, 1)
	one, two := lease(b, ctx, get, 1, 1), lease(b, ctx, get, 2, 1)
	must(b, one.Return())
	must(b, two.Return())
	unfinished(b, get, 4)
	one = lease(b, ctx, get, 1, 2)
	must(b, one.Return())
	lease(b, ctx, get, 1, 3)
	lease(b, ctx, get, 2, 2)
	lease(b, ctx, get, 3, 1)
}

func leaseOutlivesContext(b *bench) {
	put, get := joinable(b, 1)
	ctx, end := ownerOf(b)
	defer end()
	short, cancel := context.WithCancel(ctx)
	l := lease(b, short, get, 0, 1)
	cancel()
	must(b, l.Done())
	must(b, put.Join(b.ctx))
}

func undecodableIsDone(b *bench) {
	p, g := b.OpenJoinable(0)
	texts, numbers := queue.OverJoinable[string](p), queue.OverJoinable[int](g)
	must(b, texts.Put(b.ctx, "two"))
	ctx, end := ownerOf(b)
	defer end()
	var bad *queue.ItemError
	if _, err := numbers.Lease(ctx); !errors.As(err, &bad) {
		b.Fatalf("Lease of a string as int: %v, want an ItemError", err)
	}
	must(b, texts.Join(b.ctx))
}

func cancelledLease(b *bench) {
	put, get := joinable(b, 0)
	ctx, end := ownerOf(b)
	defer end()
	short, cancel := context.WithTimeout(ctx, 5*time.Millisecond)
	defer cancel()
	if _, err := get.Lease(short); !errors.Is(err, context.DeadlineExceeded) {
		b.Errorf("Lease of an empty queue: %v, want DeadlineExceeded", err)
	}
	must(b, put.Put(b.ctx, 0))
	lease(b, ctx, get, 0, 1)
}

func endedOwnersItems(b *bench) {
	_, get := joinable(b, 5)
	dies, end := ownerOf(b)
	lives, endLives := ownerOf(b)
	defer endLives()
	lease(b, dies, get, 0, 1)
	one := lease(b, dies, get, 1, 1)
	lease(b, dies, get, 2, 1)
	three := lease(b, lives, get, 3, 1)
	must(b, one.Done())
	end()
	lease(b, lives, get, 0, 2)
	lease(b, lives, get, 2, 2)
	lease(b, lives, get, 4, 1)
	unfinished(b, get, 4)
	must(b, three.Done()) // its owner lives
}

func waitingLease(b *bench) {
	_, get := joinable(b, 1)
	dies, end := ownerOf(b)
	lease(b, dies, get, 0, 1)
	lives, endLives := ownerOf(b)
	defer endLives()
	waiter := background(b, func() error {
		l, err := get.Lease(lives)
		if err != nil {
			return err
		}
		if l.Value != 0 || l.Deliveries != 2 {
			return errors.New("it got something else")
		}
		return l.Done()
	})
	end()
	must(b, waiter())
	must(b, get.Join(b.ctx))
}

func endedOwnerGetsNothing(b *bench) {
	put, get := joinable(b, 1)
	ctx, end := ownerOf(b)
	l := lease(b, ctx, get, 0, 1)
	waiter := background(b, func() error { _, err := get.Lease(ctx); return err })
	end()
	if err := waiter(); !errors.Is(err, queue.ErrEnded) {
		b.Errorf("Lease that waited at its owner's end: %v, want ErrEnded", err)
	}
	if _, err := get.Lease(ctx); !errors.Is(err, queue.ErrEnded) {
		b.Errorf("Lease after its owner's end: %v, want ErrEnded", err)
	}
	if err := l.Done(); !errors.Is(err, queue.ErrEnded) {
		b.Errorf("Done after its owner's end: %v, want ErrEnded", err)
	}
	unfinished(b, put, 1)
}

// poisonedItem has owner after owner end with the same item.
func poisonedItem(b *bench) {
	put, get := joinable(b, 2)
	for n := 1; ; n++ {
		if n > 100 {
			b.Fatal("an item is handed out for ever")
		}
		ctx, end := ownerOf(b)
		l, err := get.TryLease(ctx)
		must(b, err)
		if l.Value == 1 {
			must(b, l.Done())
			end()
			break
		}
		if l.Deliveries != n {
			b.Errorf("delivery %d, want %d", l.Deliveries, n)
		}
		end()
	}
	must(b, put.Join(b.ctx))
}

func closeDrainsLeases(b *bench) {
	put, get := joinable(b, 1)
	has, endHas := ownerOf(b)
	defer endHas()
	lives, end := ownerOf(b)
	defer end()
	l := lease(b, has, get, 0, 1)
	must(b, put.Close())
	if _, err := get.Lease(has); !errors.Is(err, queue.ErrClosed) {
		b.Errorf("Lease by the owner of the last item: %v, want ErrClosed", err)
	}
	if _, err := get.TryLease(lives); !errors.Is(err, queue.ErrEmpty) {
		b.Errorf("TryLease while an item may come back: %v, want ErrEmpty", err)
	}
	got := background(b, func() error {
		for l, err := range get.All(lives) {
			if err != nil {
				return err
			}
			if l.Deliveries != 2 {
				return errors.New("it got something else")
			}
			if err := l.Done(); err != nil {
				return err
			}
		}
		return nil
	})
	must(b, l.Return())
	must(b, got())
	must(b, put.Join(b.ctx))
	if _, err := get.Lease(has); !errors.Is(err, queue.ErrClosed) {
		b.Errorf("Lease when all is done: %v, want ErrClosed", err)
	}
}

func shutdownWakesJoin(b *bench) {
	put, get := joinable(b, 2)
	ctx, end := ownerOf(b)
	defer end()
	l := lease(b, ctx, get, 0, 1)
	join := background(b, func() error { return put.Join(b.ctx) })
	must(b, put.Shutdown())
	if err := join(); !errors.Is(err, queue.ErrClosed) {
		b.Errorf("Join at Shutdown: %v, want ErrClosed", err)
	}
	must(b, l.Return())
	unfinished(b, get, 0)
	if _, err := get.Lease(ctx); !errors.Is(err, queue.ErrClosed) {
		b.Errorf("Lease after Shutdown: %v, want ErrClosed", err)
	}
}

// endingOwners has workers that return items, give up waiting, and end with one
// in their hands: every item is done once, none twice.
func endingOwners(b *bench) {
	const items, workers = 300, 4
	put, get := joinable(b, items)
	must(b, put.Close())
	var mu sync.Mutex
	done := map[int]int{}
	var all sync.WaitGroup
	for id := range workers {
		all.Go(func() {
			ctx, end := ownerOf(b)
			defer func() { end() }()
			for n := id; ; n++ {
				short, cancel := context.WithTimeout(ctx, time.Duration(100+n%2000)*time.Microsecond)
				l, err := get.Lease(short)
				cancel()
				switch {
				case errors.Is(err, context.DeadlineExceeded) && b.ctx.Err() == nil:
					continue
				case errors.Is(err, queue.ErrClosed):
					return
				case err != nil:
					b.Errorf("Lease: %v", err)
					return
				}
				switch {
				case l.Deliveries > 1:
				case n%7 == 0:
					end()
					ctx, end = ownerOf(b)
					continue
				case n%5 == 0:
					if err := l.Return(); err != nil {
						b.Errorf("Return: %v", err)
					}
					continue
				}
				mu.Lock()
				done[l.Value]++
				mu.Unlock()
				if err := l.Done(); err != nil {
					b.Errorf("Done: %v", err)
				}
			}
		})
	}
	all.Wait()
	must(b, put.Join(b.ctx))
	if len(done) != items {
		b.Errorf("%d items were done, want %d", len(done), items)
	}
	for v, n := range done {
		if n != 1 {
			b.Errorf("item %d was done %d times", v, n)
		}
	}
}
