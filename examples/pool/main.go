// Command pool counts letters in warm worker processes. One of the texts kills
// the worker that reads it, which costs that text alone.
//
//	go run ./examples/pool
package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"strings"

	"github.com/feac4032/multiproc/pool"
	"github.com/feac4032/multiproc/task"
	"github.com/feac4032/multiproc/worker"
)

// Count is what the task returns. Types of arguments and results are ordinary
// Go types; what cannot travel, such as a channel, is refused by Define.
type Count struct {
	Letters int `msgpack:"letters"`
	Vowels  int `msgpack:"vowels"`
}

// errNoText has a code, so that errors.Is finds it although it was returned in
// another process.
var errNoText = errors.New("there is no text")

func init() { task.DefineError("example/no-text", errNoText) }

// The package variable is the task: the program calls it, its workers run it.
var count = task.Define("count", func(_ context.Context, text string) (Count, error) {
	switch text {
	case "":
		return Count{}, errNoText
	case "deadly":
		os.Exit(9) // a crash would do the same
	}
	var c Count
	for _, r := range strings.ToLower(text) {
		if r >= 'a' && r <= 'z' {
			c.Letters++
		}
		if strings.ContainsRune("aeiou", r) {
			c.Vowels++
		}
	}
	return c, nil
})

func main() {
	worker.Init() // in a worker this serves, and never returns
	if err := run(context.Background(), os.Stdout); err != nil {
		log.Fatal(err)
	}
}

func run(ctx context.Context, out io.Writer) error {
	p, err := pool.New(ctx, pool.Config{Workers: 2})
	if err != nil {
		return err
	}
	texts := []string{"pride", "deadly", "prejudice", "", "persuasion"}
	futures := make([]*pool.Future[Count], len(texts))
	for i, text := range texts {
		// Submit does not wait; the argument is encoded before it returns.
		if futures[i], err = pool.Submit(ctx, p, count, text, pool.WithLabel(text)); err != nil {
			return errors.Join(err, p.Close())
		}
	}
	for i, f := range futures {
		c, err := f.Result(ctx)
		var lost *pool.WorkerLostError
		switch {
		case err == nil:
			fmt.Fprintf(out, "%q: %d letters, %d vowels\n", texts[i], c.Letters, c.Vowels)
		case errors.Is(err, errNoText):
			fmt.Fprintf(out, "%q: nothing to count\n", texts[i])
		case errors.As(err, &lost):
			fmt.Fprintf(out, "%q: its worker exited with code %d\n", texts[i], lost.ExitCode)
		default:
			return errors.Join(err, p.Close())
		}
	}
	return p.Close() // waits for the jobs, ends the workers
}
