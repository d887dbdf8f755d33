package queuetest

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"sync"

	"github.com/feac4032/multiproc/queue"
	"github.com/feac4032/multiproc/task"
)

func itemIsSnapshot(b *bench) {
	put, get := open[[]int](b, 4)
	v := []int{1, 2}
	must(b, put.Put(b.ctx, v))
	v[0] = 9
	got, err := get.Get(b.ctx)
	must(b, err)
	if got[0] != 1 {
		b.Errorf("got %v: the item changed after Put", got)
	}
}

func encodeError(b *bench) {
	type photo struct{ Width any }
	put, get := open[photo](b, 4)
	err := put.Put(b.ctx, photo{Width: make(chan int)})
	if err == nil || !strings.Contains(err.Error(), "Width") {
		b.Fatalf("Put of a channel: %v, want an error that names Width", err)
	}
	must(b, put.Put(b.ctx, photo{Width: "7"}))
	got, err := get.Get(b.ctx)
	must(b, err)
	if got.Width != "7" {
		b.Errorf("got %v: the refused item left something behind", got)
	}
}

func decodeError(b *bench) {
	p, g := b.Open(4)
	texts, numbers := queue.Over[string](p), queue.Over[int](p)
	must(b, numbers.Put(b.ctx, 1))
	must(b, texts.Put(b.ctx, "two"))
	must(b, numbers.Put(b.ctx, 3))
	get := queue.Over[int](g)
	one, err := get.Get(b.ctx)
	must(b, err)
	_, err = get.Get(b.ctx)
	var bad *queue.ItemError
	var value *task.ValueError
	if !errors.As(err, &bad) || !errors.As(err, &value) {
		b.Fatalf("Get of a string as int: %v, want an ItemError of a ValueError", err)
	}
	three, err := get.Get(b.ctx)
	must(b, err)
	if one != 1 || three != 3 {
		b.Errorf("got %d and %d around the bad item, want 1 and 3", one, three)
	}
}

func emptyMessages(b *bench) {
	p, g := b.Open(4)
	if n, err := p.PutBatch(b.ctx, [][]byte{{}, []byte("x"), {}}); n != 3 || err != nil {
		b.Fatalf("PutBatch = %d, %v", n, err)
	}
	for i, want := range []int{0, 1, 0} {
		dst := make([][]byte, 1)
		if n, err := g.GetBatch(b.ctx, dst); n != 1 || err != nil {
			b.Fatalf("GetBatch = %d, %v", n, err)
		}
		if len(dst[0]) != want {
			b.Errorf("message %d has %d bytes, want %d", i, len(dst[0]), want)
		}
	}
}

func batchesKeepOrder(b *bench) {
	p, g := b.Open(16)
	const count = 1000
	putter := background(b, func() error {
		for i := 0; i < count; i += 100 {
			var batch [][]byte
			for k := range 100 {
				batch = append(batch, encoded(i+k))
			}
			if n, err := p.PutBatch(b.ctx, batch); n != len(batch) || err != nil {
				return errors.Join(err, errors.New("a batch was not put whole"))
			}
		}
		return nil
	})
	dst := make([][]byte, 7)
	for next := 0; next < count; {
		n, err := g.GetBatch(b.ctx, dst)
		if err != nil || n < 1 || n > len(dst) {
			b.Fatalf("GetBatch = %d, %v", n, err)
		}
		for _, msg := range dst[:n] {
			if !bytes.Equal(msg, encoded(next)) {
				b.Fatalf("message %d is %x", next, msg)
			}
			next++
		}
	}
	must(b, putter())
}

// encoded is the encoded integer i.
func encoded(i int) []byte {
	msg, err := task.Encode(nil, i)
	if err != nil {
		panic(err) // integers always encode
	}
	return msg
}

func bigItems(b *bench) {
	put, get := open[[]byte](b, 2)
	sizes := []int{0, 1, 65529, 65530, 65531, 65536, 1 << 20, 1<<20 + 1, 5 << 20, 3}
	putter := background(b, func() error {
		for i, n := range sizes {
			if err := put.Put(b.ctx, bytes.Repeat([]byte{byte(i + 1)}, n)); err != nil {
				return err
			}
		}
		return nil
	})
	for i, n := range sizes {
		got, err := get.Get(b.ctx)
		must(b, err)
		if len(got) != n || len(bytes.Trim(got, string(rune(i+1)))) != 0 {
			b.Fatalf("item of %d bytes came as %d bytes, or changed", n, len(got))
		}
	}
	must(b, putter())
}

// piece is an item that knows where it comes from.
type piece struct {
	Producer, Seq int
	Pad           []byte
}

func fifoPerProducer(b *bench) {
	const producers, getters, each = 8, 4, 300
	put, get := open[piece](b, 5)
	putter := background(b, func() error {
		errs := make([]error, producers)
		var all sync.WaitGroup
		for id := range producers {
			all.Go(func() {
				for seq := range each {
					pad := make([]byte, (seq*37)%400)
					if seq == each/2 {
						pad = make([]byte, 200<<10)
					}
					if err := put.Put(b.ctx, piece{id, seq, pad}); err != nil {
						errs[id] = err
						return
					}
				}
			})
		}
		all.Wait()
		return errors.Join(errors.Join(errs...), put.Close())
	})
	var mu sync.Mutex
	seen := make(map[[2]int]int)
	getter := background(b, func() error {
		errs := make([]error, getters)
		var all sync.WaitGroup
		for id := range getters {
			all.Go(func() {
				last := map[int]int{}
				for v, err := range get.All(b.ctx) {
					if err != nil {
						errs[id] = err
						return
					}
					if prev, ok := last[v.Producer]; ok && prev >= v.Seq {
						errs[id] = errors.New("items of one producer came out of order")
					}
					last[v.Producer] = v.Seq
					mu.Lock()
					seen[[2]int{v.Producer, v.Seq}]++
					mu.Unlock()
				}
			})
		}
		all.Wait()
		return errors.Join(errs...)
	})
	must(b, putter())
	must(b, getter())
	if len(seen) != producers*each {
		b.Errorf("%d different items came, want %d", len(seen), producers*each)
	}
	for id, n := range seen {
		if n != 1 {
			b.Errorf("item %v came %d times", id, n)
		}
	}
}

// joinBeforeGet waits for the putter's end before the first Get of another
// party has begun: with Python's Queue, an item over the pipe's size hangs here.
func joinBeforeGet(b *bench) {
	put, get := open[[]byte](b, 0)
	const count, size = 3, 1 << 20
	ctx, cancel := context.WithCancel(b.ctx)
	putter := background(b, func() error {
		defer cancel()
		for range count {
			if err := put.Put(b.ctx, make([]byte, size)); err != nil {
				return err
			}
		}
		return put.Close()
	})
	if b.Exact {
		<-ctx.Done() // joined: what is queued is held by the queue
	}
	got := 0
	for v, err := range get.All(b.ctx) {
		must(b, err)
		if len(v) == size {
			got++
		}
	}
	must(b, putter())
	if got != count {
		b.Errorf("%d whole items came, want %d", got, count)
	}
}
