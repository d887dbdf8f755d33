package ipc

import (
	"bytes"
	"encoding/binary"
	"strings"
	"testing"
)

// bigMap is a map32 of n integer keys from 0 with nil values, then extra.
func bigMap(n int, extra ...byte) []byte {
	b := binary.BigEndian.AppendUint32([]byte{0xdf}, uint32(n)+uint32(len(extra)/2))
	for i := range n {
		b = append(appendUint(b, uint64(i)), 0xc0)
	}
	return append(b, extra...)
}

func TestValidate_FindsADuplicateAmongAnyNumberOfKeys(t *testing.T) {
	t.Parallel()
	for _, n := range []int{1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 100, 127} {
		if err := ValidatePayload(bigMap(n)); err != nil {
			t.Errorf("%d keys: %v", n, err)
		}
		for dup := range n {
			if err := ValidatePayload(bigMap(n, byte(dup), 0xc0)); err == nil {
				t.Errorf("%d keys and %d again: accepted", n, dup)
			}
		}
	}
}

func TestValidate_TellsIntegersApartByValue(t *testing.T) {
	t.Parallel()
	// Each row is one number in several encodings.
	numbers := [][]string{
		{"\x00", "\xcc\x00", "\xcd\x00\x00", "\xd0\x00", "\xd3\x00\x00\x00\x00\x00\x00\x00\x00"},
		{"\x7f", "\xcc\x7f", "\xd0\x7f", "\xd1\x00\x7f", "\xce\x00\x00\x00\x7f"},
		{"\xcc\x80", "\xcd\x00\x80", "\xd1\x00\x80", "\xcf\x00\x00\x00\x00\x00\x00\x00\x80"},
		{"\xff", "\xd0\xff", "\xd1\xff\xff", "\xd2\xff\xff\xff\xff", "\xd3\xff\xff\xff\xff\xff\xff\xff\xff"},
		{"\xe0", "\xd0\xe0", "\xd2\xff\xff\xff\xe0"},
		{"\xd0\x80", "\xd1\xff\x80", "\xd3\xff\xff\xff\xff\xff\xff\xff\x80"},
		{"\xcf\xff\xff\xff\xff\xff\xff\xff\xff"},
		{"\xd3\x80\x00\x00\x00\x00\x00\x00\x00"},
		{"\xcf\x80\x00\x00\x00\x00\x00\x00\x00"},
		{"\xa0", "\xd9\x00"},
		{"\xa1\x00", "\xda\x00\x01\x00"},
		{"\xa8\x00\x00\x00\x00\x00\x00\x00\x00"},
	}
	for i, row := range numbers {
		for j, other := range numbers {
			for _, a := range row {
				for _, b := range other {
					err := ValidatePayload([]byte("\x82" + a + "\xc0" + b + "\xc0"))
					if same := i == j; same != (err != nil) {
						t.Errorf("keys % x and % x: %v", a, b, err)
					}
				}
			}
		}
	}
}

func TestValidate_KeysOfMapsAroundAreNotMixedUp(t *testing.T) {
	t.Parallel()
	// An outer map of 20 keys, each with an inner map of the same 20 keys.
	inner := bigMap(20)
	outer := binary.BigEndian.AppendUint16([]byte{0xde}, 20)
	for i := range 20 {
		outer = append(appendUint(outer, uint64(i)), inner...)
	}
	if err := ValidatePayload(outer); err != nil {
		t.Errorf("all different: %v", err)
	}
	again := bytes.Clone(outer)
	again[2] = 21
	again = append(append(again, 19), inner...)
	if err := ValidatePayload(again); err == nil {
		t.Error("a duplicate key around the inner maps: accepted")
	}
}

func TestValidate_EveryPrefixAndEveryExtensionIsRefused(t *testing.T) {
	t.Parallel()
	for _, v := range vectors(t, "payloads.json") {
		if v.Reason != "" {
			continue
		}
		b := v.bytes()
		for cut := range b {
			if ValidatePayload(b[:cut]) == nil {
				t.Errorf("%s: its first %d bytes of %d pass", v.Name, cut, len(b))
			}
		}
		for _, x := range []byte{0x00, 0x80, 0xc0, 0xc1} {
			if ValidatePayload(append(bytes.Clone(b), x)) == nil {
				t.Errorf("%s: passes with 0x%02x behind it", v.Name, x)
			}
		}
	}
}

func TestValidateControl_BoundsElements(t *testing.T) {
	t.Parallel()
	list := func(n int) []byte {
		return append(binary.BigEndian.AppendUint32([]byte{0xdd}, uint32(n)), make([]byte, n)...)
	}
	if err := ValidateControl(list(MaxControlElements - 1)); err != nil { // the array counts too
		t.Error(err)
	}
	err := ValidateControl(list(MaxControlElements))
	if err == nil || !strings.Contains(err.Error(), "elements") {
		t.Errorf("one over the limit: %v", err)
	}
	if err := ValidatePayload(list(MaxControlElements)); err != nil {
		t.Errorf("as a payload: %v", err)
	}
}

func TestValidate_HostileLengthsCostNothing(t *testing.T) {
	all := vectors(t, "payloads.json")
	for _, v := range all {
		b := v.bytes()
		got := allocated(func() {
			for range 10 {
				_ = ValidatePayload(b)
			}
		})
		if got > 10*uint64(16<<10+8*len(b)) {
			t.Errorf("%s: %d bytes for 10 times", v.Name, got)
		}
	}
}

func TestValidate_ManyKeysCostAFewBytesEach(t *testing.T) {
	const n = 200_000
	b := bigMap(n)
	got := allocated(func() {
		if err := ValidatePayload(b); err != nil {
			t.Error(err)
		}
	})
	// The hashes, and what their slice grew through.
	if got > 8*8*n {
		t.Errorf("%d bytes for a map of %d bytes", got, len(b))
	}
}

func TestValidate_SmallMapsDoNotAllocate(t *testing.T) {
	b := []byte("\x92\x83\xa1a\x01\xa1b\x82\xa1c\x01\x02\x03\xa1d\x90\x80")
	if n := testing.AllocsPerRun(100, func() {
		if err := ValidatePayload(b); err != nil {
			t.Fatal(err)
		}
	}); n > 0 {
		t.Errorf("%v allocations", n)
	}
}
