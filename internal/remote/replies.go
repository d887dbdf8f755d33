package remote

import "github.com/feac4032/multiproc/ipc"

const (
	// repliesMax bounds the bytes of answers that a worker has not read.
	repliesMax = 256 << 20

	// replyTurn is how much of them goes out before other frames have their turn.
	replyTurn = 256 << 10

	// replyCost is what an answer costs beside its payload.
	replyCost = 64
)

// Replies are answers that wait for a link, as bodies of frames.
type Replies struct {
	frames [][]byte
	bytes  int
}

// Waiting reports whether there are any.
func (q *Replies) Waiting() bool { return len(q.frames) > 0 }

// TooMany reports whether there are more than a worker leaves unread that waits for
// the answers to its calls.
func (q *Replies) TooMany() bool { return q.bytes > repliesMax || len(q.frames) > 2*MaxOpen }

// Add appends an answer; one that is long in parts.
func (q *Replies) Add(r *Reply) {
	rest := r.Payload
	for len(rest) > ipc.MaxInline {
		q.push(ipc.AppendReply(make([]byte, 0, ipc.MaxInline+24), r.ID, ipc.StatusPart, rest[:ipc.MaxInline]))
		rest = rest[ipc.MaxInline:]
	}
	q.push(ipc.AppendReply(make([]byte, 0, len(rest)+24), r.ID, r.Status, rest))
}

func (q *Replies) push(frame []byte) {
	q.frames = append(q.frames, frame)
	q.bytes += len(frame) + replyCost
}

// Take appends the next ones to frames: not all, if they are many.
func (q *Replies) Take(frames [][]byte) [][]byte {
	n := 0
	for size := 0; n < len(q.frames) && size < replyTurn; n++ {
		size += len(q.frames[n])
		q.bytes -= len(q.frames[n]) + replyCost
	}
	frames = append(frames, q.frames[:n]...)
	clear(q.frames[:n])
	if q.frames = q.frames[n:]; len(q.frames) == 0 {
		q.frames = nil
	}
	return frames
}
