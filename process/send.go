package process

import (
	"context"

	"github.com/feac4032/multiproc/ipc"
)

// send writes the job, and then whatever else there is to say, until the link
// has ended. It is the only writer of the link.
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
	for len(msgs) > 0 {
		if _, err := x.c.Link.PutBatch(ctx, msgs); err != nil {
			// Nothing that it could still need gets there. Its own side of the link
			// may hold an answer, so it is not killed at once.
			x.expectEnd("closed its input and went on")
			return
		}
		var n int
		msgs, n = x.next(rest)
		if rest = rest[n:]; len(rest) == 0 {
			rest = nil // the argument may be large, and the task run for long
		}
	}
}

// leastChunk is how much credit is waited for: of the least that a worker may
// name, 64 KiB, it may hold a quarter back.
const leastChunk = 16 << 10

// next waits for frames to send: control frames, and a chunk of the n first
// bytes of rest if there is credit for it. It returns none when the link has
// ended.
func (x *exchange) next(rest []byte) (msgs [][]byte, n int) {
	x.mu.Lock()
	defer x.mu.Unlock()
	covered := func() bool {
		return len(rest) > 0 && (x.credit < 0 || x.credit >= int64(min(len(rest), leastChunk)))
	}
	for !x.over && len(x.control) == 0 && !covered() {
		x.changed.Wait()
	}
	if x.over {
		return nil, 0
	}
	msgs, x.control = x.control, nil
	if !covered() {
		return msgs, 0
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
	return msgs, size
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
