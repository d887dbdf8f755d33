package broker

import (
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/feac4032/multiproc/internal/owner"
)

func put(t *testing.T, q *Queue, items ...string) {
	t.Helper()
	for _, item := range items {
		if ok, err := q.TryPut([]byte(item)); !ok || err != nil {
			t.Fatalf("TryPut(%q) = %v, %v", item, ok, err)
		}
	}
}

func putTicket(t *testing.T, q *Queue, o *owner.Owner, item string) *probe {
	return ask(t, o, func(p *Ticket) { q.Put(p, []byte(item)) })
}

// wantItems gets all there is.
func wantItems(t *testing.T, q *Queue, want ...string) {
	t.Helper()
	for _, w := range want {
		item, ok, err := q.TryGet()
		if !ok || err != nil || string(item) != w {
			t.Fatalf("TryGet = %q, %v, %v, want %q", item, ok, err, w)
		}
	}
	if item, ok, _ := q.TryGet(); ok {
		t.Fatalf("one more item: %q", item)
	}
}

func wantItem(t *testing.T, p *probe, want string) {
	t.Helper()
	p.granted()
	if string(p.Item) != want {
		t.Fatalf("got %q, want %q", p.Item, want)
	}
}

func takeLease(t *testing.T, q *Queue, o *owner.Owner, want string, delivery int) Leased {
	t.Helper()
	l, ok, err := q.TryLease(o)
	if !ok || err != nil || string(l.Item) != want || l.Delivery != delivery {
		t.Fatalf("TryLease = %q, delivery %d, %v, %v, want %q, delivery %d", l.Item, l.Delivery, ok, err, want, delivery)
	}
	return l
}

func wantUnfinished(t *testing.T, q *Queue, queued, unfinished int) {
	t.Helper()
	if n, u := q.Len(), q.Unfinished(); n != queued || u != unfinished {
		t.Fatalf("Len = %d, Unfinished = %d, want %d and %d", n, u, queued, unfinished)
	}
}

func TestQueue_PutWaitsForRoomInItsTurn(t *testing.T) {
	t.Parallel()
	q := NewQueue("q", 2)
	o := newOwner("o")
	put(t, q, "a", "b")
	c, d := putTicket(t, q, o, "c"), putTicket(t, q, o, "d")
	c.waits()
	if ok, err := q.TryPut([]byte("x")); ok || err != nil || !q.Full() {
		t.Fatalf("TryPut into a full queue = %v, %v, Full = %v", ok, err, q.Full())
	}
	if item, _, _ := q.TryGet(); string(item) != "a" {
		t.Fatalf("got %q", item)
	}
	c.granted()
	d.waits()
	wantItems(t, q, "b", "c", "d")
	d.granted()
}

func TestQueue_GettersAreServedInTheirOrder(t *testing.T) {
	t.Parallel()
	q := NewQueue("q", 1)
	o := newOwner("o")
	first, leaver, third := ask(t, o, q.Get), ask(t, o, q.Get), ask(t, o, q.Lease)
	enough := errors.New("enough")
	leaver.Cancel(enough)
	leaver.failed(enough)
	put(t, q, "a", "b")
	wantItem(t, first, "a")
	wantItem(t, third, "b")
	first.Cancel(enough)
	wantItem(t, first, "a") // a grant stays a grant
	wantUnfinished(t, q, 0, 1)
}

func TestQueue_BytesBoundAnUnboundedQueue(t *testing.T) {
	t.Parallel()
	q := NewQueue("q", 0)
	q.limit = 2 * (10 + itemOverhead)
	put(t, q, "0123456789", "0123456789")
	if !q.Full() {
		t.Fatal("not full")
	}
	// A leased item still takes its room.
	o := newOwner("o")
	l := takeLease(t, q, o, "0123456789", 1)
	if ok, _ := q.TryPut(nil); ok {
		t.Fatal("there was room for a third item")
	}
	must(t, q.Done(o, l.Lease))
	put(t, q, "x")
}

func TestQueue_EmptyQueueTakesAnyItem(t *testing.T) {
	t.Parallel()
	q := NewQueue("q", 0)
	q.limit = 100
	o := newOwner("o")
	put(t, q, string(make([]byte, 1000)))
	if _, ok, err := q.TryLease(o); !ok || err != nil {
		t.Fatal(err)
	}
	put(t, q, "small") // what is leased leaves the queue empty: a getter must find something
	if ok, _ := q.TryPut([]byte("more")); ok {
		t.Fatal("the bytes of the lease were forgotten")
	}
}

func TestQueue_LeavingPutterLetsSmallerOnesIn(t *testing.T) {
	t.Parallel()
	q := NewQueue("q", 0)
	q.limit = 3 * itemOverhead
	o, enough := newOwner("o"), errors.New("enough")
	put(t, q, "a")
	large := putTicket(t, q, o, string(make([]byte, 1000)))
	small := putTicket(t, q, o, "b")
	large.waits()
	small.waits()
	large.Cancel(enough)
	large.failed(enough)
	small.granted()
	wantItems(t, q, "a", "b")
}

func TestQueue_EndedOwnersItemsGoBackToTheHeadInOrder(t *testing.T) {
	t.Parallel()
	q := NewQueue("q", 0)
	dies, lives := newOwner("dies"), newOwner("lives")
	put(t, q, "a", "b", "c", "d", "e")
	takeLease(t, q, dies, "a", 1)
	b := takeLease(t, q, dies, "b", 1)
	takeLease(t, q, dies, "c", 1)
	d := takeLease(t, q, lives, "d", 1)
	must(t, q.Done(dies, b.Lease))
	dies.End(errors.New("killed"))
	wantUnfinished(t, q, 3, 4)
	takeLease(t, q, lives, "a", 2)
	must(t, q.Return(lives, d.Lease))
	// Between those that came back, the order in which they were put holds.
	takeLease(t, q, lives, "c", 2)
	takeLease(t, q, lives, "d", 2)
	takeLease(t, q, lives, "e", 1)
	wantErr(t, q.Done(dies, b.Lease), ErrEnded)
}

func TestQueue_WhatComesBackGoesToWhoWaits(t *testing.T) {
	t.Parallel()
	q := NewQueue("q", 0)
	dies, first, second := newOwner("dies"), newOwner("first"), newOwner("second")
	put(t, q, "a", "b")
	takeLease(t, q, dies, "a", 1)
	takeLease(t, q, dies, "b", 1)
	x, y := ask(t, first, q.Lease), ask(t, second, q.Get)
	dies.End(nil)
	wantItem(t, x, "a")
	wantItem(t, y, "b")
	if x.Delivery != 2 || x.Lease == 0 {
		t.Errorf("delivery %d, lease %d", x.Delivery, x.Lease)
	}
}

func TestQueue_PoisonedItemIsDoneAndReported(t *testing.T) {
	t.Parallel()
	q := NewQueue("q", 0)
	var poisoned []Poisoned
	q.OnPoison = func(p Poisoned) { poisoned = append(poisoned, p) }
	put(t, q, "bad", "good")
	join := ask(t, newOwner("joiner"), q.Join)

	first := newOwner("first")
	l := takeLease(t, q, first, "bad", 1)
	must(t, q.Return(first, l.Lease)) // no death
	takeLease(t, q, first, "bad", 2)
	first.End(nil)
	if len(poisoned) > 0 {
		t.Fatalf("given up after one death: %v", poisoned)
	}
	second, cause := newOwner("second"), errors.New("signal 9")
	takeLease(t, q, second, "bad", 3)
	takeLease(t, q, second, "good", 1)
	wantErr(t, q.TaskDone(newOwner("nobody")), ErrTooManyDone)
	second.End(cause)
	if len(poisoned) != 1 {
		t.Fatalf("%d items were given up", len(poisoned))
	}
	p := poisoned[0]
	if string(p.Item) != "bad" || p.Deliveries != 3 || p.Last.Name != "second" || p.Last.Cause != cause {
		t.Errorf("reported %q, %d deliveries, last %v", p.Item, p.Deliveries, p.Last)
	}
	join.waits()
	third := newOwner("third")
	takeLease(t, q, third, "good", 2)
	must(t, q.TaskDone(third))
	join.granted()
}

func TestQueue_DoneCountsOnce(t *testing.T) {
	t.Parallel()
	q := NewQueue("q", 0)
	o, other := newOwner("o"), newOwner("other")
	put(t, q, "a", "b", "c")
	a := takeLease(t, q, o, "a", 1)
	b := takeLease(t, q, o, "b", 1)
	c := takeLease(t, q, o, "c", 1)
	wantErr(t, q.Done(other, a.Lease), ErrTooManyDone)
	wantErr(t, q.Done(nil, a.Lease), ErrNoOwner)
	wantErr(t, q.TaskDone(nil), ErrNoOwner)
	must(t, q.Done(o, b.Lease))
	wantErr(t, q.Done(o, b.Lease), ErrTooManyDone)
	wantErr(t, q.Return(o, b.Lease), ErrTooManyDone)
	wantErr(t, q.Done(o, 0), ErrTooManyDone)
	must(t, q.TaskDone(o)) // a, the oldest
	wantErr(t, q.Done(o, a.Lease), ErrTooManyDone)
	must(t, q.Return(o, c.Lease))
	wantErr(t, q.TaskDone(o), ErrTooManyDone)
	wantUnfinished(t, q, 1, 1)
}

func TestQueue_LeaseNeedsAnOwner(t *testing.T) {
	t.Parallel()
	q := NewQueue("q", 0)
	ask(t, nil, q.Lease).failed(ErrNoOwner)
	_, _, err := q.TryLease(nil)
	wantErr(t, err, ErrNoOwner)
}

func TestQueue_JoinWaitsUntilAllIsDone(t *testing.T) {
	t.Parallel()
	q := NewQueue("q", 0)
	o := newOwner("o")
	ask(t, o, q.Join).granted() // nothing was put
	put(t, q, "a", "b")
	join, leaver := ask(t, o, q.Join), ask(t, o, q.Join)
	l := takeLease(t, q, o, "a", 1)
	wantItems(t, q, "b")
	join.waits()
	leaver.Cancel(ErrLost)
	leaver.failed(ErrLost)
	must(t, q.Done(o, l.Lease))
	join.granted()

	put(t, q, "c")
	join = ask(t, o, q.Join)
	join.waits()
	wantItems(t, q, "c")
	join.granted()
}

// TestQueue_ManyOwnersUnderLoad has owners that put, lease and die at once: every
// item is done once, or was given up.
func TestQueue_ManyOwnersUnderLoad(t *testing.T) {
	t.Parallel()
	const putters, each, workers = 4, 500, 4
	q := NewQueue("q", 8)
	var mu sync.Mutex
	finished := map[string]int{}
	q.MaxDeliveries = 3
	q.OnPoison = func(p Poisoned) {
		mu.Lock()
		defer mu.Unlock()
		finished[string(p.Item)]++
	}
	var all, puts sync.WaitGroup
	for id := range putters {
		puts.Go(func() {
			for i := range each {
				p := ask(t, nil, func(p *Ticket) { q.Put(p, []byte{byte(id), byte(i), byte(i >> 8)}) })
				if <-p.done; p.Err != nil {
					t.Error(p.Err)
				}
			}
		})
	}
	for id := range workers {
		all.Go(func() {
			o := newOwner("first")
			for n := id; ; n++ {
				p := ask(t, o, q.Lease)
				if n%11 == 0 {
					p.Cancel(ErrLost)
				}
				<-p.done
				switch {
				case errors.Is(p.Err, ErrLost):
				case errors.Is(p.Err, ErrClosed):
					o.End(nil)
					return
				case p.Err != nil:
					t.Error(p.Err)
					return
				case n%7 == 0:
					o.End(ErrLost)
					o = newOwner("next")
				case n%5 == 0:
					if err := q.Return(o, p.Lease); err != nil {
						t.Error(err)
					}
				default:
					mu.Lock()
					finished[string(p.Item)]++
					mu.Unlock()
					if err := q.TaskDone(o); err != nil {
						t.Error(err)
					}
				}
			}
		})
	}
	puts.Wait()
	q.Close()
	all.Wait()
	join := ask(t, nil, q.Join)
	<-join.done
	if join.Err != nil || len(finished) != putters*each {
		t.Errorf("Join: %v; %d items were finished, want %d", join.Err, len(finished), putters*each)
	}
	for item, n := range finished {
		if n != 1 {
			t.Errorf("item %x was finished %d times", item, n)
		}
	}
}

// TestQueue_ManyItemsComeBackFromTwoOwners has leases that alternate between two
// owners, so that what the second leaves behind goes between what the first left.
func TestQueue_ManyItemsComeBackFromTwoOwners(t *testing.T) {
	t.Parallel()
	const count = 4 * keepRing
	q := NewQueue("q", 0)
	owners := []*owner.Owner{newOwner("one"), newOwner("other")}
	for i := range count {
		put(t, q, fmt.Sprint(i))
	}
	for i := range count {
		takeLease(t, q, owners[i%2], fmt.Sprint(i), 1)
	}
	for _, o := range owners {
		o.End(nil)
	}
	last := newOwner("last")
	for i := range count {
		takeLease(t, q, last, fmt.Sprint(i), 2)
		must(t, q.TaskDone(last))
	}
	if cap(q.front) > keepRing {
		t.Errorf("an empty queue keeps %d places for what comes back", cap(q.front))
	}
}

func TestRing_KeepsOrderAndLetsGo(t *testing.T) {
	t.Parallel()
	var r ring
	next, want := byte(0), byte(0)
	for round := range 200 {
		for range round % 7 {
			r.push([]byte{next})
			next++
		}
		for r.len() > round%5 {
			if got := r.pop(); got[0] != want {
				t.Fatalf("popped %d, want %d", got[0], want)
			}
			want++
		}
	}
	for range 2 * keepRing {
		r.push(nil)
	}
	for r.len() > 0 {
		r.pop()
	}
	if len(r.buf) > keepRing {
		t.Errorf("an empty ring keeps %d places", len(r.buf))
	}
}
