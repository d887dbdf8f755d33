package task

import (
	"bytes"
	"math"
	"reflect"
	"testing"

	"github.com/vmihailenco/msgpack/v5"
)

// The way without reflection has to do what the other one does, and both what
// msgpack does.
func TestCodec_ScalarsAgreeWithReflection(t *testing.T) {
	t.Parallel()
	ints := []int64{0, 1, 127, 128, 255, 256, 65535, 65536, 1<<32 - 1, 1 << 32, math.MaxInt64, -1, -32, -33, -128, -129, -32768, -32769, math.MinInt32, math.MinInt32 - 1, math.MinInt64}
	for _, n := range ints {
		agree(t, n)
		agree(t, int(n))
		agree(t, uint64(n))
	}
	for _, n := range []int{0, 31, 32, 255, 256, 65535, 65536} {
		agree(t, string(make([]byte, n)))
		agree(t, make([]byte, n))
	}
	agree(t, []byte(nil))
	agree(t, true)
	agree(t, false)
	agree(t, 1.5)
	agree(t, math.Inf(1))
	agree(t, struct{}{})
	agree[any](t, nil)
	agree[any](t, []any{int64(1), "x", map[string]any{"k": nil}})
}

func agree[T any](t *testing.T, v T) {
	t.Helper()
	c, err := codecFor[T]("value")
	if err != nil {
		t.Fatal(err)
	}
	p, err := planOf(reflect.TypeFor[T]())
	if err != nil {
		t.Fatal(err)
	}
	fast, err := c.encode(nil, v)
	if err != nil {
		t.Fatal(err)
	}
	slow, err := encodeValue(nil, reflect.ValueOf(&v).Elem(), p, "value")
	if err != nil {
		t.Fatal(err)
	}
	if !bytes.Equal(fast, slow) {
		t.Errorf("%T %v: % x without reflection, % x with", v, v, fast[:min(9, len(fast))], slow[:min(9, len(slow))])
	}
	if dynamic, err := Encode(nil, v); err != nil || !bytes.Equal(dynamic, fast) {
		t.Errorf("%T %v: Encode gives % x, %v", v, v, dynamic[:min(9, len(dynamic))], err)
	}
	got, err := c.decode(fast)
	if err != nil || !reflect.DeepEqual(got, v) {
		t.Errorf("%T %v: decoded as %v, %v", v, v, got, err)
	}
	// What is refused has to be refused for the same reason.
	for _, data := range []string{"", "\xc1", "\xc0", "\x05", "\xff", "\xcf\xff\xff\xff\xff\xff\xff\xff\xff", "\xa1x", "\xa2x", "\xc4\x01x", "\x80", "\x81\x01\x01", "\x90", "\xc3", "\xca\x00\x00\x00\x00", "\xc3\xc3", "\xd4\x01\x00"} {
		var viaPlan T
		_, fastErr := c.decode([]byte(data))
		slowErr := Decode([]byte(data), &viaPlan)
		if (fastErr == nil) != (slowErr == nil) || fastErr != nil && fastErr.Error() != slowErr.Error() {
			t.Errorf("%T from % x: %v without reflection, %v with", v, data, fastErr, slowErr)
		}
	}
}

type inner struct {
	A int
	B string `msgpack:"b,omitempty"`
}

type Outer struct {
	inner
	Own  Inner2 `msgpack:",omitempty"`
	Skip int    `msgpack:"-"`
	C    int    `msgpack:"c,alias:old"`
}

type Inner2 struct {
	X int `msgpack:",omitempty"`
}

type KeptWhole struct {
	A        int
	Inner2   `msgpack:",noinline"`
	*Pointed `msgpack:",noinline"`
}

type Pointed struct{ Y int }

// Shadowed has an A before the embedded one, which therefore keeps to itself.
type Shadowed struct {
	A string
	Inner3
}

type Inner3 struct{ A, Z int }

type Forced struct {
	A      string
	Inner3 `msgpack:",inline"`
}

type AllOptional struct {
	//lint:ignore U1000 msgpack reads its tag
	_msgpack struct{} `msgpack:",omitempty"`
	P, Q     int
}

type rawMessage struct{ b []byte }

func (m rawMessage) MarshalMsgpack() ([]byte, error) { return m.b, nil }

func (m *rawMessage) UnmarshalMsgpack(b []byte) error { m.b = b; return nil }

// Names, embedding and shadowing are msgpack's rules, which structFields has to
// follow: what msgpack writes must be read, field by field.
func TestPlan_FollowsTheStructRulesOfMsgpack(t *testing.T) {
	t.Parallel()
	for _, want := range []any{
		Outer{inner: inner{A: 1, B: "b"}, Own: Inner2{X: 2}, C: 3}, Outer{},
		KeptWhole{A: 1, Inner2: Inner2{2}, Pointed: &Pointed{3}}, KeptWhole{},
		Shadowed{A: "a", Inner3: Inner3{A: 1, Z: 2}},
		Forced{A: "a", Inner3: Inner3{Z: 2}},
		AllOptional{P: 1}, AllOptional{},
		rawMessage{[]byte{0x81, 0xa1, 'k', 0x01}}, []rawMessage{{[]byte{0x05}}},
		RawMessages{"k": {[]byte{0x90}}},
	} {
		data, err := msgpack.Marshal(want)
		if err != nil {
			t.Fatal(err)
		}
		got := reflect.New(reflect.TypeOf(want))
		if err := Decode(data, got.Interface()); err != nil {
			t.Errorf("%T: %v", want, err)
		} else if !reflect.DeepEqual(got.Elem().Interface(), want) {
			t.Errorf("%T: got %+v, want %+v", want, got.Elem(), want)
		}
	}
}

type RawMessages map[string]rawMessage

func TestPlan_ReadsAnAliasOnce(t *testing.T) {
	t.Parallel()
	var v Outer
	if err := Decode([]byte("\x82\xa1A\x01\xa3old\x05"), &v); err != nil || v.C != 5 {
		t.Errorf("got %+v, %v", v, err)
	}
	if err := Decode([]byte("\x83\xa1A\x01\xa3old\x05\xa1c\x05"), &v); err == nil {
		t.Error("name and alias were both taken")
	}
}
