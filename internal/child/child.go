// Package child starts worker processes: the descriptors, the shared page, the
// marker and the handshake of ipc/PROTOCOL.md, seen from the supervisor. Packages
// pool and process decide what then goes over the link.
package child

import (
	"context"
	"crypto/rand"
	"errors"
	"os"
	"time"

	"github.com/feac4032/multiproc/internal/awake"
	"github.com/feac4032/multiproc/internal/boot"
	"github.com/feac4032/multiproc/internal/spawn"
	"github.com/feac4032/multiproc/ipc"
)

// Options say what to start.
type Options struct {
	Name    string   // such as "worker-3"
	Command []string // argv; nil = this program again
	Env     []string // whole environment; nil = this process's
	Dir     string   // working directory; "" = this process's

	// Stdout and Stderr are what the program's descriptors 1 and 2 lead to. They
	// stay the caller's.
	Stdout, Stderr *os.File

	Daemon bool // what the worker is told of itself: see Parent

	CPUs    int // processors that the worker is meant to use; 0 = not said
	Threads int // jobs that it is meant to run at a time; 0 = not said

	Page  bool // offer a shared page, where there is such a thing
	Arena bool // and an arena behind it

	Confinement
	Ability *Ability // of the machine, to be shared; nil = nothing is known of it

	// FrameTime changes the time that a frame may take to arrive, for tests. Nil =
	// as it is.
	FrameTime func(time.Duration) time.Duration
}

// Child is a worker process and its link.
type Child struct {
	Proc  *spawn.Process
	Link  *ipc.Link
	Ready *ipc.Ready // nil before the handshake
	Page  *ipc.Page  // nil when there is none, or the worker does not keep it
	Arena *ipc.Arena // nil when there is none, or the worker does not use it

	name    string
	cpus    int
	threads int
	mem     []byte
}

// The worker's descriptors 3 and 4, as its marker announces them.
const (
	outMarker  = boot.WorkerMarker + "=out=3"
	pageMarker = " page=4"
)

// Start starts the program; it has to be followed by Handshake. After an error
// nothing is left. Both directions of the link end with the process, even if a
// descendant that could not be ended holds the pipes.
func Start(g *spawn.Guardian, o *Options) (c *Child, err error) {
	argv, path, err := o.program()
	if err != nil {
		return nil, err
	}
	started := &Child{name: o.Name, cpus: o.CPUs, threads: o.Threads}
	c = started
	defer func() {
		if err != nil {
			started.Close()
		}
	}()
	toWorker, fromWorker, in, out, err := linkPipes()
	if err != nil {
		return nil, err
	}
	defer in.Close()
	defer out.Close()
	src := &source{Source: ipc.Quiet(fromWorker), scale: o.FrameTime}
	c.Link = ipc.NewLink(src, toWorker)
	marker := outMarker
	files := []*os.File{in, out, o.Stderr, o.Stdout}
	if o.Page {
		size := ipc.PageSize
		if o.Arena {
			size = ipc.SharedSize
		}
		pageFile, mem, err := newPage(size)
		if err != nil {
			return nil, err
		}
		if mem != nil {
			defer pageFile.Close()
			c.mem = mem
			if c.Page, err = ipc.FormatPage(mem); err != nil {
				return nil, err
			}
			if o.Arena {
				if c.Arena, err = ipc.FormatArena(mem); err != nil {
					return nil, err
				}
			}
			marker += pageMarker
			files = append(files, pageFile)
		}
	}
	env := o.Env
	if env == nil {
		env = os.Environ()
	}
	ability := o.Ability
	if ability == nil {
		ability = new(Ability)
	}
	c.Proc, err = ability.Start(g, &spawn.Spec{
		Path: path, Argv: argv, Dir: o.Dir,
		Env:   append(env[:len(env):len(env)], marker, Parent{os.Getpid(), SelfName(), o.Daemon}.marker()),
		Files: files,
	}, &o.Confinement)
	if err != nil {
		return nil, err
	}
	// While the program starts.
	widen(toWorker)
	widen(fromWorker)
	go func() {
		<-c.Proc.Done()
		src.abandon()
		toWorker.Close() // ends a write that nobody will read
	}()
	return c, nil
}

// program returns what to execute.
func (o *Options) program() (argv []string, path string, err error) {
	if len(o.Command) == 0 {
		self, err := selfPath()
		return os.Args[:1:1], self, err
	}
	path, err = LookPath(o.Command[0], o.Env, o.Dir)
	return o.Command, path, err
}

// linkPipes makes the two pipes of a link: our ends, and the worker's.
func linkPipes() (toWorker, fromWorker, in, out *os.File, err error) {
	in, toWorker, err = os.Pipe()
	if err != nil {
		return nil, nil, nil, nil, err
	}
	fromWorker, out, err = os.Pipe()
	if err != nil {
		in.Close()
		toWorker.Close()
		return nil, nil, nil, nil, err
	}
	return toWorker, fromWorker, in, out, nil
}

// ErrNotReady comes from a handshake that took longer than its timeout; the
// process has been killed.
var ErrNotReady = errors.New("not ready in time")

// Handshake sends hello and waits for ready, at most for the timeout. What the
// program prints to its link before is handed to stray.
func (c *Child) Handshake(timeout time.Duration, stray func([]byte)) error {
	h := &ipc.Hello{
		Min: ipc.Version, Max: ipc.Version,
		FrameMax: ipc.MaxFrame, MessageMax: ipc.MaxMessage, Credit: ipc.DefaultCredit,
		Worker: c.name, CPUs: uint64(c.cpus), Threads: uint64(c.threads),
	}
	rand.Read(h.Nonce[:])
	expired := make(chan struct{})
	timer := awake.AfterFunc(timeout, func() {
		close(expired)
		c.Proc.Kill()
	})
	defer timer.Stop()
	_, err := c.Link.PutBatch(context.Background(), [][]byte{ipc.AppendHello(nil, h)})
	if err == nil {
		c.Ready, err = c.Link.Reader().AwaitReady(h, stray)
	}
	if err != nil {
		select {
		case <-expired:
			err = ErrNotReady
		default:
		}
		return err
	}
	if !c.Ready.Has(ipc.CapPage) {
		c.Page = nil
	}
	if !c.Ready.Has(ipc.CapArena) {
		c.Arena = nil
	}
	return nil
}

// Close gives back the link and the page. The process is the caller's to end,
// before.
func (c *Child) Close() {
	if c.Link != nil {
		c.Link.Close()
	}
	c.Page, c.Arena = nil, nil
	closePage(c.mem)
	c.mem = nil
}
