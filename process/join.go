package process

import (
	"context"

	"github.com/feac4032/multiproc/internal/owner"
)

// ending is the end of a process, as something to wait for. It is held by the
// owner that the process's task is for the objects that it shares with others,
// and by nobody if it is a command.
type ending Process

func (e *ending) Resource() string     { return "the end of " + e.name }
func (e *ending) Holder() *owner.Owner { return e.own.Load() }

// await waits until p, which was started, has ended or ctx has, and reports which
// it was. The error is a *DeadlockError.
func (p *Process) await(ctx context.Context) (done bool, err error) {
	// A join that has begun is refused, too: when somebody who cannot be has to wait
	// for what the joiner holds.
	var refused owner.Refusal
	if waiter := owner.From(ctx); waiter != nil && ctx.Err() == nil { // who does not want to wait closes no cycle
		refused = make(owner.Refusal, 1)
		end := (*ending)(p)
		if err := waiter.WaitAs(refused, end); err != nil {
			if p.over() { // in the meantime
				return true, nil
			}
			return false, err
		}
		defer waiter.Unwait(end)
	}
	select {
	case <-p.done:
		return true, nil
	case err := <-refused:
		if p.over() {
			return true, nil
		}
		return false, err
	case <-ctx.Done():
		return p.over(), nil
	}
}

func (p *Process) over() bool {
	select {
	case <-p.done:
		return true
	default:
		return false
	}
}
