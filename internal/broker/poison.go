package broker

import (
	"github.com/hashicorp/go-hclog"

	"github.com/feac4032/multiproc/internal/owner"
	"github.com/feac4032/multiproc/task"
)

// MaxDeliveries is how many owners may end with an item in their hands before a
// queue gives it up, unless its field says otherwise.
const MaxDeliveries = 2

// Poisoned is an item that a queue has given up.
type Poisoned struct {
	Item       []byte
	Deliveries int              // how often it was handed out
	Last       *owner.Abandoned // who had it last
}

// report tells of an item that is given up. Whoever ends the owner has more to give
// back, so that a panic goes no further.
func (q *Queue) report(p Poisoned) {
	defer func() {
		if v := recover(); v != nil {
			err := task.NewPanicError(v, reportFrame)
			hclog.Default().Error("what is called for an item given up has panicked",
				"queue", q.name, "panic", err.Text, "stack", err.Stack)
		}
	}()
	if q.OnPoison != nil {
		q.OnPoison(p)
		return
	}
	hclog.Default().Warn("item given up: its owners ended",
		"queue", q.name, "deliveries", p.Deliveries, "owner", p.Last.Identity.String(), "cause", p.Last.Cause)
}

// reportFrame is the function under which the stack of a panic is the callback's.
const reportFrame = "github.com/feac4032/multiproc/internal/broker.(*Queue).report"
