package task_test

import (
	"context"
	"errors"
	"fmt"

	"github.com/feac4032/multiproc/task"
)

type Photo struct {
	Path  string
	Width uint16
}

var ErrTooSmall = errors.New("too small")

var Resize = task.Define("example.resize", func(_ context.Context, p Photo) (string, error) {
	if p.Width < 10 {
		return "", fmt.Errorf("resize %s: %w", p.Path, ErrTooSmall)
	}
	return fmt.Sprintf("%s at %d", p.Path, p.Width), nil
})

func init() { task.DefineError("example.too-small", ErrTooSmall) }

func Example() {
	// In the calling process:
	payload, err := Resize.EncodeIn(nil, Photo{Path: "a.jpg", Width: 100})
	if err != nil {
		fmt.Println(err)
		return
	}
	// In the worker:
	def, _ := task.Lookup("example.resize")
	result, err := def.Run(context.Background(), payload, nil)
	if err != nil {
		fmt.Println(err)
		return
	}
	// And back:
	fmt.Println(Resize.DecodeOut(result))
	// Output: a.jpg at 100 <nil>
}

func ExampleDefineError() {
	// In the worker:
	payload, _ := Resize.EncodeIn(nil, Photo{Path: "a.jpg", Width: 1})
	def, _ := task.Lookup("example.resize")
	_, err := def.Run(context.Background(), payload, nil)
	wire := task.NewFailure(err).Append(nil)

	// In the calling process:
	failure, _ := task.DecodeFailure(wire)
	fmt.Println(failure, errors.Is(failure, ErrTooSmall))
	// Output: resize a.jpg: too small true
}

func ExampleDecode() {
	var photos []Photo
	data, _ := task.Encode(nil, []any{map[string]any{"Path": "a.jpg", "Width": 100_000}})
	fmt.Println(task.Decode(data, &photos))
	// Output: decode value[0].Width: 100000 does not fit uint16
}
