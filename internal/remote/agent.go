package remote

import (
	"context"
	"fmt"
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
	a, err := c.lookUp(o)
	if err != nil {
		return nil, err
	}
	if a.wire&1 == 1 {
		a.tell.Do(a.introduce)
	}
	return a, nil
}

// lookUp finds or makes the agent of an owner. Nobody finds one whose owner had
// ended before it was entered: its end would never be told.
func (c *Client) lookUp(o *owner.Owner) (*agent, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if a := c.agents[o]; a != nil {
		return a, nil
	}
	if c.named >= maxOwners {
		return nil, fmt.Errorf("%d owners of this process use shared objects, no more can at a time", c.named)
	}
	c.lastAgent++
	a := &agent{c: c, wire: c.lastAgent<<1 | 1, name: o.Identity().Name}
	if !o.Enter(a) {
		return nil, broker.ErrEnded
	}
	c.named++
	c.agents[o] = a
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

// takeLeave says that the owner has ended: there is room for another one.
func (a *agent) takeLeave(ended *owner.Abandoned) {
	_ = a.c.Post(opOwnerEnd, appendCause(appendUint(appendArray(nil, 2), a.wire), ended.Cause))
	a.c.mu.Lock()
	a.c.named--
	a.c.mu.Unlock()
}

// OwnerEnded implements owner.Party.
func (a *agent) OwnerEnded(o *owner.Owner) {
	a.c.mu.Lock()
	delete(a.c.agents, o)
	a.c.mu.Unlock()
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
