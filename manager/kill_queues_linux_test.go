package manager_test

import (
	"context"
	"errors"
	"slices"
	"sync/atomic"
	"time"

	"github.com/feac4032/multiproc/manager"
	"github.com/feac4032/multiproc/queue"
)

// rounds is how many items the others put: enough to be at it when a party ends.
func rounds(size int) int {
	if size > 1<<10 {
		return 5
	}
	return 60
}

// bound is a random size of a queue, or none.
func (s *stage) bound(bounded bool) int {
	if !bounded {
		return 0
	}
	return 1 + s.IntN(3)
}

// shelf has what was got out of a queue, by producer, in the order in which the
// test got it.
type shelf struct {
	n    atomic.Int64
	seqs map[int][]int
	torn int
	err  error
	done chan struct{}
}

// drains gets all there is, until the queue is closed.
func drains(ctx context.Context, q *queue.Queue[item]) *shelf {
	sh := &shelf{seqs: map[int][]int{}, done: make(chan struct{})}
	go func() {
		defer close(sh.done)
		for it, err := range q.All(ctx) {
			if err != nil {
				sh.err = err
				return
			}
			if !it.whole() {
				sh.torn++
			}
			sh.n.Add(1)
			sh.seqs[it.From] = append(sh.seqs[it.From], it.Seq)
		}
	}()
	return sh
}

// all closes the queue, waits for the rest, and checks it.
func (sh *shelf) all(s *stage, q *queue.Queue[item]) map[int][]int {
	s.t.Helper()
	s.must(q.Close())
	for ended := false; !ended; {
		before := sh.n.Load()
		select {
		case <-sh.done:
			ended = true
		case <-time.After(soon):
			if sh.n.Load() == before {
				s.t.Fatalf("the queue is closed, and after %v neither an item nor the end has come", soon)
			}
		}
	}
	if sh.err != nil || sh.torn > 0 {
		s.t.Errorf("got until %v, with %d torn items", sh.err, sh.torn)
	}
	for from, seqs := range sh.seqs {
		if !slices.IsSorted(seqs) {
			s.t.Errorf("items of %d are out of order: %v", from, seqs)
		}
	}
	return sh.seqs
}

// over waits until a party that has ended does nothing any more: what it was at
// ends after its job does, if its process lives on.
func (d *doing) over(s *stage, e *ending) (livesOn bool) {
	s.t.Helper()
	if d.p.kind == "process" || e.name == killed.name {
		return false
	}
	d.await(s)
	return true
}

// producerOf: a party ends while it puts. All of what it has put arrives, whole
// and in order; so does all that others put.
func producerOf(size int, bounded bool) func(*stage, troupe, *ending) {
	return func(s *stage, others troupe, e *ending) {
		s.t.Helper()
		name := s.name("queue")
		q, err := manager.NewQueue[item](s.m, name, s.bound(bounded))
		s.must(err)
		other, rest := s.one(others)
		v := s.victim(e)

		o := order{Do: "produce", On: name, K: size}
		theirs, book := s.inBook(o)
		putting := v.begin(s, theirs)
		o.Most = rounds(size)
		mine, _ := s.inBook(o)
		going := other.start(s, mine)
		o.Do = "consume"
		get, gotten := s.inBook(o)
		getting := rest[0].start(s, get)
		got := drains(s.ctx, q)
		s.end(v, e)
		going.finish(s)
		s.dead(v, e)
		strict := putting.over(s, e)

		seqs := got.all(s, q)
		getting.finish(s)
		last := -1
		for _, id := range gotten.notes() {
			from, seq := int(id>>32), int(uint32(id))
			seqs[from] = append(seqs[from], seq)
			if from == theirs.Page {
				if seq < last {
					s.t.Errorf("item %d of the victim came after %d", seq, last)
				}
				last = seq
			}
		}
		s.complete("another", seqs[mine.Page], mine.Most, mine.Most)
		most := book.begun()
		if strict {
			most = book.done()
		}
		s.complete(v.name+", which "+e.name, seqs[theirs.Page], book.done(), most)
	}
}

// complete checks that items are the first ones of a producer, all of them, and
// how many there are.
func (s *stage) complete(who string, seqs []int, least, most int) {
	s.t.Helper()
	slices.Sort(seqs)
	for i, seq := range seqs {
		if seq != i {
			s.t.Errorf("%s: item %d is missing or there twice, of %d", who, i, len(seqs))
			return
		}
	}
	if n := len(seqs); n < least || n > most {
		s.t.Errorf("%s: %d items came, want %d to %d", who, n, least, most)
	}
}

// consumerOf: a party ends while it gets. Of all items at most one is gone, that
// which it was getting; none, if the process lives on.
func consumerOf(size int, bounded bool) func(*stage, troupe, *ending) {
	return func(s *stage, others troupe, e *ending) {
		s.t.Helper()
		name := s.name("queue")
		q, err := manager.NewQueue[item](s.m, name, s.bound(bounded))
		s.must(err)
		other, rest := s.one(others)
		v := s.victim(e)

		o := order{Do: "consume", On: name, K: size}
		theirs, book := s.inBook(o)
		getting := v.begin(s, theirs)
		second, theSecond := s.inBook(o)
		going := rest[0].start(s, second)
		o.Do, o.Most = "produce", rounds(size)
		mine, _ := s.inBook(o)
		putting := other.start(s, mine)
		s.end(v, e)
		got := drains(s.ctx, q)
		putting.finish(s)
		s.dead(v, e)
		strict := getting.over(s, e)

		seqs := got.all(s, q)
		going.finish(s)
		for _, p := range []page{book, theSecond} {
			for _, id := range p.notes() {
				seqs[int(id>>32)] = append(seqs[int(id>>32)], int(uint32(id)))
			}
		}
		all := seqs[mine.Page]
		slices.Sort(all)
		if len(slices.Compact(slices.Clone(all))) != len(all) {
			s.t.Errorf("items came twice: %v", all)
		}
		may := book.begun() - book.done()
		if strict {
			may = 0
		}
		if gone := mine.Most - len(all); gone < 0 || gone > may {
			s.t.Errorf("%d of %d items are gone, and %s, which %s, was getting %d: %v", gone, mine.Most, v.name, e.name, may, all)
		}
	}
}

// waiterForRoom: a party ends before there was room for its item. The item behind
// gets the room.
func waiterForRoom(s *stage, others troupe, e *ending) {
	s.t.Helper()
	name := s.name("queue")
	q, err := manager.NewQueue[item](s.m, name, 1)
	s.must(err)
	s.must(q.Put(s.ctx, newItem(0, 0, 1)))
	other, _ := s.one(others)
	v := s.victim(e)
	theirs := order{Do: "put", On: name, Page: 1, K: 1 + s.IntN(2)*(1<<20-1)}
	v.start(s, theirs)
	theirs.Page = 2
	d := other.start(s, theirs)
	s.end(v, e)
	s.dead(v, e)
	for _, want := range []int{0, 2} {
		it, err := q.Get(s.ctx)
		s.must(err)
		if it.From != want || !it.whole() {
			s.t.Errorf("got the item of %d, whole %v, want that of %d", it.From, it.whole(), want)
		}
	}
	d.finish(s)
	if _, err := q.TryGet(s.ctx); !errors.Is(err, queue.ErrEmpty) {
		s.t.Errorf("in the end: %v", err)
	}
}

// waiterForItem: a party ends before there was an item for it. Another one gets the
// next.
func waiterForItem(s *stage, others troupe, e *ending) {
	s.t.Helper()
	name := s.name("queue")
	q, err := manager.NewQueue[item](s.m, name, 3*s.IntN(2))
	s.must(err)
	other, _ := s.one(others)
	v := s.victim(e)
	o := order{Do: "get", On: name}
	mine := o
	o.Free = e.name == killed.name && s.IntN(2) == 0
	theirs := v.begin(s, o)
	d := other.start(s, mine)
	s.end(v, e)
	may := 0 // one may be taken by the victim
	if s.IntN(2) == 0 {
		s.dead(v, e)
		theirs.over(s, e)
	} else {
		defer s.dead(v, e)
		may = 1
	}
	const put = 3
	for range put {
		s.must(q.Put(s.ctx, newItem(0, 0, 1)))
	}
	d.finish(s)
	if n, err := q.Len(s.ctx); n < put-1-may || n > put-1 || err != nil {
		s.t.Errorf("%d of %d items are left, %v", n, put, err)
	}
}
