package manager_test

import (
	"slices"
	"time"

	"github.com/feac4032/multiproc/manager"
	"github.com/feac4032/multiproc/queue"
	"github.com/feac4032/multiproc/task"
)

// joinable makes a joinable queue with n items, and more to come.
func (s *stage) joinable(n int) (*queue.Joinable[item], order) {
	s.t.Helper()
	name := s.name("joinable")
	q, err := manager.NewJoinable[item](s.m, name, 0)
	s.must(err)
	for i := range n {
		s.must(q.Put(s.ctx, newItem(0, i, 1)))
	}
	return q, order{On: name}
}

// holderOfLeases: a party ends with items. Others get these items, and all are
// done in the end.
func holderOfLeases(s *stage, others troupe, e *ending) {
	s.t.Helper()
	q, o := s.joinable(2 * len(others))
	v := s.victim(e)
	o.Do, o.K = "lease", 1+s.IntN(2*len(others))
	v.do(s, o)
	holds := o.K
	var leases []*doing
	o.K = 2
	early := s.IntN(2) == 0
	if !early {
		s.end(v, e)
	}
	for _, p := range others {
		leases = append(leases, p.start(s, o))
	}
	if early {
		s.end(v, e)
	}
	again := 0
	for _, d := range leases {
		again += d.finish(s).Result
		d.p.do(s, order{Do: "done"})
	}
	s.dead(v, e)
	if again != holds {
		s.t.Errorf("%d items were handed out again, want %d", again, holds)
	}
	s.joined(q)
}

// joined checks that all items are done.
func (s *stage) joined(q *queue.Joinable[item]) {
	s.t.Helper()
	if n, err := q.Unfinished(s.ctx); n != 0 || err != nil {
		s.t.Errorf("%d items are not done, %v", n, err)
		return
	}
	s.must(q.Join(s.ctx))
}

// workerOnLeases: a party ends while it works through items with others. Every
// item is done once.
func workerOnLeases(s *stage, others troupe, e *ending) {
	s.t.Helper()
	const n = 120
	q, o := s.joinable(n / 2)
	v := s.victim(e)
	o.Do = "work"
	theirs, book := s.inBook(o)
	pages := []page{book}
	working := v.begin(s, theirs)
	var works []*doing
	for _, p := range others {
		mine, page := s.inBook(o)
		pages = append(pages, page)
		works = append(works, p.start(s, mine))
	}
	for i := n / 2; i < n; i++ {
		s.must(q.Put(s.ctx, newItem(0, i, 1)))
	}
	s.end(v, e)
	s.must(q.Close())
	for _, d := range works {
		d.finish(s)
	}
	s.dead(v, e)
	strict := working.over(s, e)
	var all []int
	for _, p := range pages {
		for _, id := range p.notes() {
			all = append(all, int(uint32(id)))
		}
	}
	slices.Sort(all)
	if len(slices.Compact(slices.Clone(all))) != len(all) {
		s.t.Errorf("items were done twice: %v", all)
	}
	may := book.begun() - book.done() // done, and not noted
	if strict {
		may = 0
	}
	if open := n - len(all); open > may {
		s.t.Errorf("%d items were not done, and %s, which %s, was at %d", open, v.name, e.name, may)
	}
	s.joined(q)
}

// poisonedByItem: two parties, one after the other, end with the same item. It is
// given up, and reported, and does not keep those who join waiting.
func poisonedByItem(s *stage, _ troupe, e *ending) {
	s.t.Helper()
	name := s.name("joinable")
	reports := make(chan queue.Poisoned, 1)
	q, err := manager.NewJoinable[item](s.m, name, 0, manager.OnPoisoned(func(p queue.Poisoned) { reports <- p }))
	s.must(err)
	s.must(q.Put(s.ctx, newItem(0, 7, 1)))
	var v *party
	for again := range 2 {
		v = s.victim(e)
		d := v.start(s, order{Do: "lease", On: name})
		if a := d.finish(s); a.Result != again {
			s.t.Errorf("%d had the item before, want %d", a.Result, again)
		}
		s.end(v, e)
		s.dead(v, e)
	}
	select {
	case p := <-reports:
		var it item
		s.must(task.Decode(p.Item, &it))
		if it.Seq != 7 || p.Deliveries != 2 || p.Last == nil {
			s.t.Errorf("item %d was given up after %d deliveries, the last to %v", it.Seq, p.Deliveries, p.Last)
			return
		}
		var a answer
		a.inherit(p.Last)
		s.blames(a.Left[0], v, e)
	case <-time.After(soon):
		s.t.Fatal("nothing is reported")
	}
	s.joined(q)
}

// holderOfPipeEnd: a process ends that alone has an end of a pipe. At the other one
// all comes out that it has said, and then the end of file.
func holderOfPipeEnd(s *stage, others troupe, e *ending) {
	s.t.Helper()
	name := s.name("pipe")
	_, end, err := manager.NewPipe[int](s.m, name)
	s.must(err)
	v := s.victim(e)
	listener, _ := s.one(others)
	o := order{Do: "say", On: name, K: 1 + s.IntN(50)}
	said := v.start(s, o)
	said.finish(s)
	want := o.K
	o.Do = "hear"
	d := listener.start(s, o)
	s.end(v, e)
	s.dead(v, e)
	if v.kind == "job" && e.name != killed.name {
		s.must(end.Close()) // which belongs to the process, and that lives on
	}
	if a := d.finish(s); a.Result != want {
		s.t.Errorf("%d messages came of %d", a.Result, want)
	}
}
