package config

import (
	"bytes"
	"math"
	"runtime"
	"strings"
	"testing"
)

// same reports that two values have the same types, texts, bits and names.
func same(a, b Value) bool {
	if a.typ != b.typ || a.text != b.text || a.bits != b.bits || len(a.Items()) != len(b.Items()) || len(a.Fields()) != len(b.Fields()) {
		return false
	}
	for i, e := range a.Items() {
		if !same(e, b.Items()[i]) {
			return false
		}
	}
	for i, f := range a.Fields() {
		if g := b.Fields()[i]; f.Name != g.Name || !same(f.Value, g.Value) {
			return false
		}
	}
	return true
}

func TestValue_BinaryFormLosesNothing(t *testing.T) {
	t.Parallel()
	deep := String("x")
	for range 2 * maxDepth {
		deep = ListValue([]Value{deep})
	}
	var many []Field
	for i := range 40 {
		many = append(many, Field{IntValue(int64(i)).Text(), IntValue(int64(-i))})
	}
	values := []Value{
		{}, Scalar("~"), Scalar("NULL"), Scalar("True"), Scalar("false"), Scalar("0x1F"), Scalar("-0"), Scalar("+5"),
		Scalar("-9223372036854775808"), Scalar("18446744073709551615"), Scalar("0xFFFFFFFFFFFFFFFF"),
		Scalar("3.0"), Scalar("5."), Scalar(".5"), Scalar("-1e3"), fromAny(3.0), fromAny(math.Copysign(0, -1)), fromAny(1e300), fromAny(5e-324),
		String(""), String("~"), String("12"), String("a\x00\xff\n"), String(strings.Repeat("x", 300)),
		ListValue(nil), MapValue(nil), deep, MapValue(many),
		MapValue([]Field{{"", ListValue([]Value{Scalar("1"), {}})}, {"\xff", MapValue([]Field{{"a", String("b")}})}}),
	}
	var all []byte
	for _, v := range values {
		all = v.AppendBinary(all)
	}
	rest := all
	for i, want := range values {
		v, behind, err := DecodeValue(rest)
		if err != nil {
			t.Fatalf("value %d: %v", i, err)
		}
		if !same(v, want) {
			t.Errorf("value %d is %d %q, want %d %q", i, v.typ, v.Text(), want.typ, want.Text())
		}
		rest = behind
	}
	if len(rest) != 0 {
		t.Errorf("%d bytes are left", len(rest))
	}
	clear(all)
	if v, _, _ := DecodeValue(String("kept").AppendBinary(nil)); v.Text() != "kept" {
		t.Errorf("got %q", v.Text())
	}
}

func TestDecodeValue_RefusesWhatIsNotWritten(t *testing.T) {
	t.Parallel()
	field := func(name string) string { return string(appendBinaryText(nil, name)) + "\x00\x00" }
	for src, want := range map[string]string{
		"":                                     "unexpected end of a value at byte 0",
		"\x08":                                 "unknown type 8 of a value at byte 0",
		"\x05":                                 "unexpected end of a value at byte 1",
		"\x05\x03ab":                           "unexpected end of a value at byte 1",
		"\x05\xff\xff\xff\xff\xff\xff\xff\xff": "unexpected end of a value at byte 1",
		"\x05" + strings.Repeat("\xff", 11):    "a length that does not fit 64 bits at byte 1",
		"\x06\x80\x80\x80\x80\x80\x80\x80\x40": "unexpected end of a value at byte 1",
		"\x06\x02\x00\x00":                     "unexpected end of a value at byte 4",
		"\x02\x031.5":                          `"1.5" is no value of type 2 at byte 1`,
		"\x02\x03017":                          `"017" is no value of type 2 at byte 1`,
		"\x04\x03inf":                          `"inf" is no value of type 4 at byte 1`,
		"\x04\x060x1p-2":                       `"0x1p-2" is no value of type 4 at byte 1`,
		"\x04\x051e999":                        `"1e999" is no value of type 4 at byte 1`,
		"\x01\x03yes":                          `"yes" is no value of type 1 at byte 1`,
		"\x00\x01x":                            `"x" is no value of type 0 at byte 1`,
		"\x07\x02" + field("a") + field("a"):   `field "a" repeated at byte 6`,
		strings.Repeat("\x06\x01", 401) + "\x00\x00": "a value nested deeper than 400 levels at byte 801",
	} {
		v, rest, err := DecodeValue([]byte(src))
		if err == nil || err.Error() != want {
			t.Errorf("%.20q gives %v, want %s", src, err, want)
		}
		if !same(v, Value{}) || string(rest) != src {
			t.Errorf("%.20q gives a value in spite of the error", src)
		}
	}
}

// A length is a claim of whoever wrote the file.
func TestDecodeValue_AllocatesWhatIsThere(t *testing.T) {
	// Each of the nested lists claims all bytes behind it as its entries.
	var src []byte
	for range maxBinaryDepth {
		src = append(src, byte(List), 0xe0, 0xd4, 0x03) // 60,000
	}
	src = append(src, make([]byte, 64<<10)...)
	src[len(src)-1] = 0xff
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	if _, _, err := DecodeValue(src); err == nil {
		t.Error("lists without their entries are read")
	}
	runtime.ReadMemStats(&after)
	if took := after.TotalAlloc - before.TotalAlloc; took > 16<<20 {
		t.Errorf("%d bytes take %d MiB", len(src), took>>20)
	}
}

func FuzzDecodeValue(f *testing.F) {
	for _, s := range []string{`{"a":[1,2.50,"x",null,true],"b":{}}`, `[[[[]]]]`, `-0.0e-10`, `18446744073709551615`} {
		v, err := ParseJSON([]byte(s))
		if err != nil {
			f.Fatal(err)
		}
		f.Add(v.AppendBinary(nil))
	}
	f.Add([]byte("\x07\x01\x01\xff\x05\x01\xff"))
	f.Add([]byte("\x06\xff\xff\xff\xff\x0f"))
	f.Fuzz(func(t *testing.T, src []byte) {
		v, rest, err := DecodeValue(src)
		if err != nil {
			return
		}
		if !bytes.HasSuffix(src, rest) || len(rest) == len(src) {
			t.Fatalf("%d of %d bytes are left", len(rest), len(src))
		}
		again, behind, err := DecodeValue(v.AppendBinary(nil))
		if err != nil || len(behind) > 0 || !same(v, again) {
			t.Fatalf("%q changes to %q, %v", v.Text(), again.Text(), err)
		}
	})
}
