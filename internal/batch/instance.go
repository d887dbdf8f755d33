package batch

import (
	"strconv"

	"github.com/feac4032/multiproc/config"
)

// Instance is one unit of work of a job.
type Instance struct {
	Job    *config.Job
	Index  int64          // counts the product of foreach and matrix, from 0
	Item   config.Value   // null without a foreach
	Matrix []config.Field // empty without a matrix

	// Handle is the executor's.
	Handle any

	plan *plan
	size int64 // bytes that it holds
	bad  bool  // its item could not be read
	key  string

	state   *jobState
	place   int    // in run.flight; guarded by run.mu, as all below
	active  bool   // an attempt is under way
	waiting string // why another attempt is waited for
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
