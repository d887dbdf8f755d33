package batch

import (
	"io"

	"github.com/feac4032/multiproc/config"
)

// jobState is how far a job of the file has come. Its fields are guarded by
// run.mu.
type jobState struct {
	plan       *plan
	at         int // in the file
	needs      int // that have not ended
	dependents []*jobState
	unmet      *jobState // the need for which it is skipped
	ended      bool

	src      source // of lists and ranges, which never block
	pump     *pump  // of sources that may block
	batch    []item
	done     bool  // there is nothing behind batch
	err      error // why not
	combo    int   // of the first of batch, its next combination
	index    int64 // of the next instance
	inFlight int   // submitted and not ended
	notOK    int64 // instances
}

// has reports that an instance can be made now. It may take the next batch.
func (js *jobState) has() bool {
	if len(js.batch) == 0 && !js.done {
		js.fill()
	}
	return len(js.batch) > 0
}

func (js *jobState) fill() {
	switch {
	case js.pump != nil:
		js.batch, js.err, js.done = js.pump.take()
	case js.src != nil:
		var err error
		js.batch, err = js.src.more(js.batch[:0])
		js.done = err != nil
		if err != io.EOF {
			js.err = err
		}
	}
}

// free reports that another instance may be under way.
func (js *jobState) free() bool {
	limit := js.plan.job.MaxParallel
	return limit == 0 || js.inFlight < limit
}

// take makes the next instance. The error is that of its item.
func (js *jobState) take() (*Instance, error) {
	it := &js.batch[0]
	in := &Instance{
		Job: js.plan.job, Index: js.index, Item: it.value, Matrix: js.plan.combo(js.combo),
		plan: js.plan, size: it.size(),
	}
	err := it.err
	js.index++
	if js.combo++; js.combo == js.plan.matrices() {
		js.combo = 0
		js.batch = js.batch[1:]
	}
	return in, err
}

// over reports that all instances of the job have ended.
func (js *jobState) over() bool {
	return js.done && len(js.batch) == 0 && js.inFlight == 0
}

// streams reports whether the items come from where they may have to be waited
// for.
func streams(f *config.Foreach) bool {
	return f != nil && f.Source != config.FromList && f.Source != config.FromRange
}

// known gives the number of instances where the file alone tells.
func (p *plan) known() (int64, bool) {
	m := int64(p.matrices())
	if p.job.Foreach == nil {
		return m, true
	}
	n, ok := p.job.Foreach.Count()
	return n * m, ok
}
