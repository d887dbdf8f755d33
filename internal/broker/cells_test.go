package broker

import (
	"errors"
	"fmt"
	"math"
	"math/big"
	"reflect"
	"sync"
	"testing"

	"github.com/feac4032/multiproc/task"
)

func encoded(t testing.TB, v any) []byte {
	t.Helper()
	b, err := task.Encode(nil, v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func loaded(t *testing.T, c *Cells, i int) (string, uint64) {
	t.Helper()
	v, version, err := c.Load(i)
	must(t, err)
	return string(v), version
}

func TestCells_ReadAndWrite(t *testing.T) {
	t.Parallel()
	c := NewCells("c", [][]byte{[]byte("a"), []byte("b"), nil})
	if c.Len() != 3 || c.Name() != "c" {
		t.Fatal(c.Len(), c.Name())
	}
	before, err := c.Snapshot()
	must(t, err)
	_, v0 := loaded(t, c, 1)
	must(t, c.Store(1, []byte("x")))
	got, v1 := loaded(t, c, 1)
	if got != "x" || v0 == v1 {
		t.Fatalf("got %q, versions %d, %d", got, v0, v1)
	}
	if string(before[1]) != "b" {
		t.Fatal("a snapshot changes")
	}
	swapped, err := c.CompareAndSwap(1, v0, []byte("y"))
	must(t, err)
	if swapped {
		t.Fatal("swapped an old version")
	}
	must(t, c.Store(1, []byte("x"))) // the same again is another version
	if swapped, err = c.CompareAndSwap(1, v1, []byte("y")); swapped || err != nil {
		t.Fatal(swapped, err)
	}
	_, v2 := loaded(t, c, 1)
	if swapped, err = c.CompareAndSwap(1, v2, []byte("y")); !swapped || err != nil {
		t.Fatal(swapped, err)
	}
	if swapped, err = c.CompareAndSwapValue(1, []byte("x"), []byte("z")); swapped || err != nil {
		t.Fatal(swapped, err)
	}
	if swapped, err = c.CompareAndSwapValue(1, []byte("y"), []byte("z")); !swapped || err != nil {
		t.Fatal(swapped, err)
	}
	if got, _ = loaded(t, c, 1); got != "z" {
		t.Fatalf("got %q", got)
	}
	if got, _ = loaded(t, c, 0); got != "a" {
		t.Fatalf("another cell has changed: %q", got)
	}
}

// everyCall are all that ask for one cell.
func everyCall(c *Cells, i int) map[string]error {
	_, _, load := c.Load(i)
	_, cas := c.CompareAndSwap(i, 0, nil)
	_, casValue := c.CompareAndSwapValue(i, nil, nil)
	_, add := c.Add(i, reflect.Int, []byte{1})
	return map[string]error{"load": load, "store": c.Store(i, nil), "cas": cas, "casValue": casValue, "add": add}
}

func TestCells_OutOfRange(t *testing.T) {
	t.Parallel()
	for _, i := range []int{-1, 2, math.MaxInt, math.MinInt} {
		for name, err := range everyCall(NewCells("c", make([][]byte, 2)), i) {
			if !errors.Is(err, ErrRange) {
				t.Errorf("%s of %d: %v", name, i, err)
			}
		}
	}
}

func TestCells_Removed(t *testing.T) {
	t.Parallel()
	c := NewCells("c", make([][]byte, 2))
	c.Remove(ErrRemoved)
	for name, err := range everyCall(c, 1) {
		if !errors.Is(err, ErrRemoved) {
			t.Errorf("%s: %v", name, err)
		}
	}
	_, err := c.Snapshot()
	wantErr(t, err, ErrRemoved)
	if c.Len() != 2 {
		t.Fatal(c.Len())
	}
}

func TestCells_AddsNumbersOfEveryKind(t *testing.T) {
	t.Parallel()
	type number int16
	for _, c := range []struct{ x, y, sum any }{
		{1, 2, 3}, {-1, 1, 0}, {math.MaxInt, math.MinInt, -1}, {5, 0, 5}, {math.MaxInt, 1, nil}, {math.MinInt, -1, nil},
		{int8(100), int8(27), int8(127)}, {int8(100), int8(28), nil}, {int8(-100), int8(-28), int8(-128)}, {int8(-100), int8(-29), nil},
		{int16(32767), int16(1), nil}, {number(32766), number(1), number(32767)}, {int32(math.MaxInt32), int32(1), nil},
		{int64(math.MinInt64), int64(math.MaxInt64), int64(-1)}, {int64(math.MinInt64), int64(-1), nil},
		{uint(1), uint(2), uint(3)}, {uint8(255), uint8(1), nil}, {uint8(255), int8(-1), uint8(254)}, {uint8(0), int8(-1), nil},
		{uint16(65535), uint16(0), uint16(65535)}, {uint32(math.MaxUint32), uint32(1), nil},
		{uint64(math.MaxUint64), uint64(1), nil}, {uint64(math.MaxUint64), int64(math.MinInt64), uint64(1<<63 - 1)},
		{uint64(1 << 63), uint64(1<<63 - 1), uint64(math.MaxUint64)}, {uint64(5), int64(-6), nil},
		{1.5, 2.25, 3.75}, {math.MaxFloat64, math.MaxFloat64, nil}, {math.Inf(1), 1.0, math.Inf(1)}, {0.1, 0.2, 0.1 + float64(0.2)},
		{float32(0.1), float32(0.2), float32(0.1) + float32(0.2)}, {float32(math.MaxFloat32), float32(math.MaxFloat32), nil},
	} {
		kind := reflect.TypeOf(c.x).Kind()
		cells := NewCells("c", [][]byte{encoded(t, c.x)})
		sum, err := cells.Add(0, kind, encoded(t, c.y))
		now, version := loaded(t, cells, 0)
		switch {
		case c.sum == nil:
			if !errors.Is(err, ErrOverflow) || now != string(encoded(t, c.x)) || version != 0 {
				t.Errorf("%v %v + %v: %v, and the value is %x", kind, c.x, c.y, err, now)
			}
		case err != nil || string(sum) != string(encoded(t, c.sum)) || now != string(sum) || version != 1:
			t.Errorf("%v %v + %v: got %x, %v, want %x", kind, c.x, c.y, sum, err, encoded(t, c.sum))
		}
	}
}

func TestCells_AddsOnlyNumbers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind  reflect.Kind
		value any
		delta []byte
	}{
		{reflect.String, "a", encoded(t, "b")},
		{reflect.Complex128, 1, encoded(t, 1)},
		{reflect.Int, "a", encoded(t, 1)},
		{reflect.Int, 1, encoded(t, "a")},
		{reflect.Int, 1, encoded(t, 1.5)},
		{reflect.Int, 1, nil},
		{reflect.Int, 1, []byte{1, 1}},
		{reflect.Uint, 1, encoded(t, "a")},
		{reflect.Uint, -1, encoded(t, 1)},
		{reflect.Float64, true, encoded(t, 1.5)},
		{reflect.Float32, float32(1), encoded(t, []int{1})},
		{reflect.Kind(1 << 20), 1, encoded(t, 1)},
	} {
		cells := NewCells("c", [][]byte{encoded(t, c.value)})
		if sum, err := cells.Add(0, c.kind, c.delta); err == nil {
			t.Errorf("%v: %v + %x = %x", c.kind, c.value, c.delta, sum)
		}
		if now, _ := loaded(t, cells, 0); now != string(encoded(t, c.value)) {
			t.Errorf("%v: the value has changed", c.kind)
		}
	}
}

// FuzzCells_Add gives the sum of integers to math/big, and bytes that no worker
// should send.
func FuzzCells_Add(f *testing.F) {
	f.Add(uint8(reflect.Int8), []byte{0x7f}, []byte{1})
	f.Add(uint8(reflect.Int64), encoded(f, int64(math.MinInt64)), encoded(f, -1))
	f.Add(uint8(reflect.Uint64), encoded(f, uint64(math.MaxUint64)), encoded(f, int64(math.MinInt64)))
	f.Add(uint8(reflect.Uint8), []byte{0xcc, 0xff}, []byte{0xff})
	f.Add(uint8(reflect.Float32), encoded(f, float32(1)), encoded(f, 1e300))
	f.Add(uint8(reflect.Int), []byte{0xdd, 0xff, 0xff, 0xff, 0xff}, []byte{0x80})
	f.Fuzz(func(t *testing.T, k uint8, value, delta []byte) {
		kind := reflect.Kind(k)
		sum, err := addNumbers(kind, value, delta)
		var x, y big.Int
		if kind > reflect.Uintptr || !integer(value, &x) || !integer(delta, &y) {
			return
		}
		want := x.Add(&x, &y)
		var got big.Int
		if err != nil {
			if errors.Is(err, ErrOverflow) && fits(kind, want) && fits(kind, &y) {
				t.Fatalf("%v: %v fits", kind, want)
			}
			return
		}
		if !integer(sum, &got) || got.Cmp(want) != 0 || !fits(kind, &got) {
			t.Fatalf("%v: got %v, want %v", kind, &got, want)
		}
	})
}

func integer(data []byte, n *big.Int) bool {
	var signed int64
	if task.Decode(data, &signed) == nil {
		n.SetInt64(signed)
		return true
	}
	var unsigned uint64
	if task.Decode(data, &unsigned) == nil {
		n.SetUint64(unsigned)
		return true
	}
	return false
}

func fits(kind reflect.Kind, n *big.Int) bool {
	if kind >= reflect.Uint {
		return n.Sign() >= 0 && n.BitLen() <= bits(kind)
	}
	if n.Sign() < 0 {
		n = new(big.Int).Not(n)
	}
	return n.BitLen() < bits(kind)
}

func TestCells_CountBetweenGoroutines(t *testing.T) {
	t.Parallel()
	const goroutines, each = 8, 500
	c := NewCells("c", [][]byte{encoded(t, 0), encoded(t, 0)})
	var all sync.WaitGroup
	for range goroutines {
		all.Go(func() {
			for range each {
				if _, err := c.Add(0, reflect.Int, []byte{1}); err != nil {
					t.Error(err)
				}
				for swapped := false; !swapped; {
					v, version, _ := c.Load(1)
					sum, err := addNumbers(reflect.Int, v, []byte{1})
					if err != nil {
						t.Error(err)
					}
					swapped, _ = c.CompareAndSwap(1, version, sum)
				}
			}
		})
	}
	all.Wait()
	want := fmt.Sprintf("%x", encoded(t, goroutines*each))
	for i := range 2 {
		if v, _ := loaded(t, c, i); fmt.Sprintf("%x", v) != want {
			t.Errorf("cell %d: got %x, want %s", i, v, want)
		}
	}
}
