package task_test

import (
	"encoding/hex"
	"errors"
	"math"
	"net/netip"
	"net/url"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/feac4032/multiproc/task"
	"github.com/google/go-cmp/cmp"
	"github.com/vmihailenco/msgpack/v5"
)

type item struct {
	Width int8
	Name  string `msgpack:"name,omitempty"`
}

type order struct {
	ID    string
	Items []item
	Note  *string
	By    map[string]item `msgpack:",omitempty"`
}

type base struct {
	Host string
	Port uint16
}

type service struct {
	base
	Base2 base
	Every time.Duration
	At    time.Time
	Raw   []byte
	Sum   [4]byte
	Pair  [2]float32
	Any   any
	Addr  netip.Addr
	URL   *url.URL
	Next  *service
	ByID  map[int16]string
}

type row struct {
	//lint:ignore U1000 msgpack reads its tag
	_msgpack struct{} `msgpack:",as_array"`
	A        int
	B        string
}

// raw turns hex with spaces and quoted text into bytes.
func raw(t *testing.T, s string) []byte {
	t.Helper()
	var out []byte
	for i, part := range strings.Split(s, "'") {
		if i%2 == 1 {
			out = append(out, part...)
			continue
		}
		b, err := hex.DecodeString(strings.ReplaceAll(part, " ", ""))
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, b...)
	}
	return out
}

func TestDecode_RefusesWhatDoesNotFit(t *testing.T) {
	t.Parallel()
	nest := func(open string, n int) string { return strings.Repeat(open, n) + "c0" }
	tests := []struct {
		name string
		into any
		data string
		want string // the whole text of the error, after "decode "
	}{
		{"integer out of range", new(order), "83 a2'ID' a1'x' a5'Items' 92 81a5'Width'01 81a5'Width'cd012c a4'Note'c0", "value.Items[1].Width: 300 does not fit int8"},
		{"negative into unsigned", new(uint8), "ff", "value: -1 does not fit uint8"},
		{"negative into uint64", new(uint64), "ff", "value: -1 does not fit uint64"},
		{"uint64 into int64", new(int64), "cf ffffffffffffffff", "value: 18446744073709551615 does not fit int64"},
		{"float into integer", new(int), "cb 3ff0000000000000", "value: float does not fit int"},
		{"integer into string", new(string), "05", "value: integer 5 does not fit string"},
		{"string into bytes", new([]byte), "a1'x'", "value: string does not fit []uint8"},
		{"binary into string", new(string), "c4 01'x'", "value: binary does not fit string"},
		{"string into slice", new([]int), "a1'x'", "value: string does not fit []int"},
		{"integer into bool", new(bool), "01", "value: integer 1 does not fit bool"},
		{"nil into integer", new(int), "c0", "value: nil does not fit int"},
		{"nil into string", new(string), "c0", "value: nil does not fit string"},
		{"nil into struct", new(item), "c0", "value: nil does not fit task_test.item"},
		{"nil into array", new([2]int), "c0", "value: nil does not fit [2]int"},
		{"nil into an element", new([]string), "92 a0 c0", "value[1]: nil does not fit string"},
		{"unknown field", new(item), "82 a5'Width'01 a5'Color'02", `value: unknown field "Color" in task_test.item, which has Width, name`},
		{"field in lower case", new(item), "81 a5'width'01", `value: unknown field "width" in task_test.item: it has "Width"`},
		{"field given twice", new(item), "82 a5'Width'01 a5'Width'02", "value.Width: given twice"},
		{"field missing", new(item), "80", "value.Width: missing (tag the field omitempty if it may be)"},
		{"field with a number for a name", new(item), "81 01 01", "value: integer as a field's name in task_test.item"},
		{"array for a struct", new(item), "91 01", "value: array does not fit task_test.item"},
		{"short array struct", new(row), "91 01", "value: array of 1 elements does not fit task_test.row, which has 2 fields"},
		{"key given twice", new(map[string]int), "82 a1'k'01 a1'k'02", `value: key ["k"] is given twice`},
		{"key given twice in any", new(any), "82 a1'k'01 a1'k'02", `value: key ["k"] is given twice`},
		{"integer key given twice", new(map[int]int), "82 01 01 d0 01 02", `value: key [1] is given twice`},
		{"key of the wrong kind", new(map[string]int), "81 01 01", `value[key 0]: integer 1 does not fit string`},
		{"array as a key of any", new(any), "81 90 01", `value[key 0]: array is not a key: strings and integers are`},
		{"map's value out of range", new(map[string]int8), "81 a1'k' cc80", `value["k"]: 128 does not fit int8`},
		{"array too short", new([3]int), "92 01 02", "value: array of 2 elements does not fit [3]int"},
		{"array too long", new([1]int), "92 01 02", "value: array of 2 elements does not fit [1]int"},
		{"byte array of another length", new([4]byte), "c4 03 010203", "value: binary of 3 bytes does not fit [4]uint8"},
		{"trailing bytes", new(int), "01 02", "value: 1 bytes follow the value"},
		{"trailing bytes of any", new(any), "01 c0 c0", "value: 2 bytes follow the value"},
		{"empty", new(any), "", "value: data ends inside a value"},
		{"cut integer", new(any), "ce 0000", "value: data ends inside a value"},
		{"cut string", new(any), "a5'abc'", "value: string of 5 bytes, but 3 are left"},
		{"undefined byte", new(any), "c1", "value: byte 0xc1 starts no msgpack value"},
		{"array of 2^32-1", new(any), "dd ffffffff", "value: array of 4294967295 elements, but 0 bytes are left"},
		{"map of 2^32-1", new(any), "df ffffffff", "value: map of 4294967295 elements, but 0 bytes are left"},
		{"slice of 2^32-1", new([]int), "dd ffffffff", "value: array of 4294967295 elements, but 0 bytes are left"},
		{"typed map of 2^32-1", new(map[string]int), "df ffffffff 00", "value: map of 4294967295 elements, but 1 bytes are left"},
		{"binary of 2^31", new([]byte), "c6 80000000", "value: binary of 2147483648 bytes, but 0 are left"},
		{"elements that cannot be so small", new([]order), "94 00000000", "value: array of 4 elements, but 4 bytes are left"},
		{"elements owed twice", new(any), "92 92 c0 c0", "value[0]: array of 2 elements, but 2 bytes are left"},
		{"too deep in any", new(any), nest("91", 101), "value" + strings.Repeat("[0]", 30) + "[…" + strings.Repeat("[0]", 16) + ": nested deeper than 100"},
		{"integer too long for a float", new(float64), "cf 0020000000000001", "value: integer 9007199254740993 does not fit float64 exactly"},
		{"integer too long for a float32", new(float32), "ce 01000001", "value: integer 16777217 does not fit float32 exactly"},
		{"float64 too large for float32", new(float32), "cb 7fe0000000000000", "value: 8.98846567431158e+307 does not fit float32"},
		{"extension into any", new(any), "d4 05 00", "value: extension of type 5 does not fit any"},
		{"timestamp of the wrong size", new(time.Time), "d4 ff 00", "value: timestamp of 1 bytes"},
		{"timestamp with too many nanoseconds", new(time.Time), "d7 ff ffffffff 00000000", "value: timestamp with 1073741823 nanoseconds"},
		{"text that is no time", new(time.Time), "a3'now'", "value: string is not a time as in RFC 3339"},
		{"text method fails", new(netip.Addr), "c4 03 010203", "value: netip.Addr: unexpected slice size"},
		{"nil for a tag-free struct with nothing in it", new(struct{}), "01", "value: integer 1 does not fit struct {}"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			err := task.Decode(raw(t, tt.data), tt.into)
			if err == nil {
				t.Fatalf("accepted as %v", reflect.ValueOf(tt.into).Elem())
			}
			if got := strings.TrimPrefix(err.Error(), "decode "); got != tt.want {
				t.Errorf("error is\n%s\nwant\n%s", got, tt.want)
			}
			var ve *task.ValueError
			if !errors.As(err, &ve) || ve.Op != "decode" {
				t.Errorf("%T is not a decoding ValueError", err)
			}
			if v := reflect.ValueOf(tt.into).Elem(); !v.IsZero() {
				t.Errorf("left %v behind", v)
			}
		})
	}
}

func TestDecode_RefusesDepthWithoutRecursingFurther(t *testing.T) {
	t.Parallel()
	data := []byte(strings.Repeat("\x91", 1_000_000) + "\xc0")
	for _, into := range []any{new(any), new(struct{ X any }), new([]any), new(map[string]any), new(selfEncoder)} {
		if err := task.Decode(data, into); err == nil {
			t.Errorf("%T took a depth of a million", into)
		}
	}
}

func TestDecode_AcceptsWhatFits(t *testing.T) {
	t.Parallel()
	at := time.Date(2024, 5, 6, 7, 8, 9, 0, time.UTC)
	tests := []struct {
		name string
		data string
		want any
	}{
		{"integer into float", "03", 3.0},
		{"large even integer into float", "cf 8000000000000000", float64(1 << 63)},
		{"negative integer into float32", "d2 ff000000", float32(-1 << 24)},
		{"float64 into float32", "cb 4009 1eb851eb851f", float32(3.14)},
		{"infinity into float32", "cb 7ff0000000000000", float32(math.Inf(1))},
		{"wide encoding of a small integer", "cf 0000000000000005", int8(5)},
		{"signed encoding into unsigned", "d1 00ff", uint8(255)},
		{"nil slice", "c0", []int(nil)},
		{"empty slice", "90", []int{}},
		{"nil bytes", "c0", []byte(nil)},
		{"empty bytes", "c4 00", []byte{}},
		{"nil map", "c0", map[string]int(nil)},
		{"empty map", "80", map[string]int{}},
		{"nil for no argument", "c0", struct{}{}},
		{"field omitted", "81 a5'Width'01", item{Width: 1}},
		{"pointer omitted", "82 a2'ID'a0 a5'Items'c0", order{}},
		{"array struct", "92 07 a1'b'", row{A: 7, B: "b"}},
		{"time as text", "b9'2024-05-06T09:08:09+02:00'", at},
		{"address as text", "a3'::1'", textID("::1")},
		{"text that is not UTF-8", "a1 ff", "\xff"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got := reflect.New(reflect.TypeOf(tt.want))
			if err := task.Decode(raw(t, tt.data), got.Interface()); err != nil {
				t.Fatal(err)
			}
			if !reflect.DeepEqual(got.Elem().Interface(), tt.want) {
				t.Errorf("got %#v, want %#v", got.Elem(), tt.want)
			}
		})
	}
}

// Whatever width a sender chose, an any holds the same type.
func TestDecode_AnyHasStableTypes(t *testing.T) {
	t.Parallel()
	tests := []struct {
		data string
		want any
	}{
		{"05", int64(5)}, {"cc05", int64(5)}, {"cd0005", int64(5)}, {"ce00000005", int64(5)},
		{"cf0000000000000005", int64(5)}, {"d005", int64(5)}, {"d10005", int64(5)},
		{"d200000005", int64(5)}, {"d30000000000000005", int64(5)},
		{"ff", int64(-1)}, {"d0ff", int64(-1)}, {"d1ffff", int64(-1)}, {"d3ffffffffffffffff", int64(-1)},
		{"cfffffffffffffffff", uint64(math.MaxUint64)},
		{"ca3fc00000", 1.5}, {"cb3ff8000000000000", 1.5},
		{"c3", true}, {"c0", nil}, {"a1'x'", "x"}, {"d901'x'", "x"}, {"c401'x'", []byte("x")},
		{"d6ff00000001", time.Unix(1, 0).UTC()},
		{"92 01 a0", []any{int64(1), ""}},
		{"82 a1'k'90 02c2", map[string]any{"k": []any{}, "2": false}},
	}
	for _, tt := range tests {
		var got any
		if err := task.Decode(raw(t, tt.data), &got); err != nil {
			t.Errorf("%s: %v", tt.data, err)
		}
		if !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: got %T %v, want %T %v", tt.data, got, got, tt.want, tt.want)
		}
		var in struct{ X any }
		if err := task.Decode(append(raw(t, "81a1'X'"), raw(t, tt.data)...), &in); err != nil {
			t.Errorf("%s in a field: %v", tt.data, err)
		}
		if !reflect.DeepEqual(in.X, tt.want) {
			t.Errorf("%s in a field: got %T %v, want %T %v", tt.data, in.X, in.X, tt.want, tt.want)
		}
	}
}

func TestDecode_ForgetsWhatWasThere(t *testing.T) {
	t.Parallel()
	v := order{ID: "old", By: map[string]item{"old": {}}, Items: []item{{Name: "old"}}}
	if err := task.Decode(raw(t, "82 a2'ID'a1'x' a5'Items' 91 81a5'Width'01"), &v); err != nil {
		t.Fatal(err)
	}
	if want := (order{ID: "x", Items: []item{{Width: 1}}}); !reflect.DeepEqual(v, want) {
		t.Errorf("got %+v, want %+v", v, want)
	}
}

func TestDecode_NeedsAPointer(t *testing.T) {
	t.Parallel()
	for _, v := range []any{nil, 3, (*int)(nil), new(chan int)} {
		if err := task.Decode([]byte{1}, v); err == nil {
			t.Errorf("decoded into %T", v)
		}
	}
}

func TestDecode_KeepsNothingOfTheInput(t *testing.T) {
	t.Parallel()
	type value struct {
		S string
		B []byte
		A any
	}
	in := value{S: "text", B: []byte("bytes"), A: []any{"inner", []byte("binary")}}
	data, err := task.Encode(nil, in)
	if err != nil {
		t.Fatal(err)
	}
	var out value
	if err := task.Decode(data, &out); err != nil {
		t.Fatal(err)
	}
	clear(data)
	if !reflect.DeepEqual(out, in) {
		t.Errorf("changed with its input: %+v", out)
	}
}

func sample(t *testing.T) service {
	t.Helper()
	u, err := url.Parse("https://example.org/a?b=c")
	if err != nil {
		t.Fatal(err)
	}
	return service{
		base: base{"localhost", 80}, Base2: base{"h", 1}, Every: time.Minute,
		At:  time.Date(2024, 1, 2, 3, 4, 5, 6, time.UTC),
		Raw: []byte{1, 2}, Sum: [4]byte{1, 2, 3, 4}, Pair: [2]float32{1.5, -2},
		Any:  map[string]any{"k": []any{int64(1), "x", 2.5, nil, true}},
		Addr: netip.MustParseAddr("10.0.0.1"), URL: u,
		Next: &service{Addr: netip.MustParseAddr("::1"), ByID: map[int16]string{}},
		ByID: map[int16]string{-3: "a", 300: "b"},
	}
}

func TestRoundTrip(t *testing.T) {
	t.Parallel()
	note := "n"
	values := []any{
		"", "text", []byte{}, []byte(nil), 0, -1, int64(math.MinInt64), int64(math.MaxInt64), uint64(math.MaxUint64), int8(-128), uint8(255),
		int16(-300), uint16(65535), int32(math.MinInt32), uint32(math.MaxUint32), true, false, 1.5, float32(1.25), math.Inf(-1),
		struct{}{}, time.Duration(5), time.Time{}, time.Unix(1<<40, 5).UTC(), time.Unix(-5, 5).UTC(),
		[]string{"a", ""}, []string(nil), [3]int{1, 2, 3}, [][]int{{1}, nil, {}}, map[string]string{"a": "b"}, map[uint8]bool{1: true},
		map[string]map[string]any{"x": {"y": nil}, "z": nil},
		order{ID: "1", Items: []item{{1, "a"}, {-2, ""}}, Note: &note, By: map[string]item{"k": {3, "c"}}},
		row{A: 1, B: "x"}, []row{{A: 2}}, &item{Width: 4}, (*item)(nil), []*item{nil, {Width: 1}},
		sample(t), selfEncoder{7}, []selfEncoder{{1}, {2}}, map[string]*selfEncoder{"k": {3}}, textID("id"), []textID{"a", ""},
		wide{F0: 1, F69: 70}, strings.Repeat("x", 40), strings.Repeat("x", 300), strings.Repeat("x", 70_000),
		make([]byte, 300), make([]byte, 70_000), make([]int, 70_000), make([]bool, 20),
	}
	for _, want := range values {
		data, err := task.Encode([]byte("before"), want)
		if err != nil {
			t.Errorf("%T: %v", want, err)
			continue
		}
		if !strings.HasPrefix(string(data), "before") {
			t.Fatalf("%T: dst was overwritten", want)
		}
		got := reflect.New(reflect.TypeOf(want))
		if err := task.Decode(data[6:], got.Interface()); err != nil {
			t.Errorf("%T: %v", want, err)
			continue
		}
		if !reflect.DeepEqual(got.Elem().Interface(), want) {
			t.Errorf("%T changed: %s", want, cmp.Diff(want, got.Elem().Interface(), cmp.Exporter(func(reflect.Type) bool { return true })))
		}
		// Another reader of msgpack must agree on the bytes.
		other := reflect.New(reflect.TypeOf(want))
		if err := msgpack.Unmarshal(data[6:], other.Interface()); err != nil {
			t.Errorf("%T: msgpack does not read it: %v", want, err)
		}
	}
}

type wide struct {
	F0, F1, F2, F3, F4, F5, F6, F7, F8, F9           int
	F10, F11, F12, F13, F14, F15, F16, F17, F18, F19 int
	F20, F21, F22, F23, F24, F25, F26, F27, F28, F29 int
	F30, F31, F32, F33, F34, F35, F36, F37, F38, F39 int
	F40, F41, F42, F43, F44, F45, F46, F47, F48, F49 int
	F50, F51, F52, F53, F54, F55, F56, F57, F58, F59 int
	F60, F61, F62, F63, F64, F65, F66, F67, F68, F69 int
}

// selfEncoder has the methods that msgpack looks for first.
type selfEncoder struct{ n int }

func (s *selfEncoder) EncodeMsgpack(e *msgpack.Encoder) error {
	return e.EncodeMulti(map[string]int{"n": s.n})
}

func (s *selfEncoder) DecodeMsgpack(d *msgpack.Decoder) error {
	m := map[string]int{}
	if err := d.Decode(&m); err != nil {
		return err
	}
	s.n = m["n"]
	return nil
}

// textID is a string with text methods.
type textID string

func (id textID) MarshalText() ([]byte, error) { return []byte(id), nil }

func (id *textID) UnmarshalText(b []byte) error { *id = textID(b); return nil }

func TestDecode_ChecksWhatATypeDecodesItself(t *testing.T) {
	t.Parallel()
	for name, data := range map[string]string{
		"key given twice":  "82 a1'n'01 a1'n'02",
		"elements missing": "82 a1'n'01",
		"method fails":     "01",
	} {
		if err := task.Decode(raw(t, data), new(selfEncoder)); err == nil {
			t.Errorf("%s: accepted", name)
		}
	}
}
