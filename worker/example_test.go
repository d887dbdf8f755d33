//go:build unix

package worker_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"os/exec"
	"strings"

	"github.com/feac4032/multiproc/pool"
	"github.com/feac4032/multiproc/task"
	"github.com/feac4032/multiproc/worker"
)

// double is a task of this program, and so of its children.
var double = task.Define("example/double", func(_ context.Context, n int) (int, error) { return 2 * n, nil })

// "if __name__ == '__main__':". Init stands first in main: in the program it
// returns at once, in its children never.
func ExampleInit() {
	worker.Init()
	ctx := context.Background()
	p, err := pool.New(ctx, pool.Config{Workers: 1, Stdout: io.Discard}) // an init of this program prints
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	fmt.Println(pool.Call(ctx, p, double, 21))
	// Output: 42 <nil>
}

// A program that is only a worker says so when it is started by hand.
func ExampleMain() {
	program := exec.Command(os.Args[0]) // func main() { worker.Main() }
	program.Env = append(os.Environ(), "WORKER_TEST_MODE=main")
	var says strings.Builder
	program.Stderr = &says
	var exit *exec.ExitError
	if errors.As(program.Run(), &exit) {
		fmt.Println(strings.Contains(says.String(), "is a worker program"), exit.ExitCode())
	}
	// Output: true 2
}
