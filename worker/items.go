package worker

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"

	"github.com/feac4032/multiproc/internal/owner"
	"github.com/feac4032/multiproc/task"
)

// itemsRun is the run of a job of many items.
type itemsRun struct {
	task.Items
	r     *runner
	ctx   *itemContext // of the item that runs, or that will be the next one's
	going bool         // from the start to the answer
}

// startItems runs the items of the job, and returns as execute does.
func (r *runner) startItems() error {
	j, x := r.job, &r.items
	x.r, x.ctx = r, nil
	if err := x.Items.Begin(j.def, j.payload, j.items, r.result[:0], r.messageMax, x); err != nil {
		return err
	}
	x.going = true
	return r.runItems()
}

// runItems runs those that are left.
func (r *runner) runItems() error {
	x := &r.items
	x.Run()
	x.going = false
	result, err := x.Finish()
	r.result = result
	if err == task.ErrStopped {
		err = &task.StageError{Task: r.job.task, Stage: task.StageFunction, Err: context.Cause(r.context)}
	}
	return err
}

// Begin implements task.ItemContexts.
func (x *itemsRun) Begin(item int) (context.Context, bool) {
	c := x.r.context
	if c.over.Load() || c.limit > 0 && c.cancelled() {
		return nil, false
	}
	if x.r.page != nil {
		x.r.page.SetItem(x.r.slot, uint64(item)+1)
	}
	if x.ctx == nil {
		x.ctx = &itemContext{jobContext: c}
	}
	x.ctx.item = item
	return x.ctx, true
}

// End implements task.ItemContexts. A context that has made an owner is not given
// to the next item.
func (x *itemsRun) End(err error) {
	if x.ctx.owned.Load() {
		x.ctx.release(err)
		x.ctx = nil
	}
}

// itemContext is the context of one item of a job: that of the job, but for the
// owner, which ends with the item.
type itemContext struct {
	*jobContext
	item int

	owned atomic.Bool // owner is not nil
	mu    sync.Mutex
	owner *owner.Owner
}

// Value knows the item's own key.
func (c *itemContext) Value(key any) any {
	if _, ok := key.(owner.Key); ok {
		return c.holder()
	}
	return c.jobContext.Value(key)
}

// holder returns the item as an owner, which is made when somebody asks for it.
func (c *itemContext) holder() *owner.Owner {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.owner == nil {
		who := c.jobContext.identity()
		who.Name = fmt.Sprintf("%s, item %d", who.Name, c.item)
		c.owner = owner.New(who)
		c.owned.Store(true)
	}
	return c.owner
}

// release ends the item as an owner.
func (c *itemContext) release(err error) {
	c.mu.Lock()
	o := c.owner
	c.mu.Unlock()
	o.End(err)
}

var _ context.Context = (*itemContext)(nil)
