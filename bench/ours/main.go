// Command ours does each piece of work of the benchmark with this project, as a
// user's program would, and prints the figures:
//
//	ours WORK N
//
// N is how many jobs, items or starts a run has.
package main

import (
	"context"
	"fmt"
	"log"
	"os"
	"slices"
	"strconv"

	"github.com/feac4032/multiproc/bench/figure"
	"github.com/feac4032/multiproc/worker"
)

var works = map[string]func(ctx context.Context, n int) (figure.Set, error){
	"call":       call,
	"submit":     submit,
	"go":         submitGo,
	"map":        mapped,
	"unordered":  unordered,
	"echo":       echoMiB,
	"halves":     halves,
	"lock":       lock,
	"queue":      throughQueue,
	"start":      start,
	"crash":      func(ctx context.Context, n int) (figure.Set, error) { return crash(ctx, n, 0) },
	"crashSpare": func(ctx context.Context, n int) (figure.Set, error) { return crash(ctx, n, 1) },
	"idle":       idle,
}

func main() {
	worker.Init()
	if err := run(os.Args[1:]); err != nil {
		log.Fatal(err)
	}
}

func run(args []string) error {
	if len(args) != 2 || works[args[0]] == nil {
		names := []string{}
		for name := range works {
			names = append(names, name)
		}
		return fmt.Errorf("usage: ours WORK N; the works are %v", slices.Sorted(slices.Values(names)))
	}
	n, err := strconv.Atoi(args[1])
	if err != nil || n < 1 {
		return fmt.Errorf("%q is no number of jobs", args[1])
	}
	figures, err := works[args[0]](context.Background(), n)
	if err != nil {
		return fmt.Errorf("%s: %w", args[0], err)
	}
	return figures.Write(os.Stdout)
}
