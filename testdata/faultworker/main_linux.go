// Command faultworker is a program that does harm, for tests of what a supervisor
// makes of it. Its argument names what it plays:
//
//	worker: {command: [faultworker, half a frame then death]}
//	run: [faultworker, prints 64 KiB and a byte]
//
// As a worker it knows the task work, which returns its argument. Only the first
// process of a folder plays its fault, unless it is one of those that are played
// always: the others are good workers. The file "played" in the working directory
// says that there was one.
package main

import (
	"context"
	"fmt"
	"os"

	"github.com/feac4032/multiproc/internal/boot"
	"github.com/feac4032/multiproc/internal/faulttest"
	"github.com/feac4032/multiproc/task"
	"github.com/feac4032/multiproc/worker"
)

var work = task.Define("work", func(_ context.Context, v any) (any, error) { return v, nil })

// fault is what a worker plays.
type fault struct {
	play   func(*faulttest.Worker)
	always bool // in every process, not only in the first
}

// once is a fault of the first process.
func once(play func(*faulttest.Worker)) fault { return fault{play: play} }

// always is a fault of every process.
func always(play func(*faulttest.Worker)) fault { return fault{play: play, always: true} }

// faults are those of workers, by name; commands are those of processes that the
// supervisor starts for a job.
var (
	faults   = map[string]fault{}
	commands = map[string]func(){}
)

func main() {
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "faultworker: want the name of one fault")
		os.Exit(99)
	}
	name := os.Args[1]
	if boot.Role == boot.Program {
		if command := commands[name]; command != nil {
			played()
			command()
			return
		}
	} else if f, ok := faults[name]; ok {
		if played() || f.always {
			f.play(faulttest.New(work.Name()))
			return
		}
		worker.Main()
	}
	fmt.Fprintf(os.Stderr, "faultworker: no such fault: %q\n", name)
	os.Exit(99)
}

// played notes that the fault is, and reports whether it is so for the first time.
func played() bool {
	f, err := os.OpenFile("played", os.O_CREATE|os.O_EXCL, 0o600)
	if err == nil {
		f.Close()
	}
	return err == nil
}
