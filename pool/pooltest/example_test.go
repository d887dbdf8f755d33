//go:build unix

package pooltest_test

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"syscall"

	"github.com/feac4032/multiproc/pool"
	"github.com/feac4032/multiproc/pool/pooltest"
)

// A worker dies while it encodes its result; the job behind it is not touched.
func Example() {
	ctx := context.Background()
	p, err := pool.New(ctx, pool.Config{Workers: 1})
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	guilty, err := pool.Submit(ctx, p, pooltest.Faulty, pooltest.Fault{
		At: pooltest.EncodeResult, By: pooltest.Signal(syscall.SIGSEGV),
	})
	if err != nil {
		log.Fatal(err)
	}
	innocent, err := pool.Submit(ctx, p, pooltest.Faulty, pooltest.Fault{Size: 100_000})
	if err != nil {
		log.Fatal(err)
	}

	_, err = guilty.Result(ctx)
	var lost *pool.WorkerLostError
	if errors.As(err, &lost) {
		fmt.Println("ended by", syscall.Signal(lost.Signal))
	}
	reply, err := innocent.Result(ctx)
	fmt.Println(len(reply.Payload), err)
	// Output:
	// ended by segmentation fault
	// 100000 <nil>
}

// The first attempt takes its worker with it, the second is right.
func ExampleFault_times() {
	dir, err := os.MkdirTemp("", "")
	if err != nil {
		log.Fatal(err)
	}
	defer os.RemoveAll(dir)
	ctx := context.Background()
	p, err := pool.New(ctx, pool.Config{Workers: 1})
	if err != nil {
		log.Fatal(err)
	}
	defer p.Close()
	reply, err := pool.Call(ctx, p, pooltest.Faulty, pooltest.Fault{
		At: pooltest.Function, By: pooltest.Exit(3), Times: 1, Dir: dir,
	}, pool.WithRetry(pool.Retry{Max: 1, NoBackoff: true}))
	fmt.Println("attempt", reply.Attempt, err)
	// Output: attempt 2 <nil>
}
