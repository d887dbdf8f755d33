package process

import (
	"fmt"

	"github.com/feac4032/multiproc/internal/owner"
	"github.com/feac4032/multiproc/internal/remote"
	"github.com/feac4032/multiproc/internal/spawn"
	"github.com/feac4032/multiproc/ipc"
	"github.com/feac4032/multiproc/manager"
)

// WithManager gives a task the objects of a manager, which it opens by their names
// or finds in its argument. Without it, what needs one is manager.ErrNoManager. A
// command has no use for one: for it the option is an error.
func WithManager(m *manager.Manager) Option {
	return func(o *options) error {
		o.manager = m
		return nil
	}
}

// calling is what an exchange has of the task's calls.
type calling struct {
	session *remote.Session

	// Guarded by the exchange's mutex.
	replies remote.Replies // answers that wait for the link
	held    bool           // the reader serves calls, and will send what it has then
	writing bool           // somebody writes to the link; nobody else may
	wanted  bool           // the sender waits to write
	rest    bool           // the link holds back a part of what was written
	unread  bool           // it asks and does not read: it was killed for that
}

// serveCalls begins the session.
func (x *exchange) serveCalls(m *manager.Manager, pid int) {
	var warn func(string, ...any)
	if x.report.logger != nil {
		warn = x.report.logger.Warn
	}
	who := owner.Identity{Name: x.name, PID: pid}
	x.session = m.Session(x, who, x.reply, warn)
	x.session.Adopt(jobID, x.own)
}

// Running implements remote.Jobs, for the session, which the reader calls.
func (x *exchange) Running(id uint64) (string, bool) {
	return x.name, id == jobID && !x.answered
}

// call serves a call. The answers of those that were read together go out
// together.
func (x *exchange) call(m *ipc.Message) error {
	x.mu.Lock()
	x.held = true
	x.mu.Unlock()
	return x.session.Call(m)
}

// called sends the answers to the calls that were served.
func (x *exchange) called() {
	x.mu.Lock()
	x.held = false
	x.sendReplies()
	x.mu.Unlock()
	x.c.Link.Reader().Eager()
}

// reply sends an answer. It is called by whoever has settled the call, and so from
// anywhere.
func (x *exchange) reply(r remote.Reply) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.over || x.unread {
		return
	}
	x.replies.Add(&r)
	if x.replies.TooMany() {
		x.unread = true
		x.kill()
	}
	if !x.held {
		x.sendReplies()
	}
}

// sendReplies writes answers as far as that does not block, and leaves the rest to
// the sender. The caller holds mu.
func (x *exchange) sendReplies() {
	for x.replies.Waiting() && !x.writing && !x.rest && !x.over {
		frames := x.replies.Take(nil)
		x.writing = true
		x.mu.Unlock()
		n, err := x.c.Link.TryPutBatch(frames)
		x.mu.Lock()
		x.writing = false
		if err != nil {
			break // the sender meets the same
		}
		x.rest = n < len(frames) || x.c.Link.Pending()
		x.control = append(x.control, frames[n:]...)
	}
	if x.wanted || x.replies.Waiting() || x.rest {
		x.changed.Signal()
	}
}

// drain takes what the process has finished and not yet written, once it is gone.
func (x *exchange) drain() {
	<-x.c.Proc.Done()
	if x.c.Page == nil || x.err != nil {
		return
	}
	rest := x.c.Page.Rest(x.c.Link.Reader().Total())
	if rest == nil {
		return
	}
	x.c.Link.Reader().Append(rest)
	if err := x.receive(); !linkEnded(err) {
		x.err = err
	}
}

// endSession takes back what the process has left behind.
func (x *exchange) endSession() { x.session.End(howEnded(x.name, x.c.Proc)) }

// howEnded says how a process has ended, for those who get what it held.
func howEnded(name string, p *spawn.Process) error {
	st := p.Status()
	switch {
	case st.Signal != 0:
		return fmt.Errorf("%s (pid %d) was ended by signal %d", name, p.PID(), st.Signal)
	case st.Lost:
		return fmt.Errorf("%s (pid %d) was lost with the guardian", name, p.PID())
	}
	return fmt.Errorf("%s (pid %d) exited with code %d", name, p.PID(), st.Code)
}
