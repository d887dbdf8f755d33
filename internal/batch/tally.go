package batch

import "github.com/feac4032/multiproc/pool"

// skipped is the outcome of an instance that was not tried because a need of its
// job was not met. The pool does not know it.
const skipped pool.Outcome = "skipped"

// What refines an outcome, beside what the pool knows.
const (
	whichInput   = "input"   // failed: the source of the items could not be read
	whichStdout  = "stdout"  // failed: the file for its output could not be written
	whichWhen    = "when"    // skipped: the condition of its job did not hold
	whichCreates = "creates" // skipped: what it would make is there
)

// harmless reports whether an instance that is not ok is so as the file wants it.
func harmless(res *pool.Result) bool {
	return res.Outcome == pool.OK || res.Outcome == skipped && res.Which != ""
}

// outcomes are all that an instance can have, in the order of reports.
var outcomes = [...]pool.Outcome{
	pool.OK, pool.Failed, pool.Crashed, pool.TimedOut, pool.Limited, pool.Cancelled,
	skipped, pool.Poisoned, pool.Protocol, pool.Internal,
}

// tally counts final records.
type tally struct {
	by         [len(outcomes)]int64
	retried    int64 // attempts that were followed by another
	resumed    int64 // instances that an earlier run did; they count as ok
	notStarted int64 // read, and kept from starting by a halt
}

func (t *tally) add(o pool.Outcome, n int64) {
	for i := range outcomes {
		if outcomes[i] == o {
			t.by[i] += n
			return
		}
	}
	t.by[len(outcomes)-1] += n // what is not known is our fault
}

func (t *tally) count(o pool.Outcome) int64 {
	for i := range outcomes {
		if outcomes[i] == o {
			return t.by[i]
		}
	}
	return 0
}

// jobs is the number of records.
func (t *tally) jobs() (n int64) {
	for _, c := range t.by {
		n += c
	}
	return n
}

// finished counts the instances that a halt policy looks at: those that ran to
// an end of their own.
func (t *tally) finished() int64 {
	return t.jobs() - t.count(skipped) - t.count(pool.Cancelled)
}
