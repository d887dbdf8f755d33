package journal

import (
	"slices"
	"strings"
	"testing"
)

func TestArgv_ComesBackAsItWas(t *testing.T) {
	t.Parallel()
	for _, argv := range [][]string{
		{"run"},
		{"each", "--", "echo", "a b", "", "\xff\xfe'", "{\"$bytes\":\"eA==\"}", "\u2028<&>\x00"},
	} {
		text, err := encodeArgv(argv)
		if err != nil {
			t.Fatal(err)
		}
		got, err := decodeArgv(text)
		if err != nil || !slices.Equal(got, argv) {
			t.Errorf("%q came back as %q, %v", argv, got, err)
		}
	}
}

func TestArgv_IsWholeOrNotThere(t *testing.T) {
	t.Parallel()
	text, err := encodeArgv([]string{"each", strings.Repeat("x", maxArgv)})
	if err != nil {
		t.Fatal(err)
	}
	if got, err := decodeArgv(text); err != nil || len(got) > 0 {
		t.Errorf("%d arguments came back, %v", len(got), err)
	}
}
