package pool

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"runtime"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/feac4032/multiproc/internal/awake"
	"github.com/feac4032/multiproc/internal/child"
	"github.com/feac4032/multiproc/internal/death"
	"github.com/feac4032/multiproc/internal/spawn"
	"github.com/feac4032/multiproc/ipc"
	"github.com/feac4032/multiproc/queue"
	"github.com/feac4032/multiproc/task"
)

type workerState uint8

const (
	workerStarting workerState = iota
	workerReady
	workerStopping // asked to end
)

// worker is one process and its link. Fields without a remark are set before
// the process is ready and do not change.
type worker struct {
	p         *Pool
	class     *class
	name      string
	child     *child.Child
	proc      *spawn.Process
	link      *ipc.Link
	jobs      queue.Backend // the link, as what it is to the pool: a queue of jobs to put and results to get
	ready     *ipc.Ready
	page      *ipc.Page  // nil when the worker does not keep it
	shelf     *ipc.Shelf // the sender's, and
	tray      *ipc.Tray  // the reader's part of the arena; nil when the worker does not use it
	maxWindow int
	offsets   bool   // results say where their output ends
	cancels   bool   // cancel frames are answered
	maps      bool   // it takes jobs of many items
	counts    bool   // it counts its bytes against the credit that it has
	limited   bool   // credit counts
	pongs     bool   // it answers heartbeats
	threads   int    // jobs that it runs at a time
	meter     *meter // of its memory; nil = it is not measured
	marks     usage  // of each job; nil = that is not measured
	dumps     bool   // it writes its stacks at a signal
	init      *Job   // runs before all others; nil = none

	calling // its calls, and their answers
	reading // who reads the link

	lastItems atomic.Uint64 // the last job of many items that was sent to it

	// Guarded by the pool's mutex.
	state     workerState
	slot      int       // 0 = none
	rested    time.Time // idle since
	since     time.Time // has its slot since
	flight    flight
	mark      time.Time // the last result, or the first job after idleness: what a job's time is counted from
	grown     int       // the window may be as deep as this: doubles with each full batch of answers
	slow      bool      // a job took so long that others were taken back from behind it
	credit    int64     // payload bytes that may be sent; −1 = no limit
	sendq     []*Job    // in flight, not yet encoded
	control   [][]byte  // frames that overtake jobs
	sending   bool      // a goroutine is in flush; nobody else writes
	senderEnd chan struct{}
	creditUp  *sync.Cond
	leaving   bool                    // it ends by itself: no more jobs
	retiring  bool                    // it is to be replaced: no more jobs, and then it is stopped
	alone     bool                    // the job that it has is to have no company
	lived     time.Time               // when it was ready
	lease     float64                 // the fraction of its maxima that it lives for
	sent      int                     // jobs that it was given, and has not given back
	doomed    map[uint64]*awake.Timer // kills it for a job that was asked to end
	answered  int                     // and that it has answered
	memory    int64                   // resident bytes after the last of them; 0 = not measured
	pinged    time.Time               // when the heartbeat was sent that is not answered; zero = none is
	pings     uint64                  // heartbeats, so far
	stuck     bool                    // and it was told that this takes long
	gone      bool                    // its process has ended, and what that means is decided
	dead      bool                    // the link is of no more use
	sentID    uint64                  // jobs up to this id have been encoded
	partial   uint64                  // the job whose payload is being sent in chunks, 0 for none
	moved     time.Time               // a chunk of it was sent
	kill      killReason
	killText  string
	breach    *spawn.Breach // the limit for which it was killed, or has ended
	asked     bool          // it was asked for its stacks before the kill
	cause     error         // of the end of the link
	initTimer *awake.Timer
	initErr   error // why Init failed; set before the kill
	status    spawn.Status
	words     death.Words // its last
	hangs     string      // what its job was doing when it was killed; "" = not known

	tail *tail // of the job that runs; nil = nothing was told of any

	runs []started // by thread: the monitor's, under the pool's mutex

	// The sender's.
	frames []byte
	msgs   [][]byte
	spare  []*Job

	// The reader's.
	out, err  *capture
	parts     ipc.Assembler
	owed      uint64 // payload bytes that were consumed since credit was last granted
	result    Result
	usage     spawn.Usage // of the job that was answered last
	answers   []answer
	got       [256][]byte  // messages
	msg       ipc.Message  // that is being taken
	heard     atomic.Int64 // when it was last heard of: nanoseconds since epoch
	reporting atomic.Bool  // answers were taken out of the flight, and not their outputs out of the captures
	waiting   atomic.Bool  // for the link, and for nothing else
	early     []byte       // what it printed on the link before ready
}

// killReason is why we killed a worker; it wins over how that looked.
type killReason uint8

const (
	notKilled killReason = iota
	killedTimeout
	killedCancel
	killedOutput
	killedProtocol
	killedStart
	killedStuck
	killedShutdown
)

func newWorker(c *class, slot int) *worker {
	p := c.p
	p.names++
	w := &worker{
		p: p, class: c, name: "worker-" + strconv.Itoa(p.names), slot: slot,
		grown: 1, credit: -1, since: time.Now(), threads: 1, lease: 1 - rand.Float64()/10,
		runs: make([]started, 1),
	}
	w.creditUp = sync.NewCond(&p.mu)
	w.back = make(chan struct{}, 1)
	w.flight.init()
	return w
}

// run is the life of a worker: start, handshake, results, end.
func (w *worker) run() {
	defer w.p.wg.Done()
	err := w.start()
	if err == nil {
		err = w.handshake()
	}
	if err != nil {
		w.end(fmt.Errorf("start of %s (%s): %w", w.name, w.class.name, err))
		return
	}
	w.initialize()
	w.end(w.read())
}

// start creates the captures, and the process with its link.
func (w *worker) start() (err error) {
	if w.out, err = newCapture(w.p.cfg.SpillDir); err != nil {
		return err
	}
	if w.err, err = newCapture(w.p.cfg.SpillDir); err != nil {
		return err
	}
	prog := &w.class.prog
	c, err := child.Start(w.p.g, &child.Options{
		Name: w.name, Command: prog.Command, Env: prog.Env, Dir: prog.Dir,
		Stdout: w.out.f, Stderr: w.err.f, Page: true, Arena: w.mayShare(), FrameTime: w.p.cfg.frameTime,
		CPUs: max(1, runtime.NumCPU()/w.p.cfg.Workers), Threads: prog.Threads,
		Confinement: w.p.confinement(prog.Limits, prog.Isolation, prog.Lenient), Ability: &w.p.able,
	})
	if err != nil {
		return err
	}
	w.p.mu.Lock()
	w.child, w.proc, w.link, w.jobs = c, c.Proc, c.Link, c.Link
	w.marks = w.p.usageOf(c.Proc, prog.Limits)
	killed := w.kill != notKilled
	w.p.mu.Unlock()
	if killed {
		c.Proc.Kill() // the pool ended meanwhile
	}
	return nil
}

// mayShare reports whether the worker gets an arena. The memory of one whose memory
// is bounded is its own.
func (w *worker) mayShare() bool {
	prog := &w.class.prog
	return prog.MaxMemory == 0 && (prog.Limits == nil || prog.Limits.Memory == 0)
}

// handshake opens the link, and learns what the worker can do.
func (w *worker) handshake() error {
	timeout := w.class.prog.StartTimeout
	err := w.child.Handshake(timeout, func(p []byte) {
		if len(w.early) < inMemory {
			w.early = append(w.early, p...)
		}
	})
	if err != nil {
		if errors.Is(err, child.ErrNotReady) {
			w.killFor(killedStart, fmt.Sprintf("not ready within %v", timeout))
		}
		return err
	}
	ready := w.child.Ready
	w.ready, w.page = ready, w.child.Page
	if a := w.child.Arena; a != nil {
		w.shelf, w.tray = &a.Out, &a.In
	}
	w.offsets = ready.Has(ipc.CapOffsets)
	w.cancels = ready.Has(ipc.CapCancel)
	w.counts = ready.Has(ipc.CapCredit)
	w.maps = ready.Has(ipc.CapMap)
	w.pongs = ready.Has(ipc.CapPong)
	w.threads = int(min(ready.Threads, uint64(max(1, w.class.prog.Threads))))
	w.runs = make([]started, w.threads)
	w.p.mu.Lock() // the pool may be killed meanwhile
	w.dumps = ready.Has(ipc.CapStacks) && canQuit
	w.p.mu.Unlock()
	w.maxWindow = max(w.threads, int(min(ready.Window, uint64(w.p.cfg.MaxWindow))))
	if !w.cancels {
		w.maxWindow = w.threads // nothing could be taken back from behind a long job
	}
	w.grown = w.threads
	if w.class.prog.MaxMemory > 0 {
		var err error
		if w.meter, err = newMeter(w.proc.PID()); err != nil {
			return err
		}
	}
	if ready.Credit > 0 {
		w.limited, w.credit = true, int64(min(ready.Credit, 1<<40))
	}
	w.serveCalls()
	return nil
}

// initialize sends the job that prepares the worker, if there is one: the worker
// has not started before that has ended well.
func (w *worker) initialize() {
	in := w.class.prog.Init
	if in == nil {
		w.enter()
		return
	}
	timeout := w.class.prog.StartTimeout
	w.initTimer = awake.AfterFunc(timeout, func() { w.killFor(killedStart, fmt.Sprintf("init not done within %v", timeout)) })
	var a actions
	w.p.mu.Lock()
	w.init = &Job{Task: in.Task, Payload: in.Payload, Label: "init of " + w.name}
	w.init.pending = pendingState{class: w.class, state: jobFlying, w: w, slot: int32(w.slot)}
	w.init.pending.id = w.flight.add(w.init)
	w.sendq = append(w.sendq, w.init)
	w.kick(&a)
	w.p.mu.Unlock()
	a.run(w.p)
}

// initialized takes the answer to that job.
func (w *worker) initialized(ans *answer) {
	w.initTimer.Stop()
	if ans.msg.Status == ipc.StatusOK {
		w.enter()
		return
	}
	f := ans.failure
	if f == nil {
		f = &task.Failure{Msg: "it was given back"}
	}
	w.initErr = &TaskError{Task: w.init.Task, Job: w.init.Label, Attempt: 1, Worker: w.name, Failure: f}
	w.killFor(killedStart, w.initErr.Error())
}

// enter makes the worker one that jobs can be sent to.
func (w *worker) enter() {
	w.startupOutput()
	w.event(WorkerEvent{Time: time.Now(), Kind: WorkerReady, Worker: w.name, PID: w.proc.PID(), Slot: w.slot})
	p, c := w.p, w.class
	var a actions
	p.mu.Lock()
	c.starting--
	w.state = workerReady
	w.lived = time.Now()
	c.ready, c.tasks, c.maps = true, w.ready.Tasks, w.maps
	c.announce()
	c.change()
	switch {
	case p.killed:
		w.killLocked(killedShutdown, "the pool was killed")
	case w.slot == 0:
		p.rest(w, &a)
		p.dispatch(c, &a)
	default:
		w.since = time.Now()
		p.refill(w, &a)
		p.assign(c, &a)
	}
	p.mu.Unlock()
	a.run(p)
}

// startupOutput passes on what the program wrote before its first job.
func (w *worker) startupOutput() {
	w.note("stdout", w.early)
	w.early = nil
	for _, c := range []struct {
		stream string
		*capture
	}{{"stdout", w.out}, {"stderr", w.err}} {
		o := c.take(c.size())
		w.note(c.stream, o.Tail(inMemory))
	}
}

func (w *worker) note(stream string, text []byte) {
	if len(text) == 0 || w.p.cfg.OnLog == nil {
		return
	}
	w.p.cfg.OnLog(LogEvent{Time: time.Now(), Worker: w.name, Stream: stream, Message: string(text)})
}

func (w *worker) event(e WorkerEvent) {
	if w.p.cfg.OnWorker != nil {
		w.p.cfg.OnWorker(e)
	}
}

// awaited reports whether the worker owes an answer.
func (w *worker) awaited() bool {
	w.p.mu.Lock()
	defer w.p.mu.Unlock()
	return w.flight.n > 0
}

// read gets results until the link ends.
func (w *worker) read() error {
	w.link.Reader().Spin(w.awaited)
	w.link.Reader().Into(&w.parts)
	for {
		err := w.stepAside()
		if err == nil {
			err = w.readBatch(context.Background())
		}
		if err != nil {
			return err
		}
	}
}

// readBatch takes what is there to read, and waits for it. An error is the end of
// the link; the end of ctx is none. One goroutine at a time may call it.
func (w *worker) readBatch(ctx context.Context) error {
	w.waiting.Store(true)
	n, err := w.jobs.GetBatch(ctx, w.got[:])
	w.waiting.Store(false)
	if err != nil {
		if ctx.Err() != nil {
			return nil // an end of the link comes again
		}
		return err
	}
	w.hear()
	return w.take(w.got[:n])
}

// killFor kills the worker's whole tree for a reason of ours. The first one
// counts.
func (w *worker) killFor(why killReason, text string) {
	w.p.mu.Lock()
	defer w.p.mu.Unlock()
	w.killLocked(why, text)
}

func (w *worker) killLocked(why killReason, text string) {
	if w.gone {
		return
	}
	first := w.kill == notKilled
	if first {
		w.kill, w.killText = why, text
	}
	switch {
	case w.proc == nil:
	case first && w.dumps && (why == killedTimeout || why == killedCancel || why == killedStuck):
		w.askForStacks()
	default:
		w.killNow()
	}
}

func (w *worker) killNow() {
	// A hand-over to the guardian, which does not block.
	if err := w.proc.Kill(); err != nil {
		w.p.log.Error("kill failed", "worker", w.name, "error", err)
	}
}

// stackTime is how long a worker that hangs has to write what it is doing.
const stackTime = 500 * time.Millisecond

// askForStacks ends a worker that hangs so that it tells where, and kills it if it
// does not. It gets no more jobs, though it may yet end the one that it has. The
// caller holds mu.
func (w *worker) askForStacks() {
	w.asked = true
	w.retire()
	if err := w.proc.Signal(quit); err != nil {
		w.p.log.Error("signal failed", "worker", w.name, "error", err)
	}
	awake.AfterFunc(stackTime, w.killNow)
}

// stopGrace is how long a worker has to end after it was told that no more jobs
// will come.
const stopGrace = 2 * time.Second

// stop ends an idle worker: it is told so, its input ends, and what is left of
// it is killed a moment later.
func (w *worker) stop() {
	w.p.mu.Lock()
	w.state = workerStopping
	w.readOn()
	w.control = append(w.control, ipc.AppendStop(nil))
	var a actions
	w.kick(&a)
	w.p.mu.Unlock()
	a.run(w.p)
	timer := awake.AfterFunc(stopGrace, func() { w.killFor(killedShutdown, "did not stop in time") })
	go func() {
		<-w.proc.Done()
		timer.Stop()
	}()
}

// endsOr gives the worker, which has done what only one does that ends, a moment
// to end, and kills it if it does not.
func (w *worker) endsOr(violation string) {
	awake.AfterFunc(stopGrace, func() {
		select {
		case <-w.proc.Done():
		default:
			w.killFor(killedProtocol, violation)
		}
	})
}

// linkEnded reports whether an error of the link says only that the other side
// is gone.
func linkEnded(err error) bool {
	return errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, os.ErrClosed) || errors.Is(err, syscall.EPIPE)
}
