package pool

import (
	"github.com/feac4032/multiproc/ipc"
	"github.com/feac4032/multiproc/task"
)

// itemResults is what a worker has answered to a job of many items.
type itemResults struct {
	values   []byte // one behind the other
	failures []itemFailure
}

// itemFailure is the failure of the item with this index in its job.
type itemFailure struct {
	index   int
	failure *task.Failure
}

// takeItems takes the answer to a job of n items apart. Its bytes may be hostile;
// an error is a violation of the protocol.
func takeItems(b []byte, n int) (itemResults, error) {
	parsed, err := ipc.ParseItems(b, n)
	if err != nil {
		return itemResults{}, err
	}
	r := itemResults{values: parsed.Values}
	for _, f := range parsed.Failures {
		failure, err := task.DecodeFailure(f.Body)
		if err != nil {
			return itemResults{}, err
		}
		r.failures = append(r.failures, itemFailure{f.Index, failure})
	}
	return r, nil
}

// itemsOf returns how many items the job in flight with this id has, 0 for one that
// is no job of many. Only the reader asks, and so it costs a lock only if such a job
// has been sent since.
func (w *worker) itemsOf(id uint64) int {
	if id > w.lastItems.Load() {
		return 0
	}
	w.p.mu.Lock()
	defer w.p.mu.Unlock()
	if j := w.flight.get(id); j != nil {
		return j.Items
	}
	return 0
}

// takesItems reports whether the pool's own workers are known to take jobs of many
// items.
func (p *Pool) takesItems() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	c := p.classOf(nil)
	return c.ready && c.maps
}

// parallel is how many jobs the pool's own workers run at a time.
func (p *Pool) parallel() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.slots * max(1, p.classOf(nil).prog.Threads)
}
