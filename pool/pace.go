package pool

import (
	"sync"
	"sync/atomic"
	"time"

	"github.com/feac4032/multiproc/ipc"
)

const (
	// chunkTime is how long the work of a chunk should take.
	chunkTime = 1500 * time.Microsecond

	// chunkItems is the most items in a chunk whose size is measured.
	chunkItems = 8192

	// chunksAhead is how many chunks for each worker there is room for.
	chunksAhead = 4
)

// pace decides how many items a chunk has, and how many are alive.
type pace struct {
	target atomic.Int64 // items of a chunk
	limit  atomic.Int64 // items alive
	step   atomic.Int64 // items that the loop has done with before it says so

	workers int
	fixed   int // items of a chunk as the user wants it; 0 = measured
	most    int // items alive, as the user wants it; 0 = as the chunks need

	mu       sync.Mutex
	measured bool
	single   bool
	each     time.Duration // of an item
}

func (p *pace) init(o *options, workers int) {
	p.workers, p.fixed = workers, o.chunk
	if o.buffer >= 0 {
		p.most = o.buffer + workers
	}
	// The first ones go singly: they show what an item takes, and whether the
	// workers take many. No more of them are sent than that needs.
	p.set(1)
	p.limit.Store(min(p.limit.Load(), int64(2*workers)))
}

// set aims at chunks of n items, as far as the bound of those alive lets all
// workers have some.
func (p *pace) set(n int) {
	n = max(n, 1)
	limit := n * chunksAhead * p.workers
	if p.most > 0 {
		limit = p.most
		n = max(1, min(n, limit/(2*p.workers)))
	}
	p.target.Store(int64(n))
	p.limit.Store(int64(limit))
	p.step.Store(int64(max(1, limit/64)))
}

func (p *pace) grain() int { return int(p.step.Load()) }

// singly is for workers that take one item at a time.
func (p *pace) singly() {
	p.mu.Lock()
	p.single, p.measured = true, true
	p.set(1)
	p.mu.Unlock()
}

// measure learns that n items took so long, and that their results have so many
// bytes. able says whether the workers take many items.
func (p *pace) measure(took time.Duration, n, bytes int, able func() bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.single {
		return
	}
	if !p.measured {
		p.measured = true
		if p.fixed != 1 && !able() {
			p.single = true
		}
	}
	switch each := max(took/time.Duration(n), 1); {
	case p.each == 0:
		p.each = each
	case each > p.each:
		p.each += min(each-p.each, 3*p.each)/2 + 1 // quickly: a long chunk holds back what is ready
	default:
		p.each -= (p.each - each) / 2
	}
	switch {
	case p.single:
		p.set(1)
	case p.fixed > 0:
		p.set(p.fixed)
	default:
		want := int(chunkTime / p.each)
		if bytes > 0 {
			want = min(want, max(1, ipc.MaxInline*9/10*n/bytes)) // results travel inline
		}
		p.set(min(want, chunkItems))
	}
}
