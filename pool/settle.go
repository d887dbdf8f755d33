package pool

import (
	"fmt"
	"strings"
	"time"

	"github.com/feac4032/multiproc/internal/death"
	"github.com/feac4032/multiproc/internal/spawn"
	"github.com/feac4032/multiproc/ipc"
	"github.com/feac4032/multiproc/task"
)

// answer is a result frame on its way to its job.
type answer struct {
	msg       ipc.Message
	failure   *task.Failure // of a job that failed
	items     itemResults   // of a job of many items
	job       *Job          // nil: it was given back
	timedOut  bool          // as it was when the answer was taken
	cancelled bool
	tell      bool          // Started is to be called
	settled   bool          // it ends well, and is counted with its batch
	breach    *spawn.Breach // a limit that the job has run into
}

// take handles a batch of messages from the worker. An error is a violation of
// the protocol, and the end of the worker.
func (w *worker) take(msgs [][]byte) error {
	w.answers = w.answers[:0]
	for _, b := range msgs {
		m := &w.msg
		err := m.Parse(b)
		if err != nil {
			return w.settleThen(err)
		}
		if m.Kind != ipc.KindData {
			w.owed += uint64(len(m.Body))
		}
		switch m.Kind {
		case ipc.KindResult, ipc.KindCall:
			if m.Chunked() {
				err = w.parts.Begin(m)
			} else {
				err = w.accept(m)
			}
		case ipc.KindData, ipc.KindPlace:
			var whole *ipc.Message
			if m.Kind == ipc.KindPlace {
				whole, err = w.parts.Fetch(m, w.tray)
			} else {
				whole, err = w.parts.Add(m)
			}
			w.owed += m.Bytes
			if whole != nil {
				err = w.accept(whole)
			}
		case ipc.KindCredit:
			err = w.grant(m.Bytes)
		case ipc.KindPing:
			w.sendControl(ipc.AppendPong(nil, m.ID))
		case ipc.KindLog:
			err = w.logLine(m)
		case ipc.KindOutput:
			w.store(m)
		case ipc.KindProgress:
			err = w.progress(m)
		case ipc.KindPong: // says no more than any frame does
		default:
			err = &ipc.ProtocolError{Kind: m.Kind, Reason: "not for a supervisor"}
		}
		if err != nil {
			return w.settleThen(err)
		}
	}
	return w.settle()
}

// settleThen settles what came before a violation, which is still good.
func (w *worker) settleThen(violation error) error {
	if err := w.settle(); err != nil {
		return err
	}
	return violation
}

// accept takes a whole message that ends a job, or a call. A payload that could
// not be decoded leaves the job unanswered, and the worker without another.
func (w *worker) accept(m *ipc.Message) error {
	if m.Kind == ipc.KindCall {
		return w.call(m)
	}
	var failure *task.Failure
	var items itemResults
	var err error
	switch m.Status {
	case ipc.StatusOK:
		if err = ipc.ValidatePayload(m.Body); err != nil {
			break
		}
		if n := w.itemsOf(m.ID); n > 0 {
			items, err = takeItems(m.Body, n)
		}
	case ipc.StatusFailed, ipc.StatusCancelled:
		failure, err = task.DecodeFailure(m.Body)
	}
	if err != nil {
		return &ipc.ProtocolError{Kind: m.Kind, Reason: fmt.Sprintf("payload for job %d: %v", m.ID, err)}
	}
	// What the answer is worth is decided in settle, for the whole batch; the
	// body stays where it is until then.
	w.answers = append(w.answers, answer{msg: *m, failure: failure, items: items})
	return nil
}

// store adds what a worker says that it printed to what it did print.
func (w *worker) store(m *ipc.Message) {
	c := w.out
	if m.Stream == 2 {
		c = w.err
	}
	if _, err := c.f.Write(m.Body); err != nil {
		w.p.log.Error("output is lost", "worker", w.name, "error", err)
	}
}

// grant takes credit from the worker.
func (w *worker) grant(n uint64) error {
	var a actions
	w.p.mu.Lock()
	if w.credit >= 0 {
		if n > 1<<40 || w.credit > 1<<40 {
			w.p.mu.Unlock()
			return &ipc.ProtocolError{Kind: ipc.KindCredit, Reason: fmt.Sprintf("%d bytes", n)}
		}
		w.credit += int64(n)
		w.creditUp.Broadcast()
		if w.slot > 0 {
			w.p.refill(w, &a)
		}
	}
	w.p.mu.Unlock()
	a.run(w.p)
	return nil
}

// sendControl sends a frame ahead of the jobs that wait.
func (w *worker) sendControl(frame []byte) {
	var a actions
	w.p.mu.Lock()
	// A worker that pings without reading would make this grow.
	if len(w.control) < 1024 {
		w.control = append(w.control, frame)
		w.creditUp.Broadcast()
		w.kick(&a)
	}
	w.p.mu.Unlock()
	a.run(w.p)
}

// settle matches the answers of a batch with their jobs, refills the worker's
// window, and then tells the jobs' callers.
func (w *worker) settle() error {
	w.called()
	if w.counts && w.owed >= ipc.DefaultCredit/4 {
		w.sendControl(ipc.AppendCredit(nil, w.owed))
		w.owed = 0
	}
	if len(w.answers) == 0 {
		return nil
	}
	var (
		p, c = w.p, w.class
		a    actions
		bad  error
		n    int // answered after they ran
		good int // of these, ended well
		back []*Job
		init *answer // of the job that prepares the worker
		now  = time.Now()
	)
	memory, tooLarge := w.weigh()
	hit := w.measure()
	for i := range w.answers {
		if m := &w.answers[i].msg; m.Status == ipc.StatusRecalled {
			w.stopTail(m.ID) // it was told of what has started by its own account
		}
	}
	p.mu.Lock()
	w.reporting.Store(true)
	a.caller = w.led // whose goroutine this is then, and who may hold locks
	since := now.Sub(w.mark)
	for i := range w.answers {
		ans := &w.answers[i]
		if bad = w.match(ans); bad != nil {
			w.answers = w.answers[:i]
			break
		}
		if ans.job == w.init && w.init != nil {
			ans.job, init = nil, ans
			continue
		}
		if ans.job.isWide() {
			p.narrow(ans.job, &a)
		}
		if ans.msg.Status == ipc.StatusRecalled && !ans.cancelled && !ans.timedOut {
			back = append(back, ans.job)
			w.sent--
			ans.job = nil
			continue
		}
		if n++; ans.msg.Status == ipc.StatusOK && !ans.timedOut && ans.breach == nil && ans.job.Items == 0 {
			ans.settled = true
			ans.job.pending.attempt++
			ans.job.pending.state = jobDone
			good++
		}
	}
	if n > 0 {
		c.observe(since, n)
		c.deaths = c.deaths[:0]
		w.mark = now
		w.answered += n
		w.memory = memory
		w.slow = false
		if w.grown < w.maxWindow {
			w.grown = min(2*w.grown, w.maxWindow)
		}
	}
	if n > 0 && (tooLarge || hit) {
		w.outgrow(&a)
	}
	p.putBack(back, &a)
	if bad == nil {
		p.refill(w, &a)
		if len(back) > 0 {
			p.dispatch(c, &a)
		}
		if w.leaving && w.flight.n == 0 {
			w.leave()
		}
	}
	p.mu.Unlock()
	a.run(p)

	w.endCalls()
	for i := range w.answers {
		ans := &w.answers[i]
		if ans.job != nil {
			w.report(ans, since/time.Duration(max(n, 1)))
		}
	}
	p.count(c, OK, good)
	if init != nil {
		w.initialized(init)
	}
	w.reporting.Store(false)
	w.out.release()
	w.err.release()
	return bad
}

// match finds the job of an answer. An error is a violation of the protocol, and
// leaves the job where it was. The caller holds mu.
func (w *worker) match(ans *answer) error {
	id := ans.msg.ID
	if id > w.sentID || w.partial != 0 && id >= w.partial {
		return &ipc.ProtocolError{Kind: ipc.KindResult, Reason: fmt.Sprintf("for job %d, which it has not been given", id)}
	}
	j := w.flight.get(id)
	if j == nil {
		return &ipc.ProtocolError{Kind: ipc.KindResult, Reason: fmt.Sprintf("for job %d, which it has answered before", id)}
	}
	s := &j.pending
	if ans.msg.Status == ipc.StatusRecalled && !s.cancelled && !s.timedOut && !s.recalled {
		w.leaving = true
	}
	w.flight.take(id)
	w.spareLife(id)
	ans.job, ans.timedOut, ans.cancelled = j, s.timedOut, s.cancelled
	ans.tell = ans.msg.Status != ipc.StatusRecalled && j.toTell()
	return nil
}

// leave is for a worker that gave back jobs, unasked, and has no others: it was
// told to end, by a signal from elsewhere. It gets no more of them, and if it
// stays all the same it is killed, or its slot would be of no use.
func (w *worker) leave() {
	w.endsOr("gave its jobs back, unasked, and went on")
}

// putBack returns jobs that were not started to the head of their queues, in
// their order; those that were cancelled meanwhile, or whose class was given up,
// end. The caller holds mu.
func (p *Pool) putBack(jobs []*Job, a *actions) {
	for i := len(jobs) - 1; i >= 0; i-- {
		j := jobs[i]
		s := &j.pending
		s.w, s.recalled = nil, false
		if s.cancelled {
			a.finish(j, cancelledEarly(j))
			continue
		}
		if s.class.err != nil {
			a.finish(j, s.class.givenUp(j))
			continue
		}
		s.state = jobQueued
		s.class.queue.pushFront(j)
	}
}

// cancelledEarly is the end of a job that was given to a worker, and taken back.
func cancelledEarly(j *Job) *Result {
	return &Result{Outcome: Cancelled, Evidence: "cancelled before it started", ExitCode: -1, Attempt: j.pending.attempt + 1}
}

// report turns an answer into a Result.
func (w *worker) report(ans *answer, took time.Duration) {
	j, m := ans.job, &ans.msg
	s := &j.pending
	w.told(j, ans.tell)
	if ans.settled && j.future != nil && j.Output == nil && w.offsets && !m.HasOffsets {
		j.future.endWith(j, m.Body)
		return
	}
	attempt := s.attempt
	if !ans.settled {
		attempt++
	}
	w.result = Result{
		ExitCode: -1, Attempt: attempt, Slot: int(s.slot), Worker: w.name, PID: w.proc.PID(),
		Start: s.sentAt(), Wall: took,
	}
	r := &w.result
	from := w.handedOut()
	switch {
	case m.HasOffsets && w.offsets:
		r.Stdout, r.Stderr = w.out.take(clampInt64(m.StdoutEnd)), w.err.take(clampInt64(m.StderrEnd))
	case !w.offsets:
		// One job at a time, and it wrote what it wrote before it answered.
		r.Stdout, r.Stderr = w.out.take(w.out.size()), w.err.take(w.err.size())
	}
	switch m.Status {
	case ipc.StatusOK:
		r.Outcome, r.Value, r.items = OK, m.Body, ans.items
	case ipc.StatusRecalled:
		r.Outcome, r.Evidence = Cancelled, "cancelled before it started"
	default:
		f := ans.failure
		r.Outcome, r.Failure, r.Evidence = Failed, f, death.Clean(firstLine(f.Error()), maxEvidence)
		if f.Panic {
			r.Which = WhichPanic
		}
		if m.Status == ipc.StatusCancelled && j.Timeout > 0 && !ans.cancelled && time.Since(s.sentAt()) >= j.Timeout {
			ans.timedOut = true // the worker's own clock was first
		}
	}
	if w.marks != nil {
		r.used(&w.usage)
	}
	if ans.breach != nil {
		r.Value, r.items = nil, itemResults{}
		r.limited(ans.breach)
	}
	// What we did wins over how it looks; but a value that came is not thrown away
	// because somebody lost interest in it.
	switch {
	case ans.timedOut:
		r.Outcome, r.Which, r.Evidence = TimedOut, "", timeoutEvidence(j)
		r.Limit, r.Observed, r.EnforcedBy = 0, 0, ""
	case ans.cancelled && r.Outcome != OK:
		r.Outcome, r.Which = Cancelled, ""
		r.Limit, r.Observed, r.EnforcedBy = 0, 0, ""
		if m.Status != ipc.StatusRecalled {
			r.Evidence = "interrupted"
		}
	}
	w.tellRest(j, m.ID, r, from)
	if ans.settled {
		j.ended(r)
		return
	}
	w.p.complete(j, r)
}

// maxEvidence bounds the line that a task's error is shown as, in bytes.
const maxEvidence = 4 << 10

func timeoutEvidence(j *Job) string {
	return fmt.Sprintf("did not end within its timeout of %v", j.Timeout)
}

func firstLine(s string) string {
	line, _, _ := strings.Cut(s, "\n")
	return line
}

func clampInt64(v uint64) int64 { return int64(min(v, 1<<62)) }

// complete ends an attempt: with another one, or with Done.
func (p *Pool) complete(j *Job, r *Result) {
	r.Item = -1
	if r.item > 0 && r.item <= uint64(j.Items) {
		r.Item = int(r.item) - 1
	}
	if after, ok := p.tryAgain(j, r); ok {
		if j.Retrying != nil {
			j.Retrying(j, r, after)
		}
		p.schedule(j, after)
		return
	}
	c := j.pending.class
	outcome := r.Outcome
	j.ended(r) // which may give j to the pool again
	p.count(c, outcome, 1)
}

// count takes n jobs of c off the list that have come out so.
func (p *Pool) count(c *class, outcome Outcome, n int) {
	if n == 0 {
		return
	}
	p.mu.Lock()
	p.ended[outcome] += uint64(n)
	p.open -= n
	c.open -= n
	p.drop(c)
	if p.closed && p.open == 0 {
		p.finishDrain()
	}
	p.mu.Unlock()
}

// tryAgain decides about another attempt; without one the job is done. None begins while
// anything may be left of the one before: they would be at the same files.
func (p *Pool) tryAgain(j *Job, r *Result) (time.Duration, bool) {
	again := r.Outcome != OK && r.Outcome != Cancelled && r.Outcome != Poisoned && r.Which != WhichSlots && r.Which != WhichConfine && j.Retry.again(r)
	if again && len(r.Leaked) > 0 {
		again = false
		r.Evidence += fmt.Sprintf("; not tried again, since processes %v may be left of it", r.Leaked)
	}
	s := &j.pending
	p.mu.Lock()
	defer p.mu.Unlock()
	s.attempt = r.Attempt
	if !again || p.killed || s.cancelled || s.class.err != nil {
		s.state = jobDone
		return 0, false
	}
	p.stats.Retried++
	return j.Retry.after(r.Attempt), true
}

// schedule lets j wait without a slot.
func (p *Pool) schedule(j *Job, after time.Duration) {
	var a actions
	p.mu.Lock()
	s := &j.pending
	s.timedOut, s.recalled, s.w, s.c = false, false, nil, nil
	s.told = untold
	switch {
	case p.killed || s.cancelled:
		s.cancelled = true
		a.finish(j, cancelledBetween(j))
	case after <= 0 && j.Again == nil:
		p.enqueue(j, &a)
	default:
		p.wait(j, after)
	}
	p.mu.Unlock()
	a.run(p)
}
