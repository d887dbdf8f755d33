package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestNeeds_LevelsFollowTheDeepestNeed(t *testing.T) {
	t.Parallel()
	f := mustParse(t, `
jobs:
  - {id: last, run: [x], needs: [mid, first]}
  - {id: first, run: [x]}
  - {id: mid, run: [x], needs: first}
  - {id: alone, run: [x], needs: []}
  - {id: side, run: [x], needs: [alone]}
`)
	var got []string
	for _, level := range f.Levels {
		var ids []string
		for _, j := range level {
			ids = append(ids, j.ID)
		}
		got = append(got, strings.Join(ids, " "))
	}
	if diff := cmp.Diff([]string{"first alone", "mid side", "last"}, got); diff != "" {
		t.Error(diff)
	}
	if last := f.Job("last"); last.Level != 2 || last.Needs[0] != f.Job("mid") || last.Needs[1] != f.Job("first") {
		t.Errorf("last is at level %d and needs %v", last.Level, last.Needs)
	}
}

func TestNeeds_EveryCycleIsNamedOnce(t *testing.T) {
	t.Parallel()
	_, err := Parse("f", []byte(`
jobs:
  - {id: a, run: [x], needs: b}
  - {id: b, run: [x], needs: [a, c]}
  - {id: c, run: [x], needs: d}
  - {id: d, run: [x], needs: c}
  - {id: e, run: [x], needs: a}
`))
	want := "f:3:5: needs form a cycle: a → b → a\nf:5:5: needs form a cycle: c → d → c"
	if err == nil || err.Error() != want {
		t.Errorf("got\n%v\nwant\n%s", err, want)
	}
}
