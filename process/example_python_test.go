//go:build unix

package process_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	"github.com/feac4032/multiproc/process"
	"github.com/feac4032/multiproc/task"
	"github.com/feac4032/multiproc/thread"
)

// programs are main functions, for Examples in which this binary runs as another
// program: programEnv names which.
var programs = map[string]func(context.Context) error{"greeter": greeter, "watched": watched}

const programEnv = "PROCESS_EXAMPLE"

func init() {
	if f := programs[os.Getenv(programEnv)]; f != nil {
		process.Main(f)
	}
}

// greeter is the main function of a program: func main() { process.Main(greeter) }
func greeter(ctx context.Context) error {
	if err := process.New(Print, "hello from a child").Start(ctx); err != nil {
		return err
	}
	return process.Exit(3) // sys.exit(3)
}

// Main joins the children that no one has joined, and sets the exit code.
func ExampleMain() {
	ctx := context.Background()
	p := process.Command([]string{os.Args[0]}, process.WithEnv(append(os.Environ(), programEnv+"=greeter")))
	if err := p.Start(ctx); err != nil {
		log.Fatal(err)
	}
	<-p.Done()
	fmt.Println(p.ExitCode())
	// Output:
	// hello from a child
	// 3 true
}

// watched has a child that would run for an hour.
func watched(ctx context.Context) error {
	return process.New(Sleep, time.Hour, process.WithDaemon()).Start(ctx)
}

// Main does not wait for daemons: it terminates them.
func ExampleWithDaemon() {
	ctx := context.Background()
	p := process.Command([]string{os.Args[0]}, process.WithEnv(append(os.Environ(), programEnv+"=watched")))
	if err := p.Start(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println(p.Join(ctx))
	// Output: <nil>
}

// Painter is a subclass of Process with run(): its fields travel.
type Painter struct{ Colour string }

func (p *Painter) Run(context.Context) error {
	_, err := fmt.Println("painting it", p.Colour)
	return err
}

var _ = process.DefineRunner[*Painter]("example/painter")

func ExampleNewRunner() {
	ctx := context.Background()
	p := process.NewRunner(&Painter{Colour: "black"})
	if err := p.Start(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println(p.Join(ctx))
	// Output:
	// painting it black
	// <nil>
}

// is_alive(), pid, name, exitcode. An exit code is n, or −N after signal N.
func ExampleProcess_ExitCode() {
	ctx := context.Background()
	p := process.New(Sleep, time.Hour, process.WithName("sleeper"))
	fmt.Println(p.Name(), p.Alive(), p.PID())
	if err := p.Start(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println(p.Alive(), p.PID() > 0)
	_, ended := p.ExitCode()
	fmt.Println(ended)
	if err := p.Kill(); err != nil {
		log.Fatal(err)
	}
	<-p.Done()
	fmt.Println(p.ExitCode())
	// Output:
	// sleeper false 0
	// true true
	// false
	// -9 true
}

// What an outcome other than nil tells. The stack is that of the other process.
func ExampleExitError() {
	ctx := context.Background()
	p := process.New(Divide, [2]int{1, 0}, process.WithName("divider"))
	if err := p.Start(ctx); err != nil {
		log.Fatal(err)
	}
	var exit *process.ExitError
	if err := p.Join(ctx); errors.As(err, &exit) {
		fmt.Println(exit.Name, exit.Code, exit.Failure)
		fmt.Println(strings.Contains(exit.Failure.Stack, "example_python_test.go"))
	}
	// Output:
	// divider 1 panic: runtime error: integer divide by zero
	// true
}

var Divide = task.Define("example/divide", func(_ context.Context, n [2]int) (int, error) {
	return n[0] / n[1], nil
})

// Terminate asks: a task sees its context cancelled, and may still finish. Kill
// does not ask.
func ExampleProcess_Terminate() {
	ctx := context.Background()
	p := process.New(Sleep, time.Hour)
	fmt.Println(errors.Is(p.Terminate(), process.ErrNotStarted))
	if err := p.Start(ctx); err != nil {
		log.Fatal(err)
	}
	if err := p.Terminate(); err != nil {
		log.Fatal(err)
	}
	<-p.Done()
	fmt.Println(p.Alive(), p.Terminate())
	// Output:
	// true
	// false <nil>
}

func ExampleProcess_Close() {
	ctx := context.Background()
	p := process.New(Square, 3)
	if err := p.Start(ctx); err != nil {
		log.Fatal(err)
	}
	<-p.Done()
	fmt.Println(p.Close(), p.Close())
	fmt.Println(errors.Is(p.Join(ctx), process.ErrClosed))
	// Output:
	// <nil> <nil>
	// true
}

// multiprocessing.connection.wait() on sentinels is a select.
func ExampleProcess_Done() {
	ctx := context.Background()
	long, short := process.New(Sleep, time.Hour), process.New(Square, 3)
	for _, p := range []*process.Process{long.Process, short.Process} {
		if err := p.Start(ctx); err != nil {
			log.Fatal(err)
		}
	}
	select {
	case <-long.Done():
		fmt.Println("long")
	case <-short.Done():
		fmt.Println("short")
	}
	long.Kill()
	<-long.Done()
	// Output: short
}

// Whoami tells who it is and who has started it.
var Whoami = task.Define("example/whoami", func(context.Context, struct{}) ([]string, error) {
	return []string{process.Current().Name, process.Parent().Name()}, nil
})

// current_process() and parent_process().
func ExampleCurrent() {
	ctx := context.Background()
	fmt.Println(process.Current().Name, process.Parent() == nil)
	p := process.New(Whoami, struct{}{}, process.WithName("child"))
	if err := p.Start(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println(p.Result(ctx))
	// Output:
	// MainProcess true
	// [child MainProcess] <nil>
}

// active_children().
func ExampleChildren() {
	ctx := context.Background()
	p := process.New(Sleep, time.Hour, process.WithName("sleeper"))
	if err := p.Start(ctx); err != nil {
		log.Fatal(err)
	}
	for _, p := range process.Children() {
		fmt.Println(p.Name())
		p.Kill()
		<-p.Done()
	}
	// Output: sleeper
}

// Work is the same under a thread and under a process. The thread changes the
// counter of this program, the process that of its own.
func ExampleNew_memory() {
	ctx := context.Background()
	counter = 0
	t := thread.New(func(ctx context.Context) error {
		_, err := increment(ctx, 1)
		return err
	})
	p := process.New(Increment, 1)
	for _, life := range []interface {
		Start(context.Context) error
		Join(context.Context) error
	}{t, p} {
		if err := life.Start(ctx); err != nil {
			log.Fatal(err)
		}
		if err := life.Join(ctx); err != nil {
			log.Fatal(err)
		}
		fmt.Println(counter)
	}
	fmt.Println(p.Result(ctx))
	// Output:
	// 1
	// 1
	// 1 <nil>
}

var counter int

func increment(_ context.Context, by int) (int, error) {
	counter += by
	return counter, nil
}

var Increment = task.Define("example/increment", increment)
