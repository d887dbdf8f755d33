package worker

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/feac4032/multiproc/internal/remote"
	"github.com/feac4032/multiproc/ipc"
	"github.com/feac4032/multiproc/task"
)

const (
	// window is how many unanswered jobs a worker lets its supervisor send.
	window = 4096

	// grace is the time that running functions have when the link has ended.
	grace = time.Second

	// grantAt is how many payload bytes are taken before a credit frame says so.
	grantAt = ipc.DefaultCredit / 4

	// leastFrame is the frame body without which an inline result may not fit.
	leastFrame = 2*ipc.MaxInline + ipc.MaxName

	frameHeader = 4
)

// Exit codes of a worker.
const (
	exitOK       = 0
	exitUsage    = 2
	exitQuit     = 2 // after SIGQUIT, as of any Go program
	exitProtocol = 3
)

// endpoint is what a server is connected to.
type endpoint struct {
	in      io.Reader
	out     io.Writer
	page    *ipc.Page      // nil if none was offered
	shelf   *ipc.Shelf     // where long results and calls go; nil if there is no arena
	tray    *ipc.Tray      // where long arguments come; nil likewise
	offsets *outputOffsets // nil if the output's offsets cannot be told
	program string
	tasks   []string
	lookup  func(string) (*task.Def, bool)
	stderr  io.Writer
	useCPUs func(int)            // obeys the supervisor's wish; nil = nobody does
	calls   func(*remote.Client) // is told of the way to the supervisor; nil = nobody is
	named   func(string)         // is told this worker's name; nil = nobody is
	gone    func()               // is told of the link's end; nil = nobody is

	listening <-chan struct{} // closed when signals are taken; nil = none are
	giveBack  func()          // gives memory back when there is nothing to do; nil = it is kept
}

// server serves one link.
type server struct {
	endpoint
	threads    int
	reader     *ipc.Reader
	out        *outbox
	queue      *jobQueue
	rest       rest
	client     *remote.Client // nil before hello
	reading    reading
	batch      *batch // of who reads: nil, or without jobs, between two reads
	credit     purse
	msg        ipc.Message // that is being handled
	assembler  ipc.Assembler
	forsaken   bool // the chunked job that is half there has been recalled
	messageMax uint64
	defs       map[string]*task.Def
	chunking   sync.Mutex    // held while a payload follows its frame
	chunks     ipc.Chunks    // of that payload
	place      []byte        // a frame about it
	headroom   []byte        // see spread; nil until it is needed
	telling    sync.Mutex    // held while one of several threads answers
	granted    atomic.Uint64 // payload bytes taken and not yet granted again

	stopped    bool          // a stop frame has come
	terminated chan struct{} // SIGTERM
	termOnce   sync.Once
}

func newServer(e endpoint) *server {
	s := &server{endpoint: e, threads: 1, defs: map[string]*task.Def{}, terminated: make(chan struct{})}
	// Without deadlines: a supervisor may be stopped by its user in the middle
	// of a frame. That it has died, the end of the stream tells.
	s.reader = ipc.NewReader(undated(e.in))
	s.queue = newJobQueue(s.begin)
	s.reading.back = make(chan struct{}, 1)
	// The answer to the last job may bring the next one at once.
	s.reader.Spin(s.awaiting)
	s.reader.Into(&s.assembler)
	return s
}

// undated hides the deadlines of a reader.
func undated(r io.Reader) io.Reader {
	if c, ok := r.(syscall.Conn); ok {
		return struct {
			io.Reader
			syscall.Conn
		}{r, c}
	}
	return struct{ io.Reader }{r}
}

// terminate is what SIGTERM does.
func (s *server) terminate() { s.termOnce.Do(func() { close(s.terminated) }) }

// serve returns the exit code of the worker. What it leaves behind ends when the
// pipes are closed.
func (s *server) serve() int {
	body, err := s.reader.Next()
	if err != nil {
		return s.linkEnded(err)
	}
	hello, err := ipc.ParseHello(body)
	if err == nil {
		err = sufficient(hello)
	}
	if err != nil {
		return s.linkEnded(err)
	}
	if s.named != nil {
		s.named(hello.Worker)
	}
	s.threads = int(max(1, min(hello.Threads, ipc.MaxSlots)))
	s.queue.serve(s.threads)
	s.rest.init(s.giveBack, s.queue.resting)
	defer s.rest.timer.Stop()
	s.messageMax = hello.MessageMax
	s.assembler.Max = hello.MessageMax
	s.credit.init(hello.Credit)
	s.out = newOutbox(s.endpoint.out, s.page)
	s.out.ticked = s.unled
	defer s.out.shut()
	defer s.readToTheEnd()
	s.client = remote.NewClient(s, hello.MessageMax)
	defer s.client.Lost(nil)
	ready := ipc.AppendReady(make([]byte, frameHeader, 4096), s.ready(hello))
	if s.listening != nil {
		<-s.listening
	}
	if err := s.out.put(sealed(ready), nil, false); err != nil {
		return s.linkEnded(err)
	}
	s.out.flush()
	// This stops the world, for which the supervisor need not wait.
	if hello.CPUs > 0 && s.useCPUs != nil {
		s.useCPUs(int(min(hello.CPUs, 1<<16)))
	}
	if s.calls != nil {
		s.calls(s.client)
	}

	var running sync.WaitGroup
	running.Add(s.threads)
	for slot := range s.threads {
		r := &runner{server: s, slot: slot, flush: s.awaitJob}
		go r.run(running.Done)
	}
	idle, drained := make(chan struct{}), make(chan struct{})
	go func() {
		running.Wait()
		close(idle)
	}()
	ended := make(chan error, 1)
	go func() {
		err := s.receive()
		if s.gone != nil {
			s.gone()
		}
		ended <- err
	}()

	terminated := s.terminated
	for {
		select {
		case <-idle:
			idle = nil
			go func() {
				s.out.drain()
				close(drained)
			}()
		case <-drained:
			if err := s.out.failure(); err != nil {
				return s.linkEnded(err)
			}
			return exitOK
		case <-terminated:
			terminated = nil
			s.recall(s.queue.abandon(ErrTerminated)...)
		case <-s.out.failed:
			return s.end(s.out.failure(), idle, drained)
		case err := <-ended:
			return s.end(err, idle, drained)
		}
	}
}

// sufficient refuses a supervisor that could not take a full inline payload.
func sufficient(h *ipc.Hello) error {
	switch {
	case h.FrameMax < leastFrame:
		return fmt.Errorf("it takes frames of %d bytes, at least %d are needed", h.FrameMax, leastFrame)
	case h.Credit != 0 && h.Credit < ipc.MaxInline:
		return fmt.Errorf("it gives credit for %d bytes, at least %d are needed", h.Credit, ipc.MaxInline)
	}
	return nil
}

// end gives running functions their time when the link has ended.
func (s *server) end(err error, idle <-chan struct{}, drained chan struct{}) int {
	s.queue.abandon(ErrSupervisorGone)
	s.credit.fail(ErrSupervisorGone)
	s.client.Lost(ErrSupervisorGone)
	code := s.linkEnded(err)
	if code != exitOK {
		return code
	}
	timer := time.NewTimer(grace)
	defer timer.Stop()
	for {
		select {
		case <-idle:
			idle = nil
			go func() {
				s.out.drain()
				close(drained)
			}()
		case <-drained:
			return code
		case <-timer.C:
			return code
		}
	}
}

// linkEnded says what is wrong unless the supervisor is just gone.
func (s *server) linkEnded(err error) int {
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, io.ErrClosedPipe) ||
		errors.Is(err, os.ErrClosed) || brokenPipe(err) {
		return exitOK
	}
	fmt.Fprintf(s.stderr, "%s: link to the supervisor: %v\n", s.program, err)
	return exitProtocol
}

func (s *server) ready(h *ipc.Hello) *ipc.Ready {
	r := &ipc.Ready{
		Nonce:        h.Nonce,
		Version:      ipc.Version,
		PID:          uint64(os.Getpid()),
		Window:       window,
		Threads:      uint64(s.threads),
		Credit:       ipc.DefaultCredit,
		Capabilities: []ipc.Capability{ipc.CapCancel, ipc.CapCredit, ipc.CapMap, ipc.CapPong, ipc.CapStacks},
		Tasks:        s.tasks,
		Program:      s.program,
	}
	if s.page != nil {
		r.Capabilities = append(r.Capabilities, ipc.CapPage)
	}
	if s.tray != nil {
		r.Capabilities = append(r.Capabilities, ipc.CapArena)
	}
	if s.offsets != nil {
		r.Capabilities = append(r.Capabilities, ipc.CapOffsets)
	}
	slices.Sort(r.Capabilities)
	return r
}

// begin makes the context of a job that is about to run.
func (s *server) begin(j *job) *jobContext {
	c := &jobContext{srv: s, info: Job{ID: j.id, Task: j.task, Attempt: int(j.attempt)}}
	if len(j.label)+len(j.key) > 0 {
		both := string(j.label) + string(j.key)
		c.info.Name, c.info.Key = both[:len(j.label)], both[len(j.label):]
	}
	if j.timeout > 0 {
		c.started = time.Now()
		c.limit = time.Duration(min(j.timeout, uint64(1<<62/time.Millisecond))) * time.Millisecond
	}
	return c
}

// sealed writes the length of a frame in front of its body.
func sealed(frame []byte) []byte {
	binary.BigEndian.PutUint32(frame, uint32(len(frame)-frameHeader))
	return frame
}

var _ context.Context = (*jobContext)(nil)
