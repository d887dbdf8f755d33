package worker

import (
	"runtime"
	"runtime/debug"
	"slices"
	"sync/atomic"
	"time"
)

// restAfter is the time between two looks at whether there is anything to do. A worker
// rests when two in a row have found nothing.
const restAfter = 400 * time.Millisecond

// rest has a worker give memory back when it has nothing to do. While there is work it
// looks every now and then; afterwards it does nothing until there is some again.
type rest struct {
	give    func()        // gives memory back; nil = nobody wants that
	idle    func() bool   // there is nothing to do
	groups  atomic.Uint64 // of jobs that have been received
	seen    uint64        // groups, at the last look
	looking atomic.Bool   // the timer runs
	timer   *time.Timer
}

func (r *rest) init(give func(), idle func() bool) {
	r.give, r.idle = give, idle
	r.timer = time.AfterFunc(time.Hour, r.look)
	r.timer.Stop()
}

// stir is called when jobs have been received.
func (r *rest) stir() {
	if r.give == nil {
		return
	}
	r.groups.Add(1)
	if !r.looking.Load() {
		r.wake()
	}
}

func (r *rest) wake() {
	if r.looking.CompareAndSwap(false, true) {
		r.timer.Reset(restAfter)
	}
}

func (r *rest) look() {
	groups := r.groups.Load()
	if groups != r.seen || !r.idle() {
		r.seen = groups
		r.timer.Reset(restAfter)
		return
	}
	r.give()
	r.looking.Store(false)
	if r.groups.Load() != groups {
		r.wake()
	}
}

// resting reports whether nothing waits and nothing runs, and then lets go of what was
// kept for jobs to come.
func (q *jobQueue) resting() bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	if len(q.batches) > 0 || slices.ContainsFunc(q.running, func(c *jobContext) bool { return c != nil }) {
		return false
	}
	q.spare = nil
	return true
}

// Where giving back is not worth a collection, in bytes: the heap has hardly grown since
// the last time, or so much is in use that to look through it takes long.
const (
	littleHeap = 1 << 20
	muchHeap   = 32 << 20
)

// heap gives back what this process's heap does not need.
type heap struct{ resident uint64 }

func (h *heap) giveBack() {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	if m.HeapSys-m.HeapReleased < h.resident+littleHeap || m.HeapAlloc > muchHeap {
		return
	}
	debug.FreeOSMemory()
	runtime.ReadMemStats(&m)
	h.resident = m.HeapSys - m.HeapReleased
}
