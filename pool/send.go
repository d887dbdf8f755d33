package pool

import (
	"context"
	"slices"
	"sync/atomic"
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
// a goroutine. So it does with jobs that have something to call, when caller says
// that this is the goroutine of the pool's user.
func (w *worker) flush(caller bool) {
	for {
		jobs, control, more := w.pick(caller)
		if !more {
			return
		}
		if caller && (slices.ContainsFunc(jobs, (*Job).callsBack) || w.marks != nil && len(jobs) > 0) {
			go func() {
				if w.put(jobs, control) {
					w.flush(false)
				}
			}()
			return
		}
		if !w.put(jobs, control) {
			return
		}
	}
}

// callsBack reports whether the user is called when j is sent.
func (j *Job) callsBack() bool { return j.Prepare != nil || j.Started != nil }

// put writes what was picked. It reports whether the right to write is still the
// caller's.
func (w *worker) put(jobs []*Job, control [][]byte) bool {
	if w.marks != nil && len(jobs) > 0 {
		if err := w.marks.Mark(); err != nil {
			// It has ended, or is being killed for what it did before: none of these is to
			// meet that.
			w.p.log.Debug("worker gets no more jobs", "worker", w.name, "error", err)
			w.pause()
			return false
		}
	}
	large := w.encode(jobs)
	w.msgs = append(w.msgs, control...)
	n, err := w.link.TryPutBatch(w.msgs)
	if err != nil {
		if large != nil {
			atomic.AddInt32(&large.pending.writing, -1)
		}
		w.pause()
		return false
	}
	if large != nil || n < len(w.msgs) || w.link.Pending() {
		go w.flushBlocking(w.msgs[n:], large)
		return false
	}
	return true
}

// flushBlocking finishes a write that would block, then goes on as flush does.
func (w *worker) flushBlocking(msgs [][]byte, large *Job) {
	ctx := context.Background()
	_, err := w.jobs.PutBatch(ctx, msgs)
	if err == nil {
		err = w.link.Flush(ctx)
	}
	if large != nil {
		if err == nil {
			err = w.chunks(ctx, large)
		}
		atomic.AddInt32(&large.pending.writing, -1)
	}
	if err != nil {
		w.pause()
		return
	}
	w.flush(false)
}

// pick takes what waits. When there is nothing it gives up the right to write,
// and reports false.
func (w *worker) pick(caller bool) (jobs []*Job, control [][]byte, more bool) {
	a := actions{caller: caller}
	p := w.p
	p.mu.Lock()
	if w.dead || len(w.sendq) == 0 && !w.overtakes() {
		w.yield()
		p.mu.Unlock()
		return nil, nil, false
	}
	jobs, w.sendq = w.sendq, w.spare[:0]
	w.spare = jobs
	control = w.takeOvertaking()
	kept := jobs[:0]
	for _, j := range jobs {
		if j.pending.cancelled {
			w.unsend(j, &a)
			a.finish(j, cancelledEarly(j))
			continue
		}
		kept = append(kept, j)
	}
	if len(kept) < len(jobs) {
		p.refill(w, &a)
	}
	p.mu.Unlock()
	a.run(p)
	return kept, control, true
}

// overtakes reports whether there are frames that do not wait for jobs. The caller
// holds mu.
func (w *worker) overtakes() bool { return len(w.control) > 0 || w.replies.Waiting() }

// takeOvertaking takes some of them. The caller holds mu.
func (w *worker) takeOvertaking() [][]byte {
	control := w.control
	w.control = nil
	return w.replies.Take(control)
}

// unsend takes a job out of the flight that was not sent; refill has to follow.
// The caller holds mu.
func (w *worker) unsend(j *Job, a *actions) {
	w.flight.take(j.pending.id)
	w.p.narrow(j, a)
	w.sent--
	w.refund(j)
	if w.leaving && w.flight.n == 0 {
		w.leave()
	}
}

// refund gives up the credit that is kept for a job. The caller holds mu.
func (w *worker) refund(j *Job) {
	w.credit += int64(j.pending.reserved)
	j.pending.reserved = 0
	w.creditUp.Broadcast()
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
	w.retire()
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
		if err := j.prepare(); err != nil {
			w.refuse(j, err)
			jobs[i] = nil
			continue
		}
		if j.Items > 0 && !w.maps {
			w.refuse(j, ErrItems)
			jobs[i] = nil
			continue
		}
		if j.Items > 0 {
			w.lastItems.Store(s.id)
		}
		start, attempt, timeout := len(w.frames), uint32(s.attempt+1), wireTimeout(j.Timeout)
		if !w.affords(j) {
			if j.Items > 0 {
				w.frames = ipc.AppendJobItemsSize(w.frames, s.id, j.Task, attempt, timeout, j.Label, j.Key, len(j.Payload), uint64(j.Items))
			} else {
				w.frames = ipc.AppendJobSize(w.frames, s.id, j.Task, attempt, timeout, j.Label, j.Key, len(j.Payload))
			}
			w.msgs = append(w.msgs, w.frames[start:])
			if w.place(j) {
				continue
			}
			large = j
			break
		}
		if j.Items > 0 {
			w.frames = ipc.AppendJobItems(w.frames, s.id, j.Task, attempt, timeout, j.Label, j.Key, j.Payload, uint64(j.Items))
		} else {
			w.frames = ipc.AppendJob(w.frames, s.id, j.Task, attempt, timeout, j.Label, j.Key, j.Payload)
		}
		w.msgs = append(w.msgs, w.frames[start:])
	}
	if first := w.commit(jobs[:last], jobs[last:], large); first != nil {
		w.tell(first)
	}
	return large
}

// wireTimeout is a timeout in milliseconds. It is rounded up: a worker that ends
// the job before its time is not believed that this was the timeout.
func wireTimeout(d time.Duration) uint64 {
	ms := uint64(d / time.Millisecond)
	if d%time.Millisecond > 0 {
		ms++
	}
	return ms
}

// prepare lets the user complete a task that is about to be sent.
func (j *Job) prepare() error {
	if j.Prepare == nil {
		return nil
	}
	if err := j.Prepare(j, j.pending.attempt+1, int(j.pending.slot)); err != nil {
		return err
	}
	return j.checkPayload()
}

// affords reports whether the payload of a job can be sent with it. Else it
// follows in chunks, as one does that is too long.
func (w *worker) affords(j *Job) bool {
	s, n := &j.pending, int64(len(j.Payload))
	if !w.limited || n == int64(s.reserved) {
		return n <= ipc.MaxInline
	}
	w.p.mu.Lock()
	defer w.p.mu.Unlock()
	w.refund(j) // it was kept for another payload than Prepare has made
	if n > ipc.MaxInline || n > w.credit {
		return false
	}
	w.credit -= n
	s.reserved = int32(n)
	return true
}

// place puts a payload into the arena as a whole, and adds the frame that says so.
// It reports false if that cannot be done now.
func (w *worker) place(j *Job) bool {
	n := int64(len(j.Payload))
	if w.shelf == nil || !w.spend(n) {
		return false
	}
	start := len(w.frames)
	if w.shelve(j, j.Payload) {
		w.msgs = append(w.msgs, w.frames[start:])
		return true
	}
	w.spend(-n)
	return false
}

// spend takes n bytes of credit, if there are as many.
func (w *worker) spend(n int64) bool {
	if !w.limited {
		return true
	}
	w.p.mu.Lock()
	defer w.p.mu.Unlock()
	if n > w.credit {
		return false
	}
	w.credit -= n
	return true
}

// shelve copies a part of a payload into the arena, and appends the frame that says
// so to frames. It reports false if there is no room. A worker that has counted
// wrongly is killed.
func (w *worker) shelve(j *Job, part []byte) bool {
	frames, err := w.shelf.Put(w.frames, j.pending.id, part)
	if err != nil {
		w.killFor(killedProtocol, err.Error())
	}
	placed := len(frames) > len(w.frames)
	w.frames = frames
	return placed
}

// commit makes answers to the encoded jobs acceptable, before they can come,
// and lets the others wait. It returns a job that the worker will start at once,
// to be told of.
func (w *worker) commit(encoded, rest []*Job, large *Job) (first *Job) {
	w.p.mu.Lock()
	defer w.p.mu.Unlock()
	if large != nil {
		atomic.AddInt32(&large.pending.writing, 1)
		w.partial = large.pending.id
	}
	var none actions // this goroutine has the right to write
	now := time.Since(epoch)
	for _, j := range encoded {
		if j == nil {
			continue
		}
		j.pending.sent = now
		w.sentID = j.pending.id
		if j.pending.cancelled {
			w.interruptNow(j, &none)
		}
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
	var a actions
	w.p.mu.Lock()
	w.unsend(j, &a)
	w.p.refill(w, &a)
	w.p.mu.Unlock()
	a.run(w.p)
	r := &Result{Outcome: Failed, Which: WhichInput, Evidence: err.Error(), ExitCode: -1, Attempt: j.pending.attempt + 1}
	if err == ErrItems {
		r.err = err
	}
	w.p.complete(j, r)
}

// chunks sends a payload in parts, as far as the worker grants credit for
// it. Control frames go between them.
func (w *worker) chunks(ctx context.Context, j *Job) error {
	for rest := j.Payload; len(rest) > 0; {
		msgs, n, ok := w.nextChunk(j, len(rest))
		if !ok {
			return ipc.ErrProtocol
		}
		if _, err := w.jobs.PutBatch(ctx, msgs); err != nil {
			return err
		}
		if err := w.chunk(ctx, j, rest[:n]); err != nil {
			return err
		}
		rest = rest[n:]
	}
	return nil
}

// chunk sends a part of a payload, in the arena if there is room.
func (w *worker) chunk(ctx context.Context, j *Job, part []byte) (err error) {
	w.frames = w.frames[:0]
	if w.shelve(j, part) {
		_, err = w.jobs.PutBatch(ctx, append(w.msgs[:0], w.frames))
	} else {
		_, err = w.link.PutChunks(j.pending.id, part)
	}
	return err
}

// leastChunk is how much credit is waited for: of the least that a worker may
// name, 64 KiB, it may hold a quarter back.
const leastChunk = 16 << 10

// nextChunk waits until some of the left payload bytes may be sent, or there are
// control frames to send. n is how many; ok is false when the link has ended
// instead. With its last chunk the job can be answered, and be cancelled.
func (w *worker) nextChunk(j *Job, left int) (control [][]byte, n int, ok bool) {
	w.p.mu.Lock()
	defer w.p.mu.Unlock()
	short := func() bool { return w.limited && w.credit < int64(min(left, leastChunk)) }
	for short() && !w.dead && !w.overtakes() {
		w.creditUp.Wait()
	}
	control = w.takeOvertaking()
	if w.dead || short() {
		return control, 0, !w.dead
	}
	n = min(left, ipc.MaxChunks*ipc.MaxInline)
	if w.limited {
		n = int(min(int64(n), w.credit))
		w.credit -= int64(n)
	}
	if n == left {
		w.partial = 0
		if w.cancels && (j.pending.cancelled || j.pending.timedOut) {
			w.control = append(w.control, ipc.AppendCancel(nil, j.pending.id, true))
		}
	}
	w.moved = time.Now()
	return control, n, true
}
