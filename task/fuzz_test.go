package task_test

import (
	"encoding/json"
	"reflect"
	"runtime"
	"strings"
	"testing"

	"github.com/feac4032/multiproc/ipc"
	"github.com/feac4032/multiproc/task"
	"github.com/vmihailenco/msgpack/v5"
)

func seeds(f *testing.F) {
	for _, s := range []string{
		"\xc0", "\x05", "\xa1x", "\xc4\x01x", "\xdd\xff\xff\xff\xff", "\xdf\xff\xff\xff\xff", "\xc6\x80\x00\x00\x00",
		"\x82\xa1k\x01\xa1k\x02", "\x92\x92\xc0\xc0", "\xd6\xff\x00\x00\x00\x01", "\xc1", "\x81\x90\xc0", "\xd4\xff\x07",
		strings.Repeat("\x91", 200), strings.Repeat("\xdc\xff\xff", 50), "\x81\xa5Width\xcd\x01\x2c", "\x82\xa6$bytes\xa0\x01\xff",
	} {
		f.Add([]byte(s))
	}
	for _, v := range []any{
		order{ID: "1", Items: []item{{1, "a"}}, By: map[string]item{"k": {}}}, row{A: 1},
		service{Any: map[string]any{"k": []any{1, "x", 2.5, nil, true}}, Next: &service{}},
		map[string]any{"k": []any{1, "x"}}, []map[string][]int{{"a": {1}}},
	} {
		data, err := task.Encode(nil, v)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
}

// FuzzDecode looks for panics, for memory out of proportion, for values that
// change when they are encoded and decoded again, and for disagreement with
// msgpack and with the validator of the frames.
func FuzzDecode(f *testing.F) {
	seeds(f)
	types := []reflect.Type{
		reflect.TypeFor[any](), reflect.TypeFor[order](), reflect.TypeFor[service](), reflect.TypeFor[row](), reflect.TypeFor[node](),
		reflect.TypeFor[map[string]any](), reflect.TypeFor[map[int8][]string](), reflect.TypeFor[[]map[string][]float32](),
		reflect.TypeFor[[3]*item](), reflect.TypeFor[task.Failure](), reflect.TypeFor[string](), reflect.TypeFor[uint16](),
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, typ := range types {
			v := reflect.New(typ)
			if err := task.Decode(data, v.Interface()); err != nil {
				continue
			}
			if err := ipc.ValidatePayload(data); err != nil {
				t.Fatalf("%v: decoded what the frames refuse: %v", typ, err)
			}
			again, err := task.Encode(nil, v.Elem().Interface())
			if err != nil {
				t.Fatalf("%v: %v", typ, err)
			}
			w := reflect.New(typ)
			if err := task.Decode(again, w.Interface()); err != nil {
				t.Fatalf("%v: %v", typ, err)
			}
			last, err := task.Encode(nil, w.Elem().Interface())
			if err != nil {
				t.Fatalf("%v: %v", typ, err)
			}
			// Compared by way of JSON: not-a-number equals itself there, and
			// the order of keys is gone.
			if a, b := asJSON(t, again), asJSON(t, last); !reflect.DeepEqual(a, b) {
				t.Fatalf("%v changed:\n%v\n%v", typ, a, b)
			}
			if err := msgpack.Unmarshal(again, reflect.New(typ).Interface()); err != nil {
				t.Fatalf("%v: msgpack does not read it: %v", typ, err)
			}
		}
	})
}

func asJSON(t *testing.T, data []byte) (v any) {
	t.Helper()
	out, err := task.AppendJSON(nil, data)
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out, &v); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return v
}

// FuzzDecodeMemory holds decoding to 64 times the size of its input, however
// that claims to go on.
func FuzzDecodeMemory(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		const base = 64 << 10 // what the runtime, the fuzzer and the error texts take
		for _, into := range []any{new(any), new(order), new([]map[string]any), new([][]string)} {
			var before, after runtime.MemStats
			runtime.ReadMemStats(&before)
			_ = task.Decode(data, into)
			runtime.ReadMemStats(&after)
			if got, most := after.TotalAlloc-before.TotalAlloc, uint64(base+64*len(data)); got > most {
				t.Fatalf("%d bytes of input took %d bytes for %T", len(data), got, into)
			}
		}
	})
}

func FuzzAppendJSON(f *testing.F) {
	seeds(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		out, err := task.AppendJSON(nil, data)
		if err != nil {
			return
		}
		if !json.Valid(out) {
			t.Fatalf("not JSON: %s", out)
		}
	})
}

func FuzzDecodeFailure(f *testing.F) {
	seeds(f)
	f.Add((&task.Failure{Stage: task.StageFunction, Msg: "m", Codes: []string{"io.EOF"}, Panic: true}).Append(nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := task.DecodeFailure(data)
		if err != nil {
			return
		}
		_ = got.Error()
		again, err := task.DecodeFailure(got.Append(nil))
		if err != nil {
			t.Fatal(err)
		}
		if len(again.Codes) == 0 && len(got.Codes) == 0 {
			again.Codes, got.Codes = nil, nil
		}
		if !reflect.DeepEqual(got, again) {
			t.Fatalf("%+v became %+v", got, again)
		}
	})
}
