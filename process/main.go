package process

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"

	"github.com/feac4032/multiproc/internal/owner"
	"github.com/feac4032/multiproc/thread"
	"github.com/feac4032/multiproc/worker"
)

// Main is all of a program's main function, or of what is left of it after the
// flags:
//
//	func main() {
//		process.Main(func(ctx context.Context) error {
//			…
//		})
//	}
//
// In a child that was started to run a task it does that, as worker.Init does,
// and f is not called. In the program itself it calls f, and when f has returned,
// waits for the threads that are no daemons, terminates the processes that are
// daemons, waits for all others, says on stderr what was wrong with those that it
// has met alive, prints f's error, and exits. It never returns.
//
// The exit code is 0 if f returned nil, n if it returned Exit(n), else 1; see
// below for signals. A panic of f ends the program as any other does; so do
// os.Exit and log.Fatal. Then nothing is waited for: the processes are killed.
//
// The context of f is the owner of what f locks. It ends at the first SIGINT,
// SIGTERM or SIGHUP, with a *SignalError as its cause, unless the signal was
// ignored from the start. Processes and threads that were started with it as
// their lifetime end too; when f has returned, all other processes are terminated
// as if they were daemons. The exit code is then 128+n for signal n, unless the
// signal met f and f has dealt with it: it returned nil, or an Exit. A second
// signal ends the program at once, and all processes with it.
func Main(f func(ctx context.Context) error) {
	worker.Init()
	os.Exit(runMain(f, os.Stderr))
}

// Exit is an error that only says with which code Main ends the program: n of
// sys.exit(n) in Python.
type Exit int

func (e Exit) Error() string { return "exit code " + strconv.Itoa(int(e)) }

// SignalError is the cause with which the context of Main's function ends at a
// signal. It is a context.Canceled.
type SignalError struct{ Signal os.Signal }

func (e *SignalError) Error() string { return "got signal " + e.Signal.String() }

// Is reports that it is a context.Canceled.
func (e *SignalError) Is(target error) bool { return target == context.Canceled }

// code is what a shell makes of the end by that signal.
func (e *SignalError) code() int {
	n, _ := e.Signal.(syscall.Signal)
	return 128 + int(n)
}

// errMainEnded is why a daemon's lifetime is over.
var errMainEnded = errors.New("the main function has returned")

// runMain returns the exit code.
func runMain(f func(ctx context.Context) error, stderr io.Writer) int {
	self := owner.New(owner.Identity{Name: "main", PID: os.Getpid()})
	ctx, stop := context.WithCancelCause(owner.With(context.Background(), self))
	defer heedSignals(stop)()

	err := f(ctx)
	met := interruption(ctx)
	self.End(err)

	program := filepath.Base(os.Args[0])
	for _, err := range settle(ctx) {
		fmt.Fprintf(stderr, "%s: %v\n", program, err)
	}
	if e := closeGuardian(); e != nil {
		fmt.Fprintf(stderr, "%s: %v\n", program, e)
	}
	later := interruption(ctx)
	var exit Exit
	switch {
	case err == nil && met == nil && later != nil:
		return later.code()
	case err == nil:
		return 0
	case met != nil && errors.Is(err, context.Canceled):
		return met.code() // there is nothing to be said about that
	case errors.As(err, &exit):
		if _, bare := err.(Exit); !bare {
			fmt.Fprintf(stderr, "%s: %v\n", program, err)
		}
		return int(exit)
	}
	fmt.Fprintf(stderr, "%s: %v\n", program, err)
	if later != nil {
		return later.code()
	}
	return 1
}

// heedSignals stops the context at the first signal, and the program at the
// second. The function that it returns ends that.
func heedSignals(stop context.CancelCauseFunc) (unheed func()) {
	var heeded []os.Signal
	for _, s := range []os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP} {
		if !signal.Ignored(s) {
			heeded = append(heeded, s)
		}
	}
	if len(heeded) == 0 {
		return func() {} // Notify would take that for all signals
	}
	signals, quit := make(chan os.Signal, 2), make(chan struct{})
	signal.Notify(signals, heeded...)
	go func() {
		for first := true; ; first = false {
			select {
			case s := <-signals:
				e := &SignalError{s}
				if !first {
					os.Exit(e.code())
				}
				stop(e)
			case <-quit:
				return
			}
		}
	}()
	return func() {
		signal.Stop(signals)
		close(quit)
	}
}

// interruption is the signal that has ended ctx, nil if none has.
func interruption(ctx context.Context) *SignalError {
	var e *SignalError
	errors.As(context.Cause(ctx), &e)
	return e
}

// settle waits for all threads and processes that the program has left, and
// returns what was wrong with those that it has met alive. Each round deals with
// what has been started since the one before.
func settle(ctx context.Context) (bad []error) {
	report := func(err error) {
		// Who closes it has seen its end, and who interrupts is the cause of it.
		if err != nil && ctx.Err() == nil && !errors.Is(err, ErrClosed) && !errors.Is(err, thread.ErrClosed) {
			bad = append(bad, err)
		}
	}
	for {
		threads, processes := lasting(thread.Running()), Children()
		if len(threads)+len(processes) == 0 {
			return bad
		}
		unhook := context.AfterFunc(ctx, func() {
			for _, p := range processes {
				p.expire(context.Cause(ctx))
			}
		})
		for _, t := range threads {
			report(t.Join(context.Background()))
		}
		for _, p := range processes {
			if p.Daemon() {
				p.expire(errMainEnded)
			}
		}
		for _, p := range processes {
			if err := p.Join(context.Background()); !p.Daemon() {
				report(err)
			}
		}
		unhook()
	}
}

// lasting picks the threads that are no daemons.
func lasting(threads []*thread.Thread) []*thread.Thread {
	return slices.DeleteFunc(threads, (*thread.Thread).Daemon)
}
