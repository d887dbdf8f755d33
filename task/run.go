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
// was. To that end the task runs on a goroutine of its own.
//
// Go's fatal errors cannot be recovered: concurrent map writes, stack overflow,
// a deadlock of all goroutines, memory exhaustion, and a panic on another
// goroutine that the task has started all end the process.
func (d *Def) Run(ctx context.Context, payload, dst []byte) ([]byte, error) {
	r := runs.Get().(*run)
	r.stage, r.finished = StageArgument, false
	r.out, r.err = dst, nil
	go r.do(d, ctx, payload, dst)
	<-r.done
	out, err, stage := r.out, r.err, r.stage
	r.out, r.err = nil, nil
	runs.Put(r)
	if err != nil {
		return dst, &StageError{Task: d.name, Stage: stage, Err: err}
	}
	return out, nil
}

// run is one call of a task.
type run struct {
	stage    Stage
	finished bool
	out      []byte
	err      error
	done     chan struct{}
}

var runs = sync.Pool{New: func() any { return &run{done: make(chan struct{}, 1)} }}

func (r *run) do(d *Def, ctx context.Context, payload, dst []byte) {
	defer func() {
		if !r.finished {
			// A panic with nil has been an error of its own since Go 1.21, so
			// that nothing to recover means Goexit.
			if v := recover(); v != nil {
				r.err = newPanicError(v)
			} else {
				r.err = ErrGoexit
			}
		}
		r.done <- struct{}{}
	}()
	r.out, r.err = d.call(r, ctx, payload, dst)
	r.finished = true
}

// newPanicError must be called by the deferred function that recovered v.
func newPanicError(v any) *PanicError {
	return &PanicError{
		Value: v,
		Text:  clip(fmt.Sprint(v), maxText),
		Stack: clip(panicStack(), maxText),
	}
}

// panicStack renders the frames between the panic and the task's function: what
// the runtime and this package add says nothing about the fault.
func panicStack() string {
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
		case strings.HasPrefix(f.Function, defineFrame):
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

// defineFrame begins the name of the function in which Define calls a task.
var defineFrame = packagePath() + ".Define["

func packagePath() string {
	pc, _, _, _ := runtime.Caller(0)
	name := runtime.FuncForPC(pc).Name()
	return strings.TrimSuffix(name, ".packagePath")
}

func ofRuntime(function string) bool {
	return strings.HasPrefix(function, "runtime.") || strings.HasPrefix(function, "internal/runtime/")
}
