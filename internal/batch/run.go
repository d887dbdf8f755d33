package batch

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/feac4032/multiproc/config"
	"github.com/feac4032/multiproc/internal/journal"
	"github.com/feac4032/multiproc/internal/mask"
	"github.com/feac4032/multiproc/internal/terminal"
	"github.com/feac4032/multiproc/internal/text"
	"github.com/feac4032/multiproc/pool"
)

// closeWithin bounds how long the executor may take to clear up after a kill.
const closeWithin = 10 * time.Second

// run is one run of a job file.
type run struct {
	cfg   *Config
	ex    Executor
	log   hclog.Logger
	led   *ledger
	id    string
	begin time.Time
	shows bool         // instances' outputs are printed
	mask  *mask.Masker // hides secrets; nil = there are none

	outputs *journal.Outputs // that wait for their place, without a journal
	dirMu   sync.Mutex       // guards Config.OutputDir
	dirLost bool

	// level is how far the run is on its way to its end; written under mu.
	level atomic.Int32

	mu                  sync.Mutex
	work                sync.Cond // something has changed that the dispatcher may wait for
	jobs                []*jobState
	ready               []*jobState // may have instances to start, in their order
	unopened            []*jobState // ready, but too many sources are open
	opened              int         // sources that are being read
	returning           []*Instance // have waited for another attempt, and are to pass the gates
	holding             int         // instances that wait for the gates for the first time
	gates               *gates
	passed              []*jobState // to be skipped
	left                int         // jobs that have not ended
	flight              []*Instance
	bytes               int64 // that flight holds
	choked              bool  // the window was full, and is to become emptier first
	tally               tally
	meter               terminal.Meter
	counts              int64 // instances that were not ok, and make the run so
	active              int64 // instances with an attempt under way
	fails               failures
	notes, consequences int   // lines for people about what was not ok
	leaks               []int // processes of attempts that could not be ended
	noStart             bool  // the restart limit was reached
	end                 ending
	idle                bool // the dispatcher has returned
	finished            chan struct{}
	drain               chan time.Duration // asks for a bound on what is left
	helpers             sync.WaitGroup
}

// Levels of a run's end.
const (
	running      int32 = iota
	finishing          // nothing new is started
	interrupting       // and what runs is interrupted
	killing            // or killed
)

// Run runs the jobs of a file and returns what it came to. It ends when all jobs
// have, or what ends it early is done with: by then nothing that it started is
// left. The report's Exit is the exit code; how it came about is said on Stderr.
func Run(ctx context.Context, cfg Config) *Report {
	secrets, err := cfg.Settings.Secrets, error(nil)
	if secrets == nil {
		secrets, err = OpenSecrets(cfg.File, &cfg.Settings)
		cfg.Settings.Secrets = secrets
	}
	r := newRun(&cfg)
	defer r.closeFiles()
	if err == nil {
		err = r.keepOrder()
	}
	r.led.start()
	r.eventRun("run.start", nil)
	var plans []*plan
	if err == nil {
		plans, err = newPlans(cfg.File, &cfg.Settings)
	}
	if err == nil {
		problems := append(checkInputs(cfg.File, plans), r.gates.fits(cfg.File)...)
		if problems != nil {
			err = &UsageError{Problems: problems}
		}
	}
	if err == nil {
		err = r.checkTasks(ctx, plans)
	}
	if err != nil {
		return r.refuse(err)
	}
	r.build(plans)
	go r.dispatch()
	r.supervise(ctx)
	return r.conclude()
}

func newRun(cfg *Config) *run {
	r := &run{
		cfg: cfg, ex: cfg.Executor, log: cfg.Logger, begin: cfg.Begin,
		shows:    cfg.Output != config.OutputNone,
		finished: make(chan struct{}),
		drain:    make(chan time.Duration, 1),
	}
	r.mask = cfg.Settings.Secrets.Masker()
	if r.begin.IsZero() {
		r.begin = time.Now()
	}
	if r.log == nil {
		r.log = hclog.NewNullLogger()
	}
	if r.id = cfg.ID; r.id == "" {
		r.id = NewID(r.begin)
	}
	r.gates = newGates(cfg.File, cfg.Workers, cfg.Machine)
	r.work.L = &r.mu
	r.led = newLedger(cfg.Stdout, cfg.Stderr, cfg.Events, r.lost)
	r.led.files, r.led.journal, r.led.onBroken = cfg.Sinks, cfg.Journal, r.unrecorded
	r.led.tag, r.led.mask = cfg.Tag, r.mask
	if cfg.Output == config.OutputLive && cfg.Tag == nil {
		r.led.tag = (*Instance).Label
	}
	if cfg.Progress != nil {
		cfg.Progress.run.Store(r)
	}
	if cfg.Events != nil || len(cfg.Sinks) > 0 || r.log.IsDebug() {
		r.ex.Watch(r.worker)
	}
	return r
}

// NewID makes up a name for a run, by which names sort like the runs.
func NewID(begin time.Time) string {
	var nonce [4]byte
	rand.Read(nonce[:])
	return begin.UTC().Format("20060102T150405Z") + "-" + hex.EncodeToString(nonce[:])
}

// build links the jobs and makes those ready that need nothing.
func (r *run) build(plans []*plan) {
	states := make(map[*config.Job]*jobState, len(plans))
	for i, p := range plans {
		js := &jobState{plan: p, at: i, needs: len(p.job.Needs), limit: p.job.MaxParallel,
			gated: r.gates.gated(p.job), chunk: newChunker(p.job.Chunk)}
		if p.job.Chunk.Auto && js.limit == 0 {
			js.limit = 2 * r.cfg.Workers // so that what is measured counts for those to come
		}
		states[p.job] = js
		r.jobs = append(r.jobs, js)
	}
	r.places()
	for _, js := range r.jobs {
		for _, need := range js.plan.job.Needs {
			states[need].dependents = append(states[need].dependents, js)
		}
		r.connect(js, states)
	}
	r.left = len(r.jobs)
	for _, js := range r.jobs {
		if js.needs == 0 {
			r.makeReady(js)
		}
	}
}

// connect gives a job what another one makes for it.
func (r *run) connect(js *jobState, states map[*config.Job]*jobState) {
	f := js.plan.job.Foreach
	if past, id := r.cfg.Past, js.plan.job.ID; past != nil && js.plan.job.Chunk.Auto {
		// So that the chunks of before are made again.
		js.chunk.before = func() int {
			n, _, err := past.Count(id, js.index)
			if err != nil || n > chunkItems {
				return 0
			}
			return int(n)
		}
	}
	if f == nil || f.Of == nil {
		return
	}
	of := states[f.Of]
	if f.Source == config.FromJob {
		js.source, js.feed = of, &feed{dir: r.cfg.SpillDir}
		if js.giver() != nil {
			js.needs-- // it goes on as soon as there is an item
		}
		of.feeds = append(of.feeds, js.feed)
		return
	}
	if of.tap == nil {
		of.tap = &tap{dir: r.cfg.SpillDir}
	}
	of.unread++
	js.reads = of
}

// places puts the jobs into the order of their levels, and there of the file.
func (r *run) places() {
	sorted := slices.Clone(r.jobs)
	slices.SortStableFunc(sorted, func(a, b *jobState) int { return a.plan.job.Level - b.plan.job.Level })
	for i, js := range sorted {
		js.place = i
	}
}

// keepOrder has outputs printed in order, if that is wanted.
func (r *run) keepOrder() error {
	if r.cfg.Output != config.OutputOrder {
		return nil
	}
	room := func() {
		r.mu.Lock()
		r.work.Signal()
		r.mu.Unlock()
	}
	if j := r.cfg.Journal; j != nil {
		r.led.order = newOrder(len(r.cfg.File.Jobs), j.Outputs(), r.cfg.SpillDir, room)
		return nil
	}
	store, err := journal.OpenOutputs(r.cfg.SpillDir, 0)
	if err != nil {
		return fmt.Errorf("outputs that wait for their turn: %w", err)
	}
	r.outputs = store
	r.led.order = newOrder(len(r.cfg.File.Jobs), store, r.cfg.SpillDir, room)
	return nil
}

// closeFiles gives back what jobs have put into files for each other.
func (r *run) closeFiles() {
	if r.outputs != nil {
		r.outputs.Close()
	}
	for _, js := range r.jobs {
		if js.feed != nil {
			js.feed.close()
		}
		if js.tap != nil {
			js.tap.close()
		}
	}
}

// checkTasks asks the workers for their tasks, unless a signal comes first.
func (r *run) checkTasks(ctx context.Context, plans []*plan) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	answer := make(chan error, 1)
	go func() { answer <- checkTasks(ctx, r.cfg.File, plans, r.ex) }()
	for {
		select {
		case err := <-answer:
			if r.end.signal > 0 {
				return fmt.Errorf("interrupted by %s", signalText(r.end.signal))
			}
			return err
		case sig := <-r.cfg.Signals:
			if r.end.signal == 0 {
				r.end.signal = signalNumber(sig)
			}
			cancel()
		}
	}
}

// refuse ends a run that never began.
func (r *run) refuse(err error) *Report {
	var usage *UsageError
	switch {
	case errors.As(err, &usage):
		r.end.usage = true
	case r.end.signal > 0:
	case errors.Is(err, pool.ErrConfine):
		r.end.unfit = true
	case errors.Is(err, pool.ErrRestartLimit):
		r.end.halted = err.Error()
	default:
		r.end.internal = true
	}
	if usage != nil {
		for _, p := range usage.Problems {
			r.led.say(p)
		}
	} else {
		r.led.say("supervisor: " + text.Plain(err.Error(), 4000))
	}
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	closing := r.ex.Close(ctx)
	rep := r.report(closing)
	rep.Error = r.mask.Text(err.Error())
	r.eventRun("run.end", rep)
	r.led.close()
	r.closeSinks(rep)
	return rep
}

// supervise waits for the end of the run, and for what brings it about early.
func (r *run) supervise(ctx context.Context) {
	var deadline, drained <-chan time.Time
	if d := r.cfg.Deadline; d > 0 {
		t := time.NewTimer(d - time.Since(r.begin))
		defer t.Stop()
		deadline = t.C
	}
	signals := r.cfg.Signals
	for {
		select {
		case <-r.finished:
			return
		case sig, ok := <-signals:
			if !ok {
				signals = nil
				continue
			}
			r.signalled(sig)
		case <-deadline:
			r.stop(interrupting, func() {
				r.end.halted = fmt.Sprintf("the deadline of %v is over", r.cfg.Deadline)
			})
		case <-ctx.Done():
			ctx = context.Background()
			r.stop(killing, func() { r.end.internal = true })
		case d := <-r.drain:
			t := time.NewTimer(d)
			defer t.Stop()
			drained = t.C
		case <-drained:
			if r.level.Load() == killing {
				// Nothing can make this happen but a fault of ours or of the system's.
				r.mu.Lock()
				r.end.internal = true
				r.mu.Unlock()
				r.log.Error("run did not end", "error", errStoodOut)
				return
			}
			r.stop(killing, nil)
		}
	}
}

// signalled acts on a signal: SIGINT lets running instances finish, others
// interrupt them, and a second one of any kind kills.
func (r *run) signalled(sig os.Signal) {
	n := signalNumber(sig)
	r.mu.Lock()
	first := r.end.signal == 0
	if first {
		r.end.signal = n
	}
	active := r.active
	r.mu.Unlock()
	switch {
	case !first:
		r.led.say("supervisor: killing what runs")
		r.stop(killing, nil)
	case sig == os.Interrupt:
		r.led.say(fmt.Sprintf("supervisor: interrupted: %s running %s may finish, for at most %v; interrupt again to kill",
			text.Number(active), text.Plural(active, "job", "jobs"), r.cfg.Drain))
		r.stop(finishing, nil)
		r.bound(r.cfg.Drain)
	default:
		r.led.say(fmt.Sprintf("supervisor: %s: ending %s running %s", signalText(n), text.Number(active), text.Plural(active, "job", "jobs")))
		r.stop(interrupting, nil)
	}
}

func signalNumber(sig os.Signal) int {
	if s, ok := sig.(syscall.Signal); ok {
		return int(s)
	}
	return 2 // the interrupt of systems without numbers
}

func signalText(n int) string {
	if s := signalName(n); s != "" {
		return s
	}
	return fmt.Sprintf("signal %d", n)
}

// bound ends what is left after d.
func (r *run) bound(d time.Duration) {
	select {
	case r.drain <- d:
	default:
	}
}

// stop takes the run to a further level of its end. note, if not nil, is called
// under mu when the level is new.
func (r *run) stop(level int32, note func()) {
	r.mu.Lock()
	if r.level.Load() >= level {
		r.mu.Unlock()
		return
	}
	r.level.Store(level)
	if note != nil {
		note()
	}
	var back []*Instance
	for _, in := range r.flight {
		if level >= interrupting || in.waiting != "" {
			back = append(back, in)
		}
	}
	for _, js := range r.jobs {
		if js.pump != nil {
			js.pump.stop()
		}
	}
	r.work.Broadcast()
	r.mu.Unlock()

	switch level {
	case interrupting:
		r.bound(r.cfg.Drain)
	case killing:
		r.led.abandon()
		r.ex.Kill()
		r.bound(closeWithin)
		return
	}
	r.cancel(back)
}

// cancel takes instances back.
func (r *run) cancel(back []*Instance) {
	// Who calls may be in the middle of telling how an instance ended.
	r.helpers.Add(1)
	go func() {
		defer r.helpers.Done()
		for _, in := range back {
			r.ex.Cancel(in)
		}
	}()
}

// lost is told by the ledger that a stream cannot be written.
func (r *run) lost(to stream, err error) {
	if to == toStdout && errors.Is(err, syscall.EPIPE) {
		r.led.say("supervisor: nobody reads stdout any more; halting")
		r.stop(interrupting, func() { r.end.halted = "nobody reads stdout" })
	} else {
		r.led.say(fmt.Sprintf("supervisor: %s: %v; the jobs go on, what belongs there is lost", to, cause(err)))
	}
	r.mu.Lock()
	r.end.lost = to.String()
	r.mu.Unlock()
}
