package task

// Values decodes results that stand one behind the other.
type Values[Out any] struct {
	r    reader
	from func(*reader) (Out, error)
	own  bool
}

// DecodeOuts begins to decode results that stand one behind the other in data, as
// those of a job of many items do. They may be hostile, but must be valid msgpack.
// It keeps data.
func (t Task[In, Out]) DecodeOuts(data []byte) Values[Out] {
	return Values[Out]{r: reader{data: data}, from: t.out.from, own: t.out.own}
}

// Next decodes the next result, as strictly as DecodeOut, and passes over it
// whether it fits or not. A decoding method of the type that panics is an error
// too, a [*PanicError].
func (v *Values[Out]) Next() (Out, error) {
	if v.own {
		return v.guarded()
	}
	start := v.r.off
	out, err := v.from(&v.r)
	if err != nil {
		v.pass(start)
		err = within("result", err)
	}
	return out, err
}

func (v *Values[Out]) guarded() (out Out, err error) {
	start := v.r.off
	defer func() {
		if p := recover(); p != nil {
			err = NewPanicError(p, packagePath()+valuesFrame)
		}
		if err != nil {
			var zero Out
			out = zero
			v.pass(start)
			err = within("result", err)
		}
	}()
	return v.from(&v.r)
}

// Skip passes over the next result without decoding it.
func (v *Values[Out]) Skip() { v.pass(v.r.off) }

func (v *Values[Out]) pass(start int) {
	v.r.rewind(start)
	if v.r.pass() != nil {
		v.r.off = len(v.r.data) // nothing that follows could be found
	}
	v.r.rewind(v.r.off)
}
