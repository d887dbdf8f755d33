package batch

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/feac4032/multiproc/config"
	"github.com/feac4032/multiproc/pool"
)

// Bounds of what is under way at a time. The window is deep enough to keep
// workers busy with jobs of a microsecond, and what it holds does not grow with
// the number of jobs.
const (
	minWindow  = 2048
	perWorker  = 1024
	maxWindow  = 16384
	maxBytes   = 32 << 20 // of items; one may be larger
	maxOpen    = 64       // sources that are read at a time
	takeAtOnce = 64
)

func (r *run) window() int {
	return min(max(minWindow, (r.cfg.Workers+1)*perWorker), maxWindow)
}

// dispatch submits instances, those of earlier jobs in the file first, until
// there are no more or the run halts.
func (r *run) dispatch() {
	var batch [takeAtOnce]taken
	var fresh [takeAtOnce]*jobState // by place in batch: the job of a new instance
	r.mu.Lock()
	for r.level.Load() == running && r.left > 0 {
		if len(r.passed) > 0 {
			js := r.passed[0]
			r.passed = r.passed[1:]
			r.mu.Unlock()
			r.skip(js)
			r.mu.Lock()
			continue
		}
		n, ended := r.collect(batch[:])
		if n == 0 {
			// The end of a job may have brought some before those that were asked.
			if !ended && r.left > 0 && len(r.passed) == 0 && r.level.Load() == running {
				r.work.Wait()
			}
			continue
		}
		r.mu.Unlock()
		for i := range batch[:n] {
			t := &batch[i]
			fresh[i] = nil
			switch {
			case t.again:
				r.ex.Again(t.in)
			case t.admitted:
				r.submit(t.in)
			default:
				fresh[i] = t.in.state
				r.open(t)
			}
			*t = taken{}
		}
		r.mu.Lock()
		for _, js := range fresh[:n] {
			if js != nil {
				js.fresh--
			}
		}
	}
	var held []*Instance
	for _, js := range r.jobs {
		held = append(held, js.held...)
		js.held = nil
	}
	r.holding = 0
	r.gates.quiet()
	r.mu.Unlock()
	for _, in := range held {
		r.Dropped(in)
	}
	r.mu.Lock()
	r.idle = true
	r.checkFinished()
	r.mu.Unlock()
}

// taken is an instance that has a place in the window.
type taken struct {
	in       *Instance
	err      error // of its item
	admitted bool  // the gates have let it through
	again    bool  // and that for another attempt
}

// maxHeld bounds the instances of a job that wait for the gates.
const maxHeld = 64

// collect takes as many instances as there is room for. It reports whether jobs had
// no more to give. The caller holds mu.
func (r *run) collect(batch []taken) (n int, ended bool) {
	p := pass{now: time.Now()}
	defer func() { r.gates.wakeLater(r, &p) }()
	r.openHead()
	for i := 0; i < len(r.returning) && n < len(batch); {
		in := r.returning[i]
		holds, ok := r.gates.admit(&p, in.state, in.holds)
		if !ok {
			i++
			continue
		}
		in.gated, in.holds, in.returning = true, holds, false
		r.returning = slices.Delete(r.returning, i, i+1)
		batch[n] = taken{in: in, again: true}
		n++
	}
	window := r.window()
	if len(r.flight) >= window || r.bytes >= maxBytes {
		r.choked = true
	}
	for i := 0; i < len(r.ready) && n < len(batch); {
		js := r.ready[i]
		for len(js.held) > 0 && n < len(batch) {
			holds, ok := r.gates.admit(&p, js, nil)
			if !ok {
				break
			}
			in := js.held[0]
			js.held = js.held[1:]
			r.holding--
			in.gated, in.holds = true, holds
			batch[n] = taken{in: in, admitted: true}
			n++
		}
		for n < len(batch) && !r.choked && (!js.gated || len(js.held)+js.fresh < maxHeld) && js.free() && r.led.room(js) && js.has() {
			if len(r.flight) >= window || r.bytes >= maxBytes {
				r.choked = true
				break
			}
			in, err := js.take()
			r.enter(js, in)
			batch[n] = taken{in: in, err: err}
			n++
			js.fresh++
		}
		if js.drained() && js.fresh == 0 && len(js.held) == 0 {
			if i == 0 {
				r.ready = r.ready[1:] // the usual case, and cheap for files of many jobs
			} else {
				r.ready = slices.Delete(r.ready, i, i+1)
			}
			r.exhausted(js)
			ended = true
			continue
		}
		if r.choked && r.holding == 0 {
			break // none of those behind has anything to give; they may be many
		}
		i++
	}
	return n, ended
}

// enter gives an instance a place in the window.
func (r *run) enter(js *jobState, in *Instance) {
	js.inFlight++
	in.place = len(r.flight)
	r.flight = append(r.flight, in)
	r.bytes += in.size
}

// leave takes the place back, and ends the job if it was the last. The caller
// holds mu.
func (r *run) leave(in *Instance) {
	last := len(r.flight) - 1
	r.flight[in.place] = r.flight[last]
	r.flight[in.place].place = in.place
	r.flight[last] = nil
	r.flight = r.flight[:last]
	r.bytes -= in.size
	js := in.state
	js.inFlight--
	if in.returning {
		in.returning = false
		r.returning = slices.DeleteFunc(r.returning, func(x *Instance) bool { return x == in })
	}
	wake := r.gates.release(in) || js.limit > 0 || len(js.feeds) > 0
	if r.choked && len(r.flight) <= r.window()*3/4 && r.bytes <= maxBytes*3/4 {
		r.choked = false
		wake = true
	}
	if js.over() && !js.ended {
		r.endJob(js)
		wake = true
	}
	if wake {
		r.work.Signal()
	}
	r.checkFinished()
}

// exhausted is called when no more instances of a job come. The caller holds mu.
func (r *run) exhausted(js *jobState) {
	if js.pump != nil {
		js.pump = nil
		r.opened--
		r.openNext()
	}
	if js.feed != nil {
		js.feed.close()
		switch {
		case js.index > 0 || js.plan.job.When != config.WhenOK:
		case js.lacking:
			js.unmet = js.source
			r.passed = append(r.passed, js)
			return
		case js.source.passed != "":
			js.passed = idleNeed(js.source)
			r.passed = append(r.passed, js)
			return
		}
	}
	if js.err != nil {
		err := js.err
		js.err = nil
		js.inFlight++ // its record is outstanding
		r.helpers.Add(1)
		go func() {
			defer r.helpers.Done()
			r.record(nil, js, &pool.Result{Outcome: pool.Failed, Which: whichInput, Evidence: err.Error(), ExitCode: -1})
			r.mu.Lock()
			js.inFlight--
			if js.over() {
				r.endJob(js)
			}
			r.work.Signal()
			r.checkFinished()
			r.mu.Unlock()
		}()
		return
	}
	if js.over() && !js.ended {
		r.endJob(js)
	}
}

// endJob lets those go on that need the job, or skips them. The caller holds mu.
func (r *run) endJob(js *jobState) {
	js.ended = true
	r.left--
	met := js.met()
	if r.log.IsDebug() {
		r.log.Debug("job ended", "job", js.plan.job.ID, "instances", js.index, "not_ok", js.notOK)
	}
	r.led.jobEnded(js)
	for _, f := range js.feeds {
		f.end()
	}
	for _, d := range js.dependents {
		// What has no items stands for all that its needs have made, such as a sum.
		d.stale = d.stale || js.ran && d.plan.job.Foreach == nil
		if d.giver() == js {
			// It takes what comes, and is told by the feed that no more does.
			d.lacking = !met && d.plan.job.When == config.WhenOK
			continue
		}
		if d.ended || d.unmet != nil || d.passed != "" {
			continue
		}
		d.needs--
		if js.notOK > 0 || js.lacking {
			d.missed++
		}
		if js.passed != "" && d.idle == nil {
			d.idle = js
		}
		switch when := d.plan.job.When; {
		case when == config.WhenOK && !met:
			d.unmet = js
		case d.needs > 0:
			continue // also where one did not run: another may yet fail, which counts for more
		case when == config.WhenOK && d.idle != nil:
			d.passed = idleNeed(d.idle)
		case when == config.WhenFailed && d.missed == 0:
			d.passed = "no need of it has failed"
		default:
			r.makeReady(d)
			continue
		}
		r.passed = append(r.passed, d)
	}
	if t := js.reads; t != nil {
		if t.unread--; t.unread == 0 {
			t.tap.close()
		}
	}
	r.checkFinished()
}

// idleNeed says why a job is skipped that needs one which its `when` has skipped.
func idleNeed(js *jobState) string {
	return fmt.Sprintf("needs %s, which did not run", js.plan.job.ID)
}

// makeReady opens a job for dispatch. The caller holds mu, or nobody else knows
// of the run yet.
func (r *run) makeReady(js *jobState) {
	f := js.plan.job.Foreach
	switch {
	case f == nil:
		js.batch, js.done = []item{{}}, true
	case js.feed != nil:
	case !streams(f):
		js.src, _ = openSource(f, "", nil, nil) // lists and ranges open nothing
	case r.opened >= maxOpen:
		r.unopened = append(r.unopened, js)
		return
	default:
		r.start(js)
	}
	r.enlist(js)
}

// enlist puts a job among those that may have instances to start.
func (r *run) enlist(js *jobState) {
	at, _ := slices.BinarySearchFunc(r.ready, js, (*jobState).before)
	r.ready = slices.Insert(r.ready, at, js)
}

// before orders the jobs that are ready: by their priority; those that take the
// items of others in front of these, so that an item goes all the way before the
// next one begins; and as in the file.
func (js *jobState) before(other *jobState) int {
	return cmp.Or(
		cmp.Compare(other.plan.job.Priority, js.plan.job.Priority),
		cmp.Compare(other.plan.depth, js.plan.depth),
		cmp.Compare(js.at, other.at),
	)
}

func (r *run) openNext() {
	if len(r.unopened) == 0 || r.opened >= maxOpen {
		return
	}
	js := r.unopened[0]
	r.unopened = r.unopened[1:]
	r.makeReady(js)
}

// openHead begins to read for the job whose turn it is to be printed, also where too
// many sources are open: those may be waiting for it. The caller holds mu.
func (r *run) openHead() {
	if r.led.order == nil || len(r.unopened) == 0 {
		return
	}
	place := r.led.order.turn()
	i := slices.IndexFunc(r.unopened, func(js *jobState) bool { return js.place == place })
	if i < 0 {
		return
	}
	js := r.unopened[i]
	r.unopened = slices.Delete(r.unopened, i, i+1)
	r.start(js)
	r.enlist(js)
}

// start begins to read a source that may block. Its reader is not waited for at
// the end of a run: nothing can wake it from a read of a terminal or a pipe.
func (r *run) start(js *jobState) {
	r.opened++
	js.pump = newPump(func() {
		r.mu.Lock()
		r.work.Signal()
		r.mu.Unlock()
	})
	stdin := r.cfg.Stdin
	if stdin == nil {
		stdin = strings.NewReader("")
	}
	var tap *tap
	if js.reads != nil {
		tap = js.reads.tap
	}
	go js.pump.run(js.plan.job.Foreach, js.plan.root, stdin, tap)
}

// open decides what becomes of a new instance: nothing is to be done for it, or it
// waits for the gates, or it is handed to the executor.
func (r *run) open(t *taken) {
	in := t.in
	switch {
	case r.Halting():
		r.Dropped(in)
		return
	case !r.wanted(in):
		r.passOver(in)
		return
	case t.err != nil:
		in.bad = true
		r.Done(in, &pool.Result{Outcome: pool.Failed, Which: whichInput, Evidence: t.err.Error(), ExitCode: -1})
		return
	}
	if r.carried(in) || r.exists(in) {
		return
	}
	if !in.state.gated {
		r.submit(in)
		return
	}
	r.mu.Lock()
	in.state.held = append(in.state.held, in)
	r.holding++
	r.mu.Unlock()
}

// wanted reports whether an instance is one of those that are to be run.
func (r *run) wanted(in *Instance) bool {
	only, chosen := r.cfg.Only[in.Job.ID]
	return !chosen || slices.Contains(only, in.Index)
}

// passOver leaves an instance out that is not wanted.
func (r *run) passOver(in *Instance) {
	if r.led.order != nil {
		r.led.commit(&entry{in: in, quiet: true}) // those behind it need not wait
	}
	r.mu.Lock()
	r.leave(in)
	r.mu.Unlock()
}

// submit hands an instance to the executor.
func (r *run) submit(in *Instance) {
	if r.Halting() {
		r.Dropped(in)
		return
	}
	if r.follows(in) {
		in.flow = r.newFlow()
	}
	if err := r.ex.Submit(in, r); err != nil {
		if r.Halting() {
			r.Dropped(in)
			return
		}
		which := whichInput
		var dir *dirError
		if errors.As(err, &dir) {
			which = pool.WhichSpawn
		}
		r.Done(in, &pool.Result{Outcome: pool.Failed, Which: which, Evidence: err.Error(), ExitCode: -1})
	}
}

// skip records the instances of a job of which a need was not met: each one
// where the file tells how many there are, else the job as one, since what it
// would have read is not read.
func (r *run) skip(js *jobState) {
	res := &pool.Result{Outcome: skipped, ExitCode: -1}
	if js.unmet != nil {
		res.Evidence = fmt.Sprintf("needs %s, which was not ok", js.unmet.plan.job.ID)
	} else {
		res.Which, res.Evidence = whichWhen, js.passed
	}
	n, known := js.plan.known()
	switch {
	case !known:
		r.record(nil, js, res)
	default:
		r.makeItems(js)
		// Where nobody is told of each, nobody asks for more than the first ones.
		each := n
		if !r.tellsEach() {
			each = min(n, maxFailures)
		}
		for range each {
			if r.Halting() {
				return
			}
			r.mu.Lock()
			if !js.has() {
				r.mu.Unlock()
				break
			}
			in, _ := js.take()
			r.mu.Unlock()
			r.record(in, js, res)
		}
		r.mu.Lock()
		r.tally.add(skipped, n-each)
		if js.unmet != nil {
			r.fails.total += n - each
			js.notOK += n - each
			r.countBad(js, n-each)
		}
		r.mu.Unlock()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	js.batch, js.done = nil, true
	if n == 0 && js.unmet != nil {
		js.notOK++
	}
	r.endJob(js)
}

// makeItems gives a job that is skipped the items that the file names.
func (r *run) makeItems(js *jobState) {
	if js.plan.job.Foreach == nil {
		js.batch, js.done = []item{{}}, true
		return
	}
	js.src, _ = openSource(js.plan.job.Foreach, "", nil, nil)
}

// checkFinished ends the run when nothing is left to do. The caller holds mu.
func (r *run) checkFinished() {
	if !r.idle || len(r.flight) > 0 {
		return
	}
	for _, js := range r.jobs {
		if js.inFlight > 0 {
			return
		}
	}
	select {
	case <-r.finished:
	default:
		close(r.finished)
	}
}
