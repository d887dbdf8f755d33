package config

import (
	"strings"
	"testing"
)

func TestScalar_TypesFollowTheCoreSchema(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]Type{
		"": Null, "~": Null, "null": Null, "Null": Null, "nULL": Text,
		"true": Bool, "FALSE": Bool, "yes": Text, "on": Text, "y": Text,
		"0": Int, "-0": Int, "+7": Int, "9223372036854775807": Int, "-9223372036854775808": Int,
		"9223372036854775808": Uint, "18446744073709551615": Uint, "18446744073709551616": Text,
		"0x1f": Int, "0xFFFFFFFFFFFFFFFF": Uint, "0o17": Int, "0b101": Int, "0x": Text, "0xg": Text, "0o8": Text, "0b2": Text,
		"1.5": Float, ".5": Float, "5.": Float, "1e3": Float, "1.5E-3": Float, "-.5": Float, "0.0": Float, "0e0": Float,
		"1e": Text, "1e+": Text, "e1": Text, ".": Text, "-": Text, "+": Text, "1.2.3": Text, "1-2": Text, "1..2": Text,
		"017": Text, "1_000": Text, ".nan": Text, "-.inf": Text, "1e999": Text, "0_1": Text, "0x_1": Text,
		"1 2": Text, "12:30": Text, "2024-01-01": Text, "é": Text, "1é": Text,
	} {
		v := Scalar(text)
		if v.Type() != want || v.Text() != text {
			t.Errorf("Scalar(%q) is type %d, prints %q, want type %d", text, v.Type(), v.Text(), want)
		}
	}
}

func TestValue_JSONKeepsNumbersAsWritten(t *testing.T) {
	t.Parallel()
	v := ListValue([]Value{
		Scalar("3.0"), Scalar("1e3"), Scalar(".5"), Scalar("5."), Scalar("+5"), Scalar("0x1F"), Scalar("-0"),
		Scalar("~"), Scalar("True"), Scalar("18446744073709551615"), String("a\"\\\n\r\t\x01\x7f<é\xff"), {},
		MapValue([]Field{{"b", Scalar("1")}, {"a", ListValue(nil)}}),
	})
	want := `[3.0,1e3,0.5,5,5,31,0,null,true,18446744073709551615,"a\"\\\n\r\t\u0001\u007f<é` + "\xff" + `",null,{"b":1,"a":[]}]`
	if got := v.Text(); got != want {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	if b, err := v.MarshalJSON(); err != nil || string(b) != want {
		t.Errorf("MarshalJSON gives %s, %v", b, err)
	}
}

func TestValue_EqualComparesTypeAndText(t *testing.T) {
	t.Parallel()
	if Scalar("1").Equal(Scalar("1.0")) || Scalar("1").Equal(String("1")) || !Scalar("~").Equal(Scalar("null")) {
		t.Error("scalars")
	}
	a, b := ListValue([]Value{IntValue(1)}), ListValue([]Value{IntValue(1)})
	if !a.Equal(b) || a.Equal(ListValue(nil)) {
		t.Error("lists")
	}
}

func TestParseJSON_AcceptsValues(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]string{
		` {"b" : [ 1 , 2.50 ] , "a" : { } } `:   `{"b":[1,2.50],"a":{}}`,
		`"\u00e9\ud83d\ude00\/\b\f\n\r\t\"\\x"`: "é😀/\b\f\n\r\t\"\\x",
		`-0.0e-10`:                              "-0.0e-10",
		`[]`:                                    "[]",
		"true":                                  "true",
		strings.Repeat("[", 100) + strings.Repeat("]", 100): strings.Repeat("[", 100) + strings.Repeat("]", 100),
	} {
		v, err := ParseJSON([]byte(src))
		if err != nil || v.Text() != want {
			t.Errorf("%s gives %q, %v, want %q", src, v.Text(), err, want)
		}
	}
}

func TestParseJSON_RefusesWhatIsNotExact(t *testing.T) {
	t.Parallel()
	for src, want := range map[string]string{
		``:                               "unexpected end of JSON at byte 0",
		`{"a":1,"a":2}`:                  `JSON key "a" repeated at byte 10`,
		`{"a":1,}`:                       "invalid JSON: want a key in quotes at byte 7",
		`[1,]`:                           "invalid JSON at byte 3",
		`[1 2]`:                          "invalid JSON: want a comma or ']' at byte 3",
		`{"a" 1}`:                        "invalid JSON: want a colon at byte 5",
		`[1`:                             "unexpected end of JSON at byte 2",
		`"abc`:                           "unexpected end of JSON at byte 4",
		"\"a\nb\"":                       "invalid JSON: control character in a string at byte 2",
		`"\x"`:                           "invalid JSON: unknown escape at byte 3",
		`"\ud800"`:                       "invalid JSON: half a surrogate pair at byte 7",
		`"\u12"`:                         `invalid JSON: \u wants four hex digits at byte 3`,
		`01`:                             "something follows the JSON value at byte 1",
		`1 2`:                            "something follows the JSON value at byte 2",
		`NaN`:                            "invalid JSON at byte 0",
		`tru`:                            "invalid JSON at byte 0",
		`18446744073709551616`:           "JSON number 18446744073709551616 does not fit 64 bits at byte 0",
		`1e999`:                          "JSON number 1e999 is too large for a number at byte 0",
		"\"\xff\"":                       "JSON is not valid UTF-8",
		strings.Repeat("[", 101):         "JSON nested deeper than 100 levels at byte 100",
		strings.Repeat(`{"a":`, 100_000): "JSON nested deeper than 100 levels at byte 500",
		manyKeys(40) + `,"k3":1}`:        `JSON key "k3" repeated at byte 315`,
	} {
		_, err := ParseJSON([]byte(src))
		if err == nil || err.Error() != want {
			t.Errorf("%.40s gives %v, want %s", src, err, want)
		}
	}
}

func manyKeys(n int) string {
	var b strings.Builder
	for i := range n {
		b.WriteString(",\"k" + IntValue(int64(i)).Text() + "\":1")
	}
	return "{" + b.String()[1:]
}
