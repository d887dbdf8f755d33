// Command result runs a function in processes of their own, and gets what it
// returned: a value, an error that errors.Is knows, or how the process died.
//
//	go run ./examples/result
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/feac4032/multiproc/process"
	"github.com/feac4032/multiproc/task"
)

var errNegative = errors.New("negative number")

// A code lets the error keep its identity on the way.
func init() { task.DefineError("example/negative", errNegative) }

// The variable is the task: the program names it, the child runs it.
var root = task.Define("root", func(_ context.Context, n int) (int, error) {
	switch {
	case n < 0:
		return 0, errNegative
	case n == 13:
		os.Exit(13) // a crash would do the same
	}
	r := 0
	for (r+1)*(r+1) <= n {
		r++
	}
	return r, nil
})

func main() {
	process.Main(func(ctx context.Context) error { return run(ctx, os.Stdout) })
}

func run(ctx context.Context, out io.Writer) error {
	for _, n := range []int{144, -1, 13} {
		c := process.New(root, n)
		if err := c.Start(ctx); err != nil {
			return err
		}
		r, err := c.Result(ctx)
		var exit *process.ExitError
		switch {
		case err == nil:
			fmt.Fprintln(out, n, "has the root", r)
		case errors.Is(err, errNegative):
			fmt.Fprintln(out, n, "has none")
		case errors.As(err, &exit):
			fmt.Fprintln(out, n, "ended its process with code", exit.Code)
		}
	}
	return nil
}
