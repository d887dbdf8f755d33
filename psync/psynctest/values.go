package psynctest

import (
	"errors"
	"math"
	"slices"

	"github.com/feac4032/multiproc/psync"
	"github.com/feac4032/multiproc/task"
)

func expectValue[T comparable](p *party, v *psync.Value[T], want T) {
	p.b.Helper()
	got, err := v.Load(p.nobody()) // needs no owner
	p.b.must(err)
	if got != want {
		p.b.Errorf("the value is %v, want %v", got, want)
	}
}

type point struct {
	X, Y int
	Name string
}

func valueStores(b *bench) {
	p, other := b.party("A"), b.party("B")
	v, o := value(p, "v", point{1, 2, "a"}), value(other, "v", point{1, 2, "a"})
	expectValue(other, o, point{1, 2, "a"})
	b.must(v.Store(p.nobody(), point{3, 4, "b"}))
	expectValue(p, v, point{3, 4, "b"})
	expectValue(other, o, point{3, 4, "b"})
	text := value(p, "text", "")
	for _, s := range []string{"x", "", string(make([]byte, 100<<10))} {
		b.must(text.Store(p.Ctx, s))
		expectValue(p, text, s)
	}
}

func valueSwaps(b *bench) {
	p := b.party("A")
	v := value(p, "v", point{1, 2, "a"})
	swap := func(old, new point, want bool) {
		b.Helper()
		swapped, err := v.CompareAndSwap(p.nobody(), old, new)
		b.must(err)
		if swapped != want {
			b.Errorf("CompareAndSwap(%v) = %v, want %v", old, swapped, want)
		}
	}
	swap(point{1, 2, "b"}, point{}, false)
	expectValue(p, v, point{1, 2, "a"})
	swap(point{1, 2, "a"}, point{5, 6, "c"}, true)
	swap(point{1, 2, "a"}, point{}, false)
	expectValue(p, v, point{5, 6, "c"})
	swap(point{5, 6, "c"}, point{5, 6, "c"}, true)
}

func valueOfAnotherType(b *bench) {
	p := b.party("A")
	c := cells(p, "v", "text")
	n := psync.OverNumber[int](c, psync.Named("v"))
	_, err := n.Load(p.Ctx)
	var bad *task.ValueError
	if !errors.As(err, &bad) {
		b.Errorf("Load of a string as int: %v, want a ValueError", err)
	}
	_, err = n.Update(p.Ctx, func(n int) int { b.Error("Update went on"); return n })
	if !errors.As(err, &bad) {
		b.Errorf("Update of a string as int: %v, want a ValueError", err)
	}
	if _, err := n.Add(p.Ctx, 1); err == nil {
		b.Error("a number was added to a string")
	}
	expectValue(p, psync.OverValue[string](c), "text")
}

func updateAtomic(b *bench) {
	const rounds = 100
	ps := b.parties("A", "B", "C", "D")
	values := opened(ps, func(p *party) *psync.Value[point] { return value(p, "v", point{}) })
	b.all(ps, func(i int, p *party) {
		v := values[i]
		for range rounds {
			_, err := v.Update(p.nobody(), func(at point) point {
				at.X++
				at.Y--
				return at
			})
			if err != nil {
				b.Error(err)
				return
			}
		}
	})
	n := len(ps) * rounds
	expectValue(ps[0], values[0], point{X: n, Y: -n})

	// Somebody else comes first, once with another value and once with the same.
	v, o := number(ps[0], "n", 1), number(ps[1], "n", 1)
	for _, theirs := range []int{10, 0} {
		calls := 0
		before, err := o.Load(ps[1].Ctx)
		b.must(err)
		got, err := v.Update(ps[0].Ctx, func(n int) int {
			if calls++; calls == 1 {
				b.must(o.Store(ps[1].Ctx, n+theirs))
			}
			return n + 1
		})
		b.must(err)
		if want := before + theirs + 1; got != want || calls != 2 {
			b.Errorf("Update = %d after %d calls, want %d after 2", got, calls, want)
		}
		expectValue(ps[1], &o.Value, got)
	}
}

func addAtomic(b *bench) {
	const rounds = 100
	ps := b.parties("A", "B", "C", "D")
	numbers := opened(ps, func(p *party) *psync.Number[float64] { return number(p, "n", 0.5) })
	b.all(ps, func(i int, p *party) {
		n := numbers[i]
		last := 0.0
		for range rounds {
			sum, err := n.Add(p.nobody(), 1)
			if err != nil || sum <= last {
				b.Errorf("Add = %v, %v, after %v", sum, err, last)
				return
			}
			last = sum
		}
	})
	expectValue(ps[0], &numbers[0].Value, float64(len(ps)*rounds)+0.5)
}

func addOverflows(b *bench) {
	p := b.party("A")
	overflows[int8](p, "int8", math.MaxInt8, 1)
	overflows[int8](p, "int8 below", math.MinInt8, -1)
	overflows[int16](p, "int16", math.MaxInt16, math.MaxInt16)
	overflows[int32](p, "int32", math.MinInt32, math.MinInt32)
	overflows[int64](p, "int64", math.MaxInt64, 1)
	overflows[int](p, "int", math.MinInt, -1)
	overflows[uint8](p, "uint8", math.MaxUint8, 1)
	overflows[uint16](p, "uint16", 1, math.MaxUint16)
	overflows[uint32](p, "uint32", math.MaxUint32, math.MaxUint32)
	overflows[uint64](p, "uint64", math.MaxUint64, math.MaxUint64)
	overflows[uint](p, "uint", math.MaxUint, 1)
	overflows[float32](p, "float32", math.MaxFloat32, math.MaxFloat32)
	overflows[float64](p, "float64", -math.MaxFloat64, -math.MaxFloat64)
}

func overflows[T psync.Numeric](p *party, name string, start, delta T) {
	p.b.Helper()
	n := number(p, name, start)
	_, err := n.Add(p.Ctx, delta)
	p.b.expect(name+": Add", err, psync.ErrOverflow)
	expectValue(p, &n.Value, start)
	if sum, err := n.Add(p.Ctx, 0); sum != start || err != nil {
		p.b.Errorf("%s: Add(0) = %v, %v, want %v", name, sum, err, start)
	}
}

func arrayElements(b *bench) {
	p, other := b.party("A"), b.party("B")
	a, o := array(p, "a", []int{1}, nil, []int{2, 3}), array[[]int](other, "a", nil, nil, nil)
	if n, err := a.Len(p.nobody()); n != 3 || err != nil {
		b.Errorf("Len = %d, %v, want 3", n, err)
	}
	b.must(a.Store(p.Ctx, 1, []int{4}))
	got, err := o.Update(other.Ctx, 1, func(v []int) []int { return append(v, 5) })
	b.must(err)
	if !slices.Equal(got, []int{4, 5}) {
		b.Errorf("Update = %v, want [4 5]", got)
	}
	for _, want := range []bool{true, false} {
		swapped, err := a.CompareAndSwap(p.Ctx, 0, []int{1}, []int{9})
		b.must(err)
		if swapped != want {
			b.Errorf("CompareAndSwap = %v, want %v", swapped, want)
		}
	}
	for i, want := range [][]int{{9}, {4, 5}, {2, 3}} {
		got, err := o.Load(other.Ctx, i)
		b.must(err)
		if !slices.Equal(got, want) {
			b.Errorf("element %d is %v, want %v", i, got, want)
		}
	}
	all, err := a.Snapshot(p.Ctx)
	b.must(err)
	if !slices.EqualFunc(all, [][]int{{9}, {4, 5}, {2, 3}}, slices.Equal) {
		b.Errorf("Snapshot = %v", all)
	}
}

func arrayRange(b *bench) {
	p := b.party("A")
	a := array(p, "a", 1, 2)
	for _, i := range []int{-1, 2, math.MaxInt} {
		_, err := a.Load(p.Ctx, i)
		b.expect("Load", err, psync.ErrRange)
		b.expect("Store", a.Store(p.Ctx, i, 3), psync.ErrRange)
		_, err = a.Update(p.Ctx, i, func(n int) int { return n + 1 })
		b.expect("Update", err, psync.ErrRange)
		_, err = a.CompareAndSwap(p.Ctx, i, 1, 3)
		b.expect("CompareAndSwap", err, psync.ErrRange)
	}
	all, err := a.Snapshot(p.Ctx)
	b.must(err)
	if !slices.Equal(all, []int{1, 2}) {
		b.Errorf("Snapshot = %v, want [1 2]", all)
	}
	none := array[int](p, "none")
	if n, err := none.Len(p.Ctx); n != 0 || err != nil {
		b.Errorf("Len = %d, %v, want 0", n, err)
	}
	_, err = none.Load(p.Ctx, 0)
	b.expect("Load", err, psync.ErrRange)
}

// arraySnapshot has one party raise the elements one after the other: seen at one
// moment, they differ by one at most.
func arraySnapshot(b *bench) {
	p, other := b.party("A"), b.party("B")
	const size, rounds = 8, 100
	a, o := array(p, "a", make([]int, size)...), array(other, "a", make([]int, size)...)
	writer := b.background(func() error {
		for n := range rounds {
			for i := range size {
				if err := a.Store(p.Ctx, i, n+1); err != nil {
					return err
				}
			}
		}
		return nil
	})
	for done := false; !done; {
		all, err := o.Snapshot(other.Ctx)
		b.must(err)
		first, last := all[0], all[size-1]
		if first < last || first > last+1 || !slices.IsSortedFunc(all, func(x, y int) int { return y - x }) {
			b.Fatalf("Snapshot = %v, which was never so", all)
		}
		done = last == rounds
	}
	b.must(writer())
}
