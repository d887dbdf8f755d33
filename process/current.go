package process

import (
	"context"
	"fmt"
	"os"
	"strconv"

	"github.com/feac4032/multiproc/internal/boot"
	"github.com/feac4032/multiproc/internal/child"
	"github.com/feac4032/multiproc/ipc"
	"github.com/feac4032/multiproc/worker"
)

// Info says who a process is.
type Info struct {
	Name   string // MainProcess if it was not started as a worker
	PID    int
	Daemon bool // WithDaemon was given
}

// Current says who this process is. In a worker of a pool the name is the
// worker's. current_process in Python.
func Current() Info {
	return Info{Name: child.SelfName(), PID: os.Getpid(), Daemon: self.Daemon}
}

// self is what this process was told at its start; above is the process that has
// started it, nil if that did not start a worker.
var self, above = origin()

func origin() (child.Parent, *ParentProcess) {
	if boot.Role != boot.Worker {
		return child.Parent{}, nil
	}
	told, _ := child.ToldParent()
	return told, &ParentProcess{Info{Name: told.Name, PID: told.PID}}
}

// ParentProcess is the process that has started this one, as this one sees it.
type ParentProcess struct{ info Info }

// Parent returns the process that has started this one as a worker, by this
// package or by a pool; nil if none has. parent_process in Python.
func Parent() *ParentProcess { return above }

// Name returns the parent's name, "" if this process was not told: its parent is
// a supervisor of another kind.
func (p *ParentProcess) Name() string { return p.info.Name }

// PID returns the parent's process id, 0 if this process was not told. (The
// parent that the system knows is its guardian.)
func (p *ParentProcess) PID() int { return p.info.PID }

// Alive reports whether the parent lives, or rather its end of the link to this
// process does, which ends with it at once. is_alive in Python.
func (p *ParentProcess) Alive() bool {
	select {
	case <-worker.Gone():
		return false
	default:
		return true
	}
}

// Done returns a channel that is closed when the parent has ended, however it
// did. Little time is left then: the contexts of running tasks end at the same
// moment, and this process one second later, or at once where there is a
// guardian. sentinel in Python.
func (p *ParentProcess) Done() <-chan struct{} { return worker.Gone() }

// Join waits until the parent has ended. If ctx ends first, the error is ErrAlive
// and that of ctx.
func (p *ParentProcess) Join(ctx context.Context) error {
	select {
	case <-worker.Gone():
		return nil
	case <-ctx.Done():
	}
	if !p.Alive() {
		return nil
	}
	return fmt.Errorf("parent %s: %w: %w", p.info.Name, ErrAlive, overError(ctx))
}

// childName names the nth process that this one makes: Process-n, and in a worker
// after that.
func childName(n uint64) string {
	number := strconv.FormatUint(n, 10)
	if own := worker.Name(); own != "" && len(own)+1+len(number) <= ipc.MaxName {
		return own + ":" + number
	}
	return "Process-" + number
}
