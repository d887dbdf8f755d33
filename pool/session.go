package pool

import (
	"errors"

	"github.com/feac4032/multiproc/internal/owner"
	"github.com/feac4032/multiproc/internal/remote"
	"github.com/feac4032/multiproc/ipc"
)

// calling is what a worker has of its calls.
type calling struct {
	session *remote.Session // nil before the handshake
	serving bool            // the reader's: answers are held back until it has served what it has read

	// Guarded by the pool's mutex.
	replies remote.Replies // answers that wait for the link
	held    bool
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
	if !w.serving {
		w.serving = true
		w.p.mu.Lock()
		w.held = true
		w.p.mu.Unlock()
	}
	return w.session.Call(m)
}

// called sends the answers to the calls that were served.
func (w *worker) called() {
	if !w.serving {
		return
	}
	w.serving = false
	if len(w.answers) == 0 {
		w.link.Reader().Eager()
	}
	var a actions
	w.p.mu.Lock()
	w.held = false
	if w.replies.Waiting() {
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
		w.replies.Add(&r)
		if w.replies.TooMany() {
			w.killLocked(killedProtocol, "asks, and does not read the answers")
		}
		w.creditUp.Broadcast()
		if !w.held {
			w.kick(&a)
		}
	}
	w.p.mu.Unlock()
	a.run(w.p)
}

// endSession takes back what a worker that has ended has left behind.
func (w *worker) endSession(evidence string) {
	if w.session != nil {
		w.session.End(errors.New(evidence))
	}
}

// endCalls ends the jobs that were answered as owners: those that were given back,
// too, whatever they say that they have not done.
func (w *worker) endCalls() {
	for i := range w.answers {
		ans := &w.answers[i]
		var cause error
		if ans.failure != nil {
			cause = ans.failure
		}
		w.session.JobEnded(ans.msg.ID, cause)
	}
}
