package lab

import "testing"

func TestTransferred_FindsWhatIsWrong(t *testing.T) {
	t.Parallel()
	// Two producers of three items each: 1 2 3, and 4 5 6.
	for name, c := range map[string]struct {
		lists [][]int64
		want  transfer
	}{
		"all in order":   {[][]int64{{1, 4, 2}, {5, 3, 6}}, transfer{got: 6}},
		"one lost":       {[][]int64{{1, 2, 3}, {4, 6}}, transfer{got: 5}},
		"one twice":      {[][]int64{{1, 2, 3}, {2, 4, 5, 6}}, transfer{got: 6, twice: 1}},
		"out of order":   {[][]int64{{2, 1, 3}, {4, 5, 6}}, transfer{got: 6, disordered: 1}},
		"never put":      {[][]int64{{0, 7, -1}, {4, 5, 6}}, transfer{got: 3}},
		"nothing at all": {nil, transfer{}},
	} {
		if got := transferred(c.lists, 2, 3); got != c.want {
			t.Errorf("%s: %+v, want %+v", name, got, c.want)
		}
	}
}
