//go:build unix

package pool_test

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/feac4032/multiproc/pool"
)

// What Map hands over stands in the order of the input, and an item that fails
// ends no other.
func ExampleMap() {
	ctx := context.Background()
	p, err := pool.New(ctx, pool.Config{Workers: 2})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer p.Close()

	in := slices.Values([][2]int{{84, 2}, {1, 0}, {9, 3}})
	for out, err := range pool.Map(ctx, p, divide, in) {
		var failed *pool.TaskError
		switch {
		case errors.As(err, &failed):
			fmt.Println(failed.Failure.Msg)
		case err != nil:
			fmt.Println(err)
		default:
			fmt.Println(out)
		}
	}
	// Output:
	// 42
	// panic: runtime error: integer divide by zero
	// 3
}

// Unordered hands over what is ready, and says which item it is.
func ExampleUnordered() {
	ctx := context.Background()
	p, err := pool.New(ctx, pool.Config{Workers: 2})
	if err != nil {
		fmt.Println(err)
		return
	}
	defer p.Close()

	quotients := make([]int, 3)
	in := slices.Values([][2]int{{8, 2}, {9, 3}, {10, 5}})
	for item := range pool.Unordered(ctx, p, divide, in) {
		if item.Err != nil {
			fmt.Println(item.Err)
			continue
		}
		quotients[item.Index] = item.Out
	}
	fmt.Println(quotients)
	// Output: [4 3 2]
}
