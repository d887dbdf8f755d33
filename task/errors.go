package task

import (
	"errors"
	"fmt"
	"strings"
)

// ErrGoexit is the cause in the [StageError] of a task that called
// [runtime.Goexit] (or a test helper that does, such as FailNow).
var ErrGoexit = errors.New("task called runtime.Goexit")

var errZeroTask = errors.New("zero task.Task: make it with task.Define")

// Stage says in which part of a task's run an error arose.
type Stage string

// The stages of a run, in their order.
const (
	StageArgument Stage = "argument" // the argument did not decode: the task was not called
	StageFunction Stage = "function" // the task returned an error or panicked
	StageResult   Stage = "result"   // the task returned a value that cannot be encoded
)

// StageError is the error of [Def.Run]. Err is the cause: a [*ValueError] for
// what did not decode or encode, a [*PanicError] for a panic at any stage,
// [ErrGoexit], or what the task returned.
type StageError struct {
	Task  string
	Stage Stage
	Err   error
}

func (e *StageError) Error() string {
	if e.Stage == StageFunction {
		return fmt.Sprintf("task %s: %v", e.Task, e.Err)
	}
	return fmt.Sprintf("task %s: %s: %v", e.Task, e.Stage, e.Err)
}

func (e *StageError) Unwrap() error { return e.Err }

// PanicError carries a recovered panic.
type PanicError struct {
	Value any    // what was passed to panic
	Text  string // Value as text, at most 64 KiB
	Stack string // from the frame that panicked to the task's function, at most 64 KiB
}

func (e *PanicError) Error() string { return "panic: " + e.Text }

// Unwrap returns the panic's value if it was an error, so that errors.Is and
// errors.As reach a [runtime.Error].
func (e *PanicError) Unwrap() error {
	err, _ := e.Value.(error)
	return err
}

// ValueError says which part of a value does not decode or encode, and why.
type ValueError struct {
	Op     string // "decode" or "encode"
	Path   string // the part, for example "args.Items[3].Width"
	Reason string // for example "300 does not fit int8"
	Err    error  // set if a type's own encoding method failed
}

func (e *ValueError) Error() string {
	return fmt.Sprintf("%s %s: %s", e.Op, shortPath(e.Path), e.Reason)
}

func (e *ValueError) Unwrap() error { return e.Err }

// shortPath keeps the ends of a path that a cycle or a hostile value made long.
func shortPath(path string) string {
	const head, tail = 96, 48
	if len(path) <= head+tail {
		return path
	}
	return strings.ToValidUTF8(path[:head], "") + "…" + strings.ToValidUTF8(path[len(path)-tail:], "")
}

// within puts one step of a path before that of a ValueError on its way out.
// The path is built only here, so that a value without faults costs nothing.
func within(step string, err error) error {
	if e, ok := err.(*ValueError); ok {
		e.Path = step + e.Path
	}
	return err
}

func decodeErrorf(format string, args ...any) error {
	return &ValueError{Op: "decode", Reason: fmt.Sprintf(format, args...)}
}

func encodeErrorf(format string, args ...any) error {
	return &ValueError{Op: "encode", Reason: fmt.Sprintf(format, args...)}
}
