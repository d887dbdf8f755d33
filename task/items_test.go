package task

import (
	"bytes"
	"context"
	"errors"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/vmihailenco/msgpack/v5"

	"github.com/feac4032/multiproc/ipc"
)

// moody is a type whose own decoding panics for one value.
type moody struct{ N int }

func (m moody) EncodeMsgpack(e *msgpack.Encoder) error { return e.EncodeInt(int64(m.N)) }

func (m *moody) DecodeMsgpack(d *msgpack.Decoder) error {
	n, err := d.DecodeInt()
	if m.N = n; n == 13 {
		panic("thirteen")
	}
	return err
}

var (
	itemTask = Define("items_test.item", func(_ context.Context, n int) (string, error) {
		switch n {
		case 1:
			return "", errors.New("one")
		case 2:
			panic("two")
		case 3:
			runtime.Goexit()
		}
		return strings.Repeat("x", n), nil
	})
	moodyTask = Define("items_test.moody", func(_ context.Context, m moody) (moody, error) { return moody{m.N + 1}, nil })
)

// log is an ItemContexts that writes down what it is told.
type log struct {
	begun, ended int
	errs         []error
	stopAt       int // −1 = never
}

func (l *log) Begin(item int) (context.Context, bool) {
	if item == l.stopAt {
		return nil, false
	}
	l.begun++
	return context.Background(), true
}

func (l *log) End(err error) {
	l.ended++
	l.errs = append(l.errs, err)
}

// runItems runs a job of items as a worker does.
func runItems(d *Def, payload []byte, n int, most uint64, l *log) ([]byte, error) {
	var x Items
	if err := x.Begin(d, payload, n, nil, most, l); err != nil {
		return nil, err
	}
	for over := false; !over; {
		done := make(chan struct{})
		go func() {
			defer close(done)
			defer func() {
				if !over {
					x.Exited()
				}
			}()
			x.Run()
			over = true
		}()
		<-done
	}
	return x.Finish()
}

func array(t *testing.T, items ...any) []byte {
	t.Helper()
	b, err := Encode(nil, items)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func TestItems_FailureOfOneIsNotThatOfItsMates(t *testing.T) {
	t.Parallel()
	for _, items := range [][]any{{1, 5, 6}, {5, 2, 6}, {5, 6, 3}, {"no", 5, 6}, {5, nil, 6}, {1, 2, 3}, {3, 3, 3, 4}, {4}} {
		l := &log{stopAt: -1}
		b, err := runItems(itemTask.def, array(t, items...), len(items), ipc.MaxMessage, l)
		if err != nil {
			t.Fatalf("%v: %v", items, err)
		}
		r, err := ipc.ParseItems(b, len(items))
		if err != nil {
			t.Fatalf("%v: %v", items, err)
		}
		if l.begun != len(items) || l.ended != len(items) {
			t.Errorf("%v: %d begun, %d ended", items, l.begun, l.ended)
		}
		vs := itemTask.DecodeOuts(r.Values)
		for i, in := range items {
			at := slices.IndexFunc(r.Failures, func(f ipc.ItemFailure) bool { return f.Index == i })
			if n, ok := in.(int); ok && n > 3 {
				if out, err := vs.Next(); err != nil || at >= 0 || len(out) != n || l.errs[i] != nil {
					t.Errorf("%v[%d]: %q, %v", items, i, out, err)
				}
				continue
			}
			vs.Skip()
			if at < 0 || l.errs[i] == nil {
				t.Errorf("%v[%d] has not failed", items, i)
				continue
			}
			f, err := DecodeFailure(r.Failures[at].Body)
			if err != nil {
				t.Fatal(err)
			}
			switch in {
			case 1:
				if f.Msg != "one" || f.Stage != StageFunction {
					t.Errorf("got %+v", f)
				}
			case 2:
				if !f.Panic || !strings.Contains(f.Stack, "items_test.go") || strings.Contains(f.Stack, "items.go") {
					t.Errorf("got %+v", f)
				}
			case 3:
				if !errors.Is(f, ErrGoexit) {
					t.Errorf("got %+v", f)
				}
			default:
				if f.Stage != StageArgument {
					t.Errorf("got %+v", f)
				}
			}
		}
	}
}

func TestItems_MethodsThatPanicAreTheirItemsError(t *testing.T) {
	t.Parallel()
	b, err := runItems(moodyTask.def, array(t, 12, 13, 14), 3, ipc.MaxMessage, &log{stopAt: -1})
	if err != nil {
		t.Fatal(err)
	}
	r, err := ipc.ParseItems(b, 3)
	if err != nil || len(r.Failures) != 1 || r.Failures[0].Index != 1 {
		t.Fatalf("got %+v, %v", r, err)
	}
	vs := moodyTask.DecodeOuts(r.Values)
	var panicked *PanicError
	if _, err := vs.Next(); !errors.As(err, &panicked) || panicked.Text != "thirteen" {
		t.Errorf("got %v", err)
	}
	vs.Skip()
	if out, err := vs.Next(); err != nil || out.N != 15 {
		t.Errorf("got %v, %v", out, err)
	}
}

func TestItems_WhatFindsNoRoomIsToBeRunAgain(t *testing.T) {
	t.Parallel()
	l := &log{stopAt: -1}
	b, err := runItems(itemTask.def, array(t, 1000, 5000, 4, 1), 4, 4000, l)
	if err != nil || len(b) > 4000 {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
	r, err := ipc.ParseItems(b, 4)
	if err != nil || len(r.Failures) != 2 || l.begun != 4 {
		t.Fatalf("got %d failures, %v, %d begun", len(r.Failures), err, l.begun)
	}
	f, _ := DecodeFailure(r.Failures[0].Body)
	if !errors.Is(f, ErrNoRoom) || r.Failures[0].Index != 1 {
		t.Errorf("got %+v", f)
	}

	l = &log{stopAt: -1}
	b, err = runItems(itemTask.def, array(t, 1500, 1500, 1500, 4, 4), 5, 4000, l)
	if err != nil || len(b) > 4000 {
		t.Fatalf("%d bytes, %v", len(b), err)
	}
	if r, err = ipc.ParseItems(b, 5); err != nil || l.begun != 5-len(r.Failures)+1 {
		t.Fatalf("%d failures, %d begun, %v", len(r.Failures), l.begun, err)
	}
	for _, f := range r.Failures {
		if f, _ := DecodeFailure(f.Body); !errors.Is(f, ErrNoRoom) {
			t.Errorf("got %+v", f)
		}
	}
}

func TestItems_RefusesWhatIsNoArrayOfThem(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		payload []byte
		n       int
	}{
		"nothing":       {nil, 1},
		"one argument":  {[]byte{5}, 1},
		"too few":       {[]byte{0x91, 5}, 2},
		"too many":      {[]byte{0x92, 5, 5}, 1},
		"cut short":     {[]byte{0x92, 5}, 2},
		"cut inside":    {[]byte{0x92, 5, 0xcd}, 2},
		"bytes behind":  {[]byte{0x92, 5, 5, 5}, 2},
		"no msgpack":    {[]byte{0x92, 0xc1, 5}, 2},
		"without bound": {[]byte{0xdd, 0xff, 0xff, 0xff, 0xff, 5}, 1<<32 - 1},
	} {
		_, err := runItems(itemTask.def, c.payload, c.n, ipc.MaxMessage, &log{stopAt: -1})
		var staged *StageError
		if !errors.As(err, &staged) || staged.Stage != StageArgument {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

func TestItems_StopWhenTheirContextsSaySo(t *testing.T) {
	t.Parallel()
	l := &log{stopAt: 2}
	if _, err := runItems(itemTask.def, array(t, 5, 5, 5), 3, ipc.MaxMessage, l); !errors.Is(err, ErrStopped) || l.ended != 2 {
		t.Fatalf("got %v, %d ended", err, l.ended)
	}
}

// FuzzItems runs hostile payloads, and checks that what comes out is a result.
func FuzzItems(f *testing.F) {
	f.Add([]byte{0x93, 1, 2, 5}, uint8(3))
	f.Add([]byte{0x92, 0xa1, 'x', 0x91, 0xc1}, uint8(2))
	f.Add([]byte{0xdd, 0xff, 0xff, 0xff, 0xff, 5}, uint8(1))
	twice := Task[[]string, []string]{}
	twice.in, _ = codecFor[[]string]("args")
	twice.out, _ = codecFor[[]string]("result")
	def := &Def{name: "fuzz"}
	def.each = func(x *Items) {
		for x.begin() {
			arg, err := twice.in.from(&x.args)
			if err != nil {
				x.misfit(err)
				continue
			}
			x.stage = StageResult
			if x.out, err = twice.out.encode(x.out, append(arg, arg...)); err != nil {
				x.fail(err)
				continue
			}
			x.end()
		}
	}
	f.Fuzz(func(t *testing.T, payload []byte, n uint8) {
		b, err := runItems(def, payload, int(n), 1<<20, &log{stopAt: -1})
		if err != nil {
			return
		}
		r, err := ipc.ParseItems(bytes.Clone(b), int(n))
		if err != nil {
			t.Fatal(err)
		}
		vs := twice.DecodeOuts(r.Values)
		for i := range int(n) {
			if slices.ContainsFunc(r.Failures, func(f ipc.ItemFailure) bool { return f.Index == i }) {
				vs.Skip()
			} else if _, err := vs.Next(); err != nil {
				t.Fatal(err)
			}
		}
	})
}

func BenchmarkItems(b *testing.B) {
	d := Define("items_test.bench", func(_ context.Context, n int) (int, error) { return n, nil })
	const n = 8192
	in := make([]int, n)
	for i := range in {
		in[i] = 1 << 20
	}
	payload, _ := Encode(nil, in)
	var x Items
	var out []byte
	l := &quiet{}
	b.ReportAllocs()
	for b.Loop() {
		x.Begin(d.def, payload, n, out[:0], ipc.MaxMessage, l)
		x.Run()
		out, _ = x.Finish()
	}
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/n, "ns/item")
}

type quiet struct{}

func (*quiet) Begin(int) (context.Context, bool) { return context.Background(), true }
func (*quiet) End(error)                         {}
