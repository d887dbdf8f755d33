package pool

import (
	"errors"

	"github.com/feac4032/multiproc/internal/owner"
	"github.com/feac4032/multiproc/internal/remote"
	"github.com/feac4032/multiproc/ipc"
)

const (
	// replyMax bounds the bytes of answers to calls that the worker has not read.
	replyMax = 256 << 20

	// replyTurn is how much of them goes out before other frames have their turn.
	replyTurn = 256 << 10
)

// replies are answers to the worker's calls that wait for the link. Guarded by
// the pool's mutex.
type replies struct {
	frames [][]byte
	bytes  int
	held   bool // the reader serves calls, and will send what it has then
}

// serveCalls begins the session of a worker that has started.
func (w *worker) serveCalls() {
	who := owner.Identity{Name: w.name, PID: w.proc.PID()}
	w.session = w.p.cfg.Manager.Session(w, who, w.reply, w.p.log.Warn)
}

// Running implements remote.Jobs.
func (w *worker) Running(id uint64) (string, bool) {
	w.p.mu.Lock()
	defer w.p.mu.Unlock()
	j := w.flight.get(id)
	if j == nil {
		return "", false
	}
	return label(j), true
}

// call serves a call of the worker. The answers of those that were read together
// go out together.
func (w *worker) call(m *ipc.Message) error {
	if !w.calling {
		w.calling = true
		w.p.mu.Lock()
		w.replies.held = true
		w.p.mu.Unlock()
	}
	return w.session.Call(m)
}

// called sends the answers to the calls that were served.
func (w *worker) called() {
	if !w.calling {
		return
	}
	w.calling = false
	var a actions
	w.p.mu.Lock()
	w.replies.held = false
	if len(w.replies.frames) > 0 {
		w.kick(&a)
	}
	w.p.mu.Unlock()
	a.run(w.p)
}

// reply sends an answer. It is called by whoever has settled the call, and so from
// anywhere.
func (w *worker) reply(r remote.Reply) {
	a := actions{caller: true}
	w.p.mu.Lock()
	if !w.dead {
		w.replies.add(&r)
		if w.replies.bytes > replyMax {
			w.killLocked(killedProtocol, "asks, and does not read the answers")
		}
		w.creditUp.Broadcast()
		if !w.replies.held {
			w.kick(&a)
		}
	}
	w.p.mu.Unlock()
	a.run(w.p)
}

func (q *replies) add(r *remote.Reply) {
	rest := r.Payload
	for len(rest) > ipc.MaxInline {
		q.frames = append(q.frames, ipc.AppendReply(nil, r.ID, ipc.StatusPart, rest[:ipc.MaxInline]))
		rest = rest[ipc.MaxInline:]
	}
	q.frames = append(q.frames, ipc.AppendReply(make([]byte, 0, len(rest)+24), r.ID, r.Status, rest))
	q.bytes += len(r.Payload) + 64
}

// take appends the next ones to frames.
func (q *replies) take(frames [][]byte) [][]byte {
	n, size := 0, 0
	for n < len(q.frames) && size < replyTurn {
		size += len(q.frames[n])
		n++
	}
	frames = append(frames, q.frames[:n]...)
	clear(q.frames[:n])
	if q.frames = q.frames[n:]; len(q.frames) == 0 {
		q.frames, q.bytes = nil, 0
		return frames
	}
	q.bytes = max(q.bytes-size, 0)
	return frames
}

// endSession takes back what a worker that has ended has left behind.
func (w *worker) endSession(evidence string) {
	if w.session != nil {
		w.session.End(errors.New(evidence))
	}
}

// endCalls ends the jobs that were answered as owners.
func (w *worker) endCalls() {
	for i := range w.answers {
		ans := &w.answers[i]
		if ans.job == nil {
			continue // it was given back, and has not started
		}
		var cause error
		if ans.failure != nil {
			cause = ans.failure
		}
		w.session.JobEnded(ans.msg.ID, cause)
	}
}
