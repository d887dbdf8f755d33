package spawn

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"github.com/feac4032/multiproc/internal/cgroup"
	"github.com/feac4032/multiproc/internal/jail"
)

// Names of what enforces limits, as Breach.EnforcedBy has them.
const (
	byV2       = cgroup.V2
	byV1       = cgroup.V1
	byRlimit   = "rlimit"
	byWatchdog = "watchdog"
)

// cell is what a lane keeps around a process that has limits, or a level above
// Plain. What changes once the process has started is the watcher's, under its lock.
type cell struct {
	confine
	brief    bool          // no Mark is to come
	group    *cgroup.Group // nil where none can be made
	memoryBy string        // what limits memory, and pids
	pidsBy   string

	stub   *stub   // nil: none was needed, or it is not started
	breach *Breach // the first one; the tree is being killed
	watched
}

// newCell prepares what must be there before the process is. It returns nil if
// nothing is asked for. marker is the tree's own.
func (g *guard) newCell(c *confine, marker string, brief bool) (*cell, error) {
	if c == nil {
		return nil, nil
	}
	cell := &cell{confine: *c, brief: brief, memoryBy: byWatchdog, pidsBy: byWatchdog}
	nonce, number, ok := treeNumber(marker)
	if !ok {
		return nil, &stubError{opConfine, syscall.EINVAL, "tree has no marker"}
	}
	tree := g.groups(nonce, c.Only)
	if tree == nil {
		return cell, nil
	}
	var err error
	if cell.group, err = tree.New(number, cgroup.Limits{Memory: c.Limits.Memory, PIDs: c.Limits.PIDs}); err != nil {
		return nil, err
	}
	if by := tree.By(Memory); by != "" {
		cell.memoryBy = by
	}
	if by := tree.By(PIDs); by != "" {
		cell.pidsBy = by
	}
	return cell, nil
}

// groups returns the tree of control groups of this guardian, which it makes at the
// first call; nil if none can be made here.
func (g *guard) groups(nonce, only string) *cgroup.Tree {
	if only == byWatchdog {
		return nil
	}
	g.grouping.Do(func() {
		// All that the supervisor and this process have started may move.
		tree, err := cgroup.Open(nonce, cgroup.Config{Head: os.Getppid(), Only: only})
		if err == nil {
			g.grouped = tree
		}
	})
	return g.grouped
}

// rlimits are what the process needs before its program runs. A limit above the one that
// this process has itself is as good as that: it could not be set, and the lower one
// holds.
func (c *cell) rlimits() (list []jail.Rlimit) {
	add := func(resource int, value uint64) {
		var ours unix.Rlimit
		if value > 0 && unix.Getrlimit(resource, &ours) == nil {
			list = append(list, jail.Rlimit{Resource: resource, Value: min(value, ours.Max)})
		}
	}
	add(unix.RLIMIT_NOFILE, uint64(c.Limits.Files))
	add(unix.RLIMIT_FSIZE, uint64(c.Limits.FileSize))
	return list
}

// backstop has the kernel look after what the watchdog does, at a distance, in case it
// is late. There is no hurry with that, so it needs no stub; one that stays, however,
// stands between this process and the program, and has to see to it itself.
func (c *cell) backstop() (list []jail.Rlimit) {
	if c.Limits.Memory > 0 && c.memoryBy == byWatchdog {
		list = append(list, jail.Rlimit{Resource: unix.RLIMIT_DATA, Value: 4*uint64(c.Limits.Memory) + 1<<30})
	}
	if c.Limits.CPU > 0 && c.brief {
		list = append(list, jail.Rlimit{Resource: unix.RLIMIT_CPU, Value: uint64((c.Limits.CPU+time.Second-1)/time.Second) + 2})
	}
	return list
}

// lowered leaves out what is limited here more strictly, and may be raised by nobody.
func lowered(list []jail.Rlimit) []jail.Rlimit {
	return slices.DeleteFunc(list, func(l jail.Rlimit) bool {
		var now unix.Rlimit
		return unix.Getrlimit(l.Resource, &now) != nil || now.Cur <= l.Value
	})
}

// lower sets a limit of another process, unless it is lower already.
func lower(pid, resource int, to, margin uint64) {
	var now unix.Rlimit
	if unix.Prlimit(pid, resource, nil, &now) == nil && to < now.Cur {
		_ = unix.Prlimit(pid, resource, &unix.Rlimit{Cur: to, Max: min(to+margin, now.Max)}, nil)
	}
}

// start executes the request inside the cell.
func (c *cell) start(l *lane, req *request, attr *syscall.ProcAttr) (pid int, err error) {
	spec := stubSpec{rlimits: c.rlimits(), parts: levelParts(c.Level), lenient: c.Lenient}
	if c.Lenient && spec.parts != 0 {
		spec.parts &= l.g.surveyParts(l).possible
	}
	own, sys := *attr, *attr.Sys
	own.Sys = &sys
	stubbed := spec.parts != 0 || len(spec.rlimits) > 0
	switch {
	case c.group == nil:
	case stubbed:
		// The stub is not the program: its threads are not to count, nor its memory.
		spec.joins = c.group.AllJoins()
	default:
		spec.joins = c.group.Joins()
		if dir := c.group.Dir(); dir >= 0 {
			sys.UseCgroupFD, sys.CgroupFD = true, dir
		}
	}
	switch {
	case stubbed || len(spec.joins) > 0 && !c.group.CanEnter():
		if spec.parts&jail.Pid != 0 {
			spec.rlimits = append(spec.rlimits, lowered(c.backstop())...)
		}
		if c.stub, err = l.startStub(&spec, req, &own); err == nil {
			pid = c.stub.pid
		}
	case len(spec.joins) > 0:
		pid, err = c.startInside(req, &own)
	default:
		pid, err = syscall.ForkExec(req.path, req.argv, &own)
	}
	var se *stubError
	switch {
	case errors.As(err, &se) && se.op == opConfine:
		err = l.g.explain(l, spec.parts, se)
	case err == nil && c.init() == nil:
		for _, b := range c.backstop() {
			margin := uint64(0)
			if b.Resource == unix.RLIMIT_CPU {
				margin = 1 // SIGXCPU, which tells why, and a second later SIGKILL
			}
			lower(pid, b.Resource, b.Value, margin)
		}
	}
	return pid, err
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

// explain adds to the error of a start what is known of this machine.
func (g *guard) explain(l *lane, parts jail.Part, se *stubError) error {
	for _, p := range g.surveyParts(l).parts {
		if p.OK || !slices.Contains(parts.Names(), p.Name) {
			continue
		}
		detail := p.Name + ": " + p.Why
		if p.Fix != "" {
			detail += "; " + p.Fix
		}
		return &stubError{op: opConfine, errno: se.errno, detail: detail}
	}
	if name, _, _ := strings.Cut(se.detail, ":"); slices.Contains(parts.Names(), name) {
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

// startInside has this thread be in the groups for as long as it forks, which is far
// quicker than a stub.
func (c *cell) startInside(req *request, attr *syscall.ProcAttr) (pid int, err error) {
	err = c.group.Enter()
	if err == nil {
		pid, err = syscall.ForkExec(req.path, req.argv, attr)
	} else {
		err = &stubError{opConfine, err, "enter the control groups: " + err.Error()}
	}
	if left := c.group.Leave(); left != nil {
		// With the process this thread would be limited, and the guardian killed.
		fmt.Fprintln(os.Stderr, "guardian:", left)
		os.Exit(1)
	}
	return pid, err
}

// close takes down what newCell has prepared, once the tree is empty, and says what
// was seen of the tree. r tells how the process ended, nil that it did not start.
func (c *cell) close(r *report) (e ending) {
	if r != nil {
		if c.breach == nil {
			c.breach, e.OOM = c.lastLook(r)
		}
		e.Breach, e.Usage = c.breach, c.usage()
		if c.group == nil {
			if cpu := r.user + r.sys - c.cpuBase; cpu > e.Usage.CPU {
				e.Usage.CPU, e.Usage.CPUSource = cpu, "rusage"
			}
		}
	}
	if c.stub != nil {
		c.stub.closeSocket()
		if r != nil && c.stub.parts != 0 {
			e.Parts = append([]string{Plain.String()}, c.stub.parts.Names()...)
		}
	}
	c.closeMembers()
	if c.group != nil {
		// What cannot be removed now is, when the guardian ends. Other lanes still ask for
		// its path, to tell whose an orphan is.
		_ = c.group.Remove(groupWait)
	}
	return e
}

// groupWait is how long the groups of a tree that is empty may take to become so.
const groupWait = 500 * time.Millisecond

// lastLook finds what the watchdog had no time to see. oom says that the kernel
// killed a process for want of memory that was not the tree's fault.
func (c *cell) lastLook(r *report) (b *Breach, oom bool) {
	if c.group != nil {
		if b, oom = c.eventBreach(); b != nil {
			return b, false
		}
	}
	signal, code := syscall.Signal(0), 0
	if r.wait.Signaled() {
		signal = r.wait.Signal()
	} else if code = r.wait.ExitStatus(); code > 128 {
		// So shells tell that a command of theirs was ended by a signal.
		signal = syscall.Signal(code - 128)
	}
	evidence := "signal " + unix.SignalName(signal)
	if code > 0 {
		evidence = fmt.Sprintf("exit code %d, which is 128 + %s", code, unix.SignalName(signal))
	}
	l := &c.Limits
	if signal == unix.SIGXFSZ && l.FileSize > 0 {
		return &Breach{FileSize, l.FileSize, l.FileSize, byRlimit, evidence}, oom
	}
	// What has not used it has a limit of its own making, or ends so of its own will.
	cpu := max(c.used(), r.user+r.sys) - c.cpuBase
	switch {
	case l.CPU == 0 || cpu < l.CPU:
		return nil, oom
	case signal == unix.SIGXCPU && c.brief:
		return &Breach{CPU, int64(l.CPU), int64(cpu), byRlimit, evidence}, oom
	case cpu > l.CPU:
		return &Breach{CPU, int64(l.CPU), int64(cpu), byWatchdog, "CPU time of the tree at its end"}, oom
	}
	return nil, oom
}

// eventBreach reads the counters of the group.
func (c *cell) eventBreach() (b *Breach, oom bool) {
	e := c.group.Events()
	memoryFile, pidsFile := c.group.EventFiles()
	if n := e.PIDsMax - c.base.PIDsMax; n > 0 && c.Limits.PIDs > 0 {
		limit := int64(c.Limits.PIDs)
		return &Breach{PIDs, limit, limit, c.pidsBy, fmt.Sprintf("%s: max %d, so many forks failed", pidsFile, n)}, false
	}
	if n := e.OOMKills - c.base.OOMKills; n > 0 {
		// The machine, or a group around this one, may be out of memory as well.
		if c.Limits.Memory == 0 || e.AtLimit == c.base.AtLimit {
			return nil, true
		}
		limit := c.Limits.Memory
		peak := c.group.Usage().Peak
		if peak == 0 {
			peak = limit
		}
		return &Breach{Memory, limit, peak, c.memoryBy, memoryFile + ": oom_kill " + strconv.FormatInt(n, 10)}, false
	}
	return nil, false
}

// kill kills all that is in the group, atomically where the kernel can.
func (c *cell) kill() {
	if c != nil && c.group != nil {
		c.group.Kill()
	}
}

// left lists the processes of the group but for the one that is not reaped yet.
func (c *cell) left(pid int) (left []int) {
	if c == nil || c.group == nil || !c.group.Populated() {
		return nil
	}
	for _, p := range c.group.PIDs() {
		if p != pid {
			left = append(left, p)
		}
	}
	return left
}

// treeNumber splits the marker of a tree into the nonce of its guardian and its
// number there.
func treeNumber(marker string) (nonce, number string, ok bool) {
	for i := range len(marker) {
		if marker[i] == '.' {
			return marker[:i], marker[i+1:], true
		}
	}
	return "", "", false
}
