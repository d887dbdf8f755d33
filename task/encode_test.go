package task_test

import (
	"bytes"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/feac4032/multiproc/task"
)

type node struct {
	Name string
	Next *node
	Kids []*node
}

type looped []looped

type holder struct {
	Deep struct{ X any }
	Map  map[string]any
}

func TestEncode_RefusesWhatCannotComeBack(t *testing.T) {
	t.Parallel()
	ring := &node{Name: "a"}
	ring.Next = &node{Name: "b", Next: ring}
	kids := &node{}
	kids.Kids = []*node{nil, kids}
	self := looped{nil}
	self[0] = self
	anyRing := map[string]any{}
	anyRing["me"] = anyRing
	var chain any
	chain = &chain
	anys := []any{nil}
	anys[0] = anys
	long := &node{}
	for range 200 {
		long = &node{Next: long}
	}
	var deepChan, mapFunc holder
	deepChan.Deep.X = make(chan int)
	mapFunc.Map = map[string]any{"f": []any{1, func() {}}}
	tests := []struct {
		name  string
		value any
		want  string
	}{
		{"cycle of pointers", ring, "value.Next.Next: a cycle: this *task_test.node contains itself"},
		{"cycle through a slice", kids, "value.Kids[1]: a cycle: this *task_test.node contains itself"},
		{"slice in itself", self, "value[0]: a cycle: this task_test.looped contains itself"},
		{"map in itself", anyRing, `value["me"]: a cycle: this map[string]interface {} contains itself`},
		{"any in itself", chain, "value: a cycle: this *interface {} contains itself"},
		{"slice of any in itself", anys, "value[0]: a cycle: this []interface {} contains itself"},
		{"long list", long, ""},
		{"channel in any", deepChan, "value.Deep.X: type chan int cannot travel: it has no form outside its process"},
		{"function in a map", mapFunc, `value.Map["f"][1]: type func() cannot travel: it has no form outside its process`},
		{"bad field inside any", holder{Map: map[string]any{"s": struct{ C chan int }{}}}, `value.Map["s"].C: type chan int cannot travel: it has no form outside its process`},
		{"pointer method without a pointer", []any{selfEncoder{}}, "value[0]: task_test.selfEncoder is encoded by a method of its pointer: put a pointer here"},
		{"type that cannot travel", []struct{ C chan int }{}, "value[].C: type chan int cannot travel: it has no form outside its process"},
		{"method fails", failing{}, "value: no"},
		{"method fails in a map", map[string]any{"t": failing{}}, `value["t"]: no`},
		{"method fails in a field", Order{Items: []*failing{nil, {}}}, "value.Items[1]: no"},
		{"method fails in an embedded struct", struct{ Order }{Order{Late: &failing{}}}, "value.late: no"},
		{"method fails in an array behind a pointer", &struct{ At [2]struct{ F failing } }{}, "value.At[0].F: no"},
		{"method fails for what is not left out", struct {
			A failing `msgpack:",omitempty"`
			B failing `msgpack:"b"`
		}{}, "value.b: no"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			out, err := task.Encode([]byte("before"), tt.value)
			if err == nil {
				t.Fatal("encoded")
			}
			var ve *task.ValueError
			if !errors.As(err, &ve) || ve.Op != "encode" {
				t.Errorf("%T is not an encoding ValueError", err)
			}
			got := strings.TrimPrefix(err.Error(), "encode ")
			if tt.name == "long list" {
				if !strings.HasPrefix(got, "value.Next.Next") || !strings.HasSuffix(got, ": nested deeper than 100") || len(got) > 200 {
					t.Errorf("error is %s", got)
				}
			} else if got != tt.want {
				t.Errorf("error is\n%s\nwant\n%s", got, tt.want)
			}
			if string(out) != "before" {
				t.Errorf("dst became %q", out)
			}
		})
	}
}

// Order holds parts whose own encoding fails.
type Order struct {
	Items []*failing
	Late  *failing `msgpack:"late"`
}

type failing struct{}

func (failing) MarshalText() ([]byte, error) { return nil, errors.New("no") }
func (*failing) UnmarshalText([]byte) error  { return nil }

func TestEncode_SharedPointersAreNoCycle(t *testing.T) {
	t.Parallel()
	shared := &node{Name: "s"}
	if _, err := task.Encode(nil, node{Next: shared, Kids: []*node{shared, shared}}); err != nil {
		t.Error(err)
	}
}

func TestEncode_TakesExactlyTheDepthThatDecodeTakes(t *testing.T) {
	t.Parallel()
	list := func(n int) (v any) {
		for range n {
			v = []any{v}
		}
		return v
	}
	data, err := task.Encode(nil, list(100))
	if err != nil {
		t.Fatal(err)
	}
	var back any
	if err := task.Decode(data, &back); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(back, list(100)) {
		t.Error("changed on the way")
	}
	if _, err := task.Encode(nil, list(101)); err == nil {
		t.Error("encoded 101 levels")
	}
}

func TestEncode_IsASnapshot(t *testing.T) {
	t.Parallel()
	v := map[string][]int{"k": {1, 2}}
	data, err := task.Encode(nil, v)
	if err != nil {
		t.Fatal(err)
	}
	v["k"][0] = 9
	var got map[string][]int
	if err := task.Decode(data, &got); err != nil || got["k"][0] != 1 {
		t.Errorf("got %v, %v", got, err)
	}
}

func TestEncode_DynamicValues(t *testing.T) {
	t.Parallel()
	at := time.Unix(5, 0).UTC()
	in := []any{int8(1), uint16(2), float32(1.5), item{Width: 3}, &item{Width: 4}, map[int]string{5: "x"}, at, textID("id"), [2]bool{true, false}, (*item)(nil), []string(nil), time.Second}
	data, err := task.Encode(nil, in)
	if err != nil {
		t.Fatal(err)
	}
	var got any
	if err := task.Decode(data, &got); err != nil {
		t.Fatal(err)
	}
	want := []any{int64(1), int64(2), 1.5, map[string]any{"Width": int64(3)}, map[string]any{"Width": int64(4)}, map[string]any{"5": "x"}, at, []byte("id"), []any{true, false}, nil, nil, int64(time.Second)}
	if !reflect.DeepEqual(got, want) {
		t.Errorf("got  %#v\nwant %#v", got, want)
	}
}

func TestEncode_SortsMapKeys(t *testing.T) {
	t.Parallel()
	m := map[string]any{}
	for _, k := range strings.Split("q w e r t y u i o p", " ") {
		m[k] = map[string]any{"b": 1, "a": 2}
	}
	first, err := task.Encode(nil, m)
	if err != nil {
		t.Fatal(err)
	}
	for range 20 {
		if b, err := task.Encode(nil, m); err != nil || !bytes.Equal(b, first) {
			t.Fatalf("another encoding of the same map: %x, %v", b, err)
		}
	}
	if j, err := task.AppendJSON(nil, first); err != nil || !strings.HasPrefix(string(j), `{"e":{"a":2,"b":1},"i":`) {
		t.Errorf("%s, %v", j, err)
	}
}
