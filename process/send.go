package process

import (
	"context"

	"github.com/feac4032/multiproc/ipc"
)

// send writes the job, and then whatever else there is to say, until the link
// has ended. It has the right to write when it is called; who settles a call takes
// that while nothing else is to be written.
func (x *exchange) send() {
	ctx := context.Background()
	rest := x.payload
	msgs := [][]byte{ipc.AppendJob(nil, jobID, x.task, 1, 0, x.name, "", rest)}
	if len(rest) <= ipc.MaxInline {
		rest = nil
		x.mu.Lock()
		x.complete()
		x.mu.Unlock()
	}
	x.payload = nil
	for more := true; more; {
		if _, err := x.c.Link.PutBatch(ctx, msgs); err != nil {
			// Nothing that it could still need gets there. Its own side of the link
			// may hold an answer, so it is not killed at once.
			x.expectEnd("closed its input and went on")
			return
		}
		var n int
		msgs, n, more = x.next(rest)
		if rest = rest[n:]; len(rest) == 0 {
			rest = nil // the argument may be large, and the task run for long
		}
	}
}

// leastChunk is how much credit is waited for: of the least that a worker may
// name, 64 KiB, it may hold a quarter back.
const leastChunk = 16 << 10

// next waits for frames to send: those that overtake, and a chunk of the n first
// bytes of rest if there is credit for it. None, with more, is for what the link
// holds back. It gives the right to write away while it waits; without more, the
// link has ended.
func (x *exchange) next(rest []byte) (msgs [][]byte, n int, more bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.writing, x.rest = false, false
	covered := func() bool {
		return len(rest) > 0 && (x.credit < 0 || x.credit >= int64(min(len(rest), leastChunk)))
	}
	for !x.over {
		work := len(x.control) > 0 || x.replies.Waiting() || x.rest || covered()
		if work && !x.writing {
			break
		}
		x.wanted = work
		x.changed.Wait()
	}
	x.wanted = false
	if x.over {
		return nil, 0, false
	}
	x.writing = true
	msgs = x.replies.Take(x.control)
	x.control = nil
	if !covered() {
		return msgs, 0, true
	}
	size := min(len(rest), ipc.MaxInline)
	if x.credit >= 0 {
		size = int(min(int64(size), x.credit))
		x.credit -= int64(size)
	}
	msgs = append(msgs, ipc.AppendData(nil, jobID, rest[:size]))
	if size == len(rest) {
		x.complete()
	}
	return msgs, size, true
}

// complete says that the job is all in frames: those that come after them may
// cancel it, and it can be answered. The caller holds mu.
func (x *exchange) complete() {
	x.sent = true
	if x.interrupted {
		// A signal that cannot be handed over means that the process is ending.
		_ = x.cancel()
	}
}
