package remote

import (
	"context"

	"github.com/feac4032/multiproc/internal/owner"
	"github.com/feac4032/multiproc/ipc"
)

// on begins an operation of the context's owner on an object.
func on(ctx context.Context, object uint64, n int) (*Client, *exchange, *agent, error) {
	c, err := clientOf(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	a, err := c.agentOf(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	k, err := c.begin(ctx)
	if err != nil {
		return nil, nil, nil, err
	}
	k.head(n, object, a.number())
	return c, k, a, nil
}

// simple is a round trip that says nothing but whether it has worked.
func (c *Client) simple(ctx context.Context, k *exchange, op string) error {
	if err := c.roundTrip(ctx, k, op); err != nil {
		return err
	}
	k.in.null()
	return c.end(k)
}

// perform is on and simple, for operations without further arguments.
func perform(ctx context.Context, object uint64, op string) error {
	c, k, _, err := on(ctx, object, 2)
	if err != nil {
		return err
	}
	return c.simple(ctx, k, op)
}

// giveBack returns what the owner has of an object without waiting for an answer,
// or, if it has nothing of it, asks. What went wrong before it tells, and gives back
// all the same what the owner has.
func giveBack(ctx context.Context, object uint64, op string) error {
	c, err := clientOf(ctx)
	if err != nil {
		return err
	}
	a, err := c.agentOf(ctx)
	if err != nil {
		return err
	}
	k := c.fresh()
	k.head(2, object, a.number())
	told := c.noticed(object, a.number())
	holds := a.gives(object)
	if told == nil && !holds {
		// Nothing is waited for that does not come.
		return c.simple(context.WithoutCancel(ctx), k, op)
	}
	if holds {
		err = c.tell(op, k.out, c.habit.releases())
	}
	c.recycle(k)
	if told != nil {
		return told
	}
	return err
}

// acquired reads the answer to an acquire. Together with an error the first result
// is for a condition's wait, which has its lock again.
func (c *Client) acquired(ctx context.Context, k *exchange, a *agent, object uint64, op string) (*owner.Abandoned, error) {
	if err := c.noticed(object, a.number()); err != nil {
		c.recycle(k)
		return nil, err
	}
	if err := c.answer(ctx, k, op); err != nil {
		return nil, err
	}
	var left *owner.Abandoned
	if k.lost == nil && k.status == ipc.StatusCancelled {
		s := scanner{b: k.body}
		if a := s.abandoned(); s.done() {
			left = a
		}
	}
	if err := c.outcome(ctx, k); err != nil {
		return left, err
	}
	left = k.in.abandoned()
	if err := c.end(k); err != nil {
		return nil, err
	}
	c.settled(object, a.number())
	return left, nil
}
