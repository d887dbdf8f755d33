package spawn

import (
	"errors"
	"os"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/feac4032/multiproc/internal/jail"
)

// cell is what a lane keeps around a process that has limits, or a level above
// Plain.
type cell struct {
	confine
	spec stubSpec
	stub *stub // nil: none was needed, or it is not started
}

// newCell prepares what must be there before the process is. It returns nil if
// nothing is asked for.
func (g *guard) newCell(c *confine) (*cell, error) {
	if c == nil {
		return nil, nil
	}
	if c.Limits.Memory != 0 || c.Limits.CPU != 0 || c.Limits.PIDs != 0 {
		return nil, unix.EOPNOTSUPP
	}
	cell := &cell{confine: *c}
	if n := c.Limits.Files; n > 0 {
		cell.spec.rlimits = append(cell.spec.rlimits, jail.Rlimit{Resource: unix.RLIMIT_NOFILE, Value: uint64(n)})
	}
	if n := c.Limits.FileSize; n > 0 {
		cell.spec.rlimits = append(cell.spec.rlimits, jail.Rlimit{Resource: unix.RLIMIT_FSIZE, Value: uint64(n)})
	}
	return cell, nil
}

// levelParts are what a level consists of. A user id of one's own is for root to give.
func levelParts(level Level) (p jail.Part) {
	switch level {
	case Namespaces:
		p = jail.Namespaces
	case Sandbox:
		p = jail.Sandbox
	}
	if os.Geteuid() != 0 {
		p &^= jail.UID
	}
	return p
}

// start executes the request inside the cell.
func (c *cell) start(l *lane, req *request, attr *syscall.ProcAttr) (pid int, err error) {
	c.spec.parts, c.spec.lenient = levelParts(c.Level), c.Lenient
	if c.Lenient && c.spec.parts != 0 {
		c.spec.parts &= l.g.surveyParts(l).possible
	}
	if c.spec.parts == 0 && len(c.spec.rlimits) == 0 && len(c.spec.joins) == 0 {
		return syscall.ForkExec(req.path, req.argv, attr)
	}
	c.stub, err = l.startStub(&c.spec, req, attr)
	if err == nil {
		return c.stub.pid, nil
	}
	var se *stubError
	if errors.As(err, &se) && se.op == opConfine {
		err = l.g.explain(l, c.spec.parts, se)
	}
	return 0, err
}

// explain adds to the error of a start what is known of this machine.
func (g *guard) explain(l *lane, parts jail.Part, se *stubError) error {
	for _, p := range g.surveyParts(l).parts {
		if p.OK || !contains(parts.Names(), p.Name) {
			continue
		}
		detail := p.Name + ": " + p.Why
		if p.Fix != "" {
			detail += "; " + p.Fix
		}
		return &stubError{op: opConfine, errno: se.errno, detail: detail}
	}
	if name, _, _ := strings.Cut(se.detail, ":"); contains(parts.Names(), name) {
		return &stubError{op: opConfine, errno: se.errno, detail: se.detail + fixOf(name, "; ")}
	}
	return se
}

// init is the stub that stays in front of the process, or nil.
func (c *cell) init() *stub {
	if c == nil || c.stub == nil || !c.stub.stays {
		return nil
	}
	return c.stub
}

// ended corrects the status of the process that was waited for, where that is not the
// program itself.
func (c *cell) ended(wait *syscall.WaitStatus, usage *syscall.Rusage) {
	if s := c.init(); s != nil {
		s.end(wait, usage)
	}
}

// close takes down what newCell has prepared, once the tree is empty, and says what
// was seen of the tree. wait is the process's status, and may be corrected.
func (c *cell) close(wait *syscall.WaitStatus) (e ending) {
	if c.stub != nil {
		c.stub.closeSocket()
		if c.stub.parts != 0 {
			e.Parts = append([]string{Plain.String()}, c.stub.parts.Names()...)
		}
	}
	return e
}
