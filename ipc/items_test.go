package ipc

import (
	"bytes"
	"errors"
	"testing"
)

// results makes the payload of a result of items.
func results(values [][]byte, failures ...ItemFailure) []byte {
	b := appendArrayLen([]byte{0x92}, len(values))
	b = append(b, bytes.Join(values, nil)...)
	b = appendArrayLen(b, len(failures))
	for _, f := range failures {
		b = appendBin(appendUint(append(b, 0x92), uint64(f.Index)), f.Body)
	}
	return b
}

func TestParseItems_TakesResultsApart(t *testing.T) {
	t.Parallel()
	values := [][]byte{{1}, {0xcd, 1, 2}, {0xa2, 'h', 'i'}, {0xc0}, {0x92, 1, 0x81, 1, 2}, {0xcb, 0, 0, 0, 0, 0, 0, 0, 0}}
	r, err := ParseItems(results(values, ItemFailure{3, []byte("f")}, ItemFailure{5, nil}), len(values))
	if err != nil || !bytes.Equal(r.Values, bytes.Join(values, nil)) || len(r.Failures) != 2 ||
		r.Failures[0].Index != 3 || string(r.Failures[0].Body) != "f" || r.Failures[1].Index != 5 {
		t.Fatalf("got %+v, %v", r, err)
	}
	at := 0
	for n, v := range values {
		if got := SplitValues(r.Values, n); got != at {
			t.Fatalf("%d values end at %d, want %d", n, got, at)
		}
		at += len(v)
	}
}

func TestParseItems_RefusesWhatIsNoneOfThem(t *testing.T) {
	t.Parallel()
	one, two := [][]byte{{1}}, [][]byte{{1}, {2}}
	fail := func(i int) ItemFailure { return ItemFailure{Index: i} }
	for name, c := range map[string]struct {
		b []byte
		n int
	}{
		"nothing":                   {nil, 1},
		"no array":                  {[]byte{0x80}, 1},
		"an array of one":           {[]byte{0x91, 0x91, 1}, 1},
		"too few values":            {results(one), 2},
		"too many values":           {results(two), 1},
		"no values":                 {[]byte{0x92, 0xc0, 0x90}, 1},
		"values cut short":          {[]byte{0x92, 0x92, 1}, 2},
		"a value that is no value":  {[]byte{0x92, 0x91, 0xc1, 0x90}, 1},
		"no failures":               {[]byte{0x92, 0x91, 1, 0xc0}, 1},
		"more failures than values": {results(one, fail(0), fail(0)), 1},
		"index out of range":        {results(one, fail(1)), 1},
		"index twice":               {results(two, fail(1), fail(1)), 2},
		"indices that fall":         {results(two, fail(1), fail(0)), 2},
		"negative index":            {[]byte{0x92, 0x91, 1, 0x91, 0x92, 0xff, 0xc4, 0}, 1},
		"a failure that is no bin":  {[]byte{0x92, 0x91, 1, 0x91, 0x92, 0, 0x80}, 1},
		"a failure of one":          {[]byte{0x92, 0x91, 1, 0x91, 0x91, 0}, 1},
		"something behind":          {append(results(one), 0), 1},
		"values without end":        {[]byte{0x92, 0xdd, 0xff, 0xff, 0xff, 0xff, 1}, 1<<32 - 1},
		"failures without end":      {[]byte{0x92, 0x91, 1, 0xdd, 0xff, 0xff, 0xff, 0xff, 0}, 1},
	} {
		_, err := ParseItems(c.b, c.n)
		var violation *ProtocolError
		if !errors.As(err, &violation) {
			t.Errorf("%s: got %v", name, err)
		}
	}
}

// FuzzParseItems checks that what is accepted is valid msgpack of just the
// promised form.
func FuzzParseItems(f *testing.F) {
	f.Add(results([][]byte{{1}, {0xc0}}, ItemFailure{1, []byte{0x81, 0xa3, 'm', 's', 'g', 0xa1, 'x'}}), uint16(2))
	f.Add(results([][]byte{{0x93, 1, 2, 3}}), uint16(1))
	f.Add([]byte{0x92, 0xdd, 0xff, 0xff, 0xff, 0xff, 1}, uint16(7))
	f.Add([]byte{0x92, 0x91, 1, 0xdd, 0xff, 0xff, 0xff, 0xff, 0}, uint16(1))
	f.Fuzz(func(t *testing.T, b []byte, n uint16) {
		r, err := ParseItems(b, int(n))
		if err != nil {
			var violation *ProtocolError
			if !errors.As(err, &violation) {
				t.Fatalf("%#v", err)
			}
			return
		}
		if err := ValidatePayload(b); err != nil {
			t.Fatalf("accepted, but the validator refuses it: %v", err)
		}
		if got := SplitValues(r.Values, int(n)); got != len(r.Values) {
			t.Fatalf("%d values end at %d of %d", n, got, len(r.Values))
		}
		last := -1
		for _, f := range r.Failures {
			if f.Index <= last || f.Index >= int(n) {
				t.Fatalf("failures %+v of %d", r.Failures, n)
			}
			last = f.Index
		}
	})
}
