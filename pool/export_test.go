package pool

import "time"

// SetFrameTime changes the time that a frame may take to arrive.
func (c *Config) SetFrameTime(f func(time.Duration) time.Duration) { c.frameTime = f }

// SetJobTime changes what jobs are measured to take.
func (c *Config) SetJobTime(f func(time.Duration) time.Duration) { c.jobTime = f }

// Classes is how many the pool remembers, the commands included.
func (p *Pool) Classes() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.order)
}
