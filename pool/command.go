package pool

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/feac4032/multiproc/internal/child"
	"github.com/feac4032/multiproc/internal/death"
	"github.com/feac4032/multiproc/internal/spawn"
)

// command is a program that runs for one job, in a tree of its own.
type command struct {
	p    *Pool
	j    *Job
	slot int
	proc *spawn.Process

	stdout, stderr stream
	telling        sync.Mutex   // held while Job.Output is called
	wrote          atomic.Int64 // both streams
	maxOutput      int64        // of these

	// Guarded by the pool's mutex.
	started time.Time
	kill    killReason
}

// runCommands runs an attempt of a command, whose slot is taken, and then what
// follows it in that slot.
func (p *Pool) runCommands(j *Job) {
	for j != nil {
		j = p.runCommand(j)
	}
}

// runCommand is one attempt of a command. It returns another that is to be run by
// the same goroutine: to wake up one for each costs more than the rest of a short
// one.
func (p *Pool) runCommand(j *Job) (next *Job) {
	defer p.wg.Done()
	s := &j.pending
	r := &Result{ExitCode: -1, Attempt: s.attempt + 1, Slot: int(s.slot), Start: time.Now()}
	c := &command{p: p, j: j, slot: int(s.slot)}
	p.mu.Lock()
	s.c = c
	p.mu.Unlock()
	if err := c.run(r); err != nil {
		r.Outcome, r.Which, r.Evidence = Failed, WhichSpawn, err.Error()
		switch {
		case errors.Is(err, ErrConfine):
			r.Which, r.err = WhichConfine, err
		case !blameless(err):
			r.Outcome, r.Which, r.err = Internal, "", err
		}
	}
	p.mu.Lock()
	delete(p.running, c)
	p.leaked = append(p.leaked, r.Leaked...)
	p.had(r.Isolation)
	slot, more := int(s.slot), s.wide // from complete on j may be the caller's again
	s.wide = nil
	p.mu.Unlock()
	p.complete(j, r)
	c.stdout.close()
	c.stderr.close()
	var a actions
	p.mu.Lock()
	p.vacate(slot, &a)
	p.vacateAll(more, &a)
	p.mu.Unlock()
	if len(a.commands) > 0 {
		next, a.commands = a.commands[0], a.commands[1:]
	}
	a.run(p)
	return next
}

// blameless reports whether a failed start is the job's own doing, not ours.
func blameless(err error) bool {
	var e *spawn.StartError
	if errors.As(err, &e) {
		return e.Op == "exec" || e.Op == "chdir"
	}
	return !errors.Is(err, errOurs)
}

// errOurs marks errors of this process's own resources.
var errOurs = errors.New("cannot run commands")

func ours(err error) error { return fmt.Errorf("%w: %w", errOurs, err) }

func (c *command) run(r *Result) error {
	j, p := c.j, c.p
	if j.Prepare != nil {
		if err := j.Prepare(j, r.Attempt, c.slot); err != nil {
			r.Outcome, r.Which, r.Evidence = Failed, WhichInput, err.Error()
			return nil
		}
	}
	if j.Command == nil || len(j.Command.Argv) == 0 {
		return fmt.Errorf("command is empty")
	}
	p.mu.Lock()
	late := j.pending.cancelled || p.killed
	p.mu.Unlock()
	if late {
		r.Outcome, r.Evidence = Cancelled, "cancelled before it started"
		return nil
	}
	cmd := j.Command
	path, err := child.LookPath(cmd.Argv[0], cmd.Env, cmd.Dir)
	if err != nil {
		return err
	}
	stdin, err := c.stdin()
	if err != nil {
		return err
	}
	if stdin != nil {
		defer stdin.Close()
	}
	out, err := p.outlet()
	if err != nil {
		return ours(err)
	}
	c.maxOutput = cmd.Limits.output(p.cfg.MaxOutput)
	c.stdout.c, c.stderr.c, c.stderr.isErr = c, c, true
	out.begin(&c.stdout, &c.stderr)
	r.Start = time.Now()
	confinement := p.confinement(cmd.Limits, cmd.Isolation, cmd.Lenient)
	proc, err := p.able.Start(p.g, &spawn.Spec{
		Path: path, Argv: cmd.Argv, Env: cmd.Env, Dir: cmd.Dir,
		Files: []*os.File{stdin, out.stdout.w, out.stderr.w},
		Brief: true,
	}, &confinement)
	if err != nil {
		out.end()
		out.close()
		return err
	}
	r.PID = proc.PID()
	p.mu.Lock()
	c.proc = proc
	c.started = r.Start
	p.running[c] = struct{}{}
	cancelled, killed := j.pending.cancelled || c.kill != notKilled, p.killed
	p.watch()
	p.mu.Unlock()
	switch {
	case killed:
		c.end(killedShutdown)
	case cancelled:
		c.interrupt()
	}
	if j.Started != nil {
		j.Started(j, r.Attempt, c.slot, "", r.PID)
	}
	<-proc.Done()
	st := p.statusOf(proc)
	if out.end() && st.TreeEmpty && len(st.Leaked) == 0 && !st.Lost {
		p.keep(out)
	} else {
		out.close() // somebody whom we could not end may write to it
	}
	r.Stdout, r.Stderr = c.stdout.output(), c.stderr.output()
	r.Wall = st.End.Sub(r.Start)
	r.CPU = st.User + st.System
	if st.MaxRSS > 0 {
		r.Peak, r.PeakSource = st.MaxRSS, "ru_maxrss"
	}
	r.used(&st.Usage)
	r.ExitCode, r.Signal, r.Core, r.Leaked = st.Code, int(st.Signal), st.Core, st.Leaked
	r.Isolation = st.Isolation
	c.judge(r, &st)
	return nil
}

// judge finds the outcome.
func (c *command) judge(r *Result, st *spawn.Status) {
	c.p.mu.Lock()
	why := c.kill
	c.p.mu.Unlock()
	okExit := c.j.Command.OKExit
	if okExit == nil {
		okExit = []int{0}
	}
	switch {
	case c.stdout.err != nil || c.stderr.err != nil:
		r.err = fmt.Errorf("output of the command is lost: %w", errors.Join(c.stdout.err, c.stderr.err))
		r.Outcome, r.Evidence = Internal, r.err.Error()
	case why == killedTimeout:
		r.Outcome, r.Evidence = TimedOut, timeoutEvidence(c.j)
	case why == killedOutput:
		r.limited(tooMuchOutput(c.maxOutput, c.wrote.Load()))
	case why == killedCancel || why == killedShutdown:
		r.Outcome, r.Evidence = Cancelled, "interrupted"
	case st.Lost:
		r.Outcome, r.Evidence = Internal, "the guardian was lost, and the command with it"
	case st.Breach != nil:
		r.limited(st.Breach)
	case c.hitLimit(r, st, okExit):
	case st.Signal == syscall.SIGKILL && st.OOM:
		r.Outcome, r.Which, r.Evidence = Crashed, WhichOOM, "ended by SIGKILL: "+outOfMemory
	case st.Signal == syscall.SIGKILL:
		r.Outcome, r.Evidence = Crashed, "ended by SIGKILL, sender unknown"
	case st.Signal != 0:
		r.Outcome, r.Evidence = Crashed, "ended by "+signalName(st.Signal)+lastWords(r)
	case slices.Contains(okExit, st.Code):
		r.Outcome = OK
	default:
		r.Outcome, r.Evidence = Failed, fmt.Sprintf("exit code %d", st.Code)+lastWords(r)
	}
}

// lastWords are those of a runtime, behind a colon; "" where there are none. They may
// stand far above the end of stderr, below which are the stacks of all goroutines.
func lastWords(r *Result) string {
	if w := death.Read(r.Stderr.Tail(death.Enough)); w.Kind != "" {
		return ": " + w.String()
	}
	return ""
}

// hitLimit finds a limit that the kernel has held with an error number, in what a
// command says that has failed.
func (c *command) hitLimit(r *Result, st *spawn.Status, okExit []int) bool {
	limits := c.j.Command.Limits.enforced()
	if limits == nil || st.Signal == 0 && slices.Contains(okExit, st.Code) {
		return false
	}
	b := death.Limit(limits, death.Exits{Code: st.Code, Signal: st.Signal}, string(r.Stderr.Tail(inMemory)))
	if b == nil {
		return false
	}
	r.limited(b)
	return true
}

// outlet returns pipes for a command's output.
func (p *Pool) outlet() (*outlet, error) {
	p.mu.Lock()
	if n := len(p.outlets); n > 0 {
		o := p.outlets[n-1]
		p.outlets = p.outlets[:n-1]
		p.mu.Unlock()
		return o, nil
	}
	p.mu.Unlock()
	return newOutlet()
}

// keep puts them aside for the next one.
func (p *Pool) keep(o *outlet) {
	p.mu.Lock()
	p.outlets = append(p.outlets, o)
	p.mu.Unlock()
}

// stdin opens what the command reads; nil is the null device.
func (c *command) stdin() (*os.File, error) {
	cmd := c.j.Command
	switch {
	case cmd.StdinPath != "":
		path := cmd.StdinPath
		if !filepath.IsAbs(path) {
			path = filepath.Join(cmd.Dir, path)
		}
		f, err := os.Open(path)
		if err != nil {
			return nil, fmt.Errorf("stdin: %w", err)
		}
		return f, nil
	case cmd.Stdin != nil:
		f, err := unnamedFile(c.p.cfg.SpillDir, 0)
		if err != nil {
			return nil, ours(err)
		}
		if _, err = f.Write(cmd.Stdin); err == nil {
			_, err = f.Seek(0, io.SeekStart)
		}
		if err != nil {
			f.Close()
			return nil, ours(err)
		}
		return f, nil
	}
	return nil, nil
}

// interrupt asks the tree to end, and kills it later.
func (c *command) interrupt() { c.end(killedCancel) }

func (c *command) end(why killReason) {
	c.p.mu.Lock()
	if c.kill == notKilled {
		c.kill = why
	}
	proc := c.proc
	c.p.mu.Unlock()
	if proc == nil {
		return // run looks when it has started it
	}
	grace := c.j.killAfter()
	if why == killedOutput || why == killedShutdown {
		grace = 0
	}
	if err := proc.Stop(grace); err != nil {
		c.p.log.Error("stop failed", "job", label(c.j), "error", err)
	}
}

// overdue reports whether the command has used up its time. The caller holds
// the pool's mutex.
func (c *command) overdue(now time.Time, lost time.Duration) bool {
	c.started = c.started.Add(lost)
	return lost == 0 && c.j.Timeout > 0 && c.kill == notKilled && now.Sub(c.started) >= c.j.Timeout
}

// stream is what a command has written to one of its outputs: in memory, and in a
// file when it becomes long.
type stream struct {
	c     *command
	isErr bool // it is stderr
	mem   []byte
	file  *os.File
	n     int64
	err   error // what could not be stored
}

var readBuffers = sync.Pool{New: func() any { return new([32 << 10]byte) }}

// take is called with what the command writes, by one goroutine for each stream.
func (s *stream) take(p []byte) {
	c := s.c
	if c.wrote.Add(int64(len(p))) > c.maxOutput {
		c.end(killedOutput)
		return
	}
	s.store(p)
	if c.j.Output != nil {
		c.telling.Lock()
		defer c.telling.Unlock()
		c.j.Output(c.j, s.isErr, p)
	}
}

func (s *stream) store(p []byte) {
	if s.file == nil && len(s.mem)+len(p) <= inMemory {
		s.mem = append(s.mem, p...)
		return
	}
	if s.err != nil {
		return // it is drained all the same: the job must not hang on it
	}
	if s.file == nil {
		if s.file, s.err = unnamedFile(s.c.p.cfg.SpillDir, 0); s.err != nil {
			return
		}
		if _, s.err = s.file.Write(s.mem); s.err != nil {
			return
		}
		s.n, s.mem = int64(len(s.mem)), nil
	}
	var n int
	n, s.err = s.file.Write(p)
	s.n += int64(n)
}

func (s *stream) output() Output {
	if s.file != nil {
		return Output{file: s.file, n: s.n}
	}
	return Output{mem: s.mem}
}

func (s *stream) close() {
	if s.file != nil {
		s.file.Close()
	}
}
