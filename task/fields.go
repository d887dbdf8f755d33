package task

import (
	"fmt"
	"reflect"

	"github.com/vmihailenco/tagparser/v2"
)

// field is one field of a struct on the wire.
type field struct {
	name     string
	aliases  []string
	index    []int
	typ      reflect.Type
	optional bool // may be missing: tagged omitempty, or a pointer
	plan     *plan
}

// structFields lists the fields of a struct as msgpack encodes them. It has to
// follow msgpack's own rules for names, embedding and shadowing; where those
// lead to values that do not survive the journey, it returns an error.
func structFields(t reflect.Type) (list []field, asArray bool, err error) {
	taken := make(map[string]bool, t.NumField())
	allOptional := false
	for i := range t.NumField() {
		sf := t.Field(i)
		tag := tagparser.Parse(sf.Tag.Get("msgpack"))
		if tag.Name == "-" {
			continue
		}
		if sf.Name == "_msgpack" {
			asArray = tag.HasOption("as_array") || tag.HasOption("asArray")
			allOptional = allOptional || tag.HasOption("omitempty")
		}
		if !sf.IsExported() && !sf.Anonymous {
			continue
		}
		if tag.HasOption("intern") {
			return nil, false, withinType("."+sf.Name, &typeError{reason: "interned values are not supported"})
		}
		if sf.Anonymous && !tag.HasOption("noinline") {
			inner, inlined, err := embedded(sf, tag.HasOption("inline"), taken)
			if err != nil {
				return nil, false, withinType("."+sf.Name, err)
			}
			if inlined {
				for _, f := range inner {
					taken[f.name] = true
				}
				list = append(list, inner...)
				taken[orName(tag.Name, sf.Name)] = true
				continue
			}
		}
		if !sf.IsExported() {
			return nil, false, withinType("."+sf.Name, &typeError{reason: "an unexported embedded field cannot travel"})
		}
		f := field{
			name:     orName(tag.Name, sf.Name),
			index:    sf.Index,
			typ:      sf.Type,
			optional: allOptional || tag.HasOption("omitempty") || sf.Type.Kind() == reflect.Pointer,
		}
		if taken[f.name] {
			return nil, false, withinType("."+sf.Name, &typeError{reason: fmt.Sprintf("a second field named %q", f.name)})
		}
		taken[f.name] = true
		if alias, ok := tag.Options["alias"]; ok {
			if taken[alias] {
				return nil, false, withinType("."+sf.Name, &typeError{reason: fmt.Sprintf("a second field named %q", alias)})
			}
			taken[alias] = true
			f.aliases = append(f.aliases, alias)
		}
		list = append(list, f)
	}
	return list, asArray, nil
}

func orName(name, fallback string) string {
	if name == "" {
		return fallback
	}
	return name
}

// embedded decides whether an embedded field's own fields stand in the outer
// struct, and lists them.
func embedded(sf reflect.StructField, forced bool, taken map[string]bool) (list []field, inlined bool, err error) {
	t := sf.Type
	pointer := t.Kind() == reflect.Pointer
	if pointer {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		if forced {
			return nil, false, &typeError{reason: "only a struct can be inlined"}
		}
		return nil, false, nil
	}
	if own, err := methodsOf(t); err != nil {
		return nil, false, err
	} else if own.kind != methodsNone || t == timeType {
		return nil, false, nil
	}
	list, _, err = structFields(t)
	if err != nil {
		return nil, false, err
	}
	shadowed := false
	kept := list[:0]
	for _, f := range list {
		if taken[f.name] {
			shadowed = true
			continue
		}
		f.index = append(append([]int(nil), sf.Index...), f.index...)
		kept = append(kept, f)
	}
	if shadowed && !forced {
		return nil, false, nil
	}
	if pointer {
		// A nil one is encoded as if its fields were nil, which is told apart
		// from neither an empty struct nor a mistake.
		return nil, false, &typeError{reason: "an embedded pointer cannot be inlined: embed the struct itself, or tag the field `msgpack:\",noinline\"`"}
	}
	return kept, true, nil
}
