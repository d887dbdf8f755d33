package spawn

import (
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"

	"github.com/feac4032/multiproc/internal/boot"
	"github.com/feac4032/multiproc/internal/jail"
)

// stub is a running jail stub, seen from its lane.
type stub struct {
	pid    int
	socket int  // -1 once nothing more can come
	stays  bool // as process 1
	parts  jail.Part
	lost   []jail.Loss
}

// stubError is why a stub could not start its program.
type stubError struct {
	op     byte
	errno  error
	detail string
}

func (e *stubError) Error() string { return e.detail }
func (e *stubError) Unwrap() error { return e.errno }

// errUser says that this process may not have a user id of its own here: everything
// else may well work without.
type errUser struct{ stubError }

func (e *errUser) Unwrap() error { return &e.stubError }

// stubSpec is what a stub does to a process before its exec.
type stubSpec struct {
	rlimits []jail.Rlimit
	joins   []int // files cgroup.procs or tasks of groups, open for writing
	parts   jail.Part
	lenient bool
}

// startStub starts the request by way of a stub. On return its program runs; an error
// is a *stubError.
func (l *lane) startStub(spec *stubSpec, req *request, attr *syscall.ProcAttr) (*stub, error) {
	in := inside{exe: -1, tree: -1, file: -1, dirFD: -1}
	defer in.close()
	if spec.parts != 0 {
		if err := in.find(req); err != nil {
			return nil, err
		}
	}
	st, err := l.tryStub(spec, &in, req, attr)
	var user *errUser
	if errors.As(err, &user) && spec.lenient {
		without := *spec
		without.parts &^= jail.UID
		if st, err = l.tryStub(&without, &in, req, attr); err == nil {
			st.lost = append(st.lost, jail.Loss{Part: jail.UID, Why: user.detail})
		}
	}
	return st, err
}

// tryStub is one attempt. It fails with *errUser if a user id of one's own is what
// cannot be had.
func (l *lane) tryStub(spec *stubSpec, in *inside, req *request, attr *syscall.ProcAttr) (*stub, error) {
	confine := func(detail string, err error) error {
		return &stubError{op: opConfine, errno: err, detail: detail}
	}
	order := jail.Order{
		Path: req.path, Dir: in.dir, ExePath: in.exePath, Argc: len(req.argv), Files: len(attr.Files),
		Rlimits: spec.rlimits, Parts: spec.parts, Lenient: spec.lenient, Joins: len(spec.joins),
	}
	sys := l.sys
	if attr.Sys != nil {
		sys = *attr.Sys // with a group to start in
	}
	sys.Cloneflags = cloneFlags(spec.parts)
	// With one processor the runtime starts fewer threads, which is half of its start.
	env := []string{boot.JailMarker + "=ctl=" + strconv.Itoa(len(attr.Files)), "GOMAXPROCS=1"}
	envv := req.envv
	if n := len(envv); n > 0 && isMarker(envv[n-1]) {
		env = append(env, envv[n-1]) // the stub is of the tree, too
	}
	private := spec.parts&jail.Seccomp != 0 && slices.ContainsFunc(envv, func(kv string) bool { return strings.HasPrefix(kv, boot.WorkerMarker+"=") })
	if private {
		envv = append([]string{boot.PrivateMarker + "=1"}, envv...)
	}
	var own *ids
	if spec.parts&jail.User != 0 {
		if spec.parts&jail.UID != 0 {
			own = &ids{inside: in.owner, outside: l.g.nextID()}
		}
		mapIDs(&sys, own)
	}

	ours, theirs, err := socketpair()
	if err != nil {
		return nil, &stubError{op: opPass, errno: err}
	}
	st := &stub{socket: ours, stays: spec.parts&jail.Pid != 0}
	stubAttr := &syscall.ProcAttr{Env: env, Files: append(slices.Clip(slices.Clone(attr.Files)), uintptr(theirs)), Sys: &sys}
	if spec.parts == 0 {
		stubAttr.Dir = attr.Dir // else it goes there itself, when it is where it can
	}
	pid, err := syscall.ForkExec("/proc/self/exe", []string{"jail"}, stubAttr)
	rawClose(theirs)
	if err != nil {
		rawClose(ours)
		switch {
		case spec.parts == 0:
			return nil, err // the same causes as without a stub: the directory, mostly
		case own != nil:
			return nil, &errUser{stubError{opConfine, err, "uid: start a process as another user: " + err.Error()}}
		}
		return nil, confine("start a process in namespaces "+strings.Join((spec.parts&jail.Namespaces).Names(), " ")+": "+err.Error(), err)
	}
	st.pid = pid
	fail := func(err error) (*stub, error) {
		unix.Kill(pid, unix.SIGKILL)
		st.reap(l)
		return nil, err
	}

	var fds []int
	text, err := memfd(jail.Strings(req.argv, envv))
	if err != nil {
		return fail(&stubError{op: opPass, errno: err})
	}
	defer rawClose(text)
	fds = append(fds, text)
	if spec.parts != 0 {
		if err := in.clone(spec.parts, own, pid); err != nil {
			return fail(err)
		}
		for _, f := range []struct {
			fd int
			is *bool
		}{{in.exe, &order.Exe}, {in.tree, &order.DirFD}, {in.file, &order.ProgFD}} {
			if f.fd >= 0 {
				*f.is = true
				fds = append(fds, f.fd)
			}
		}
		if own != nil {
			givePipes(attr.Files, own)
		}
	}
	if err := jail.Send(ours, &order, append(fds, spec.joins...)...); err != nil {
		return fail(&stubError{op: opPass, errno: err})
	}
	if err := st.await(l); err != nil {
		return fail(err)
	}
	if private && in.ourselves() {
		st.parts |= jail.NonDumpable
	}
	return st, nil
}

// await returns when the program runs, or cannot.
func (st *stub) await(l *lane) error {
	poll := newWaiter()
	poll.fds[0].Fd = int32(st.socket)
	b := make([]byte, 8<<10)
	for {
		poll.wait(&l.g.spinning)
		n, err := rawRead(st.socket, b)
		switch {
		case err == unix.EAGAIN:
			continue
		case err != nil:
			return &stubError{op: opPass, errno: err}
		case n == 0 && st.stays:
			// Killed, or out of memory, or a bug: it has no other way to say so.
			return &stubError{op: opConfine, errno: unix.ECHILD, detail: "the jail stub ended before its program was started"}
		case n == 0: // it has become the program
			st.closeSocket()
			return nil
		}
		a, err := jail.ParseAnswer(b[:n])
		if err != nil {
			return &stubError{op: opConfine, errno: unix.EBADMSG, detail: "answer of the jail stub: " + err.Error()}
		}
		if a.Step != "" {
			return answerError(a)
		}
		st.parts, st.lost = a.Parts, a.Lost
		if st.stays {
			return nil
		}
	}
}

func answerError(a jail.Answer) error {
	e := &stubError{op: opConfine, errno: a.Errno, detail: a.Detail}
	switch a.Step {
	case jail.StepExec:
		e.op = opExec
	case jail.StepChdir:
		e.op = opChdir
	}
	return e
}

// reap waits for a stub that is dead or about to die.
func (st *stub) reap(l *lane) {
	st.closeSocket()
	rawClose(l.pidf)
	for {
		if _, err := syscall.Wait4(st.pid, nil, 0, nil); err != syscall.EINTR {
			return
		}
	}
}

func (st *stub) closeSocket() {
	if st.socket >= 0 {
		rawClose(st.socket)
		st.socket = -1
	}
}

// signal hands a signal to the program itself.
func (st *stub) signal(sig syscall.Signal) {
	if st.socket < 0 {
		return
	}
	b, err := json.Marshal(jail.Signal{Signal: sig})
	if err == nil {
		_ = rawSend(st.socket, b, nil) // a stub that does not read is dying
	}
}

// end corrects what is known of a stub that has ended: it tells how its program did.
// Without a word from it, its own end is that of the program: both were killed.
func (st *stub) end(wait *syscall.WaitStatus, usage *syscall.Rusage) {
	defer st.closeSocket()
	if st.socket < 0 {
		return
	}
	b := make([]byte, 8<<10)
	for {
		n, err := rawRead(st.socket, b)
		if err != nil || n == 0 {
			return
		}
		if e, ok := jail.ParseEnd(b[:n]); ok {
			*wait, *usage = e.Wait, e.Usage
			return
		}
	}
}

func cloneFlags(p jail.Part) (flags uintptr) {
	for part, flag := range map[jail.Part]uintptr{
		jail.User: unix.CLONE_NEWUSER, jail.Pid: unix.CLONE_NEWPID, jail.Net: unix.CLONE_NEWNET,
		jail.Ipc: unix.CLONE_NEWIPC, jail.Uts: unix.CLONE_NEWUTS, jail.Mount: unix.CLONE_NEWNS,
	} {
		if p&part != 0 {
			flags |= flag
		}
	}
	return flags
}

// ids are a process's user and group, in its user namespace and outside.
type ids struct {
	inside  owner
	outside int
}

type owner struct{ uid, gid int }

// mapIDs fills in what a new user namespace knows of users: one, who is this user, or
// own.
func mapIDs(sys *syscall.SysProcAttr, own *ids) {
	uid, gid := os.Geteuid(), os.Getegid()
	in := owner{uid, gid}
	if own != nil {
		in, uid, gid = own.inside, own.outside, own.outside
		sys.GidMappingsEnableSetgroups = true // to leave the supervisor's groups
		sys.Credential = &syscall.Credential{Uid: uint32(in.uid), Gid: uint32(in.gid)}
	}
	sys.UidMappings = []syscall.SysProcIDMap{{ContainerID: in.uid, HostID: uid, Size: 1}}
	sys.GidMappings = []syscall.SysProcIDMap{{ContainerID: in.gid, HostID: gid, Size: 1}}
	sys.AmbientCaps = jail.Needed
}

// ownIDs is where the user ids begin that belong to nobody, and how many there are:
// above all that distributions hand out, also to containers.
const (
	ownIDs    = 0x7e000000
	ownIDsLen = 0x01000000
)

// nextID returns a user id that no other process has, also not one of another
// guardian: they begin at different places.
func (g *guard) nextID() int {
	return ownIDs + int((g.firstID+g.ids.Add(1))%ownIDsLen)
}

// inside is what a stub needs to find its program and directory again, in namespaces
// in which the paths may lead nowhere.
type inside struct {
	dir, exePath string
	owner        owner // of dir
	dirFD, exe   int   // O_PATH
	tree, file   int   // detached mounts of these; -1 = the stub makes them
}

func (in *inside) close() {
	for _, fd := range []int{in.dirFD, in.exe, in.tree, in.file} {
		if fd >= 0 {
			rawClose(fd)
		}
	}
}

// find opens the directory and the program, as this process sees them.
func (in *inside) find(req *request) error {
	dir := req.dir
	if dir == "" {
		dir = "."
	}
	var err error
	if in.dirFD, err = unix.Open(dir, unix.O_PATH|unix.O_DIRECTORY|unix.O_CLOEXEC, 0); err != nil {
		in.dirFD = -1
		return &stubError{op: opChdir, errno: err}
	}
	var st unix.Stat_t
	if err := unix.Fstat(in.dirFD, &st); err != nil {
		return &stubError{op: opChdir, errno: err}
	}
	in.owner = owner{int(st.Uid), int(st.Gid)}
	if in.dir, err = os.Readlink("/proc/self/fd/" + strconv.Itoa(in.dirFD)); err != nil {
		return &stubError{op: opChdir, errno: err}
	}
	if req.path == "" {
		return nil
	}
	if in.exe, err = unix.Openat(in.dirFD, req.path, unix.O_PATH|unix.O_CLOEXEC, 0); err != nil {
		in.exe = -1
		return &stubError{op: opExec, errno: err}
	}
	in.exePath, err = os.Readlink("/proc/self/fd/" + strconv.Itoa(in.exe))
	if err != nil || !filepath.IsAbs(in.exePath) || strings.HasSuffix(in.exePath, " (deleted)") {
		in.exePath = ""
	}
	return nil
}

// ourselves reports whether the program is the one that this process executes: one
// that minds boot.PrivateMarker. Others may, too, but that is not known.
func (in *inside) ourselves() bool {
	var theirs, own unix.Stat_t
	return in.exe >= 0 && unix.Fstat(in.exe, &theirs) == nil && unix.Stat("/proc/self/exe", &own) == nil &&
		theirs.Dev == own.Dev && theirs.Ino == own.Ino
}

// clone makes the mounts that a stub cannot: those of another user's view.
func (in *inside) clone(parts jail.Part, own *ids, stub int) error {
	for _, fd := range []*int{&in.tree, &in.file} {
		if *fd >= 0 {
			rawClose(*fd)
			*fd = -1
		}
	}
	if parts&jail.Mount == 0 || os.Geteuid() != 0 {
		return nil
	}
	userns := -1
	if own != nil {
		var err error
		if userns, err = unix.Open("/proc/"+strconv.Itoa(stub)+"/ns/user", unix.O_RDONLY|unix.O_CLOEXEC, 0); err != nil {
			return &errUser{stubError{opConfine, err, "uid: open the user namespace of the process: " + err.Error()}}
		}
		defer rawClose(userns)
	}
	var err error
	if jail.Writable(in.dir) {
		in.tree, err = detached(in.dirFD, unix.AT_RECURSIVE, userns)
		if err != nil && own != nil {
			return &errUser{stubError{opConfine, err, "uid: mount " + in.dir + " with other owners (idmapped; the file system has to support that, and Linux 5.12 or newer is needed): " + err.Error()}}
		}
	}
	if in.exePath != "" && (own != nil && !public(in.exePath) || covered(in.exePath)) && !(jail.Writable(in.dir) && jail.Below(in.exePath, in.dir)) {
		in.file, err = detached(in.exe, 0, userns)
		if err != nil && own != nil {
			in.file, _ = detached(in.exe, 0, -1)
		}
	}
	return nil
}

// detached clones a mount, whose owner is then that of the user namespace if that is
// not -1. The error is a bare errno; the descriptor is then -1.
func detached(fd int, flags uint, userns int) (tree int, err error) {
	const clone = unix.OPEN_TREE_CLONE | unix.OPEN_TREE_CLOEXEC | unix.AT_EMPTY_PATH
	if tree, err = unix.OpenTree(fd, "", clone|flags); err != nil {
		return -1, err
	}
	if userns < 0 {
		return tree, nil
	}
	attr := &unix.MountAttr{Attr_set: unix.MOUNT_ATTR_IDMAP, Userns_fd: uint64(userns)}
	err = unix.MountSetattr(tree, "", unix.AT_EMPTY_PATH|flags, attr)
	if err != nil && flags != 0 {
		// Something is mounted below that cannot be seen so: it keeps its owner.
		err = unix.MountSetattr(tree, "", unix.AT_EMPTY_PATH, attr)
	}
	if err != nil {
		rawClose(tree)
		return -1, err
	}
	return tree, nil
}

func covered(name string) bool {
	return slices.ContainsFunc(jail.Covers, func(c string) bool { return jail.Below(name, c) })
}

// public reports whether everybody may read and execute a file.
func public(name string) bool {
	want := uint32(0o5)
	for ; ; name = filepath.Dir(name) {
		var st unix.Stat_t
		if unix.Stat(name, &st) != nil || st.Mode&want != want {
			return false
		}
		if name == "/" {
			return true
		}
		want = 0o1
	}
}

// givePipes makes pipes among the program's files its own: else it could not open
// them once more, as /dev/stdout.
func givePipes(files []uintptr, own *ids) {
	const pipefs = 0x50495045
	for _, fd := range files {
		var fs unix.Statfs_t
		if unix.Fstatfs(int(fd), &fs) == nil && int64(fs.Type) == pipefs {
			unix.Fchown(int(fd), own.outside, own.outside)
		}
	}
}
