package pool

import "time"

// SetFrameTime changes the time that a frame may take to arrive.
func (c *Config) SetFrameTime(f func(time.Duration) time.Duration) { c.frameTime = f }
