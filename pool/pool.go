package pool

import (
	"context"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/feac4032/multiproc/internal/child"
	"github.com/feac4032/multiproc/internal/spawn"
	"github.com/feac4032/multiproc/ipc"
	workerside "github.com/feac4032/multiproc/worker"
)

// Pool runs jobs in worker processes and as commands. All methods may be called
// by many goroutines at once.
type Pool struct {
	cfg    Config
	log    hclog.Logger
	g      *spawn.Guardian
	ownsG  bool
	stdout *sharedWriter
	stderr *sharedWriter
	wake   chan struct{} // tells the monitor that there is something to watch
	quit   chan struct{} // ends the monitor
	idle   chan struct{} // the monitor has returned
	unhook func() bool   // from the context of New
	able   child.Ability // of the machine to enforce limits
	wg     sync.WaitGroup

	mu        sync.Mutex
	classes   map[string]*class
	byProgram map[*Program]*class
	order     []*class // by age
	commands  *class
	own       *class // of Config.Program
	slots     int    // see Resize
	free      []int  // those that nobody has, the lowest last
	reserving *Job   // collects slots; nil = none does
	taken     []bool // by number: those that somebody has, also ones that are to go
	workers   []*worker
	running   map[*command]struct{}
	outlets   []*outlet         // for commands, not in use
	waiting   map[*Job]*backoff // for their next attempt
	open      int               // jobs that Done has not been called for
	seq       uint64            // of the last job that was queued
	names     int               // of workers, so far
	lost      int               // workers that ended unasked
	stats     Stats             // what counts from the beginning on
	ended     map[Outcome]uint64
	works     []work // the monitor's
	closed    bool
	killed    bool
	tellings  *sync.Cond    // a call of Started has returned
	before    uint64        // jobs that had ended as Cancelled when closed was set
	gone      chan struct{} // closed once the pool is dismantled
	drained   chan struct{} // closed once closed is set and open is 0
	leaked    []int
	confined  map[confined]*Program // what WithLimits and WithIsolation have made of Config.Program
	parts     []string              // of isolation, that processes have had
	shutdown  sync.Once
	report    Report
}

// pendingState is what the pool keeps in a Job.
type pendingState struct {
	class     *class
	seq       uint64 // when it was queued: who waits longest
	attempt   int
	deaths    int16 // workers that ended under it, not by our hand; two are poison
	suspected int16 // workers that ended when it was the first that they had not started
	reserved  int32 // payload bytes of w's credit that are kept for it, until it is sent
	slot      int32
	writing   int32 // goroutines that write the payload in chunks; atomic

	wide *wide // its slots beyond slot; while it is reserving, all that it has; nil = none

	w  *worker // in flight: in this worker, under this id
	id uint64
	c  *command // running: as this command

	leads     bool // who has submitted it is about to wait for it, and to read the answer
	state     jobState
	told      telling
	cancelled bool
	timedOut  bool
	recalled  bool          // asked back, unless it has started
	alone     bool          // a worker with several threads died under it: it is not to have company
	sent      time.Duration // from epoch to when the attempt was given away
}

func (s *pendingState) sentAt() time.Time { return epoch.Add(s.sent) }

type jobState uint8

const (
	jobNew       jobState = iota
	jobQueued             // in its class's queue
	jobReserving          // taken from there, and collects slots, or has them and waits for a worker
	jobFlying             // in a worker's flight
	jobRunning            // as a command
	jobWaiting            // for its next attempt
	jobEnding             // without a worker; complete will be called for it
	jobDone
)

// New makes a pool. Nothing is started before it is needed, but the guardian,
// the parent of all workers. ctx is the pool's lifetime: its end is Kill. Errors:
// ErrNoMain, that of a field of cfg that cannot be meant, the system's.
func New(ctx context.Context, cfg Config) (*Pool, error) {
	if !workerside.Entered() {
		return nil, fmt.Errorf("pool: %w", ErrNoMain)
	}
	if err := cfg.setDefaults(); err != nil {
		return nil, err
	}
	p := &Pool{
		cfg:       cfg,
		log:       cfg.Logger,
		g:         cfg.Guardian,
		wake:      make(chan struct{}, 1),
		quit:      make(chan struct{}),
		idle:      make(chan struct{}),
		ended:     make(map[Outcome]uint64),
		slots:     cfg.Workers,
		classes:   make(map[string]*class),
		byProgram: make(map[*Program]*class),
		running:   make(map[*command]struct{}),
		waiting:   make(map[*Job]*backoff),
		drained:   make(chan struct{}),
		gone:      make(chan struct{}),
		stdout:    &sharedWriter{w: cfg.Stdout},
		stderr:    &sharedWriter{w: cfg.Stderr},
	}
	p.tellings = sync.NewCond(&p.mu)
	p.able.Warn = func(limit string, err error) {
		p.log.Warn("limit is not enforced on this machine", "limit", limit, "error", err)
	}
	if p.g == nil {
		g, err := spawn.Open(spawn.Options{Logger: func(msg string, kv ...any) { p.log.Warn(msg, kv...) }})
		if err != nil {
			return nil, fmt.Errorf("pool: %w", err)
		}
		p.g, p.ownsG = g, true
	}
	p.freeSlots()
	p.commands = &class{p: p, name: "commands", isCommand: true}
	p.order = append(p.order, p.commands)
	p.own = p.classOf(&p.cfg.Program)
	go p.monitor()
	p.unhook = context.AfterFunc(ctx, p.Kill)
	return p, nil
}

func (c *Config) setDefaults() error {
	switch {
	case c.Workers < 0 || c.Workers > maxSlots:
		return fmt.Errorf("pool: Workers is %d, want 0 to %d", c.Workers, maxSlots)
	case c.MaxWindow < 0:
		return fmt.Errorf("pool: MaxWindow is %d, want 0 or more", c.MaxWindow)
	case c.Restarts < 0 || c.Within < 0:
		return fmt.Errorf("pool: Restarts and Within must not be negative")
	case c.MaxOutput < 0:
		return fmt.Errorf("pool: MaxOutput is %d, want 0 or more", c.MaxOutput)
	}
	if err := c.Program.check(); err != nil {
		return fmt.Errorf("pool: %w", err)
	}
	if err := c.Retry.check(); err != nil {
		return fmt.Errorf("pool: Retry: %w", err)
	}
	if c.Workers == 0 {
		c.Workers = runtime.GOMAXPROCS(0) // affinity and the quota of a cgroup count
	}
	if c.MaxWindow == 0 {
		c.MaxWindow = 1024
	}
	if c.Restarts == 0 {
		c.Restarts = 5
	}
	if c.Within == 0 {
		c.Within = 30 * time.Second
	}
	if c.MaxOutput == 0 {
		c.MaxOutput = 1 << 30
	}
	if c.Stdout == nil {
		c.Stdout = os.Stdout
	}
	if c.Stderr == nil {
		c.Stderr = os.Stderr
	}
	if c.ownLogger = c.Logger != nil; !c.ownLogger {
		c.Logger = hclog.NewNullLogger()
	}
	return nil
}

// sharedWriter keeps the outputs of jobs whole.
type sharedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (s *sharedWriter) copy(o *Output) {
	if o.Len() == 0 {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	o.WriteTo(s.w) // a broken stdout costs the text, not the job
}

func (s *sharedWriter) print(text string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	io.WriteString(s.w, text)
}

// Go enqueues a job and returns. It never waits for a slot: how many jobs are
// under way at a time is the caller's to bound. Once it has returned nil, j.Done
// will be called exactly once; after an error it will not. The error is
// ErrClosed, or ErrJob for a job that cannot be run as it is.
func (p *Pool) Go(j *Job) error { return p.goOn(j, 0, 0, 0) }

// goOn is Go for a job that has had attempts elsewhere, under which so many
// workers have ended, and that is to begin after a while.
func (p *Pool) goOn(j *Job, attempts, deaths int, after time.Duration) error {
	if err := j.check(); err != nil {
		return err
	}
	a := actions{caller: true}
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return ErrClosed
	}
	if j.Slots > p.slots {
		defer p.mu.Unlock()
		return tooWideError(j, p.slots)
	}
	c := p.commands
	if !j.isCommand() {
		c = p.classOf(j.Program)
	}
	if j.pending.state != jobNew {
		j.pending = pendingState{writing: atomic.LoadInt32(&j.pending.writing)}
	}
	j.pending.class, j.pending.attempt, j.pending.deaths = c, attempts, int16(deaths)
	p.open++
	p.stats.Submitted++
	c.open++
	if after > 0 {
		p.mu.Unlock()
		p.schedule(j, after)
		return nil
	}
	p.enqueue(j, &a)
	p.mu.Unlock()
	a.run(p)
	return nil
}

func (j *Job) isCommand() bool { return j.Task == "" }

func (j *Job) check() error {
	switch {
	case j.Done == nil && j.future == nil:
		return fmt.Errorf("%w: Done is nil", ErrJob)
	case j.pending.state != jobNew && j.pending.state != jobDone:
		return fmt.Errorf("%w: %s is in the pool already", ErrJob, label(j))
	case j.Task == "" && j.Command == nil && j.Prepare == nil:
		return fmt.Errorf("%w: %s has neither a task nor a command", ErrJob, label(j))
	case j.Task != "" && j.Command != nil:
		return fmt.Errorf("%w: %s has both a task and a command", ErrJob, label(j))
	case j.Slots < 0:
		return fmt.Errorf("%w: %s takes %d slots, want 0 or more", ErrJob, label(j), j.Slots)
	case j.Command != nil && j.Command.Limits.check() != nil:
		return fmt.Errorf("%w: %s: %w", ErrJob, label(j), j.Command.Limits.check())
	case j.Command != nil && checkLevel(j.Command.Isolation) != nil:
		return fmt.Errorf("%w: %s: %w", ErrJob, label(j), checkLevel(j.Command.Isolation))
	case j.Items < 0 || j.Items > ipc.MaxItems || j.Items > 0 && j.isCommand():
		return fmt.Errorf("%w: %s has %d items", ErrJob, label(j), j.Items)
	case len(j.Task) > ipc.MaxName || len(j.Label) > ipc.MaxName || len(j.Key) > ipc.MaxName:
		return fmt.Errorf("%w: task, label and key have %d, %d and %d bytes, each may have %d at most", ErrJob, len(j.Task), len(j.Label), len(j.Key), ipc.MaxName)
	}
	if j.Program != nil {
		if err := j.Program.check(); err != nil {
			return fmt.Errorf("%w: %s: %w", ErrJob, label(j), err)
		}
	}
	return j.checkPayload()
}

func (j *Job) checkPayload() error {
	if len(j.Payload) > ipc.MaxMessage {
		return fmt.Errorf("%w: argument of %s is %d bytes long, at most %d travel; hand over a path, or parts: %w", ErrJob, label(j), len(j.Payload), ipc.MaxMessage, ipc.ErrTooLarge)
	}
	return nil
}

// enqueue puts j at the end of its class's queue, and gives it away if somebody
// can take it. The caller holds mu.
func (p *Pool) enqueue(j *Job, a *actions) {
	s := &j.pending
	c := s.class
	s.state = jobQueued
	if c.err != nil {
		a.finish(j, c.givenUp(j))
		return
	}
	p.seq++
	s.seq = p.seq
	c.queue.pushBack(j)
	if n := c.queue.len(); n > 1 && n%collect != 0 && len(p.free) == 0 && !c.isCommand && len(c.wide) == 0 {
		return // those that wait could not be given away: one more makes no difference
	}
	p.dispatch(c, a)
}

// collect is how many jobs come to those that wait before it is looked whether they
// are now worth a write.
const collect = 8

// classOf returns the class of a program, nil being the pool's own. The caller
// holds mu.
func (p *Pool) classOf(prog *Program) *class {
	if prog == nil {
		return p.own
	}
	if c := p.byProgram[prog]; c != nil {
		return c
	}
	key := prog.key()
	c := p.classes[key]
	if c == nil {
		own := *prog
		own.Command, own.Env = slices.Clone(prog.Command), slices.Clone(prog.Env)
		if prog.Limits != nil {
			l := *prog.Limits
			own.Limits = &l
		}
		if own.StartTimeout <= 0 {
			own.StartTimeout = 60 * time.Second
		}
		c = &class{p: p, key: key, prog: own, name: programName(own.Command)}
		p.classes[key] = c
		p.order = append(p.order, c)
	}
	if len(p.byProgram) < 4096 { // a cache: programs may come without end
		p.byProgram[prog] = c
	}
	return c
}

func programName(argv []string) string {
	if len(argv) == 0 {
		return "this program"
	}
	return argv[0]
}

// Tasks returns the names of the tasks that the workers of a program announce,
// nil being the pool's own program. It starts a worker if none has been ready
// yet, and waits for it.
func (p *Pool) Tasks(ctx context.Context, prog *Program) ([]string, error) {
	var a actions
	p.mu.Lock()
	if p.closed {
		p.mu.Unlock()
		return nil, ErrClosed
	}
	c := p.classOf(prog)
	if c.known == nil {
		c.known = make(chan struct{})
		if len(c.workers) == 0 && c.err == nil {
			p.startWorker(c, 0, &a)
		}
		c.announce()
	}
	known := c.known
	p.mu.Unlock()
	a.run(p)
	select {
	case <-known:
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return c.tasks, c.err
}

// WorkersLost returns how many workers have ended without being asked to.
func (p *Pool) WorkersLost() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.lost
}
