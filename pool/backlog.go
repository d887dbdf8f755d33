package pool

import "slices"

// backlog holds the jobs of a class that wait for a worker: by priority, and of
// equal ones first come, first served. The zero value is empty.
type backlog struct {
	levels []level // highest priority first; the first is not empty unless all are
	n      int
}

type level struct {
	priority int
	deque
}

func (b *backlog) len() int { return b.n }

func (b *backlog) level(priority int) *level {
	if len(b.levels) > 0 && b.levels[0].priority == priority {
		return &b.levels[0]
	}
	i, found := slices.BinarySearchFunc(b.levels, priority, func(l level, p int) int { return p - l.priority })
	if !found {
		if b.n == 0 {
			b.levels, i = b.levels[:0], 0 // of priorities that were there once
		}
		b.levels = slices.Insert(b.levels, i, level{priority: priority})
	}
	return &b.levels[i]
}

func (b *backlog) pushBack(j *Job) {
	b.level(j.Priority).pushBack(j)
	b.n++
}

// pushFront puts back a job that was taken: ahead of all others of its priority.
func (b *backlog) pushFront(j *Job) {
	b.level(j.Priority).pushFront(j)
	b.n++
}

// front is the job that is to be taken next. There has to be one.
func (b *backlog) front() *Job { return b.levels[0].front() }

func (b *backlog) popFront() *Job {
	j := b.levels[0].popFront()
	b.n--
	b.tidy()
	return j
}

// remove takes j out, wherever it stands, and reports whether it was there.
func (b *backlog) remove(j *Job) bool {
	for i := range b.levels {
		if l := &b.levels[i]; l.priority == j.Priority && l.remove(j) {
			b.n--
			b.tidy()
			return true
		}
	}
	return false
}

// tidy drops the empty levels in front of one that is not.
func (b *backlog) tidy() {
	for b.n > 0 && b.levels[0].len() == 0 {
		b.levels = slices.Delete(b.levels, 0, 1)
	}
}

// append adds all jobs that wait, in their order.
func (b *backlog) append(all []*Job) []*Job {
	for i := range b.levels {
		l := &b.levels[i]
		for k := range l.n {
			all = append(all, l.buf[(l.head+k)&(len(l.buf)-1)])
		}
	}
	return all
}
