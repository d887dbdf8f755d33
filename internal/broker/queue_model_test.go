package broker

import (
	"bytes"
	"fmt"
	"slices"
	"testing"

	"github.com/feac4032/multiproc/internal/owner"
)

// queueModel is what a queue must do, written down as plainly as possible.
type queueModel struct {
	max, limit, maxDeaths int

	put      int // items accepted
	queued   []*modelItem
	leases   []*modelLease // in the order in which they were granted
	putters  []*modelWait
	getters  []*modelWait
	joiners  []*modelWait
	closed   bool
	dropped  bool
	undone   bool
	poisoned []string

	settled []string // since the last look, in any order
}

type modelItem struct {
	data           string
	seq            int
	handed, deaths int
}

type modelLease struct {
	*modelItem
	owner int
	id    uint64 // as the queue called it, once it has
}

type modelWait struct {
	name  string
	owner int // 0 = none
	lease bool
	item  string
}

func (m *queueModel) settle(w *modelWait, outcome string) {
	m.settled = append(m.settled, w.name+": "+outcome)
}

func (m *queueModel) bytes() (n int) {
	for _, i := range m.queued {
		n += len(i.data) + itemOverhead
	}
	for _, l := range m.leases {
		n += len(l.data) + itemOverhead
	}
	return n
}

func (m *queueModel) fits(data string) bool {
	if len(m.queued) == 0 {
		return true
	}
	return (m.max <= 0 || len(m.queued) < m.max) && m.bytes()+len(data)+itemOverhead <= m.limit
}

func (m *queueModel) accept(data string) {
	m.put++
	m.queued = append(m.queued, &modelItem{data: data, seq: m.put})
}

func (m *queueModel) give(w *modelWait) {
	i := m.queued[0]
	m.queued = m.queued[1:]
	if w.lease {
		i.handed++
		m.leases = append(m.leases, &modelLease{modelItem: i, owner: w.owner})
		m.settle(w, fmt.Sprintf("item %s, delivery %d", i.data, i.handed))
		return
	}
	m.settle(w, "item "+i.data)
}

func (m *queueModel) back(i *modelItem) {
	if m.dropped {
		return
	}
	m.queued = append(m.queued, i)
	slices.SortFunc(m.queued, func(a, b *modelItem) int { return a.seq - b.seq })
}

func (m *queueModel) has(o int) bool {
	return slices.ContainsFunc(m.leases, func(l *modelLease) bool { return o != 0 && l.owner == o })
}

// finished reports whether a getter has nothing more to expect.
func (m *queueModel) finished(o int) bool {
	return m.closed && len(m.queued) == 0 && (len(m.leases) == 0 || m.has(o))
}

// proceed does all that has become possible.
func (m *queueModel) proceed() {
	for {
		switch {
		case len(m.queued) > 0 && len(m.getters) > 0:
			w := m.getters[0]
			m.getters = m.getters[1:]
			m.give(w)
		case len(m.putters) > 0 && m.fits(m.putters[0].item):
			w := m.putters[0]
			m.putters = m.putters[1:]
			m.accept(w.item)
			m.settle(w, "done")
		case len(m.queued)+len(m.leases) == 0 && len(m.joiners) > 0:
			w := m.joiners[0]
			m.joiners = m.joiners[1:]
			m.settle(w, "done")
		case len(m.queued)+len(m.leases) == 0 && m.closed && len(m.getters) > 0:
			w := m.getters[0]
			m.getters = m.getters[1:]
			m.settle(w, ErrClosed.Error())
		default:
			return
		}
	}
}

// request is a put, a get, a lease or a join that may wait.
func (m *queueModel) request(line *[]*modelWait, w *modelWait) {
	*line = append(*line, w)
	m.proceed()
}

func (m *queueModel) withdraw(name, outcome string) {
	for _, line := range []*[]*modelWait{&m.putters, &m.getters, &m.joiners} {
		if i := slices.IndexFunc(*line, func(w *modelWait) bool { return w.name == name }); i >= 0 {
			m.settle((*line)[i], outcome)
			*line = slices.Delete(*line, i, i+1)
		}
	}
	m.proceed()
}

// end takes out the lease that fits, the oldest first.
func (m *queueModel) end(which func(*modelLease) bool) *modelItem {
	i := slices.IndexFunc(m.leases, which)
	if i < 0 {
		return nil
	}
	l := m.leases[i]
	m.leases = slices.Delete(m.leases, i, i+1)
	return l.modelItem
}

func (m *queueModel) ownerEnds(o int) {
	for _, line := range []*[]*modelWait{&m.putters, &m.getters, &m.joiners} {
		*line = slices.DeleteFunc(*line, func(w *modelWait) bool {
			if w.owner == o {
				m.settle(w, ErrEnded.Error())
			}
			return w.owner == o
		})
	}
	for i := m.end(func(l *modelLease) bool { return l.owner == o }); i != nil; i = m.end(func(l *modelLease) bool { return l.owner == o }) {
		if i.deaths++; i.deaths >= m.maxDeaths {
			m.poisoned = append(m.poisoned, i.data)
		} else {
			m.back(i)
		}
	}
	m.proceed()
}

func (m *queueModel) close(drop bool) {
	m.closed = true
	for _, w := range m.putters {
		m.settle(w, ErrClosed.Error())
	}
	m.putters = nil
	if drop {
		if len(m.queued)+len(m.leases) > 0 {
			m.undone = true
		}
		m.dropped, m.queued = true, nil
		for _, w := range slices.Concat(m.getters, m.joiners) {
			m.settle(w, ErrClosed.Error())
		}
		m.getters, m.joiners = nil, nil
	}
	m.getters = slices.DeleteFunc(m.getters, func(w *modelWait) bool {
		if m.finished(w.owner) {
			m.settle(w, ErrClosed.Error())
			return true
		}
		return false
	})
}

// queueRun is one history of a queue and its model.
type queueRun struct {
	*history
	q        *Queue
	m        *queueModel
	owners   map[int]*owner.Owner
	lastOwn  int
	asked    int
	tickets  map[string]*Ticket // that wait
	settled  []string
	poisoned []string
}

// ask hands the same request to both. own = 0 for nobody.
func (r *queueRun) ask(what string, own int, request func(*Ticket), line *[]*modelWait, w *modelWait) {
	r.asked++
	w.name, w.owner = fmt.Sprintf("%s%d", what, r.asked), own
	r.step("%s by owner %d: %s", w.name, own, w.item)
	t := &Ticket{Owner: r.owners[own]}
	r.tickets[w.name] = t
	t.Settled = func(t *Ticket) {
		delete(r.tickets, w.name)
		outcome := "done"
		switch {
		case t.Err != nil:
			outcome = t.Err.Error()
		case w.lease:
			outcome = fmt.Sprintf("item %s, delivery %d", t.Item, t.Delivery)
			r.named(string(t.Item), t.Lease)
		case line == &r.m.getters:
			outcome = fmt.Sprintf("item %s", t.Item)
		}
		r.settled = append(r.settled, w.name+": "+outcome)
	}
	// The model goes first, so that it knows a lease when its number comes.
	switch {
	case line == &r.m.putters && r.m.closed,
		line == &r.m.joiners && r.m.undone,
		line == &r.m.getters && r.m.finished(own):
		r.m.settle(w, ErrClosed.Error())
	default:
		r.m.request(line, w)
	}
	request(t)
}

// named notes what the queue calls the lease of an item.
func (r *queueRun) named(item string, id uint64) {
	for _, l := range r.m.leases {
		if l.data == item {
			l.id = id
		}
	}
}

// someone is an owner, mostly one that lives.
func (r *queueRun) someone() int {
	if len(r.owners) < 4 {
		r.lastOwn++
		r.owners[r.lastOwn] = newOwner(fmt.Sprint(r.lastOwn))
		return r.lastOwn
	}
	alive := make([]int, 0, len(r.owners))
	for o := range r.owners {
		alive = append(alive, o)
	}
	slices.Sort(alive)
	return alive[r.IntN(len(alive))]
}

func (r *queueRun) operation() {
	o := r.someone()
	item := fmt.Sprintf("%d:%s", r.asked, bytes.Repeat([]byte("x"), r.IntN(3)*r.IntN(120)))
	switch n := r.IntN(100); {
	case n < 25:
		r.ask("put", o*r.IntN(2), func(t *Ticket) { r.q.Put(t, []byte(item)) }, &r.m.putters, &modelWait{item: item})
	case n < 33:
		r.asked++
		fits := !r.m.closed && len(r.m.putters) == 0 && r.m.fits(item)
		r.step("try put %s: %v", item, fits)
		if fits {
			r.m.accept(item)
			r.m.proceed()
		}
		ok, err := r.q.TryPut([]byte(item))
		r.equal("TryPut", ok, fits)
		r.equal("TryPut fails", err == ErrClosed, r.m.closed)
	case n < 43:
		r.ask("get", o*r.IntN(2), r.q.Get, &r.m.getters, &modelWait{})
	case n < 60:
		r.ask("lease", o, r.q.Lease, &r.m.getters, &modelWait{lease: true})
	case n < 66:
		r.tryLease(o)
	case n < 70:
		r.tryGet()
	case n < 84:
		r.endLease(o)
	case n < 88:
		r.ask("join", o*r.IntN(2), r.q.Join, &r.m.joiners, &modelWait{})
	case n < 94:
		r.cancel()
	case n < 98:
		r.step("owner %d ends", o)
		r.m.ownerEnds(o)
		r.owners[o].End(nil)
		delete(r.owners, o)
	case r.IntN(4) == 0:
		drop := r.IntN(2) == 0
		r.step("close, drop = %v", drop)
		r.m.close(drop)
		if drop {
			r.q.Shutdown()
		} else {
			r.q.Close()
		}
	}
}

func (r *queueRun) tryLease(o int) {
	r.step("owner %d tries to lease", o)
	over := r.m.finished(o)
	want := ""
	if len(r.m.queued) > 0 {
		want = r.m.queued[0].data
		r.m.give(&modelWait{owner: o, lease: true})
		r.m.settled = r.m.settled[:len(r.m.settled)-1]
		r.m.proceed()
	}
	l, ok, err := r.q.TryLease(r.owners[o])
	r.named(string(l.Item), l.Lease)
	r.equal("TryLease", string(l.Item), want)
	r.equal("TryLease finds something", ok, want != "")
	r.equal("TryLease fails", err == ErrClosed, over)
}

func (r *queueRun) tryGet() {
	dst := make([][]byte, 1+r.IntN(3))
	r.step("try to get %d", len(dst))
	over := r.m.finished(0)
	var want []string
	for len(r.m.queued) > 0 && len(want) < len(dst) {
		want = append(want, r.m.queued[0].data)
		r.m.queued = r.m.queued[1:]
		r.m.proceed()
	}
	n, err := r.q.TryGetBatch(dst)
	r.equal("TryGetBatch", fmt.Sprintf("%s", dst[:n]), fmt.Sprint(want))
	r.equal("TryGetBatch fails", err == ErrClosed, over)
}

// endLease ends the oldest lease of an owner, or any one, in one of the ways.
func (r *queueRun) endLease(o int) {
	which := func(l *modelLease) bool { return l.owner == o }
	id := uint64(99999)
	if n := len(r.m.leases); n > 0 {
		l := r.m.leases[r.IntN(n)]
		id = l.id
	}
	byID := func(l *modelLease) bool { return l.id == id && l.owner == o }
	var err error
	var i *modelItem
	switch how := r.IntN(3); how {
	case 0:
		r.step("task done by owner %d", o)
		i = r.m.end(which)
		r.m.proceed()
		err = r.q.TaskDone(r.owners[o])
	case 1:
		r.step("done of %d by owner %d", id, o)
		i = r.m.end(byID)
		r.m.proceed()
		err = r.q.Done(r.owners[o], id)
	case 2:
		r.step("return of %d by owner %d", id, o)
		if i = r.m.end(byID); i != nil {
			r.m.back(i)
		}
		r.m.proceed()
		err = r.q.Return(r.owners[o], id)
	}
	r.equal("one too many", err == ErrTooManyDone, i == nil)
}

func (r *queueRun) cancel() {
	var names []string
	for name := range r.tickets {
		names = append(names, name)
	}
	if len(names) == 0 {
		return
	}
	slices.Sort(names)
	name := names[r.IntN(len(names))]
	r.step("cancel %s", name)
	r.m.withdraw(name, ErrLost.Error())
	r.tickets[name].Cancel(ErrLost)
}

func (r *queueRun) compare() {
	slices.Sort(r.settled)
	slices.Sort(r.m.settled)
	r.equal("settled", fmt.Sprint(r.settled), fmt.Sprint(r.m.settled))
	r.settled, r.m.settled = nil, nil
	r.equal("Len", r.q.Len(), len(r.m.queued))
	r.equal("Unfinished", r.q.Unfinished(), len(r.m.queued)+len(r.m.leases))
	r.equal("Full", r.q.Full(), !r.m.closed && (len(r.m.putters) > 0 || !r.m.fits("")))
	r.equal("poisoned", fmt.Sprint(r.poisoned), fmt.Sprint(r.m.poisoned))
	r.equal("bytes", r.q.bytes+r.q.open.bytes, r.m.bytes())
}

func TestQueue_DoesAsTheModel(t *testing.T) {
	t.Parallel()
	compare(t, func(h *history) {
		m := &queueModel{max: h.IntN(5), limit: 300 + h.IntN(600), maxDeaths: 1 + h.IntN(3)}
		r := &queueRun{history: h, q: NewQueue("q", m.max), m: m, owners: map[int]*owner.Owner{}, tickets: map[string]*Ticket{}}
		r.q.limit, r.q.MaxDeliveries = m.limit, m.maxDeaths
		r.q.OnPoison = func(p Poisoned) { r.poisoned = append(r.poisoned, string(p.Item)) }
		for range 300 {
			r.operation()
			r.compare()
		}
	})
}
