package broker

import (
	"fmt"
	"math"
	"reflect"

	"github.com/feac4032/multiproc/task"
)

// addNumbers adds two encoded numbers of one kind. A sum is encoded as a value of
// that kind is by package task, so that equal numbers have equal bytes.
func addNumbers(kind reflect.Kind, a, b []byte) ([]byte, error) {
	switch kind {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return addInts(kind, a, b)
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64, reflect.Uintptr:
		return addUints(kind, a, b)
	case reflect.Float32, reflect.Float64:
		return addFloats(kind, a, b)
	}
	return nil, fmt.Errorf("a %v is no number", kind)
}

// bits is how many a number of an integer kind has. An int has 64, whatever the
// machine: it may be another one's.
func bits(kind reflect.Kind) int {
	switch kind {
	case reflect.Int8, reflect.Uint8:
		return 8
	case reflect.Int16, reflect.Uint16:
		return 16
	case reflect.Int32, reflect.Uint32:
		return 32
	}
	return 64
}

func addInts(kind reflect.Kind, a, b []byte) ([]byte, error) {
	x, y, err := decodeBoth[int64](a, b)
	if err != nil {
		return nil, err
	}
	sum := x + y
	least, most := int64(math.MinInt64)>>(64-bits(kind)), int64(math.MaxInt64)>>(64-bits(kind))
	if (sum > x) != (y > 0) || sum < least || sum > most {
		return nil, overflow(kind, x, y)
	}
	return task.Encode(nil, sum)
}

func addUints(kind reflect.Kind, a, b []byte) ([]byte, error) {
	var x uint64
	if err := task.Decode(a, &x); err != nil {
		return nil, err
	}
	most := uint64(math.MaxUint64) >> (64 - bits(kind))
	var less int64
	if err := task.Decode(b, &less); err == nil && less < 0 {
		y := -uint64(less)
		if y > x || x > most {
			return nil, overflow(kind, x, less)
		}
		return task.Encode(nil, x-y)
	}
	var y uint64
	if err := task.Decode(b, &y); err != nil {
		return nil, err
	}
	if y > most || x > most-y {
		return nil, overflow(kind, x, y)
	}
	return task.Encode(nil, x+y)
}

// addFloats: a sum that is infinite although its parts are not does not fit.
func addFloats(kind reflect.Kind, a, b []byte) ([]byte, error) {
	if kind == reflect.Float32 {
		x, y, err := decodeBoth[float32](a, b)
		if err != nil {
			return nil, err
		}
		sum := x + y
		if tooFar(float64(x), float64(y), float64(sum)) {
			return nil, overflow(kind, x, y)
		}
		return task.Encode(nil, sum)
	}
	x, y, err := decodeBoth[float64](a, b)
	if err != nil {
		return nil, err
	}
	if tooFar(x, y, x+y) {
		return nil, overflow(kind, x, y)
	}
	return task.Encode(nil, x+y)
}

func tooFar(x, y, sum float64) bool {
	return math.IsInf(sum, 0) && !math.IsInf(x, 0) && !math.IsInf(y, 0)
}

func decodeBoth[T any](a, b []byte) (x, y T, err error) {
	if err = task.Decode(a, &x); err == nil {
		err = task.Decode(b, &y)
	}
	return x, y, err
}

func overflow(kind reflect.Kind, x, y any) error {
	return fmt.Errorf("%w in %v: %v + %v", ErrOverflow, kind, x, y)
}
