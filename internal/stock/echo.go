package stock

import (
	"context"
	"fmt"
	"os"
	"sync/atomic"

	"github.com/feac4032/multiproc/task"
)

// Echo returns its argument, whatever that is.
var Echo = task.Define("echo", func(_ context.Context, v any) (any, error) { return v, nil })

// Print writes its argument to stdout, as it is and without a newline, and
// returns how many bytes that were.
var Print = task.Define("print", func(_ context.Context, v any) (int, error) {
	s, err := text(v)
	if err != nil {
		return 0, err
	}
	return os.Stdout.WriteString(s)
})

var counted atomic.Int64

// Counter adds its argument, by default 1, to a number that lives as long as the
// worker does, and returns that: a worker's memory is its own.
var Counter = task.Define("counter", func(_ context.Context, v any) (int64, error) {
	switch n := v.(type) {
	case nil:
		return counted.Add(1), nil
	case int64:
		return counted.Add(n), nil
	}
	return 0, fmt.Errorf("counter: %v (%T) is not an integer of 64 bits", v, v)
})

// text renders a scalar.
func text(v any) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case []byte:
		return string(v), nil
	case nil:
		return "", nil
	case []any, map[string]any, map[any]any:
		return "", fmt.Errorf("a text is needed, not %T", v)
	}
	return fmt.Sprint(v), nil
}
