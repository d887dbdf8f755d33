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
	place      int // in the order of levels
	needs      int // that have not ended
	dependents []*jobState
	missed     int       // needs that were not met
	unmet      *jobState // the need for which it is skipped
	idle       *jobState // a need that was skipped by its `when`
	passed     string    // why it is skipped by its `when`
	ended      bool
	source     *jobState // the job whose items it takes; nil = none
	lacking    bool      // and that one was not met: some may be missing

	src   source // of lists and ranges, which never block
	pump  *pump  // of sources that may block
	feed  *feed  // of `from`
	batch []item
	done  bool  // there is nothing behind batch
	err   error // why not
	chunk *chunker

	combo    int   // of the first of batch, its next combination
	index    int64 // of the next instance
	inFlight int   // submitted and not ended
	limit    int   // of inFlight; 0 = none
	notOK    int64 // instances
	ran      bool  // an instance was run, and not taken from an earlier run
	stale    bool  // the job has no items, and an instance of its needs was run: so are its own

	feeds  []*feed   // that take the items of this job's instances
	tap    *tap      // keeps what they print; nil = nobody reads it
	unread int       // jobs that will read the tap
	reads  *jobState // the job whose tap it reads; nil = none

	gated bool        // its instances have to be admitted
	fresh int         // those of which it is not known yet whether they need to be
	held  []*Instance // those that wait for it
	pace  pace
}

// giver is the job whose items are taken while it runs, nil = none: one that
// is for when something has failed has to wait until that is known.
func (js *jobState) giver() *jobState {
	if js.plan.job.When == config.WhenFailed {
		return nil
	}
	return js.source
}

// has reports that an instance can be made now. It may take the next batch.
func (js *jobState) has() bool {
	if js.chunk != nil {
		return js.chunk.has(js)
	}
	if len(js.batch) == 0 && !js.done {
		js.fill()
	}
	return len(js.batch) > 0
}

func (js *jobState) fill() {
	switch {
	case js.pump != nil:
		js.batch, js.err, js.done = js.pump.take()
	case js.feed != nil:
		js.batch, js.err, js.done = js.feed.take(js.batch[:0])
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
func (js *jobState) free() bool { return js.limit == 0 || js.inFlight < js.limit }

// take makes the next instance. The error is that of its item.
func (js *jobState) take() (*Instance, error) {
	in := &Instance{Job: js.plan.job, Index: js.index, Matrix: js.plan.combo(js.combo), plan: js.plan, state: js}
	var err error
	last := false
	if js.combo++; js.combo == js.plan.matrices() {
		js.combo, last = 0, true
	}
	if js.chunk != nil {
		err = js.chunk.take(in, last)
	} else {
		it := &js.batch[0]
		in.Item, in.size, err = it.value, it.size(), it.err
		if last {
			js.batch = js.batch[1:]
		}
	}
	js.index++
	return in, err
}

// drained reports that no more instances can be made.
func (js *jobState) drained() bool {
	return js.done && len(js.batch) == 0 && (js.chunk == nil || js.chunk.empty())
}

// over reports that all instances of the job have ended.
func (js *jobState) over() bool {
	return js.drained() && js.fresh == 0 && js.inFlight == 0 && js.err == nil
}

// met reports whether the job lets those go on that need it.
func (js *jobState) met() bool {
	return js.notOK == 0 && !js.lacking || js.plan.job.ContinueOnError || js.plan.job.AllowFailure
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
	switch c := p.job.Chunk; {
	case c.Auto:
		return 0, false
	case c.Size > 0:
		n = (n + int64(c.Size) - 1) / int64(c.Size)
	}
	return n * m, ok
}
