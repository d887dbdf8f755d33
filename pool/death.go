package pool

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"syscall"
	"time"

	"github.com/feac4032/multiproc/internal/awake"
	"github.com/feac4032/multiproc/internal/death"
	"github.com/feac4032/multiproc/internal/spawn"
	"github.com/feac4032/multiproc/ipc"
)

// end is what remains to be done once a worker's link has ended, or its start
// has failed: be sure that its tree is gone, take what it had finished, give
// back what it had not started, and charge the job that it was at.
func (w *worker) end(cause error) {
	p, c := w.p, w.class
	var violation *ipc.ProtocolError
	if errors.As(cause, &violation) {
		w.killFor(killedProtocol, violation.Error()) // which also ends a write that it does not read
	}
	w.closeSending()
	status := w.reap(cause)
	if w.wasAsked() && status.Signal == 0 && status.Code == stacksExit {
		status.Signal, status.Code = quit, -1 // which it has caught, to say more
	}
	if w.ready != nil && w.page != nil && !w.broke() {
		// What it had finished and not yet written.
		if rest := w.page.Rest(w.link.Reader().Total()); rest != nil {
			w.link.Reader().Append(rest)
			if err := w.read(); errors.As(err, &violation) {
				w.killFor(killedProtocol, violation.Error())
			}
		}
	}
	w.stopTail(0)
	w.readEnd(&status)
	var a actions
	var charged []victim
	p.mu.Lock()
	w.gone = true
	started := w.state != workerStarting
	if !started {
		c.starting--
	}
	unfit := errors.Is(cause, ErrConfine)
	unasked := w.kill != killedShutdown && w.state != workerStopping && !unfit
	var back []*Job
	begun := w.begun()
	for id := range w.doomed {
		w.spareLife(id)
	}
	for id := w.flight.first; id < w.flight.next; id++ {
		j := w.flight.take(id)
		if j != nil && j.isWide() {
			p.narrow(j, &a)
		}
		switch {
		case j == nil || j == w.init:
		case id <= w.sentID && (begun(id) || j.pending.timedOut):
			charged = append(charged, victim{j, j.pending.timedOut, j.pending.cancelled, j.toTell()})
		default:
			back = append(back, j)
		}
	}
	if len(charged) == 0 && unasked && !w.leaving && len(back) > 0 && back[0].pending.id <= w.sentID {
		// Nothing had started, yet it may be this job that was too much, as one
		// whose argument does not fit in memory is.
		if s := &back[0].pending; s.suspected < suspicions {
			s.suspected++
		} else {
			charged, back = append(charged, victim{Job: back[0]}), back[1:]
		}
	}
	p.putBack(back, &a)
	p.forget(w)
	c.change()
	if unasked {
		p.lost++
	}
	w.cause = cause
	w.status = status
	evidence := w.evidence(len(charged) > 0)
	p.had(status.Isolation)
	if unfit {
		c.unfit = true
		p.giveUp(c, cause, &a)
	}
	if unasked && len(charged) == 0 && w.kill != killedCancel && w.kill != killedTimeout {
		p.startFailed(c, &startError{evidence, w.initErr}, &a)
	}
	slot := w.slot
	w.slot = 0
	p.leaked = append(p.leaked, status.Leaked...)
	if slot > 0 {
		p.vacate(slot, &a)
	}
	p.dispatch(c, &a)
	p.mu.Unlock()

	a.run(p) // those that wait do not wait for what follows
	w.endSession(evidence)
	if !unfit { // else there was no worker
		w.event(WorkerEvent{
			Time: time.Now(), Kind: WorkerExited, Worker: w.name, PID: w.pid(), Slot: slot,
			ExitCode: status.Code, Signal: int(status.Signal), Evidence: evidence, Job: firstLabel(charged),
		})
	}
	for _, v := range charged {
		w.charge(v, charged, evidence)
	}
	if len(charged) == 0 && w.proc != nil {
		w.startupOutput() // what it said last, outside of a job
	}
	w.release()
}

// retire lets the worker get nothing more. The caller holds mu.
func (w *worker) retire() {
	w.dead = true
	w.class.idle = slices.DeleteFunc(w.class.idle, func(x *worker) bool { return x == w })
}

// closeSending ends the writing half: after it no goroutine touches the jobs in
// flight but this one.
func (w *worker) closeSending() {
	w.p.mu.Lock()
	w.retire()
	w.creditUp.Broadcast()
	var wait chan struct{}
	if w.sending {
		wait = make(chan struct{})
		w.senderEnd = wait
	}
	w.p.mu.Unlock()
	if wait != nil {
		// A write that blocks ends with the process, whose output has ended.
		late := awake.AfterFunc(stopGrace, func() { w.killFor(killedProtocol, "closed its end of the link and went on") })
		<-wait
		late.Stop()
	}
}

// reap waits for the process. One whose link has ended has no way to be of use,
// and gets a moment to end by itself, so that its exit code is its own.
func (w *worker) reap(cause error) spawn.Status {
	if w.proc == nil {
		return spawn.Status{Code: -1, TreeEmpty: true}
	}
	if linkEnded(cause) {
		timer := awake.AfterFunc(stopGrace, func() { w.killFor(killedProtocol, "closed its end of the link and went on") })
		defer timer.Stop()
	} else {
		w.killFor(killedProtocol, cause.Error())
	}
	<-w.proc.Done()
	return w.p.statusOf(w.proc)
}

// stacksExit is the exit code of a Go program that has written its stacks.
const stacksExit = 2

// wasAsked reports whether the worker was asked for its stacks.
func (w *worker) wasAsked() bool {
	w.p.mu.Lock()
	defer w.p.mu.Unlock()
	return w.asked
}

// broke reports whether the worker was killed for what it sent.
func (w *worker) broke() bool {
	w.p.mu.Lock()
	defer w.p.mu.Unlock()
	return w.kill == killedProtocol
}

func (w *worker) pid() int {
	if w.proc == nil {
		return 0
	}
	return w.proc.PID()
}

// victim is a job that had started when its worker ended, with what we had done
// to it by then.
type victim struct {
	*Job
	timedOut, cancelled bool
	tell                bool // Started is to be called
}

func firstLabel(victims []victim) string {
	if len(victims) == 0 {
		return ""
	}
	return label(victims[0].Job)
}

// charge ends the attempt of the job under which the worker ended.
func (w *worker) charge(v victim, all []victim, evidence string) {
	j := v.Job
	s := &j.pending
	w.told(j, v.tell)
	r := &Result{
		Outcome: Crashed, Evidence: evidence,
		ExitCode: w.status.Code, Signal: int(w.status.Signal), Core: w.status.Core,
		Attempt: s.attempt + 1, Slot: int(s.slot), Worker: w.name, PID: w.pid(),
		Start: s.sentAt(), Wall: time.Since(w.startOf(j)), Leaked: w.status.Leaked,
	}
	if w.page != nil && j.Items > 0 {
		r.item = w.page.ItemOf(s.id)
	}
	r.used(&w.status.Usage)
	r.Isolation = w.status.Isolation
	from := w.handedOut()
	r.Stdout, r.Stderr = w.out.take(w.out.size()), w.err.take(w.err.size())
	ours := true // or nobody knows whose
	switch {
	case w.kill == killedShutdown:
		r.Outcome = Cancelled
	case w.kill == killedOutput:
		r.limited(w.breach)
		r.Evidence = evidence
	case w.kill == killedProtocol:
		r.Outcome, ours = Protocol, false
	case v.timedOut:
		r.Outcome = TimedOut
		if w.kill != killedTimeout { // it ended while it was being asked to
			r.Evidence = timeoutEvidence(j)
		}
	case v.cancelled:
		r.Outcome = Cancelled
	case w.kill == killedStuck:
		r.Which = WhichStuck
	case w.kill != notKilled:
		r.Evidence = "worker lost through " + cause(all) + ": " + evidence
	case w.status.Lost:
		r.Outcome = Internal
	case w.breach != nil:
		r.limited(w.breach)
		r.Evidence = evidence
	default:
		ours = false
		r.Which = w.words.Kind
		if w.status.OOM && w.status.Signal == syscall.SIGKILL {
			r.Which = WhichOOM
		}
	}
	if len(all) > 1 && !ours {
		ours = true
		s.alone = true // if it is tried again, so that it can prove its innocence
		r.Evidence += "; one of the " + strconv.Itoa(len(all)) + " jobs that it ran"
	}
	if !ours {
		s.deaths++
		if s.deaths >= 2 && r.Attempt <= j.Retry.Max {
			r.Outcome = Poisoned
			r.Evidence += "; the second worker that it has ended"
		}
	}
	w.tellRest(j, s.id, r, from)
	w.p.complete(j, r)
}

// suspicions is how many workers may end when they have been sent a job and
// have started none, before the job is held to be the reason.
const suspicions = 2

// begun returns a function that tells which unanswered jobs the worker had
// started. The caller holds mu.
func (w *worker) begun() func(id uint64) bool {
	switch {
	case w.page == nil:
		return func(uint64) bool { return true }
	case w.threads == 1:
		upTo := w.page.Started(0)
		return func(id uint64) bool { return id <= upTo }
	}
	ids := make([]uint64, w.threads)
	for i := range ids {
		ids[i] = w.page.Started(i)
	}
	return func(id uint64) bool { return slices.Contains(ids, id) }
}

// cause names the job for which we have killed the worker of all these.
func cause(all []victim) string {
	for _, v := range all {
		if v.timedOut || v.cancelled {
			return label(v.Job)
		}
	}
	return "another job"
}

// startError is the end of a worker that has started no job.
type startError struct {
	evidence string
	init     error // nil if Init did not fail
}

func (e *startError) Error() string { return e.evidence }

func (e *startError) Unwrap() error { return e.init }

// startOf is when the job began, as far as that is known.
func (w *worker) startOf(j *Job) time.Time {
	for _, r := range w.runs {
		if r.id == j.pending.id && !r.at.IsZero() {
			return r.at
		}
	}
	if w.mark.After(j.pending.sentAt()) {
		return w.mark
	}
	return j.pending.sentAt()
}

// evidence says how the worker ended, for people.
func (w *worker) evidence(underJob bool) string {
	who := fmt.Sprintf("%s (pid %d)", w.name, w.pid())
	tail := ""
	if words := w.words.String(); words != "" {
		tail = ": " + words
	}
	st := &w.status
	if w.breach != nil && st.Breach == nil {
		tail = "; " + w.breach.Evidence
	}
	switch {
	case w.proc == nil:
		return w.cause.Error()
	case w.kill == killedTimeout, w.kill == killedCancel, w.kill == killedStuck:
		if w.hangs != "" {
			return fmt.Sprintf("%s; it hangs in %s; %s was killed", w.killText, w.hangs, who)
		}
		return fmt.Sprintf("%s; %s was killed", w.killText, who)
	case w.kill == killedOutput:
		return fmt.Sprintf("%s; %s was killed", w.killText, who)
	case w.kill == killedShutdown:
		return who + " was killed: " + w.killText
	case w.kill == killedStart:
		return fmt.Sprintf("%s was killed: %s%s", who, w.killText, tail)
	case w.kill == killedProtocol:
		return fmt.Sprintf("%s was killed: %s", who, w.killText)
	case st.Lost:
		return who + " was lost with the guardian"
	case st.Breach != nil:
		var r Result
		r.limited(st.Breach)
		if !underJob { // else the outcome says which limit it was
			return fmt.Sprintf("%s went over its limit (%s %s), and was killed: %s",
				who, r.Which, spawn.Quantity(r.Which, r.Limit), r.Evidence)
		}
		return fmt.Sprintf("%s; %s was killed", r.Evidence, who)
	case st.Signal == syscall.SIGKILL && st.OOM:
		return who + " was ended by SIGKILL: " + outOfMemory
	case st.Signal == syscall.SIGKILL:
		return who + " was ended by SIGKILL, sender unknown" + tail
	case st.Signal != 0:
		return fmt.Sprintf("%s was ended by %s%s", who, signalName(st.Signal), tail)
	case w.ready == nil:
		within := ""
		if l := w.class.prog.Limits.enforced(); l != nil { // they may well be the cause
			within = " within its limits (" + amounts(l) + ")"
		}
		return fmt.Sprintf("%s exited with code %d before it was ready%s%s", who, st.Code, within, tail)
	}
	under := ""
	if underJob {
		under = " under the job"
	}
	return fmt.Sprintf("%s exited with code %d%s%s", who, st.Code, under, tail)
}

// readEnd reads what the worker has said at its end: under the jobs that it did not
// answer, which are not charged yet.
func (w *worker) readEnd(st *spawn.Status) {
	if w.err == nil || w.proc == nil {
		return
	}
	o := Output{file: w.err.f, off: w.err.off.Load(), n: w.err.rest()}
	said := o.Tail(death.Enough)
	w.words = death.Read(said)
	if w.wasAsked() && w.threads == 1 { // of several nobody knows whose stack is whose
		w.hangs = death.Hang(said, ipc.StackMark)
	}
	w.p.mu.Lock()
	defer w.p.mu.Unlock()
	switch limits := w.class.prog.Limits.enforced(); {
	case w.kill != notKilled:
	case st.Breach != nil:
		w.breach = st.Breach
	case limits != nil:
		w.breach = death.Limit(limits, death.Exits{Code: st.Code, Signal: st.Signal},
			w.words.Line, string(said[max(0, len(said)-inMemory):]))
	}
}

// startFailed counts the end of a worker under which no job was lost, and gives
// the class up when there were too many of them. The caller holds mu.
func (p *Pool) startFailed(c *class, cause error, a *actions) {
	now := time.Now()
	if c.err != nil {
		return
	}
	if !c.died(now) {
		// The next one waits a little, longer each time.
		n := len(c.deaths)
		if n == 1 && c.ready {
			return // a first one, of a program that has worked: at once
		}
		delay := (&Retry{Backoff: 50 * time.Millisecond, MaxBackoff: 5 * time.Second, Jitter: 0.2}).after(n)
		c.retry = now.Add(delay)
		c.timer = time.AfterFunc(delay, func() {
			var a actions
			p.mu.Lock()
			p.dispatch(c, &a)
			c.change()
			if c.known != nil && !c.ready && c.err == nil && len(c.workers) == 0 && !p.closed {
				p.startWorker(c, 0, &a) // no job needs it, but somebody waits to know its tasks
			}
			p.mu.Unlock()
			a.run(p)
		})
		return
	}
	p.giveUp(c, fmt.Errorf("%w: %d workers of %s ended within %v without having started a job; the last: %w", ErrRestartLimit, len(c.deaths), c.name, p.cfg.Within, cause), a)
}

// giveUp ends the jobs of a class, those to come as well. The caller holds mu.
func (p *Pool) giveUp(c *class, why error, a *actions) {
	if c.err != nil {
		return
	}
	defer c.change()
	c.err = why
	c.announce()
	for c.queue.len() > 0 {
		j := c.queue.popFront()
		a.finish(j, c.givenUp(j))
	}
	for _, j := range p.dropReservers(c) {
		p.narrow(j, a)
		a.finish(j, c.givenUp(j))
	}
}

// givenUp is the end of a job whose class has no workers any more.
func (c *class) givenUp(j *Job) *Result {
	if c.unfit {
		return &Result{Outcome: Failed, Which: WhichConfine, Evidence: c.err.Error(), ExitCode: -1, Attempt: j.pending.attempt + 1, err: c.err}
	}
	return &Result{Outcome: Internal, Which: WhichStart, Evidence: c.err.Error(), ExitCode: -1, Attempt: j.pending.attempt + 1, err: c.err}
}

// release closes what belonged to the worker.
func (w *worker) release() {
	if w.child != nil {
		w.child.Close()
	}
	w.meter.close()
	w.initTimer.Stop()
	for _, c := range []*capture{w.out, w.err} {
		if c != nil {
			c.close()
		}
	}
}
