//go:build !linux

package spawn

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync"
	"syscall"
	"time"
)

// GuardMain says that there are no guardians on this system, and exits with
// code 2.
func GuardMain() {
	fmt.Fprintln(os.Stderr, "guardian: not used on this system")
	os.Exit(2)
}

// Guardian starts processes, as direct children of this one on this system.
// All methods may be called by many goroutines at once.
type Guardian struct {
	mu      sync.Mutex
	closed  bool
	running map[*Process]bool
	idle    sync.WaitGroup
}

// Open never fails on this system. The options are not used.
func Open(Options) (*Guardian, error) {
	return &Guardian{running: make(map[*Process]bool)}, nil
}

// Start starts a process and returns when its exec has succeeded or failed.
// Errors are *StartError, around an errno or ErrClosed.
func (g *Guardian) Start(s *Spec) (*Process, error) {
	if err := s.check(); err != nil {
		return nil, err
	}
	fail := func(op string, err error) (*Process, error) {
		return nil, startError(s, op, err)
	}
	if s.Limits != nil || s.Level != Plain {
		return nil, &StartError{Path: s.Path, Op: "confine", Detail: "limits and isolation need Linux", Err: errors.ErrUnsupported}
	}
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		return fail("pass", err)
	}
	defer null.Close()
	files := append([]*os.File(nil), s.Files...)
	for len(files) < 3 {
		files = append(files, nil)
	}
	for i, f := range files {
		if f == nil {
			files[i] = null
		}
	}

	g.mu.Lock()
	defer g.mu.Unlock()
	if g.closed {
		return fail("guardian", ErrClosed)
	}
	child, err := os.StartProcess(s.Path, s.argv(), &os.ProcAttr{Dir: s.Dir, Env: s.Env, Files: files, Sys: ownGroup()})
	if err != nil {
		if fi, serr := os.Stat(s.Dir); s.Dir != "" && (serr != nil || !fi.IsDir()) {
			return fail("chdir", err)
		}
		return fail("exec", err)
	}
	d := &direct{child: child}
	p := newProcess(child.Pid, d)
	g.running[p] = true
	g.idle.Go(func() {
		state, err := child.Wait()
		p.detach()
		st := Status{Code: -1, End: time.Now()}
		if err == nil {
			st = status(state)
		}
		st.TreeEmpty = emptyGroup(child.Pid)
		g.mu.Lock()
		delete(g.running, p)
		g.mu.Unlock()
		p.end(st)
	})
	return p, nil
}

// Close kills all processes and returns when they have ended. It is
// idempotent.
func (g *Guardian) Close() error {
	g.mu.Lock()
	g.closed = true
	for p := range g.running {
		_ = p.Kill()
	}
	g.mu.Unlock()
	g.idle.Wait()
	return nil
}

// direct is the handle of a child of this process.
type direct struct{ child *os.Process }

// ask finds nothing measured, as for any plain process.
func (d *direct) ask(bool) error { return errUnmeasured }

func (d *direct) signal(sig syscall.Signal, to scope) error {
	err := deliver(d.child, sig, to)
	if errors.Is(err, os.ErrProcessDone) {
		return nil
	}
	return err
}

func startError(s *Spec, op string, err error) *StartError {
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	e := &StartError{Path: s.Path, Op: op, Err: err}
	if errors.Is(err, syscall.E2BIG) {
		e.Detail = s.sizes()
	}
	return e
}
