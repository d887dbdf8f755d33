package batch

import (
	"fmt"
	"strconv"
	"time"

	"github.com/feac4032/multiproc/config"
	"github.com/feac4032/multiproc/internal/text"
)

// Instance is one unit of work of a job.
type Instance struct {
	Job    *config.Job
	Index  int64          // counts the product of foreach, or its chunks, and matrix, from 0
	Item   config.Value   // null without a foreach, and with chunk
	Items  []config.Value // of a chunk
	Matrix []config.Field // empty without a matrix

	// Handle is the executor's.
	Handle any

	plan  *plan
	size  int64 // bytes that it holds
	bad   bool  // its item could not be read
	key   [16]byte
	keyed bool // key is known

	state     *jobState
	place     int  // in run.flight; guarded by run.mu, as all below
	active    bool // an attempt is under way
	since     time.Time
	waiting   string // why another attempt is waited for
	gated     bool   // it was admitted, and has what it needs
	begun     bool   // and has a slot
	returning bool   // its back-off is over, and it waits for the gates
	flow      *flow  // nil = its output is not looked at before its end
	holds     []hold // the units of resources that its attempt has
}

// Label names the instance: its job, and its index where the job has several.
func (in *Instance) Label() string {
	if !in.plan.many {
		return in.Job.ID
	}
	b := make([]byte, 0, len(in.Job.ID)+12)
	b = append(append(b, in.Job.ID...), '#')
	return string(strconv.AppendInt(b, in.Index, 10))
}

// ItemText is the item as a line can show it, of a chunk the first one; the label
// without one, or where there is nothing to see of it.
func (in *Instance) ItemText() string {
	face := in.face()
	item := face.Item.Text()
	if len(face.Items) > 0 {
		item = face.Items[0].Text()
	}
	if item == "" {
		return in.Label()
	}
	return text.Plain(item, maxTagShown)
}

// given is the item for people, of a chunk its first and last one.
func (in *Instance) given() string {
	switch n := len(in.Items); n {
	case 0:
		return text.Plain(in.Item.Text(), maxItemShown)
	case 1:
		return text.Plain(in.Items[0].Text(), maxItemShown)
	default:
		return fmt.Sprintf("%s … %s, %s items", text.Plain(in.Items[0].Text(), maxItemShown/2),
			text.Plain(in.Items[n-1].Text(), maxItemShown/2), text.Number(int64(n)))
	}
}

// maxTagShown bounds an item in front of a line, in bytes.
const maxTagShown = 200

// argument is what a task gets that has no args: the item, or the items.
func (in *Instance) argument() config.Value {
	if in.Items != nil {
		return config.ListValue(in.Items)
	}
	return in.Item
}

// hasItem reports whether there is an item to show.
func (in *Instance) hasItem() bool { return in.Job.Foreach != nil && !in.bad }

// Gated reports whether the observer is to be asked before another attempt.
func (in *Instance) Gated() bool { return in.state != nil && in.state.gated }

// Watched reports whether the observer wants to see the output as it comes.
func (in *Instance) Watched() bool { return in.flow != nil }

// priority orders instances that wait for a slot. Those that take an item of
// another job go before those that begin with one, and those that hold what others
// wait for before both.
func (in *Instance) priority() int {
	p := in.Job.Priority * 4 * maxDepth
	if in.plan != nil {
		p += 2 * in.plan.depth
	}
	if in.Gated() {
		p++
	}
	return p
}
