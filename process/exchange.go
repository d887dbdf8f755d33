package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"syscall"
	"time"

	"github.com/feac4032/multiproc/internal/awake"
	"github.com/feac4032/multiproc/internal/child"
	"github.com/feac4032/multiproc/internal/owner"
	"github.com/feac4032/multiproc/ipc"
	"github.com/feac4032/multiproc/task"
)

// jobID is the number of the only job on the link.
const jobID = 1

// endGrace is what a process has, beyond the time before a kill, to end by itself
// once it has nothing left to do: its job is answered, or its link is closed.
const endGrace = 2 * time.Second

// controlMax bounds the frames that wait for a worker which asks and does not
// read the answers.
const controlMax = 1024

// exchange is what happens on the link of a task's process: one job goes there,
// one answer comes back.
type exchange struct {
	c       *child.Child
	name    string // of the process
	task    string
	payload []byte
	grace   time.Duration // to end by itself
	own     *owner.Owner  // of what the task holds, and what joiners of the process wait for
	report  *report
	calling

	mu          sync.Mutex
	changed     sync.Cond // something for the sender
	control     [][]byte  // frames that overtake the payload's chunks
	credit      int64     // payload bytes that may be sent; −1 = no limit
	sent        bool      // all of the job is in frames: it can be answered and cancelled
	interrupted bool
	over        bool         // the link has ended
	late        *awake.Timer // kills the process; nil before it has nothing left to do
	tooLate     error        // set if late did

	// The reader's; everybody's once run has returned.
	parts    ipc.Assembler
	owed     uint64 // payload bytes that were taken since credit was last granted
	answered bool
	status   ipc.Status
	answer   []byte
	failure  *task.Failure // decoded from answer
	err      error         // why the link ended; nil for its plain end
}

func newExchange(c *child.Child, o *options, task string, payload []byte) *exchange {
	x := &exchange{
		c: c, name: o.name, task: task, payload: payload, grace: o.killAfter + endGrace, credit: -1, report: newReport(o),
	}
	x.changed.L = &x.mu
	return x
}

// run returns when the process has ended its side of the link and everything it
// said is read.
func (x *exchange) run(startTimeout time.Duration, stray func([]byte)) {
	if err := x.c.Handshake(startTimeout, stray); err != nil {
		if !linkEnded(err) {
			x.kill()
		} else if !errors.Is(err, ipc.ErrNoReady) {
			err = fmt.Errorf("%w: %w", ipc.ErrNoReady, err)
		}
		x.err = err
		x.expectEnd("closed its link before it was ready")
		return
	}
	if c := x.c.Ready.Credit; c > 0 {
		x.credit = int64(min(c, 1<<40))
	}
	x.c.Link.Reader().Spin(func() bool { return !x.answered })
	x.writing = true // the sender
	sender := make(chan struct{})
	go func() {
		defer close(sender)
		x.send()
	}()
	if err := x.receive(); !linkEnded(err) {
		x.err = err
		x.kill()
	}
	x.mu.Lock()
	x.over = true
	if x.unread && x.err == nil {
		x.err = &ipc.ProtocolError{Kind: ipc.KindCall, Reason: "it asks, and does not read the answers"}
	}
	x.mu.Unlock()
	x.changed.Broadcast()
	x.expectEnd("closed its link and went on")
	<-sender // a write that blocks ends with the process
	x.drain()
	x.endSession()
}

// linkEnded reports whether an error of the link says only that the other side
// is gone.
func linkEnded(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, os.ErrClosed) ||
		errors.Is(err, syscall.EPIPE)
}

// kill ends the process at once. That the guardian cannot be told means that it
// is dead, and the process with it.
func (x *exchange) kill() { _ = x.c.Proc.Kill() }

// expectEnd gives the process its last time. The first call counts.
func (x *exchange) expectEnd(why string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.late != nil {
		return
	}
	x.late = awake.AfterFunc(x.grace, func() {
		select {
		case <-x.c.Proc.Done():
			return // only its output is still being copied
		default:
		}
		x.mu.Lock()
		x.tooLate = fmt.Errorf("it %s, and was killed %v later", why, x.grace)
		x.mu.Unlock()
		x.kill()
	})
}

// close is called when the process is gone and run has returned. The error says
// that the process did not end by itself.
func (x *exchange) close() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.late != nil {
		x.late.Stop()
	}
	x.c.Close()
	return x.tooLate
}

// receive takes messages until the link ends or breaks.
func (x *exchange) receive() error {
	ctx := context.Background()
	msgs := make([][]byte, 64)
	for {
		n, err := x.c.Link.GetBatch(ctx, msgs)
		if err != nil {
			return err
		}
		for _, b := range msgs[:n] {
			m, err := ipc.Parse(b)
			if err == nil {
				err = x.take(&m)
			}
			if err != nil {
				return err
			}
		}
		if x.held {
			x.called()
		}
		if x.owed >= ipc.DefaultCredit/4 {
			x.put(ipc.AppendCredit(nil, x.owed))
			x.owed = 0
		}
	}
}

// take handles a message. An error is a violation of the protocol.
func (x *exchange) take(m *ipc.Message) error {
	x.owed += uint64(len(m.Body))
	switch m.Kind {
	case ipc.KindResult:
		if err := x.answerable(m); err != nil {
			return err
		}
		if m.Chunked() {
			return x.parts.Begin(m)
		}
		return x.accept(m)
	case ipc.KindCall:
		if m.Chunked() {
			return x.parts.Begin(m)
		}
		return x.accept(m)
	case ipc.KindData:
		whole, err := x.parts.Add(m)
		if whole == nil {
			return err
		}
		return x.accept(whole)
	case ipc.KindCredit:
		return x.grant(m.Bytes)
	case ipc.KindPing:
		x.put(ipc.AppendPong(nil, m.ID))
	case ipc.KindLog:
		return x.report.log(m)
	case ipc.KindProgress:
		x.report.advance(m)
	case ipc.KindPong:
		// Nobody has asked.
	default:
		return &ipc.ProtocolError{Kind: m.Kind, Reason: "not for a supervisor"}
	}
	return nil
}

// answerable checks the beginning of an answer.
func (x *exchange) answerable(m *ipc.Message) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	switch {
	case m.ID != jobID || !x.sent:
		return &ipc.ProtocolError{Kind: m.Kind, Reason: fmt.Sprintf("for job %d, which it has not been given", m.ID)}
	case x.answered:
		return &ipc.ProtocolError{Kind: m.Kind, Reason: fmt.Sprintf("for job %d, which it has answered before", m.ID)}
	}
	return nil
}

// accept takes a whole answer, after which the process has to end, or a call.
func (x *exchange) accept(m *ipc.Message) error {
	if m.Kind == ipc.KindCall {
		return x.call(m)
	}
	switch m.Status {
	case ipc.StatusOK:
		x.answer = append([]byte(nil), m.Body...)
	case ipc.StatusFailed, ipc.StatusCancelled:
		f, err := task.DecodeFailure(m.Body)
		if err != nil {
			return &ipc.ProtocolError{Kind: m.Kind, Reason: err.Error()}
		}
		x.failure = f
	}
	x.answered, x.status = true, m.Status
	var cause error
	if x.failure != nil {
		cause = x.failure
	}
	x.session.JobEnded(jobID, cause)
	x.mu.Lock()
	x.control = append(x.control, ipc.AppendStop(nil)) // whatever else waits
	x.mu.Unlock()
	x.changed.Signal()
	x.expectEnd("went on after its task had ended")
	return nil
}

// grant takes credit from the worker.
func (x *exchange) grant(n uint64) error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.credit < 0 {
		return nil
	}
	if n > 1<<40 || x.credit > 1<<40 {
		return &ipc.ProtocolError{Kind: ipc.KindCredit, Reason: fmt.Sprintf("%d bytes", n)}
	}
	x.credit += int64(n)
	x.changed.Signal()
	return nil
}

// put sends a frame ahead of what is left of the payload.
func (x *exchange) put(frame []byte) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if len(x.control) < controlMax {
		x.control = append(x.control, frame)
		x.changed.Signal()
	}
}

// interrupt cancels the task's context, now or as soon as it has one.
func (x *exchange) interrupt() error {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.interrupted || x.over {
		return nil
	}
	x.interrupted = true
	if !x.sent {
		return nil
	}
	return x.cancel()
}

// cancel asks for the job, or, of a worker that does not know how to give it
// back, signals. The caller holds mu.
func (x *exchange) cancel() error {
	if !x.c.Ready.Has(ipc.CapCancel) {
		return x.c.Proc.Interrupt()
	}
	x.control = append(x.control, ipc.AppendCancel(nil, jobID, true))
	x.changed.Signal()
	return nil
}
