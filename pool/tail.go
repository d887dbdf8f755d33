package pool

import (
	"io"
	"slices"
	"sync"
)

// tail is what Job.Output has been told of the job that a worker runs. What the
// worker prints goes into files, at which the monitor looks now and then: only
// what is known to be that job's, the oldest that is not answered, of a worker
// that runs one at a time. What is missing then is told at the job's end.
type tail struct {
	j  *Job
	id uint64

	mu   sync.Mutex // held while Output is called
	over bool       // nothing more is told by follow
	upTo [2]int64   // offsets in the captures, of stdout and stderr

	// Guarded by the pool's mutex.
	busy bool     // follow runs
	seen [2]int64 // the captures' sizes, when they were looked at last
}

// tailing is a tail with what there is to be told.
type tailing struct {
	w *worker
	*tail
	size [2]int64
}

// tails finds what the worker has printed under the job that it runs, and that
// wants to know it while it runs. The caller holds mu, and calls follow without it.
func (w *worker) tails() (t tailing, some bool) {
	id := w.flight.first
	j := w.flight.get(id)
	if j == nil || j.Output == nil || w.threads > 1 || w.reporting.Load() || j.Started != nil && j.pending.told != told ||
		!slices.ContainsFunc(w.runs, func(r started) bool { return r.id == id }) {
		return t, false
	}
	if w.tail == nil || w.tail.id != id {
		w.tail = &tail{j: j, id: id, upTo: w.handedOut()}
	}
	t = tailing{w, w.tail, [2]int64{w.out.size(), w.err.size()}}
	if t.busy || t.size == t.seen {
		return t, false
	}
	t.busy, t.seen = true, t.size
	return t, true
}

// follow tells what there is, on a goroutine of its own, since Output may block.
func (t tailing) follow() {
	t.mu.Lock()
	if !t.over {
		for i, c := range []*capture{t.w.out, t.w.err} {
			o := Output{file: c.f, off: t.upTo[i], n: t.size[i] - t.upTo[i]}
			t.upTo[i] += o.tell(t.j, i == 1)
		}
	}
	t.mu.Unlock()
	t.w.p.mu.Lock()
	t.busy = false
	t.w.p.mu.Unlock()
}

// handedOut is how far the captures belong to jobs that have ended.
func (w *worker) handedOut() [2]int64 { return [2]int64{w.out.off.Load(), w.err.off.Load()} }

// stopTail ends what is told of the job with this id before its end; with 0, of
// any. It waits for a call of Output, and returns what was told.
func (w *worker) stopTail(id uint64) *tail {
	w.p.mu.Lock()
	t := w.tail
	w.p.mu.Unlock()
	if t == nil || id != 0 && t.id != id {
		return nil
	}
	t.mu.Lock()
	t.over = true
	t.mu.Unlock()
	return t
}

// tellRest calls Output with what an attempt has written and has not been told yet.
// from is where that began in the captures.
func (w *worker) tellRest(j *Job, id uint64, r *Result, from [2]int64) {
	if j.Output == nil {
		return
	}
	t := w.stopTail(id)
	for i, o := range []Output{r.Stdout, r.Stderr} {
		if t != nil {
			o = o.skip(t.upTo[i] - from[i])
		}
		o.tell(j, i == 1)
	}
}

// tell calls j.Output with all of o, in parts, and returns how much that was.
func (o *Output) tell(j *Job, stderr bool) (n int64) {
	if o.file == nil {
		if len(o.mem) > 0 {
			j.Output(j, stderr, o.mem)
		}
		return int64(len(o.mem))
	}
	buf := readBuffers.Get().(*[32 << 10]byte)
	defer readBuffers.Put(buf)
	for r := io.NewSectionReader(o.file, o.off, o.n); ; {
		m, err := r.Read(buf[:])
		if m > 0 {
			j.Output(j, stderr, buf[:m])
			n += int64(m)
		}
		if err != nil {
			return n
		}
	}
}

// skip returns o without its first n bytes.
func (o Output) skip(n int64) Output {
	n = max(0, min(n, o.Len()))
	if o.file == nil {
		o.mem = o.mem[n:]
		return o
	}
	o.off += n
	o.n -= n
	return o
}
