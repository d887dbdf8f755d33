package psync_test

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/feac4032/multiproc/psync"
)

// Each operation is atomic. Update is "with v.get_lock(): v.value = f(v.value)".
func ExampleValue() {
	ctx := context.Background()
	v, err := psync.NewValue("draft")
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(v.Load(ctx))
	fmt.Println(v.CompareAndSwap(ctx, "draft", "proof"))
	fmt.Println(v.CompareAndSwap(ctx, "draft", "print"))
	fmt.Println(v.Update(ctx, func(s string) string { return s + " 2" }))
	fmt.Println(v.Store(ctx, "print"))
	// Output:
	// draft <nil>
	// true <nil>
	// false <nil>
	// proof 2 <nil>
	// <nil>
}

// Value('b', 100): a number of eight bits, which does not wrap around.
func ExampleNumber() {
	ctx := context.Background()
	n, err := psync.NewNumber(int8(100))
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(n.Add(ctx, 27))
	_, err = n.Add(ctx, 1)
	fmt.Println(errors.Is(err, psync.ErrOverflow))
	fmt.Println(n.Load(ctx))
	// Output:
	// 127 <nil>
	// true
	// 127 <nil>
}

func ExampleArray() {
	ctx := context.Background()
	a, err := psync.NewArray([]float64{0, 0.5, 1})
	if err != nil {
		log.Fatal(err)
	}
	fmt.Println(a.Store(ctx, 0, -1))
	fmt.Println(a.Load(ctx, 1))
	fmt.Println(a.Snapshot(ctx)) // a[:]
	_, err = a.Load(ctx, 3)
	fmt.Println(errors.Is(err, psync.ErrRange))
	// Output:
	// <nil>
	// 0.5 <nil>
	// [-1 0.5 1] <nil>
	// true
}
