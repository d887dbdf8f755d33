package task

import "reflect"

// codec encodes and decodes one type. It is chosen once, when a task is
// defined, so that scalars never meet reflection.
type codec[T any] struct {
	encode func(dst []byte, v T) ([]byte, error)
	decode func(data []byte) (T, error)
	// from decodes the next of several values. After an error the reader stands
	// anywhere in the value.
	from func(r *reader) (T, error)
	// own says that decoding may run methods of the type's author.
	own bool
	// adopt is decode for bytes that nobody else uses any more: what it returns may
	// be a part of them. Nil = such a thing is not worth it for this type.
	adopt func(data []byte) (T, error)
	// lend is encode without the copying of what is long: the value's own bytes
	// follow those that it appends. Nil as above.
	lend func(dst []byte, v T) (out, tail []byte)
}

// codecFor builds the codec of T; root is what its errors call the value.
func codecFor[T any](root string) (codec[T], error) {
	var c codec[T]
	switch c := any(&c).(type) {
	case *codec[string]:
		c.encode = scalar(appendString)
		c.from = stringFrom
		c.decode = func(data []byte) (string, error) {
			r := reader{data: data}
			v, err := stringFrom(&r)
			return v, r.finish(root, err)
		}
	case *codec[[]byte]:
		c.encode = scalar(appendBytes)
		c.from = bytesFrom
		c.decode = func(data []byte) ([]byte, error) {
			r := reader{data: data}
			v, err := bytesFrom(&r)
			return v, r.finish(root, err)
		}
		c.adopt = func(data []byte) ([]byte, error) {
			r := reader{data: data}
			v, err := bytesIn(&r)
			return v, r.finish(root, err)
		}
		c.lend = lendBytes
	case *codec[int]:
		c.encode = scalar(appendNativeInt)
		c.from = nativeIntFrom
		c.decode = func(data []byte) (int, error) {
			r := reader{data: data}
			v, err := nativeIntFrom(&r)
			return v, r.finish(root, err)
		}
	case *codec[int64]:
		c.encode = scalar(appendInt)
		c.from = int64From
		c.decode = func(data []byte) (int64, error) {
			r := reader{data: data}
			v, err := int64From(&r)
			return v, r.finish(root, err)
		}
	case *codec[uint64]:
		c.encode = scalar(appendUint)
		c.from = uint64From
		c.decode = func(data []byte) (uint64, error) {
			r := reader{data: data}
			v, err := uint64From(&r)
			return v, r.finish(root, err)
		}
	case *codec[bool]:
		c.encode = scalar(appendBool)
		c.from = boolFrom
		c.decode = func(data []byte) (bool, error) {
			r := reader{data: data}
			v, err := boolFrom(&r)
			return v, r.finish(root, err)
		}
	case *codec[float64]:
		c.encode = scalar(appendFloat)
		c.from = float64From
		c.decode = func(data []byte) (float64, error) {
			r := reader{data: data}
			v, err := float64From(&r)
			return v, r.finish(root, err)
		}
	case *codec[struct{}]:
		c.encode = scalar(appendEmpty)
		c.from = emptyFrom
		c.decode = func(data []byte) (struct{}, error) {
			r := reader{data: data}
			v, err := emptyFrom(&r)
			return v, r.finish(root, err)
		}
	case *codec[any]:
		c.encode = func(dst []byte, v any) ([]byte, error) { return encodeAny(dst, v, root) }
		c.from = anyFrom
		c.decode = func(data []byte) (any, error) {
			r := reader{data: data}
			v, err := anyFrom(&r)
			return v, r.finish(root, err)
		}
	}
	if c.decode != nil {
		return c, nil
	}
	p, err := planOf(reflect.TypeFor[T]())
	if err != nil {
		return c, withinType(root, err)
	}
	c.encode = func(dst []byte, v T) ([]byte, error) {
		return encodeValue(dst, reflect.ValueOf(&v).Elem(), p, root)
	}
	c.decode = func(data []byte) (T, error) {
		var v T
		err := decodeValue(data, reflect.ValueOf(&v).Elem(), p, root)
		return v, err
	}
	c.own = true
	c.from = func(r *reader) (T, error) {
		var v T
		if err := p.decode(r, reflect.ValueOf(&v).Elem()); err != nil {
			var zero T
			return zero, err
		}
		return v, nil
	}
	return c, nil
}

// scalar makes an encoder of what cannot fail.
func scalar[T any](app func([]byte, T) []byte) func([]byte, T) ([]byte, error) {
	return func(dst []byte, v T) ([]byte, error) { return app(dst, v), nil }
}

func appendNativeInt(dst []byte, n int) []byte { return appendInt(dst, int64(n)) }

func appendEmpty(dst []byte, _ struct{}) []byte { return append(dst, 0x80) }

func encodeAny(dst []byte, v any, root string) ([]byte, error) {
	if out, ok := appendScalar(dst, v); ok {
		return out, nil
	}
	p, err := planOf(anyType)
	if err != nil {
		return dst, err
	}
	return encodeValue(dst, reflect.ValueOf(&v).Elem(), p, root)
}

func nativeIntFrom(r *reader) (int, error) {
	if n, ok := r.short(); ok {
		return n, nil
	}
	t := reflect.TypeFor[int]()
	n, err := intFrom(r, t)
	if err == nil && int64(int(n)) != n {
		return 0, decodeErrorf("%d does not fit %v", n, t)
	}
	return int(n), err
}
