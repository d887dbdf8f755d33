// Command python-worker calls functions that are written in Python: one that
// returns, one that raises an exception, and one that takes its process with it.
//
//	go run ./examples/python-worker
//
// It needs Debian's python3-msgpack, or any Python 3.8 with the module msgpack.
package main

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"strings"
	"syscall"

	"github.com/feac4032/multiproc/pool"
	"github.com/feac4032/multiproc/task"
	"github.com/feac4032/multiproc/worker"
)

// The worker is in the program, so that this runs in any folder; the path of a
// file does as well.
//
//go:embed worker.py
var workerPy string

// Stats is what stats returns: a dictionary over there.
type Stats struct {
	Mean  float64 `msgpack:"mean"`
	Stdev float64 `msgpack:"stdev"`
}

// The functions are in worker.py; here are their names and types.
var (
	stats = inPython[[]float64, Stats]("stats")
	crash = inPython[int, []byte]("crash")
)

func inPython[In, Out any](name string) task.Task[In, Out] {
	return task.Define(name, func(context.Context, In) (out Out, err error) {
		return out, errors.New("it is written in Python")
	})
}

func main() {
	worker.Init() // the guardian of the workers is this program, too
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out io.Writer) error {
	python, err := findPython(ctx)
	if err != nil {
		return err
	}
	p, err := pool.New(ctx, pool.Config{
		Workers: 2,
		Program: pool.Program{Command: []string{python, "-c", workerPy}},
		Stdout:  out, // of what the functions print
	})
	if err != nil {
		return err
	}
	defer p.Close()

	s, err := pool.Call(ctx, p, stats, []float64{2, 4, 4, 4, 5, 5, 7, 9})
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "mean %.2f, standard deviation %.2f\n", s.Mean, s.Stdev)

	_, err = pool.Call(ctx, p, stats, []float64{1})
	var raised *pool.TaskError
	if !errors.As(err, &raised) {
		return fmt.Errorf("stats of one number: %w", err)
	}
	fmt.Fprintf(out, "%s: %s\n", raised.Failure.Type, raised.Failure.Msg)
	for line := range strings.Lines(raised.Failure.Stack) { // the traceback
		if strings.Contains(line, "in stats") {
			fmt.Fprintln(out, strings.TrimSpace(line))
		}
	}

	_, err = pool.Call(ctx, p, crash, 0)
	var lost *pool.WorkerLostError
	if !errors.As(err, &lost) {
		return fmt.Errorf("crash: %w", err)
	}
	fmt.Fprintf(out, "%s died: %v\n", lost.Worker, syscall.Signal(lost.Signal))

	s, err = pool.Call(ctx, p, stats, []float64{1, 2}) // by another one
	if err != nil {
		return err
	}
	fmt.Fprintf(out, "mean %.2f, standard deviation %.2f\n", s.Mean, s.Stdev)
	return p.Close()
}

// findPython returns a Python that has msgpack. The first in PATH may be another
// one than that of the distribution, which its packages are for.
func findPython(ctx context.Context) (string, error) {
	for _, python := range []string{"python3", "/usr/bin/python3"} {
		if exec.CommandContext(ctx, python, "-c", "import msgpack").Run() == nil {
			return python, nil
		}
	}
	return "", errors.New("no python3 with the module msgpack: apt-get install python3-msgpack, or pip install msgpack")
}
