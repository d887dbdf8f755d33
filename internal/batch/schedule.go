package batch

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

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
		n := r.collect(batch[:])
		if n == 0 {
			if r.left > 0 && len(r.passed) == 0 && r.level.Load() == running {
				r.work.Wait()
			}
			continue
		}
		r.mu.Unlock()
		for i := range batch[:n] {
			r.submit(&batch[i])
			batch[i] = taken{}
		}
		r.mu.Lock()
	}
	r.idle = true
	r.checkFinished()
	r.mu.Unlock()
}

// taken is an instance that has a place in the window, or with an error one that
// has none because its item is bad.
type taken struct {
	in  *Instance
	err error
}

// collect takes as many instances as there is room for. The caller holds mu.
func (r *run) collect(batch []taken) (n int) {
	window := r.window()
	if len(r.flight) >= window || r.bytes >= maxBytes {
		r.choked = true
	}
	if r.choked {
		return 0
	}
	for i := 0; i < len(r.ready) && n < len(batch); {
		js := r.ready[i]
		for n < len(batch) && js.free() && js.has() {
			if len(r.flight) >= window || r.bytes >= maxBytes {
				return n
			}
			in, err := js.take()
			r.enter(js, in)
			batch[n] = taken{in, err}
			n++
		}
		if js.done && len(js.batch) == 0 {
			if i == 0 {
				r.ready = r.ready[1:] // the usual case, and cheap for files of many jobs
			} else {
				r.ready = slices.Delete(r.ready, i, i+1)
			}
			r.exhausted(js)
			continue
		}
		i++
	}
	return n
}

// enter gives an instance a place in the window.
func (r *run) enter(js *jobState, in *Instance) {
	js.inFlight++
	in.state = js
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
	wake := js.plan.job.MaxParallel > 0
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
		r.open--
		r.openNext()
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
	met := js.notOK == 0 || js.plan.job.ContinueOnError
	if r.log.IsDebug() {
		r.log.Debug("job ended", "job", js.plan.job.ID, "instances", js.index, "not_ok", js.notOK)
	}
	for _, d := range js.dependents {
		if d.ended || d.unmet != nil {
			continue
		}
		d.needs--
		switch {
		case !met:
			d.unmet = js
			r.passed = append(r.passed, d)
		case d.needs == 0:
			r.makeReady(d)
		}
	}
	r.checkFinished()
}

// makeReady opens a job for dispatch. The caller holds mu, or nobody else knows
// of the run yet.
func (r *run) makeReady(js *jobState) {
	f := js.plan.job.Foreach
	switch {
	case f == nil:
		js.batch, js.done = []item{{}}, true
	case !streams(f):
		js.src, _ = openSource(f, "", nil) // lists and ranges open nothing
	case r.open >= maxOpen:
		r.unopened = append(r.unopened, js)
		return
	default:
		r.start(js)
	}
	at, _ := slices.BinarySearchFunc(r.ready, js, func(a, b *jobState) int { return a.at - b.at })
	r.ready = slices.Insert(r.ready, at, js)
}

func (r *run) openNext() {
	if len(r.unopened) == 0 {
		return
	}
	js := r.unopened[0]
	r.unopened = r.unopened[1:]
	r.makeReady(js)
}

// start begins to read a source that may block. Its reader is not waited for at
// the end of a run: nothing can wake it from a read of a terminal or a pipe.
func (r *run) start(js *jobState) {
	r.open++
	js.pump = newPump(func() {
		r.mu.Lock()
		r.work.Signal()
		r.mu.Unlock()
	})
	stdin := r.cfg.Stdin
	if stdin == nil {
		stdin = strings.NewReader("")
	}
	go js.pump.run(js.plan.job.Foreach, js.plan.root, stdin)
}

// submit hands an instance to the executor.
func (r *run) submit(t *taken) {
	in := t.in
	if r.Halting() {
		r.Dropped(in)
		return
	}
	if t.err != nil {
		in.bad = true
		r.Done(in, &pool.Result{Outcome: pool.Failed, Which: whichInput, Evidence: t.err.Error(), ExitCode: -1})
		return
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
	res := &pool.Result{Outcome: skipped, ExitCode: -1,
		Evidence: fmt.Sprintf("needs %s, which was not ok", js.unmet.plan.job.ID)}
	n, known := js.plan.known()
	switch {
	case !known:
		r.record(nil, js, res)
	default:
		r.makeItems(js)
		// Without events nobody asks for more than the first ones.
		each := n
		if r.cfg.Events == nil {
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
			in.state = js
			r.mu.Unlock()
			r.record(in, js, res)
		}
		r.mu.Lock()
		r.tally.add(skipped, n-each)
		r.fails.total += n - each
		js.notOK += n - each
		r.mu.Unlock()
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	js.batch, js.done = nil, true
	if n == 0 {
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
	js.src, _ = openSource(js.plan.job.Foreach, "", nil)
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

// Halting implements Observer.
func (r *run) Halting() bool { return r.level.Load() != running }

// Started implements Observer.
func (r *run) Started(in *Instance, a Attempt) {
	r.mu.Lock()
	in.waiting, in.active = "", true
	r.active++
	r.mu.Unlock()
	if r.cfg.Events != nil {
		r.eventStart(in, a)
	}
}

// Retrying implements Observer.
func (r *run) Retrying(in *Instance, res *pool.Result, after time.Duration) {
	r.mu.Lock()
	r.tally.retried++
	in.waiting = causeOf(res)
	if in.waiting == "" {
		in.waiting = string(res.Outcome)
	}
	r.settled(in)
	r.leaked(res)
	r.mu.Unlock()
	r.log.Debug("retrying", "job", in.Label(), "outcome", string(res.Outcome), "after", after)
	if r.cfg.Events != nil {
		r.eventRetry(in, res, after)
	}
}

// settled counts the end of an attempt. The caller holds mu.
func (r *run) settled(in *Instance) {
	if in.active {
		in.active = false
		r.active--
	}
}

// Dropped implements Observer.
func (r *run) Dropped(in *Instance) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.settled(in)
	r.tally.notStarted++
	r.leave(in)
}

// Done implements Observer.
func (r *run) Done(in *Instance, res *pool.Result) {
	if res.Outcome == pool.Internal && res.Which == pool.WhichStart {
		if r.noWorker(in, res) {
			return
		}
	}
	r.record(in, in.state, res)
	r.mu.Lock()
	r.leave(in)
	r.mu.Unlock()
}
