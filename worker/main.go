package worker

import (
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"runtime"
	"runtime/debug"
	"strings"
	"sync/atomic"
	"syscall"

	"github.com/feac4032/multiproc/internal/boot"
	"github.com/feac4032/multiproc/internal/remote"
	"github.com/feac4032/multiproc/task"
)

// maxStack bounds the stack of a goroutine, in bytes: a recursion without end
// is found out before it has taken a gigabyte.
const maxStack = 64 << 20

var entered atomic.Bool

// Entered reports whether this process has called Main or Init. A child that
// wants to start processes without either must not: it would start itself,
// again and again.
func Entered() bool { return entered.Load() }

// Main is the main function of a program that is only a worker. It serves the
// supervisor that has started the program, and never returns. Started by hand,
// it says on stderr what the program is, and exits with code 2.
//
// Init functions and package variables have run before: Define tasks there.
func Main() {
	Init()
	introduce(os.Stderr, programName(), task.Names())
	os.Exit(exitUsage)
}

// Init stands first in the main function, and in TestMain, of a program that
// starts workers of itself. In the program it returns at once; in a child that
// a supervisor has started it serves and never returns.
func Init() {
	entered.Store(true)
	switch boot.Role {
	case boot.Worker:
		os.Exit(serveLink())
	case boot.Guard:
		guard()
	}
}

func programName() string {
	if path, err := os.Executable(); err == nil {
		return filepath.Base(path)
	}
	return filepath.Base(os.Args[0])
}

// introduce answers somebody who starts a worker by hand.
func introduce(w io.Writer, program string, tasks []string) {
	defined := "It defines no tasks."
	if len(tasks) > 0 {
		defined = "It defines the tasks: " + strings.Join(tasks, " ")
	}
	fmt.Fprintf(w, `%s is a worker program: a supervisor starts it and sends it jobs.
%s
By hand it does nothing. To use it, name it in a job file
    worker: {command: [./%[1]s]}
and run that with: supervisor run job.yaml
`, program, defined)
}

// serveLink serves the link of this process, and returns its exit code.
func serveLink() int {
	debug.SetMaxStack(maxStack)
	sig := listen()
	program := programName()
	fail := func(err error) int {
		fmt.Fprintf(os.Stderr, "%s: start as a worker: %v\n", program, err)
		return exitProtocol
	}
	if boot.Err != nil {
		return fail(boot.Err)
	}
	e, err := openLink()
	if err != nil {
		return fail(err)
	}
	e.program = program
	e.tasks, e.lookup = task.Names(), task.Lookup
	e.stderr = os.Stderr
	e.useCPUs = useCPUs
	e.named, e.gone = nameSelf, endSupervision
	e.calls = remote.SetProcess
	e.listening = sig.set
	e.giveBack = new(heap).giveBack
	s := newServer(e)
	go func() {
		<-sig.quit
		writeStacks(os.Stderr)
		os.Exit(exitQuit)
	}()
	go func() {
		<-sig.term
		s.terminate()
	}()
	return s.serve()
}

// signals are those that a worker takes.
type signals struct {
	term, quit chan os.Signal
	set        chan struct{} // closed when nothing else happens at any of them
}

// listen has the signals taken by a goroutine: each is a matter of two switches between
// threads, and there is enough to do meanwhile.
func listen() *signals {
	s := &signals{make(chan os.Signal, 1), make(chan os.Signal, 1), make(chan struct{})}
	go func() {
		defer close(s.set)
		signal.Notify(s.term, syscall.SIGTERM)
		// Not signal.Ignore: children would inherit that.
		signal.Notify(make(chan os.Signal, 1), os.Interrupt)
		signal.Notify(s.quit, syscall.SIGQUIT)
	}()
	return s
}

// useCPUs keeps as many workers as there are processors from getting into each
// other's way. Who sets GOMAXPROCS knows better.
func useCPUs(n int) {
	if os.Getenv("GOMAXPROCS") == "" && n < runtime.GOMAXPROCS(0) {
		runtime.GOMAXPROCS(n)
	}
}
