package task

import (
	"context"
	"fmt"
	"runtime"
	"strconv"
	"strings"
	"sync"
)

// Run decodes one argument strictly, calls the task with it, and appends the
// encoded result to dst. It blocks as long as the task does; ctx is handed to
// the task, which alone can heed it. payload is not kept.
//
// Whatever the task does comes back as a [*StageError]: an argument that does
// not fit, an error, a panic (a [*PanicError] with its stack, also for run-time
// errors such as an index out of range), a call of runtime.Goexit
// ([ErrGoexit]), a result that cannot be encoded. dst is then returned as it
// was. To that end the task runs on a goroutine of its own, which costs about a
// microsecond; [Def.RunInPlace] does without.
//
// Go's fatal errors cannot be recovered: concurrent map writes, stack overflow,
// a deadlock of all goroutines, memory exhaustion, and a panic on another
// goroutine that the task has started all end the process.
func (d *Def) Run(ctx context.Context, payload, dst []byte) ([]byte, error) {
	r := runs.Get().(*run)
	go r.do(d, ctx, payload, dst)
	<-r.done
	out, err, returned := r.out, r.err, r.returned
	r.out, r.err, r.returned = nil, nil, false
	runs.Put(r)
	if !returned {
		return dst, &StageError{Task: d.name, Stage: StageFunction, Err: ErrGoexit}
	}
	return out, err
}

// run hands the outcome of one call from the task's goroutine to Run.
type run struct {
	out      []byte
	err      error
	returned bool
	done     chan struct{}
}

func (r *run) do(d *Def, ctx context.Context, payload, dst []byte) {
	defer func() { r.done <- struct{}{} }()
	r.out, r.err = d.RunInPlace(ctx, payload, dst)
	r.returned = true
}

var runs = sync.Pool{New: func() any { return &run{done: make(chan struct{}, 1)} }}

// RunInPlace is Run on the calling goroutine. A task that calls runtime.Goexit
// ends that goroutine: RunInPlace does not return, and only the caller's
// deferred functions can tell, and have to report ErrGoexit.
func (d *Def) RunInPlace(ctx context.Context, payload, dst []byte) (out []byte, err error) {
	var x Invocation
	return x.run(ctx, d, payload, dst)
}

// NewPanicError describes a panic for whoever called the function that panicked.
// It must be called by the deferred function that has recovered v. The stack ends
// before the first function whose full name, such as "example.com/a/b.(*T).M",
// begins with under: the caller's own frames say nothing about the fault.
func NewPanicError(v any, under string) *PanicError {
	return &PanicError{
		Value: v,
		Text:  clip(fmt.Sprint(v), maxText),
		Stack: clip(panicStack(under), maxText),
	}
}

// panicStack renders the frames between the panic and those that begin with
// under.
func panicStack(under string) string {
	pcs := make([]uintptr, 256)
	n := runtime.Callers(2, pcs)
	frames := runtime.CallersFrames(pcs[:n])
	var b strings.Builder
	panicked, inUser := false, false
	for {
		f, more := frames.Next()
		switch {
		case !panicked:
			panicked = f.Function == "runtime.gopanic"
		case !inUser && ofRuntime(f.Function):
		case strings.HasPrefix(f.Function, under):
			more = false
		default:
			inUser = true
			b.WriteString(f.Function)
			b.WriteString("\n\t")
			b.WriteString(f.File)
			b.WriteByte(':')
			b.WriteString(strconv.Itoa(f.Line))
			b.WriteByte('\n')
		}
		if !more {
			break
		}
	}
	if n == len(pcs) {
		b.WriteString("…\n")
	}
	return b.String()
}

// What the names of functions of this package begin with in which others' are called.
const (
	defineFrame    = ".Define["   // in which Define calls a task
	decodeOutFrame = ".Task["     // Task.DecodeOut
	valuesFrame    = ".(*Values[" // in which results are decoded
)

// packagePath is looked up after a panic, and not before: the tables of functions are
// not in memory yet while a program starts.
func packagePath() string {
	pc, _, _, _ := runtime.Caller(0)
	name := runtime.FuncForPC(pc).Name()
	return strings.TrimSuffix(name, ".packagePath")
}

func ofRuntime(function string) bool {
	return strings.HasPrefix(function, "runtime.") || strings.HasPrefix(function, "internal/runtime/")
}
