package boot

import "testing"

func TestParse_ReadsMarkers(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		in   string
		want marker
		ok   bool
	}{
		{"", marker{-1, -1, -1, -1, -1, -1}, true},
		{"out=3", marker{3, -1, -1, -1, -1, -1}, true},
		{"out=3 page=4", marker{3, 4, -1, -1, -1, -1}, true},
		{"ctl=3 parent=4", marker{-1, -1, 3, 4, -1, -1}, true},
		{"ctl=3 parent=4 record=5 folder=6", marker{-1, -1, 3, 4, 5, 6}, true},
		{"  page=999999 new=1 ", marker{-1, 999999, -1, -1, -1, -1}, true},
		{"page=9999999", marker{}, false},
		{"out", marker{}, false},
		{"out=", marker{}, false},
		{"=3", marker{}, false},
		{"out=-1", marker{}, false},
		{"out=3x", marker{}, false},
	} {
		got, ok := parse(c.in)
		if ok != c.ok || ok && got != c.want {
			t.Errorf("parse(%q) = %v, %v; want %v, %v", c.in, got, ok, c.want, c.ok)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"", "out=3 page=4", "ctl=3 parent=4", "out=", "=", "page=99999999999999999999"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		m, ok := parse(s)
		if !ok {
			return
		}
		for _, v := range []int{m.out, m.page, m.ctl, m.parent, m.record, m.folder} {
			if v < -1 || v > 999999 {
				t.Errorf("parse(%q) = %v: out of range", s, m)
			}
		}
	})
}
