package batch

import (
	"os"

	"github.com/feac4032/multiproc/pool"
)

// pass hands on what an instance leaves to other jobs: its items, and what it has
// printed. That comes before its end is known, so that nobody thinks that its job
// has ended without it.
func (r *run) pass(in *Instance, js *jobState, res *pool.Result) {
	if in == nil || !leaves(res) {
		return
	}
	if js.tap != nil && res.Outcome == pool.OK {
		var line []byte
		if hasResult(in, res) {
			line = appendValue(nil, res.Value, false)
		}
		js.tap.put(&res.Stdout, line)
	}
	in.passItems(js)
}

// leaves reports whether an instance is as good as ok for those that take its item.
func leaves(res *pool.Result) bool {
	return res.Outcome == pool.OK || res.Outcome == skipped && res.Which == whichCreates
}

func (in *Instance) passItems(js *jobState) {
	for _, f := range js.feeds {
		if in.Items == nil {
			f.put(in.Item)
			continue
		}
		for _, v := range in.Items {
			f.put(v)
		}
	}
}

// learn takes what the end of an instance teaches about its job. The caller holds
// run.mu.
func (js *jobState) learn(in *Instance, res *pool.Result) {
	if in != nil && js.chunk != nil && in.Items != nil && res.PID > 0 {
		js.chunk.tune(len(in.Items), res.Wall)
	}
}

// exists skips an instance if what it would make is there already.
func (r *run) exists(in *Instance) bool {
	t := in.Job.Creates
	if t == nil {
		return false
	}
	s := in.plan.scope(in, 0, 0)
	path, err := t.Text(&s)
	if err != nil {
		return false // it fails for the same reason when it is started
	}
	if _, err := os.Stat(resolve(in.plan.root, path)); err != nil {
		return false
	}
	r.Done(in, &pool.Result{Outcome: skipped, Which: whichCreates, Evidence: path + " exists", ExitCode: -1})
	return true
}
