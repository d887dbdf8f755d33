package remote

import (
	"context"
	"sync"

	"github.com/feac4032/multiproc/internal/broker"
	"github.com/feac4032/multiproc/internal/owner"
)

// agent is what a client knows of an owner of its process: its number on the
// wire, and what it holds, so that giving that back needs no answer.
type agent struct {
	c    *Client
	wire uint64
	name string
	tell sync.Once // the supervisor is told its name

	mu    sync.Mutex
	told  bool
	ended *owner.Abandoned // it is over
	held  map[uint64]int   // locks and permits, by object
}

// JobOwner makes the owner of a job: its number on the wire is the job's, and its
// end is the job's answer.
func (c *Client) JobOwner(job uint64, who owner.Identity) *owner.Owner {
	o := owner.New(who)
	a := &agent{c: c, wire: job << 1}
	c.mu.Lock()
	c.agents[o] = a
	c.mu.Unlock()
	o.Enter(a)
	return o
}

// agentOf finds or makes the agent of a context's owner; without an owner it is
// nil.
func (c *Client) agentOf(ctx context.Context) (*agent, error) {
	o := owner.From(ctx)
	if o == nil {
		return nil, nil
	}
	c.mu.Lock()
	a := c.agents[o]
	if a == nil {
		c.lastAgent++
		a = &agent{c: c, wire: c.lastAgent<<1 | 1, name: o.Identity().Name}
		c.agents[o] = a
		c.mu.Unlock()
		if !o.Enter(a) {
			c.forget(o)
			return nil, broker.ErrEnded
		}
	} else {
		c.mu.Unlock()
	}
	if a.wire&1 == 1 {
		a.tell.Do(a.introduce)
	}
	return a, nil
}

// introduce names the owner. That it cannot be sent is for the calls to say.
func (a *agent) introduce() {
	_ = a.c.Post(opOwner, appendText(appendUint(appendArray(nil, 2), a.wire), bounded(a.name)))
	a.mu.Lock()
	a.told = true
	ended := a.ended
	a.mu.Unlock()
	if ended != nil { // meanwhile
		a.takeLeave(ended)
	}
}

// takeLeave says that the owner has ended.
func (a *agent) takeLeave(ended *owner.Abandoned) {
	_ = a.c.Post(opOwnerEnd, appendCause(appendUint(appendArray(nil, 2), a.wire), ended.Cause))
}

func (c *Client) forget(o *owner.Owner) {
	c.mu.Lock()
	delete(c.agents, o)
	c.mu.Unlock()
}

// OwnerEnded implements owner.Party.
func (a *agent) OwnerEnded(o *owner.Owner) {
	a.c.forget(o)
	ended := o.Abandoned()
	a.mu.Lock()
	told := a.told
	a.ended = ended
	a.mu.Unlock()
	if told {
		a.takeLeave(ended)
	}
}

// number is the owner's on the wire; nobody has 0.
func (a *agent) number() uint64 {
	if a == nil {
		return 0
	}
	return a.wire
}

// gained notes that the owner has got one of object.
func (a *agent) gained(object uint64) {
	if a == nil {
		return
	}
	a.mu.Lock()
	if a.held == nil {
		a.held = map[uint64]int{}
	}
	a.held[object]++
	a.mu.Unlock()
}

// gives reports whether the owner has one of object, and notes that it gives that
// back.
func (a *agent) gives(object uint64) bool {
	if a == nil {
		return false
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	n := a.held[object]
	if n == 1 {
		delete(a.held, object)
	} else if n > 1 {
		a.held[object] = n - 1
	}
	return n > 0
}
