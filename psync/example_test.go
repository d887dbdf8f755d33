package psync_test

import (
	"context"
	"fmt"
	"sync"

	"github.com/feac4032/multiproc/psync"
)

func Example() {
	ctx := context.Background()
	accounts := psync.NewLock()

	clerk, leave := psync.WithOwner(ctx, psync.Named("clerk"))
	if _, err := accounts.Acquire(clerk); err != nil {
		fmt.Println(err)
	}
	leave() // returns in the middle, without a Release

	ctx, end := psync.WithOwner(ctx)
	defer end()
	held, err := accounts.Acquire(ctx)
	if err != nil {
		fmt.Println(err)
		return
	}
	defer held.Release()
	if held.Abandoned != nil {
		fmt.Println("left half done by", held.Abandoned.Name)
	}
	// Output:
	// left half done by clerk
}

func ExampleLock_Do() {
	ctx, end := psync.WithOwner(context.Background())
	defer end()
	l := psync.NewLock()
	err := l.Do(ctx, func() error {
		fmt.Println("held")
		return nil
	})
	fmt.Println(err)
	// Output:
	// held
	// <nil>
}

func ExampleRLock_Do() {
	ctx, end := psync.WithOwner(context.Background())
	defer end()
	tree := psync.NewRLock()

	var walk func(depth int) error
	walk = func(depth int) error {
		return tree.Do(ctx, func() error { // its holder may acquire it again
			if depth == 0 {
				fmt.Println("at the bottom")
				return nil
			}
			return walk(depth - 1)
		})
	}
	fmt.Println(walk(3))
	// Output:
	// at the bottom
	// <nil>
}

func ExampleSemaphore_Acquire() {
	ctx := context.Background()
	gpus, err := psync.NewSemaphore(2)
	if err != nil {
		fmt.Println(err)
		return
	}
	var jobs sync.WaitGroup
	for range 8 {
		jobs.Go(func() {
			ctx, end := psync.WithOwner(ctx)
			defer end() // gives its permit back, whatever happens
			if _, err := gpus.Acquire(ctx); err != nil {
				fmt.Println(err)
			}
		})
	}
	jobs.Wait()
	fmt.Println(gpus.Value(ctx))
	// Output:
	// 2 <nil>
}

// Updates at the same time lose nothing, and need no lock.
func ExampleArray_Update() {
	ctx := context.Background()
	votes, err := psync.NewArray(make([]int, 2))
	if err != nil {
		fmt.Println(err)
		return
	}
	var voters sync.WaitGroup
	for i := range 10 {
		voters.Go(func() {
			_, err := votes.Update(ctx, i%2, func(n int) int { return n + 1 })
			if err != nil {
				fmt.Println(err)
			}
		})
	}
	voters.Wait()
	fmt.Println(votes.Snapshot(ctx))
	// Output:
	// [5 5] <nil>
}
