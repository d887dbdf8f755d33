package pooltest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"strings"
	"syscall"

	"github.com/feac4032/multiproc/task"
)

// ErrFault is what a fault by Error returns, and one by Panic panics with. It is
// known across processes.
var ErrFault = errors.New("fault, as it was asked for")

func init() { task.DefineError("pooltest.ErrFault", ErrFault) }

// How is what happens: one of the constants, [Exit] or [Signal].
type How string

const (
	// Error returns ErrFault.
	Error How = "error"
	// Panic panics with ErrFault. Outside of a job's stages it ends the process
	// with exit code 2, as Go does.
	Panic How = "panic"
	// Goexit calls runtime.Goexit, as t.FailNow does.
	Goexit How = "goexit"
	// Hang waits for the end of its context, and returns the cause of that. A stage
	// that has no context, which is any but Function, it never leaves.
	Hang How = "hang"
	// Stuck never goes on, whatever it is told: the worker answers pings, and
	// heeds neither a cancel nor SIGTERM.
	Stuck How = "stuck"
	// Freeze stops the process as SIGSTOP does: it answers to nothing, neither a
	// cancel nor the request to stop, nor SIGTERM, until it is killed. When it gets
	// SIGCONT the job goes on as a right one. Not on Windows.
	Freeze How = "freeze"
)

const (
	exits   = "exit "
	signals = "signal "
)

// Exit ends the process with an exit code from 0 to 255, and runs no deferred
// functions.
func Exit(code int) How { return How(exits + strconv.Itoa(code)) }

// Signal sends the process a signal whose handlers were taken away before, so
// that the kernel's action for it stands: a worker that SIGSEGV has ended was
// ended by signal 11, and leaves no core dump. (By itself Go makes an exit with
// code 2 of it.) A signal that does not end a process changes nothing. Not on
// Windows.
func Signal(sig syscall.Signal) How { return How(signals + strconv.Itoa(int(sig))) }

// number is that of Exit or Signal.
func (h How) number(kind string) (n int, ok bool) {
	digits, ok := strings.CutPrefix(string(h), kind)
	if !ok {
		return 0, false
	}
	n, err := strconv.Atoi(digits)
	return n, err == nil && n >= 0 && n <= 255
}

func (h How) known() bool {
	switch h {
	case Error, Panic, Goexit, Hang, Stuck, Freeze:
		return true
	}
	_, exit := h.number(exits)
	_, signal := h.number(signals)
	return exit || signal
}

// endsProcess reports whether it is more than the outcome of one job.
func (h How) endsProcess() bool {
	switch h {
	case Error, Goexit, Hang:
		return false
	}
	return h.known()
}

// do makes it happen.
func (h How) do(ctx context.Context) error {
	switch h {
	case Error:
		return ErrFault
	case Panic:
		panic(ErrFault)
	case Goexit:
		runtime.Goexit()
	case Hang:
		<-ctx.Done() // which is never where there is none
		return context.Cause(ctx)
	case Stuck:
		select {}
	case Freeze:
		return freeze()
	}
	if code, ok := h.number(exits); ok {
		os.Exit(code)
	}
	if sig, ok := h.number(signals); ok {
		return raise(syscall.Signal(sig))
	}
	return fmt.Errorf("pooltest: no fault is called %q", string(h))
}
