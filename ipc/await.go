package ipc

// Awake reports whether the next wait would be spent awake, as Spin has it, and not
// one that goes by because others were in vain.
func (r *Reader) Awake() bool { return r.spin.raw != nil && r.spin.rest == 0 }

// Await waits awake for the next frame, and never blocks: it reports false when none
// has come in its time, and Next would have to block. After true, Next returns, or
// blocks for no more than the rest of a frame that has begun.
func (r *Reader) Await() bool {
	if r.err != nil || r.r < r.w {
		return true
	}
	r.compact()
	n := r.spin.read(r.space())
	r.w += n
	r.total += uint64(n)
	return n > 0
}
