package stock

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/feac4032/multiproc/task"
)

// Fail returns an error with its argument as the message.
var Fail = task.Define("fail", func(_ context.Context, v any) (struct{}, error) {
	message, err := text(v)
	if err == nil {
		err = errors.New(message)
	}
	return struct{}{}, err
})

// Panic panics with its argument as the value.
var Panic = task.Define("panic", func(_ context.Context, v any) (struct{}, error) {
	message, err := text(v)
	if err != nil {
		return struct{}{}, err
	}
	panic(message)
})

// Segfault touches memory that is not there, and the worker dies of SIGSEGV. (On
// its own, Go makes an error of the one and a panic or an exit of the other.)
// Its argument does not matter.
var Segfault = task.Define("segfault", func(context.Context, any) (struct{}, error) {
	fault()
	return struct{}{}, errors.New("segfault: still alive")
})

// Exit ends the worker with an exit code from 0 to 255.
var Exit = task.Define("exit", func(_ context.Context, code int) (struct{}, error) {
	if code < 0 || code > 255 {
		return struct{}{}, fmt.Errorf("exit: %d is not an exit code", code)
	}
	os.Exit(code)
	return struct{}{}, nil
})

// Hang never returns, whatever becomes of its context; it uses no CPU time. Its
// argument does not matter.
var Hang = task.Define("hang", func(context.Context, any) (struct{}, error) {
	select {}
})
