package pool

// deque is a queue of jobs that can also take them back at its head. The zero
// value is empty.
type deque struct {
	buf  []*Job // a ring; its length is a power of two
	head int
	n    int
}

func (d *deque) len() int { return d.n }

func (d *deque) grow() {
	if d.n < len(d.buf) {
		return
	}
	buf := make([]*Job, max(16, 2*len(d.buf)))
	for i := range d.n {
		buf[i] = d.buf[(d.head+i)&(len(d.buf)-1)]
	}
	d.buf, d.head = buf, 0
}

func (d *deque) pushBack(j *Job) {
	d.grow()
	d.buf[(d.head+d.n)&(len(d.buf)-1)] = j
	d.n++
}

func (d *deque) pushFront(j *Job) {
	d.grow()
	d.head = (d.head - 1) & (len(d.buf) - 1)
	d.buf[d.head] = j
	d.n++
}

func (d *deque) front() *Job { return d.buf[d.head] }

func (d *deque) popFront() *Job {
	j := d.buf[d.head]
	d.buf[d.head] = nil
	d.head = (d.head + 1) & (len(d.buf) - 1)
	if d.n--; d.n == 0 && len(d.buf) > 4096 {
		d.buf, d.head = nil, 0
	}
	return j
}

// remove takes j out, wherever it stands, and reports whether it was there.
func (d *deque) remove(j *Job) bool {
	for i := range d.n {
		if d.buf[(d.head+i)&(len(d.buf)-1)] != j {
			continue
		}
		for ; i > 0; i-- {
			d.buf[(d.head+i)&(len(d.buf)-1)] = d.buf[(d.head+i-1)&(len(d.buf)-1)]
		}
		d.popFront()
		return true
	}
	return false
}

// flight holds the jobs that a worker has been sent and has not answered, by
// their ids on its link, which rise by one.
type flight struct {
	buf   []*Job // ring; length a power of two; nil where a job is answered
	first uint64 // id of buf[head], the oldest that may be unanswered
	next  uint64 // id of the next job
	n     int    // unanswered
}

func (f *flight) init() { f.first, f.next = 1, 1 }

func (f *flight) at(id uint64) **Job { return &f.buf[id&uint64(len(f.buf)-1)] }

// add gives j the next id.
func (f *flight) add(j *Job) uint64 {
	if span := f.next - f.first; span == uint64(len(f.buf)) {
		old := *f
		f.buf = make([]*Job, max(16, 2*len(old.buf)))
		for id := old.first; id < old.next; id++ {
			*f.at(id) = *old.at(id)
		}
	}
	id := f.next
	*f.at(id) = j
	f.next++
	f.n++
	return id
}

// get returns the unanswered job with this id, nil if there is none.
func (f *flight) get(id uint64) *Job {
	if id < f.first || id >= f.next {
		return nil
	}
	return *f.at(id)
}

// take removes it.
func (f *flight) take(id uint64) *Job {
	j := f.get(id)
	if j == nil {
		return nil
	}
	*f.at(id) = nil
	f.n--
	for f.first < f.next && *f.at(f.first) == nil {
		f.first++
	}
	return j
}
