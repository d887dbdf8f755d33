// Command process runs a task and a command, each in a process of its own: one
// that returns, one that panics, one that is killed, one with an exit code.
//
//	go run ./examples/process
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"strings"
	"time"

	"github.com/feac4032/multiproc/process"
	"github.com/feac4032/multiproc/task"
	"github.com/feac4032/multiproc/worker"
)

var divide = task.Define("divide", func(_ context.Context, in [2]int) (int, error) {
	return in[0] / in[1], nil
})

var sleep = task.Define("sleep", func(ctx context.Context, d time.Duration) (struct{}, error) {
	select {
	case <-time.After(d):
		return struct{}{}, nil
	case <-ctx.Done():
		return struct{}{}, context.Cause(ctx)
	}
})

func main() {
	worker.Init() // in a child this runs the task, and never returns
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out io.Writer) error {
	// The context of Start is the process's lifetime; that of Result bounds the
	// waiting alone.
	seven := process.New(divide, [2]int{42, 6})
	if err := seven.Start(ctx); err != nil {
		return err
	}
	n, err := seven.Result(ctx)
	fmt.Fprintln(out, "42/6:", n, err)

	// A panic is an error here, with the stack of the other process.
	zero := process.New(divide, [2]int{42, 0}, process.WithName("zero"))
	if err := zero.Start(ctx); err != nil {
		return err
	}
	_, err = zero.Result(ctx)
	var exit *process.ExitError
	if !errors.As(err, &exit) || exit.Failure == nil {
		return fmt.Errorf("42/0: %v", err)
	}
	fmt.Fprintln(out, "42/0:", exit.Name, exit.Code, exit.Failure)

	// Kill ends the process with all that it has started. Terminate would ask.
	nap := process.New(sleep, time.Hour, process.WithName("nap"))
	if err := nap.Start(ctx); err != nil {
		return err
	}
	if err := nap.Kill(); err != nil {
		return err
	}
	if err := nap.Join(ctx); !errors.As(err, &exit) {
		return fmt.Errorf("nap: %v", err)
	}
	fmt.Fprintln(out, "sleep:", exit.Name, exit.Code, exit.Signal)

	cmd := process.Command([]string{"sh", "-c", "cat; exit 3"}, process.WithName("cat"),
		process.WithStdin(strings.NewReader("from a command\n")), process.WithStdout(out))
	if err := cmd.Start(ctx); err != nil {
		return err
	}
	if err := cmd.Join(ctx); !errors.As(err, &exit) {
		return fmt.Errorf("cat: %v", err)
	}
	fmt.Fprintln(out, "command:", exit.Name, exit.Code)
	return nil
}
