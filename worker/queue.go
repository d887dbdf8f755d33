package worker

import (
	"sync"

	"github.com/feac4032/multiproc/ipc"
	"github.com/feac4032/multiproc/task"
)

// batch is a group of jobs that were read together. Their bytes are copied out
// of the reader's buffer into one of the batch's own, which is used again when
// the last of them is done.
type batch struct {
	jobs []job
	buf  []byte
	next int // jobs before it have been taken
	open int // jobs that are not yet done
}

const (
	batchJobs  = 1024
	batchBytes = 128 << 10
	spareMax   = 4 // batches that are kept to be used again
)

// job is one that was received.
type job struct {
	id       uint64
	def      *task.Def // nil if the program does not define it
	task     string
	payload  []byte
	label    []byte
	key      []byte
	credit   uint64 // bytes that it holds of the supervisor's credit
	timeout  uint64 // ms
	attempt  uint32
	items    int // 0 = the payload is one argument
	recalled bool
	owned    bool // payload is a buffer of its own
	of       *batch
}

func (b *batch) add(m *ipc.Message, def *task.Def, name string, copyPayload bool) {
	j := job{id: m.ID, def: def, task: name, timeout: m.Timeout, attempt: m.Attempt, items: int(m.Items), payload: m.Body, of: b}
	j.label = b.keep(m.Label)
	j.key = b.keep(m.Key)
	if j.owned = !copyPayload; copyPayload {
		j.payload = b.keep(m.Body)
		j.credit = uint64(len(m.Body))
	}
	b.jobs = append(b.jobs, j)
	b.open++
}

// keep copies p. When buf has to grow, the slices handed out before stay with
// the array that it had.
func (b *batch) keep(p []byte) []byte {
	at := len(b.buf)
	b.buf = append(b.buf, p...)
	return b.buf[at:len(b.buf):len(b.buf)]
}

// find returns the job with this id that has neither been taken nor recalled.
func (b *batch) find(id uint64) *job {
	// What is taken back is mostly what was sent last.
	for k := len(b.jobs) - 1; k >= b.next; k-- {
		if j := &b.jobs[k]; j.id == id && !j.recalled {
			return j
		}
	}
	return nil
}

// waiting appends the jobs that have neither been taken nor recalled.
func (b *batch) waiting(dst []*job) []*job {
	for k := b.next; k < len(b.jobs); k++ {
		if j := &b.jobs[k]; !j.recalled {
			dst = append(dst, j)
		}
	}
	return dst
}

func (b *batch) full() bool { return len(b.jobs) >= batchJobs || len(b.buf) >= batchBytes }

// jobQueue holds the jobs that have been received and not yet started, and
// knows those that run. It has no bound of its own: window and credit are.
type jobQueue struct {
	mu      sync.Mutex
	some    sync.Cond
	batches []*batch // with jobs to take, oldest first
	spare   []*batch
	running []*jobContext // by slot
	closed  bool          // nothing will be added
	begin   func(*job) *jobContext
}

func newJobQueue(begin func(*job) *jobContext) *jobQueue {
	q := &jobQueue{running: make([]*jobContext, 1), begin: begin}
	q.some.L = &q.mu
	return q
}

// serve says how many slots there are, one without it, before the first of them takes
// a job.
func (q *jobQueue) serve(threads int) { q.running = make([]*jobContext, threads) }

// fresh returns an empty batch.
func (q *jobQueue) fresh() *batch {
	q.mu.Lock()
	defer q.mu.Unlock()
	if n := len(q.spare); n > 0 {
		b := q.spare[n-1]
		q.spare = q.spare[:n-1]
		return b
	}
	return &batch{}
}

// add queues the jobs of b. It reports false when the queue is closed.
func (q *jobQueue) add(b *batch) bool {
	q.mu.Lock()
	if q.closed {
		q.mu.Unlock()
		return false
	}
	many := len(b.jobs) > 1 && len(q.running) > 1
	q.batches = append(q.batches, b) // from here on b is the runners'
	q.mu.Unlock()
	if many {
		q.some.Broadcast()
	} else {
		q.some.Signal()
	}
	return true
}

// take returns the next job, and the context with which its slot is now running
// it. done is the job that the slot had before. With nothing to take it calls
// idle and waits. It returns nil when the queue is closed and empty.
func (q *jobQueue) take(slot int, done *job, idle func()) (*job, *jobContext) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.running[slot] = nil
	if done != nil {
		q.release(done.of)
	}
	for {
		j := q.pop()
		if j == nil && !q.closed {
			q.mu.Unlock()
			idle()
			q.mu.Lock()
			j = q.pop()
		}
		if j != nil {
			c := q.begin(j)
			q.running[slot] = c
			return j, c
		}
		if q.closed {
			return nil, nil
		}
		q.some.Wait()
	}
}

func (q *jobQueue) pop() *job {
	for len(q.batches) > 0 {
		b := q.batches[0]
		j := &b.jobs[b.next]
		if b.next++; b.next == len(b.jobs) {
			q.batches[0] = nil
			q.batches = q.batches[1:]
		}
		if !j.recalled {
			return j
		}
		q.release(b)
	}
	return nil
}

// release counts a job of b as done. The batch is kept after the last.
func (q *jobQueue) release(b *batch) {
	if b.open--; b.open > 0 || len(q.spare) == spareMax || cap(b.buf) > 2*batchBytes {
		return
	}
	clear(b.jobs)
	*b = batch{jobs: b.jobs[:0], buf: b.buf[:0]}
	q.spare = append(q.spare, b)
}

// dry reports whether nothing waits, and something may yet come.
func (q *jobQueue) dry() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return len(q.batches) == 0 && !q.closed
}

// idle reports whether nothing runs and nothing waits.
func (q *jobQueue) idle() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, c := range q.running {
		if c != nil {
			return false
		}
	}
	return len(q.batches) == 0
}

// cancel takes a job that has not started out of the queue and returns it, to be
// answered. With interrupt it ends the context of one that has started. A job
// that is in neither place has been answered.
func (q *jobQueue) cancel(id uint64, interrupt bool) *job {
	q.mu.Lock()
	defer q.mu.Unlock()
	for _, c := range q.running {
		if c != nil && c.info.ID == id {
			if interrupt {
				c.end(ErrCancelled)
			}
			return nil
		}
	}
	for i := len(q.batches) - 1; i >= 0; i-- {
		if j := q.batches[i].find(id); j != nil {
			// A copy: the batch may be used again before the caller is done.
			j.recalled = true
			taken := *j
			return &taken
		}
	}
	return nil
}

// close lets nothing more in. What is queued will still run.
func (q *jobQueue) close() {
	q.mu.Lock()
	q.closed = true
	q.mu.Unlock()
	q.some.Broadcast()
}

// abandon closes the queue, ends the contexts of what runs, and returns what had
// not started.
func (q *jobQueue) abandon(cause error) (left []*job) {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.closed = true
	for _, b := range q.batches {
		left = b.waiting(left)
	}
	q.batches = nil
	for _, c := range q.running {
		if c != nil {
			c.end(cause)
		}
	}
	q.some.Broadcast()
	return left
}
