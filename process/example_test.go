package process_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	"github.com/hashicorp/go-hclog"

	"github.com/feac4032/multiproc/process"
	"github.com/feac4032/multiproc/task"
	"github.com/feac4032/multiproc/worker"
)

// Tasks are defined in package variables, in the program's every process.
var Square = task.Define("example/square", func(_ context.Context, n int) (int, error) {
	return n * n, nil
})

var ErrEmpty = errors.New("tray is empty")

func init() { task.DefineError("example/empty", ErrEmpty) }

var Print = task.Define("example/print", func(_ context.Context, text string) (int, error) {
	if text == "" {
		return 0, fmt.Errorf("printer 2: %w", ErrEmpty)
	}
	return fmt.Println(text)
})

var Sleep = task.Define("example/sleep", func(ctx context.Context, d time.Duration) (string, error) {
	select {
	case <-time.After(d):
		return "rested", nil
	case <-ctx.Done():
		return "", ctx.Err()
	}
})

// Count reports how far it is.
var Count = task.Define("example/count", func(ctx context.Context, n int) (int, error) {
	worker.Logger(ctx).Info("counting", "to", n)
	for i := range n {
		if err := worker.Progress(ctx, i+1); err != nil {
			return i, err
		}
	}
	return n, nil
})

// A task in a process of its own, as Process(target=square, args=(12,)) is in
// Python. The program's main function is handed over to Main, or calls
// worker.Init first.
func Example() {
	ctx := context.Background()
	c := process.New(Square, 12)
	if err := c.Start(ctx); err != nil {
		log.Fatal(err)
	}
	n, err := c.Result(ctx)
	fmt.Println(n, err)
	// Output: 144 <nil>
}

// What a process prints goes where this program's output goes.
func ExampleProcess_Join() {
	ctx := context.Background()
	p := process.New(Print, "hello from a child")
	if err := p.Start(ctx); err != nil {
		log.Fatal(err)
	}
	err := p.Join(ctx)
	code, ended := p.ExitCode()
	fmt.Println(err, code, ended)
	// Output:
	// hello from a child
	// <nil> 0 true
}

// errors.Is finds an error of the other process that both sides know.
func ExampleCall_Result() {
	ctx := context.Background()
	p := process.New(Print, "", process.WithName("printer"))
	if err := p.Start(ctx); err != nil {
		log.Fatal(err)
	}
	_, err := p.Result(ctx)
	var failed *task.Failure
	fmt.Println(errors.Is(err, ErrEmpty), errors.As(err, &failed), failed)
	// Output: true true printer 2: tray is empty
}

// Joining for a limited time leaves the process alone; the context that it was
// started with is what ends it.
func ExampleProcess_Start() {
	lifetime, end := context.WithCancel(context.Background())
	p := process.New(Sleep, time.Hour)
	if err := p.Start(lifetime); err != nil {
		log.Fatal(err)
	}
	short, cancel := context.WithTimeout(context.Background(), 10*time.Millisecond)
	defer cancel()
	err := p.Join(short)
	fmt.Println(errors.Is(err, process.ErrAlive), p.Alive())
	end()
	<-p.Done()
	fmt.Println(p.Alive())
	// Output:
	// true true
	// false
}

// Terminate, Kill and Interrupt are for the whole tree of a process.
func ExampleProcess_Kill() {
	ctx := context.Background()
	p := process.Command([]string{"sh", "-c", "sleep 1000 & sleep 1000"})
	fmt.Println(errors.Is(p.Kill(), process.ErrNotStarted))
	if err := p.Start(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println(p.Kill())
	<-p.Done()
	fmt.Println(p.Kill())
	fmt.Println(p.ExitCode())
	// Output:
	// true
	// <nil>
	// <nil>
	// -9 true
}

// What a task reports is decoded as the type that the function takes.
func ExampleWithProgress() {
	ctx := context.Background()
	p := process.New(Count, 3,
		process.WithProgress(func(n int) { fmt.Println("at", n) }),
		process.WithLogger(nil))
	if err := p.Start(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println(p.Result(ctx))
	// Output:
	// at 1
	// at 2
	// at 3
	// 3 <nil>
}

// What a task logs is named after its process.
func ExampleWithLogger() {
	ctx := context.Background()
	l := hclog.New(&hclog.LoggerOptions{Name: "app", Output: os.Stdout, DisableTime: true})
	p := process.New(Count, 3, process.WithName("counter"), process.WithLogger(l))
	if err := p.Start(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println(p.Result(ctx))
	// Output:
	// [INFO]  app.counter: counting: to=3
	// 3 <nil>
}

// A command, with input and output; an exit code other than 0 is an *ExitError.
func ExampleCommand() {
	ctx := context.Background()
	p := process.Command([]string{"sh", "-c", "tr a-z A-Z; exit 3"},
		process.WithName("shout"),
		process.WithStdin(strings.NewReader("quiet\n")),
		process.WithStdout(os.Stdout))
	if err := p.Start(ctx); err != nil {
		log.Fatal(err)
	}
	var exit *process.ExitError
	if err := p.Join(ctx); errors.As(err, &exit) {
		fmt.Println(exit.Name, exit.Code)
	}
	// Output:
	// QUIET
	// shout 3
}
