package process

import (
	"errors"
	"fmt"

	"github.com/feac4032/multiproc/internal/spawn"
	"github.com/feac4032/multiproc/ipc"
)

// outcome is how a process ended.
type outcome struct {
	pid  int
	code int
	lost bool
	err  *ExitError // nil if all is well

	// answered says that value is the task's result. It may come with an err:
	// something went wrong after that.
	answered bool
	value    []byte
}

// join is err as an error.
func (o *outcome) join() error {
	if o.err == nil {
		return nil
	}
	return o.err
}

// judge finds the outcome.
func (r *run) judge(st *spawn.Status, tooLate error) *outcome {
	o := &outcome{pid: r.proc.PID(), code: st.Code}
	switch {
	case st.Signal != 0:
		o.code = -int(st.Signal)
	case st.Lost || st.Code < 0:
		o.code, o.lost = 0, true
	}
	e := &ExitError{Name: r.name, PID: o.pid, Signal: st.Signal, Core: st.Core, Lost: o.lost, Leaked: st.Leaked}
	exceeded := r.exceeded(st)
	bad := o.code != 0 || o.lost || exceeded != nil
	if x := r.x; x != nil {
		e.Task, e.Failure = x.task, x.failure
		o.answered = x.answered && x.status == ipc.StatusOK && r.violation() == nil
		if o.answered {
			o.value = x.answer
		}
		if x.failure != nil && o.code == 0 && !o.lost {
			o.code = 1 // the worker itself has ended as it should
		}
		bad = bad || !o.answered
	}
	if bad {
		e.Err = r.cause(tooLate, exceeded)
	} else if e.Err = r.lost(); e.Err == nil {
		return o
	}
	e.Code, e.Stderr = o.code, r.out.stderr.tail.String()
	o.err = e
	return o
}

// violation is how the process broke the protocol, nil if it did not.
func (r *run) violation() error {
	if r.x != nil && errors.Is(r.x.err, ipc.ErrProtocol) {
		return r.x.err
	}
	return nil
}

// cause says why the end was bad, as far as that is known beyond the exit
// status; nil if it is not.
func (r *run) cause(tooLate, exceeded error) error {
	r.mu.Lock()
	lifetime := r.lifetime
	r.mu.Unlock()
	x := r.x
	switch {
	case r.violation() != nil:
		return r.violation()
	case lifetime != nil:
		return fmt.Errorf("its lifetime has ended: %w", lifetime)
	case tooLate != nil:
		return tooLate
	case exceeded != nil:
		return exceeded
	case x == nil:
		return nil
	case x.err != nil:
		return x.err
	case !x.answered:
		return ErrNoResult
	case x.status == ipc.StatusRecalled:
		return fmt.Errorf("%w: it was asked to end before the task had started", ErrNoResult)
	}
	return nil
}

// lost says which data did not get through, nil if all did.
func (r *run) lost() error {
	if err := r.out.lost(); err != nil {
		return err
	}
	if r.in != nil {
		return r.in.lost()
	}
	if r.x != nil {
		return r.x.report.err
	}
	return nil
}
