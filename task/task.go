package task

import (
	"context"
	"fmt"
	"slices"
	"sync"
)

// Task names a function that runs in a worker, together with the types that
// travel to and from it. It is a small value, made by [Define]; the zero Task
// names nothing and its methods return errors.
type Task[In, Out any] struct {
	def     *Def
	in      codec[In]
	out     codec[Out]
	decoder func([]byte) (Out, error) // DecodeOut, made once
}

// Def is a defined task without its types, as a worker needs it.
type Def struct {
	name string
	call func(ctx context.Context, x *Invocation, payload, dst []byte) ([]byte, error)
	each func(x *Items)
}

var registry struct {
	sync.RWMutex
	defs map[string]*Def
}

// Define registers fn under a name and returns the task, which the caller keeps
// in a package variable: the same variable calls the task in one process and
// runs it in another.
//
// It panics, at the start of the program, if the name is taken or is not a
// letter or underscore followed by up to 127 letters, digits or "_-./"; if fn
// is nil; and if a type cannot travel, naming the field: channels, functions,
// complex numbers, uintptr and unsafe pointers, interfaces with methods, maps
// whose keys are neither strings nor integers, structs without exported fields,
// types with only half of an encoding of their own.
func Define[In, Out any](name string, fn func(context.Context, In) (Out, error)) Task[In, Out] {
	if !validName(name) {
		panic(fmt.Sprintf("task.Define(%q): not a valid name", name))
	}
	if fn == nil {
		panic(fmt.Sprintf("task.Define(%q): nil function", name))
	}
	in, err := codecFor[In]("args")
	if err != nil {
		panic(fmt.Sprintf("task.Define(%q): %v", name, err))
	}
	out, err := codecFor[Out]("result")
	if err != nil {
		panic(fmt.Sprintf("task.Define(%q): %v", name, err))
	}
	def := &Def{name: name}
	def.call = func(ctx context.Context, x *Invocation, payload, dst []byte) ([]byte, error) {
		decode := in.decode
		if x.given && in.adopt != nil {
			decode, x.Kept = in.adopt, true
		}
		arg, err := decode(payload)
		if err != nil {
			return dst, err
		}
		x.stage = StageFunction
		res, err := fn(ctx, arg)
		if err != nil {
			return dst, err
		}
		x.stage = StageResult
		if x.lends && out.lend != nil {
			dst, x.Tail = out.lend(dst, res)
			return dst, nil
		}
		return out.encode(dst, res)
	}
	def.each = func(x *Items) {
		for x.begin() {
			arg, err := in.from(&x.args)
			if err != nil {
				x.misfit(err)
				continue
			}
			x.stage = StageFunction
			res, err := fn(x.ctx, arg)
			if err != nil {
				x.fail(err)
				continue
			}
			x.stage = StageResult
			if x.out, err = out.encode(x.out, res); err != nil {
				x.fail(err)
				continue
			}
			x.end()
		}
	}
	registry.Lock()
	defer registry.Unlock()
	if registry.defs[name] != nil {
		panic(fmt.Sprintf("task.Define(%q): defined twice", name))
	}
	if registry.defs == nil {
		registry.defs = make(map[string]*Def)
	}
	registry.defs[name] = def
	t := Task[In, Out]{def: def, in: in, out: out}
	t.decoder = t.DecodeOut
	return t
}

// validName reports whether s may name a task or an error.
func validName(s string) bool {
	if s == "" || len(s) > 128 {
		return false
	}
	for i := range len(s) {
		c := s[i]
		switch {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c == '_':
		case i > 0 && (c >= '0' && c <= '9' || c == '-' || c == '.' || c == '/'):
		default:
			return false
		}
	}
	return true
}

// Name is the name the task was defined with, "" for the zero Task.
func (t Task[In, Out]) Name() string {
	if t.def == nil {
		return ""
	}
	return t.def.name
}

// EncodeIn appends an argument as one msgpack value to dst. What it appends is
// a snapshot. On error dst is returned as it was, and the error names the part
// of the argument ("args.Next.Value").
func (t Task[In, Out]) EncodeIn(dst []byte, in In) ([]byte, error) {
	if t.def == nil {
		return dst, errZeroTask
	}
	return t.in.encode(dst, in)
}

// DecodeOut decodes a result that the task's worker has sent, strictly: the
// bytes may be hostile. It keeps nothing of data. A panic of a type's own decoding
// method is an error too, a [*ValueError] that wraps a [*PanicError]: who waits for
// many results loses one.
func (t Task[In, Out]) DecodeOut(data []byte) (out Out, err error) {
	if t.def == nil {
		return out, errZeroTask
	}
	defer func() {
		if v := recover(); v != nil {
			var zero Out
			panicked := NewPanicError(v, packagePath()+decodeOutFrame)
			out, err = zero, &ValueError{Op: "decode", Path: "result", Reason: panicked.Error(), Err: panicked}
		}
	}()
	return t.out.decode(data)
}

// AdoptOut is DecodeOut for bytes that nobody else uses any more. If kept is true,
// out has parts of them, and they are out's owner's from then on.
func (t Task[In, Out]) AdoptOut(data []byte) (out Out, kept bool, err error) {
	if t.def == nil || t.out.adopt == nil {
		out, err = t.DecodeOut(data)
		return out, false, err
	}
	out, err = t.out.adopt(data)
	return out, true, err
}

// Decoder returns DecodeOut as a function, without an allocation.
func (t Task[In, Out]) Decoder() func([]byte) (Out, error) {
	if t.decoder == nil {
		return t.DecodeOut
	}
	return t.decoder
}

// Lookup finds a task that this program defines.
func Lookup(name string) (*Def, bool) {
	registry.RLock()
	defer registry.RUnlock()
	def, ok := registry.defs[name]
	return def, ok
}

// Names lists the tasks that this program defines, sorted.
func Names() []string {
	registry.RLock()
	defer registry.RUnlock()
	names := make([]string, 0, len(registry.defs))
	for name := range registry.defs {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// Name is the name the task was defined with.
func (d *Def) Name() string { return d.name }
