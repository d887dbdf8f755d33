package task_test

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"

	"github.com/feac4032/multiproc/task"
)

func TestAppendJSON(t *testing.T) {
	t.Parallel()
	tests := []struct{ name, data, want string }{
		{"nil", "c0", `null`},
		{"bools", "92 c2 c3", `[false,true]`},
		{"integers", "94 05 ff d3 8000000000000000 cf ffffffffffffffff", `[5,-1,-9223372036854775808,18446744073709551615]`},
		{"floats", "94 ca 3dcccccd cb 3fb999999999999a cb 4008000000000000 cb 8000000000000000", `[0.1,0.1,3,-0]`},
		{"large and small floats", "92 cb 54b249ad2594c37d cb 3e112e0be826d695", `[1e+100,1e-09]`},
		{"not a number", "93 cb 7ff8000000000001 cb 7ff0000000000000 ca ff800000", `["NaN","Infinity","-Infinity"]`},
		{"text", "a7'a\"\\b/<'0a", `"a\"\\b/<\n"`},
		{"controls", "a6 00 1b 7f c285 09", `"\u0000\u001b\u007f\u0085\t"`},
		{"wide text", "a9'é€😀'", `"é€😀"`},
		{"not UTF-8", "a2 'a'ff", `{"$string":"Yf8="}`},
		{"binary", "c4 02 0001", `{"$bytes":"AAE="}`},
		{"empty binary", "c4 00", `{"$bytes":""}`},
		{"timestamp", "d7 ff 0000001400000001", `"1970-01-01T00:00:01.000000005Z"`},
		{"timestamp far away", "c7 0c ff 00000000 7fffffffffffffff", `{"$ext":[-1,"AAAAAH//////////"]}`},
		{"bad timestamp", "d4 ff 07", `{"$ext":[-1,"Bw=="]}`},
		{"extension", "d4 05 07", `{"$ext":[5,"Bw=="]}`},
		{"map", "82 a1'b'01 a1'a'80", `{"b":1,"a":{}}`},
		{"keys of other kinds", "86 01 c0 ff c0 c3 c0 c0 c0 cb 3ff8000000000000 c0 cb 7ff0000000000000 c0", `{"1":null,"-1":null,"true":null,"null":null,"1.5":null,"Infinity":null}`},
		{"keys that are not UTF-8", "82 a1 ff 01 c4 01 ff 02", `{"$string:/w==":1,"$bytes:/w==":2}`},
		{"key that looks like a mark", "81 a6'$bytes' a0", `{"$$bytes":""}`},
		{"key that looks escaped", "81 a7'$$bytes' a0", `{"$$$bytes":""}`},
		{"key like a mark among others", "82 a6'$bytes' a0 a4'$ref' a0", `{"$bytes":"","$ref":""}`},
		{"key like a marked key", "82 a8'$bytes:x' 01 a9'$$string:' 02", `{"$$bytes:x":1,"$$$string:":2}`},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			got, err := task.AppendJSON([]byte("before "), raw(t, tt.data))
			if err != nil {
				t.Fatal(err)
			}
			if want := "before " + tt.want; string(got) != want {
				t.Errorf("got  %s\nwant %s", got, want)
			}
			if !json.Valid(got[len("before "):]) {
				t.Error("not JSON")
			}
		})
	}
}

func TestAppendJSON_RefusesHostileInput(t *testing.T) {
	t.Parallel()
	for name, data := range map[string]string{
		"empty": "", "trailing": "c0c0", "cut": "92c0", "undefined": "c1",
		"array of 2^32-1": "dd ffffffff", "map of 2^32-1": "df ffffffff", "binary of 2^31": "c6 80000000",
		"array as key": "81 90 c0", "extension as key": "81 d40000 c0",
		"deep": strings.Repeat("91", 101) + "c0",
	} {
		got, err := task.AppendJSON([]byte("before"), raw(t, data))
		if err == nil || string(got) != "before" {
			t.Errorf("%s: got %q, %v", name, got, err)
		}
	}
}

func TestAppendJSON_ReadsBackAsJSONReadsIt(t *testing.T) {
	t.Parallel()
	want := map[string]any{"s": "é\u2028\n", "n": -1.25e-9, "b": true, "l": []any{nil, "", map[string]any{}}}
	data, err := task.Encode(nil, want)
	if err != nil {
		t.Fatal(err)
	}
	text, err := task.AppendJSON(nil, data)
	if err != nil {
		t.Fatal(err)
	}
	var got any
	if err := json.Unmarshal(text, &got); err != nil {
		t.Fatal(err)
	}
	if !reflect.DeepEqual(got, any(want)) {
		t.Errorf("got %v, want %v", got, want)
	}
}
