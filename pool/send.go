package pool

import (
	"context"
	"time"

	"github.com/feac4032/multiproc/ipc"
)

// A link has one writer at a time: whoever sets sending. That is the caller of
// Go for an idle worker, and the worker's reader when it has made room; only a
// pipe that is full, or a payload in chunks, gets a goroutine of its own.

// kick makes sure that what waits for the link is written after mu is released.
func (w *worker) kick(a *actions) {
	if w.sending || w.dead {
		return
	}
	w.sending = true
	a.flush = append(a.flush, w)
}

// flush writes what waits, as far as that does not block, and leaves the rest to
// a goroutine.
func (w *worker) flush() {
	for {
		jobs, control, more := w.pick()
		if !more {
			return
		}
		large := w.encode(jobs)
		w.msgs = append(w.msgs, control...)
		n, err := w.link.TryPutBatch(w.msgs)
		if err != nil {
			w.pause()
			return
		}
		if large != nil || n < len(w.msgs) || w.link.Pending() {
			go w.flushBlocking(w.msgs[n:], large)
			return
		}
	}
}

// flushBlocking finishes a write that would block, then goes on as flush does.
func (w *worker) flushBlocking(msgs [][]byte, large *Job) {
	ctx := context.Background()
	_, err := w.jobs.PutBatch(ctx, msgs)
	if err == nil {
		err = w.link.Flush(ctx)
	}
	if err == nil && large != nil {
		err = w.chunks(ctx, large)
	}
	if err != nil {
		w.pause()
		return
	}
	w.flush()
}

// pick takes what waits. When there is nothing it gives up the right to write,
// and reports false.
func (w *worker) pick() (jobs []*Job, control [][]byte, more bool) {
	var a actions
	p := w.p
	p.mu.Lock()
	if w.dead || len(w.sendq) == 0 && len(w.control) == 0 {
		w.yield()
		p.mu.Unlock()
		return nil, nil, false
	}
	jobs, w.sendq = w.sendq, w.spare[:0]
	w.spare = jobs
	control, w.control = w.control, nil
	kept := jobs[:0]
	for _, j := range jobs {
		if j.pending.cancelled {
			w.flight.take(j.pending.id)
			a.finish(j, cancelledEarly(j))
			continue
		}
		kept = append(kept, j)
	}
	p.mu.Unlock()
	a.run(p)
	return kept, control, true
}

// yield gives up the right to write. The caller holds mu.
func (w *worker) yield() {
	w.sending = false
	if w.senderEnd != nil {
		close(w.senderEnd)
		w.senderEnd = nil
	}
}

// pause is the end of writing after an error: the reader sees the same end of
// the worker, soon, and does the rest.
func (w *worker) pause() {
	w.p.mu.Lock()
	w.dead = true
	w.yield()
	w.p.mu.Unlock()
	w.endsOr("closed its end of the link and went on")
}

// encode makes the frames of jobs, up to the first whose payload follows in
// chunks: that is returned, and those behind it wait for another turn.
func (w *worker) encode(jobs []*Job) (large *Job) {
	w.frames, w.msgs = w.frames[:0], w.msgs[:0]
	last := 0
	for i, j := range jobs {
		last = i + 1
		s := &j.pending
		if j.Prepare != nil {
			if err := j.Prepare(j, s.attempt+1, s.slot); err != nil {
				w.refuse(j, err)
				jobs[i] = nil
				continue
			}
		}
		start := len(w.frames)
		w.frames = ipc.AppendJob(w.frames, s.id, j.Task, uint32(s.attempt+1), uint64(j.Timeout.Milliseconds()), j.Label, j.Key, j.Payload)
		w.msgs = append(w.msgs, w.frames[start:])
		if len(j.Payload) > ipc.MaxInline {
			large = j
			break
		}
	}
	if first := w.commit(jobs[:last], jobs[last:], large); first != nil {
		w.tell(first)
	}
	return large
}

// commit makes answers to the encoded jobs acceptable, before they can come,
// and lets the others wait. It returns a job that the worker will start at once,
// to be told of.
func (w *worker) commit(encoded, rest []*Job, large *Job) (first *Job) {
	w.p.mu.Lock()
	defer w.p.mu.Unlock()
	now := time.Now()
	for _, j := range encoded {
		if j == nil {
			continue
		}
		j.pending.sent = now
		w.sentID = j.pending.id
		if j.pending.cancelled {
			w.control = append(w.control, ipc.AppendCancel(nil, j.pending.id, true))
		}
	}
	if large != nil {
		w.partial = large.pending.id
	}
	if len(rest) > 0 {
		w.sendq = append(append([]*Job(nil), rest...), w.sendq...)
	}
	if w.flight.n == 1 && len(encoded) == 1 && encoded[0] != nil && encoded[0].toTell() {
		first = encoded[0]
	}
	return first
}

// refuse ends a job that could not be prepared.
func (w *worker) refuse(j *Job, err error) {
	w.p.mu.Lock()
	w.flight.take(j.pending.id)
	w.p.mu.Unlock()
	w.p.complete(j, &Result{Outcome: Failed, Which: WhichInput, Evidence: err.Error(), ExitCode: -1, Attempt: j.pending.attempt + 1})
}

// chunks sends a payload in data frames, as far as the worker grants credit for
// it. Control frames go between them.
func (w *worker) chunks(ctx context.Context, j *Job) error {
	var head []byte
	for rest := j.Payload; len(rest) > 0; {
		n := min(len(rest), ipc.MaxInline)
		msgs, granted, ok := w.nextChunk(j, n, n == len(rest))
		if !ok {
			return ipc.ErrProtocol
		}
		if granted {
			head = ipc.AppendData(head[:0], j.pending.id, rest[:n])
			msgs = append(msgs, head)
			rest = rest[n:]
		}
		if _, err := w.jobs.PutBatch(ctx, msgs); err != nil {
			return err
		}
	}
	return nil
}

// nextChunk waits until n payload bytes may be sent, or there are control frames
// to send. ok is false when the link has ended instead. With its last chunk the
// job can be answered, and be cancelled.
func (w *worker) nextChunk(j *Job, n int, last bool) (control [][]byte, granted, ok bool) {
	w.p.mu.Lock()
	defer w.p.mu.Unlock()
	short := func() bool { return w.credit >= 0 && w.credit < int64(n) }
	for short() && !w.dead && len(w.control) == 0 {
		w.creditUp.Wait()
	}
	control, w.control = w.control, nil
	if w.dead || short() {
		return control, false, !w.dead
	}
	if w.credit >= 0 {
		w.credit -= int64(n)
	}
	if last {
		w.partial = 0
		if j.pending.cancelled || j.pending.timedOut {
			w.control = append(w.control, ipc.AppendCancel(nil, j.pending.id, true))
		}
	}
	w.moved = time.Now()
	return control, true, true
}
