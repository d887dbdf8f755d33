package config

import (
	"errors"
	"fmt"
	"math"
	"path/filepath"
	"reflect"
	"sort"
	"strconv"
	"strings"
	"text/template"
)

var templateFuncs = template.FuncMap{
	"base":  func(v any) string { return filepath.Base(textOf(v)) },
	"dir":   func(v any) string { return filepath.Dir(textOf(v)) },
	"stem":  func(v any) string { s, _ := splitExt(textOf(v)); return s },
	"ext":   func(v any) string { _, e := splitExt(textOf(v)); return e },
	fnPrint: textOf,
	// The engines' own, which see the execution, take the place of these two.
	fnAt:   func(int) (string, error) { return "", errors.New("no scope") },
	fnKeep: func(any) string { return "" },
}

// splitExt gives the last element of a path without its extension, and the
// extension with its dot. A leading dot starts a hidden file's name, no
// extension.
func splitExt(p string) (stem, ext string) {
	base := filepath.Base(p)
	i := strings.LastIndexByte(base, '.')
	if i <= 0 {
		return base, ""
	}
	return base[:i], base[i:]
}

func textOf(v any) string {
	if s, ok := v.(string); ok {
		return s
	}
	return fromAny(v).Text()
}

// fromAny makes a Value of what a template computed.
func fromAny(v any) Value {
	switch v := v.(type) {
	case nil:
		return Value{typ: Null, text: "null"}
	case Value:
		return v
	case bool:
		return BoolValue(v)
	case string:
		return String(v)
	case float64:
		if math.IsNaN(v) || math.IsInf(v, 0) {
			return String(strconv.FormatFloat(v, 'g', -1, 64))
		}
		return Value{typ: Float, text: string(appendFloat(nil, v)), bits: math.Float64bits(v)}
	case []any:
		items := make([]Value, len(v))
		for i, e := range v {
			items[i] = fromAny(e)
		}
		return ListValue(items)
	case map[string]any:
		fields := make([]Field, 0, len(v))
		for name, e := range v {
			fields = append(fields, Field{Name: name, Value: fromAny(e)})
		}
		sort.Slice(fields, func(i, j int) bool { return fields[i].Name < fields[j].Name })
		return MapValue(fields)
	}
	switch rv := reflect.ValueOf(v); rv.Kind() {
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return IntValue(rv.Int())
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		u := rv.Uint()
		if u > math.MaxInt64 {
			return Value{typ: Uint, text: strconv.FormatUint(u, 10), bits: u}
		}
		return IntValue(int64(u))
	}
	return String(fmt.Sprint(v))
}

// appendText appends what Text gives.
func (v Value) appendText(b []byte) []byte {
	switch v.typ {
	case List, Map:
		return v.AppendJSON(b)
	}
	return append(b, v.text...)
}

// typeName names a value's type in a message.
func typeName(v Value) string {
	switch v.typ {
	case Null:
		return "null"
	case Bool:
		return "a boolean"
	case Int, Uint:
		return "an integer"
	case Float:
		return "a number"
	case Text:
		return "a text"
	case List:
		return "a list"
	}
	return "a map"
}

func asError(err error) (*Error, bool) {
	var e *Error
	ok := errors.As(err, &e)
	return e, ok
}

func containsUndefined(msg string) bool { return strings.Contains(msg, "not defined") }
