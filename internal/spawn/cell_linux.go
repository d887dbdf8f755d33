package spawn

import (
	"syscall"

	"golang.org/x/sys/unix"
)

// cell is what a lane keeps around a process that has limits, or a level above
// Plain.
type cell struct {
	confine
}

// newCell prepares what must be there before the process is. It returns nil if
// nothing is asked for.
func (g *guard) newCell(c *confine) (*cell, error) {
	if c == nil {
		return nil, nil
	}
	return nil, unix.EOPNOTSUPP
}

// start executes the request inside the cell.
func (c *cell) start(l *lane, req *request, attr *syscall.ProcAttr) (pid int, err error) {
	return syscall.ForkExec(req.path, req.argv, attr)
}

// close takes down what newCell has prepared, once the tree is empty, and says what
// was seen of the tree. wait is the process's status, and may be corrected.
func (c *cell) close(wait *syscall.WaitStatus) (e ending) { return e }
