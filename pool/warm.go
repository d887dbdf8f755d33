package pool

import (
	"context"
	"time"
)

// Warm starts a worker for every slot, and the spares, of the pool's own program,
// and waits until all are ready: so that the first jobs do not wait, and that a
// program which cannot start, or whose Init fails, is found out now. Without it
// workers start when jobs need them. Errors: one that is ErrRestartLimit, ErrClosed,
// the cause of ctx.
func (p *Pool) Warm(ctx context.Context) error {
	for {
		var a actions
		p.mu.Lock()
		c := p.classOf(nil)
		ready, alive := 0, 0
		for _, w := range c.workers {
			switch w.state {
			case workerReady:
				ready++
				alive++
			case workerStarting:
				alive++
			}
		}
		most := p.slots + c.prog.Spares
		for ; alive < most && c.err == nil && !p.closed && !time.Now().Before(c.retry); alive++ {
			p.startWorker(c, 0, &a)
		}
		err, closed := c.err, p.closed
		if c.changed == nil {
			c.changed = make(chan struct{})
		}
		changed := c.changed
		p.mu.Unlock()
		a.run(p)
		switch {
		case err != nil:
			return err
		case closed:
			return ErrClosed
		case ready >= most:
			return nil
		}
		select {
		case <-changed:
		case <-p.drained:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// change wakes who waits for workers of the class. The caller holds mu.
func (c *class) change() {
	if c.changed != nil {
		close(c.changed)
		c.changed = nil
	}
}
