// Package task defines functions that run in other processes, and moves their
// arguments, results and errors there and back.
//
//	var Resize = task.Define("resize", func(ctx context.Context, in Photo) (Size, error) {
//		…
//	})
//
// The package variable is the task: a program that calls it and the worker
// program that runs it link the same definition, which alone names both types.
// A worker finds it by [Lookup] and runs it with [Def.Run].
//
// # Encoding
//
// Values travel as MessagePack, written by vmihailenco/msgpack: struct fields
// under the names that its tags give them (`msgpack:"name,omitempty"`), time.Time
// as a timestamp, time.Duration as nanoseconds, []byte as binary, nil slices and
// maps apart from empty ones. Types may encode themselves by any pair of methods
// that msgpack knows (EncodeMsgpack, MarshalMsgpack, MarshalBinary, MarshalText,
// and their counterparts). Fields are matched by name, exactly; embedded structs
// are inlined, embedded pointers to structs need the tag noinline; encoders
// given to msgpack.Register or RegisterExt are not known here.
//
// Before a value is encoded it is searched for what could not come back:
// cycles, more than 100 levels, and, inside an any, values of types that cannot
// travel.
//
// # Decoding
//
// The bytes come from another process and are not trusted. Decoding never
// leaves a zero value where something was meant: it refuses
//   - unknown fields, fields and keys that are given twice, and missing fields,
//     unless a field is a pointer or tagged omitempty;
//   - the wrong kind of value: a number for a string, a string for a []byte,
//     nil for anything but a pointer, slice, map or any;
//   - integers out of range, floats for integers, integers that a float cannot
//     hold exactly (those that it can are welcome);
//   - arrays of another length than the Go array's;
//   - bytes after the value, more than 100 levels, sizes beyond the bytes that
//     are there (checked before memory is taken for them).
//
// Errors name the part: "decode args.Items[3].Width: 300 does not fit int8".
//
// What is decoded into an any has one of these types, however the sender wrote
// it: nil, bool, int64, uint64 (only above the largest int64), float64, string,
// []byte, time.Time, []any, map[string]any. Integer keys become decimal strings.
// A struct put into an any comes back as a map. Times come back in UTC, and are
// also read from RFC 3339 strings; types with text or binary methods are also
// read from strings.
package task
