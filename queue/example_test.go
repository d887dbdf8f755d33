package queue_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"

	"github.com/feac4032/multiproc/psync"
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

func ExampleNewJoinable() {
	ctx := context.Background()
	q := queue.NewJoinable[string](0)
	var workers sync.WaitGroup
	for range 2 {
		workers.Go(func() {
			ctx, end := psync.WithOwner(ctx) // a job, a thread or a process is one already
			defer end()                      // what it has open then goes back
			for photo, err := range q.All(ctx) {
				if err != nil {
					fmt.Println(err)
					return
				}
				// … resize photo.Value …
				if err := photo.Done(); err != nil {
					fmt.Println(err)
				}
			}
		})
	}
	for _, name := range []string{"a.jpg", "b.jpg", "c.jpg"} {
		if err := q.Put(ctx, name); err != nil {
			fmt.Println(err)
		}
	}
	fmt.Println(q.Join(ctx)) // all three are done
	fmt.Println(q.Unfinished(ctx))
	q.Close()
	workers.Wait()
	// Output:
	// <nil>
	// 0 <nil>
}

func ExampleEnd_All() {
	ctx := context.Background()
	near, far := queue.Pipe[string]()
	go func() {
		defer far.Close()
		for v, err := range far.All(ctx) { // until near is closed
			if err != nil {
				fmt.Println(err)
				return
			}
			if err := far.Put(ctx, "hello, "+v); err != nil {
				return
			}
			if v == "last" {
				return
			}
		}
	}()
	for _, v := range []string{"you", "last"} {
		if err := near.Put(ctx, v); err != nil {
			fmt.Println(err)
		}
		fmt.Println(near.Get(ctx))
	}
	_, err := near.Get(ctx)
	fmt.Println(err == io.EOF)
	// Output:
	// hello, you <nil>
	// hello, last <nil>
	// true
}
