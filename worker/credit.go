package worker

import (
	"sync"
	"sync/atomic"
)

// purse holds the payload bytes that the supervisor still allows this worker to
// send.
type purse struct {
	left      atomic.Int64
	unlimited bool
	mu        sync.Mutex
	more      sync.Cond
	err       error // why no more will come
}

func (p *purse) init(n uint64) {
	p.more.L = &p.mu
	p.unlimited = n == 0
	p.left.Store(clampCredit(n))
}

// clampCredit keeps sums of what a peer sends from wrapping.
func clampCredit(n uint64) int64 { return int64(min(n, 1<<48)) }

// take spends n bytes, and blocks until there are as many. What is held back
// goes out first: the supervisor grants more when it has taken what it was sent.
func (p *purse) take(n int, s *server) error {
	if p.tryTake(n) {
		return nil
	}
	s.out.flush()
	s.readOn()
	p.mu.Lock()
	defer p.mu.Unlock()
	for {
		if p.err != nil {
			return p.err
		}
		left := p.left.Load()
		if left < int64(n) {
			p.more.Wait()
			continue
		}
		if p.left.CompareAndSwap(left, left-int64(n)) {
			return nil
		}
	}
}

// tryTake spends n bytes if there are as many.
func (p *purse) tryTake(n int) bool {
	if p.unlimited || n == 0 {
		return true
	}
	for {
		left := p.left.Load()
		if left < int64(n) {
			return false
		}
		if p.left.CompareAndSwap(left, left-int64(n)) {
			return true
		}
	}
}

// add is what a credit frame does.
func (p *purse) add(n uint64) {
	p.mu.Lock()
	if p.left.Add(clampCredit(n)) > 1<<50 {
		p.left.Store(1 << 50) // a peer that grants without end
	}
	p.mu.Unlock()
	p.more.Broadcast()
}

// fail wakes those who wait in vain.
func (p *purse) fail(err error) {
	p.mu.Lock()
	p.err = err
	p.mu.Unlock()
	p.more.Broadcast()
}
