package spawn

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/feac4032/multiproc/internal/boot"
)

// Guardian starts processes through a guardian process and keeps one running.
// All methods may be called by many goroutines at once.
type Guardian struct {
	opts   Options
	nonce  string  // 32 hexadecimal digits, of this Guardian
	record *record // nil: none is kept
	prefix string  // "TreeMarker=", and the markers of the trees that this process is in
	number atomic.Uint64

	following sync.WaitGroup // goroutines that follow a process
	ending    sync.Once      // of what follows the end of the last instance
	left      []int          // what Close had to leave, once ending is done

	mu      sync.Mutex
	current *instance // nil before the first
	unswept bool      // one before current has died, and not all that it left could be killed
	closed  bool
}

// maxHold bounds Options.Hold.
const maxHold = 8

// Open starts a guardian, which takes some milliseconds, and blocks until it is
// ready, 10 s at most. Errors: ErrNoGuardMain, ErrInsideGuardian, or the
// system's (EMFILE, EAGAIN, …). A later death of the guardian ends its
// processes with Status.Lost, and the next Start starts another.
func Open(o Options) (*Guardian, error) {
	if boot.Role == boot.Guard {
		return nil, fmt.Errorf("open guardian: %w", ErrInsideGuardian)
	}
	if len(o.Hold) > maxHold {
		return nil, fmt.Errorf("open guardian: %d files to hold, at most %d", len(o.Hold), maxHold)
	}
	if o.Path == "" {
		o.Path = "/proc/self/exe"
	}
	if len(o.Args) == 0 {
		o.Args = []string{os.Args[0], "guard"}
	}
	g := &Guardian{opts: o, nonce: newNonce(), prefix: TreeMarker + "="}
	if outer := os.Getenv(TreeMarker); outer != "" {
		g.prefix += outer + "/"
	}
	if o.Exclusive {
		// The descendants of a guardian that dies come to this process.
		if err := unix.Prctl(unix.PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0); err != nil {
			return nil, fmt.Errorf("open guardian: become a child subreaper: %w", err)
		}
	}
	if err := keepReserve(); err != nil {
		return nil, fmt.Errorf("open guardian: keep descriptors in reserve: %w", err)
	}
	if o.Records != "" {
		var err error
		if g.record, err = newRecord(o.Records); err != nil {
			o.log("no record is kept: if this program and its guardian are killed at once, what they had started may be left", "error", err)
		} else {
			g.nonce = g.record.name
			g.record.bury(o.log)
		}
	}
	if _, err := g.instance(); err != nil {
		g.endRecord(true)
		dropReserve()
		return nil, err
	}
	return g, nil
}

// endRecord gives the record up. If anything is left of what was started, clean is
// false, and the record stays, for others to try.
func (g *Guardian) endRecord(clean bool) {
	if g.record == nil {
		return
	}
	if clean && g.record.remove() {
		g.record.bury(g.opts.log)
	}
	g.record.close()
}

// instance returns the running guardian, or starts one.
func (g *Guardian) instance() (*instance, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return nil, ErrClosed
	}
	if g.current != nil {
		select {
		case <-g.current.dying:
			// A new one would be caught in the sweep.
			<-g.current.dead
			g.unswept = g.unswept || len(g.current.left) > 0
		default:
			return g.current, nil
		}
	}
	in, err := startInstance(g)
	if err != nil {
		return nil, fmt.Errorf("open guardian: %w", err)
	}
	g.current = in
	return in, nil
}

// startTries bounds how often a Start whose guardian died before it took the
// request goes to the next one.
const startTries = 3

// Start starts a process and returns when its exec has succeeded or failed. It
// does not block on the process, but on the file system of its program, and
// while a new guardian replaces one that died. Errors are *StartError, around
// an errno, ErrLost or ErrClosed.
func (g *Guardian) Start(s *Spec) (*Process, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	fail := func(op string, err error) (*Process, error) {
		return nil, &StartError{Path: s.Path, Op: op, Err: err}
	}
	for try := 1; ; try++ {
		in, err := g.instance()
		if err != nil {
			return fail("guardian", err)
		}
		l, err := in.takeLink()
		if err == nil {
			var p *Process
			if p, err = g.startOn(l, s); err == nil {
				return p, nil
			}
		}
		var se *StartError
		switch {
		case errors.As(err, &se):
			return nil, se
		case !gone(err):
			return fail("pass", err)
		}
		// The other end is closed: of everything, or only of a lane for which
		// the guardian had no descriptor.
		select {
		case <-in.refused:
			return fail("pass", syscall.EMFILE)
		case <-in.dead:
		}
		if err == errUnanswered || try == startTries {
			return fail("guardian", ErrLost)
		}
	}
}

// errUnanswered: the request was sent and the lane ended before a reply.
var errUnanswered = errors.New("start was not answered")

// gone reports whether err says that the guardian's end is closed.
func gone(err error) bool {
	return err == errUnanswered || errors.Is(err, syscall.EPIPE) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, os.ErrClosed)
}

// startOn makes one attempt, over a link that it owns from now on.
func (g *Guardian) startOn(l *link, s *Spec) (*Process, error) {
	number := g.number.Add(1)
	if err := l.sendStart(number, s, g.prefix+g.nonce+"."+strconv.FormatUint(number, 10)); err != nil {
		if own := (*StartError)(nil); !errors.As(err, &own) && gone(err) {
			l.close()
		} else {
			l.in.giveLink(l)
		}
		return nil, err
	}
	b, err := l.receive()
	if err != nil || len(b) == 0 {
		l.close()
		return nil, errUnanswered
	}
	re, rest, err := decodeStarted(b)
	if err != nil || re.number != number {
		l.close()
		return nil, &StartError{Path: s.Path, Op: "guardian", Err: errWire}
	}
	if re.errno != 0 {
		l.in.giveLink(l)
		return nil, startError(s, re)
	}
	if len(rest) > 0 { // it has ended, too
		ended, r, err := decodeReport(rest)
		if err != nil || ended != number {
			l.close()
			return nil, &StartError{Path: s.Path, Op: "guardian", Err: errWire}
		}
		l.in.giveLink(l)
		p := newProcess(re.pid, nil)
		p.end(r.status(time.Now(), clockNow()))
		return p, nil
	}
	l.number = number
	p := newProcess(re.pid, l)
	l.in.follow(p, l)
	return p, nil
}

func startError(s *Spec, re started) *StartError {
	e := &StartError{Path: s.Path, Op: "exec", Err: re.errno}
	switch re.op {
	case opChdir:
		e.Op, e.Detail = "chdir", strconv.Quote(s.Dir)
	case opPass:
		e.Op = "pass"
	case opConfine:
		e.Op, e.Detail = "confine", re.detail
	case opClosed:
		e.Op, e.Err = "guardian", ErrClosed
	}
	switch {
	case re.errno == syscall.E2BIG:
		e.Detail = s.sizes()
	case (re.errno == syscall.ENOMEM || re.errno == syscall.ENFILE) && s.Limits != nil && s.Limits.Memory > 0 && re.op != opPass:
		// The limit can be enforced, and is: so much so that there is no program, or not
		// even the pipe by which its exec is waited for, which fails with ENFILE then.
		e.Op, e.Detail = "exec", "within a limit of memory of "+Quantity(Memory, s.Limits.Memory)
	}
	return e
}

// Close kills all processes and their descendants, and returns when they are
// gone, their Done channels are closed and the guardian has ended. It is
// idempotent. A *LeakError names what could not be killed in about 10 s.
func (g *Guardian) Close() error {
	g.mu.Lock()
	g.closed = true
	in, unswept := g.current, g.unswept
	g.mu.Unlock()
	if in == nil {
		return nil
	}
	in.shut()
	select {
	case <-in.dead:
	case <-time.After(2 * killWait):
		in.kill()
		<-in.dead
	}
	g.following.Wait()
	g.ending.Do(func() {
		g.left = slices.Clone(in.left)
		if unswept {
			g.left = append(g.left, sweep(g, nil)...)
		}
		g.endRecord(len(g.left) == 0)
		dropReserve()
	})
	if len(g.left) > 0 {
		return fmt.Errorf("close guardian: %w", &LeakError{g.left})
	}
	return nil
}
