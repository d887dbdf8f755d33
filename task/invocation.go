package task

import "context"

// Invocation is a run of a task for who sends its result on at once: what is long
// is not copied where a type allows that, as []byte does. The zero Invocation is
// ready, and may be used again.
type Invocation struct {
	// Tail are the bytes of the result that stand behind those that Run returns:
	// the task's own, which it may use again. Nil = none, as after an error.
	Tail []byte
	// Kept says that the task may have got parts of the payload.
	Kept bool

	stage Stage
	given bool // the payload is the task's to keep
	lends bool // Tail is wanted
}

// Run is [Def.RunInPlace], with the difference that a long result, of more than
// ipc.MaxInline bytes, may have a Tail. If gives is true, the payload is used by
// nobody else: an argument may be made of parts of it.
func (x *Invocation) Run(ctx context.Context, d *Def, payload, dst []byte, gives bool) ([]byte, error) {
	*x = Invocation{given: gives, lends: true}
	return x.run(ctx, d, payload, dst)
}

func (x *Invocation) run(ctx context.Context, d *Def, payload, dst []byte) (out []byte, err error) {
	x.stage = StageArgument
	defer func() {
		if v := recover(); v != nil {
			err = NewPanicError(v, packagePath()+defineFrame)
		}
		if err != nil {
			x.Tail = nil
			out, err = dst, &StageError{Task: d.name, Stage: x.stage, Err: err}
		}
	}()
	return d.call(ctx, x, payload, dst)
}
