package queue_test

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/feac4032/multiproc/queue"
)

func ExampleNew() {
	ctx := context.Background()
	q := queue.New[string](2)
	go func() {
		defer q.Close()
		for _, name := range []string{"a.jpg", "b.jpg", "c.jpg"} {
			if err := q.Put(ctx, name); err != nil { // blocks while 2 are queued
				fmt.Println(err)
			}
		}
	}()
	for name, err := range q.All(ctx) {
		fmt.Println(name, err)
	}
	// Output:
	// a.jpg <nil>
	// b.jpg <nil>
	// c.jpg <nil>
}

func ExampleOverPipes() {
	type point struct{ X, Y int }
	r, w, err := os.Pipe()
	if err != nil {
		fmt.Println(err)
		return
	}
	ctx := context.Background()
	// With exec.Cmd, w or r would be the stdout or stdin of another process.
	put := queue.OverPipes[point](nil, w)
	get := queue.OverPipes[point](r, nil)
	if err := put.Put(ctx, point{X: 1, Y: 2}); err != nil {
		fmt.Println(err)
	}
	fmt.Println(get.Get(ctx))
	_, err = get.TryGet(ctx)
	fmt.Println(errors.Is(err, queue.ErrEmpty))
	put.Close()
	_, err = get.Get(ctx)
	fmt.Println(errors.Is(err, queue.ErrClosed))
	// Output:
	// {1 2} <nil>
	// true
	// true
}
