package config

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func combinations(m *Matrix) (out []string) {
	for i := range m.Len() {
		var b strings.Builder
		for _, f := range m.At(i) {
			b.WriteString(f.Name + "=" + f.Value.Text() + " ")
		}
		out = append(out, strings.TrimSpace(b.String()))
	}
	return out
}

func matrixOf(t *testing.T, text string) *Matrix {
	t.Helper()
	return mustParse(t, "jobs: [{id: a, run: [x], matrix: "+text+"}]\n").Jobs[0].Matrix
}

func TestMatrix_FirstAxisIsTheSlowest(t *testing.T) {
	t.Parallel()
	got := combinations(matrixOf(t, "{b: [1, 2], a: [x, y, z]}"))
	want := []string{"b=1 a=x", "b=1 a=y", "b=1 a=z", "b=2 a=x", "b=2 a=y", "b=2 a=z"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestMatrix_ExcludeMatchesTheAxesItNames(t *testing.T) {
	t.Parallel()
	got := combinations(matrixOf(t, "{w: [1, 2, 3], f: [a, b], exclude: [{w: 2}, {f: b, w: 3}]}"))
	want := []string{"w=1 f=a", "w=1 f=b", "w=3 f=a"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestMatrix_IncludeFollowsTheProduct(t *testing.T) {
	t.Parallel()
	// What exclude took away, include may bring back.
	got := combinations(matrixOf(t, "{w: [1, 2], f: [a], include: [{f: z, w: 9}, {w: 1, f: a}], exclude: [{w: 1}]}"))
	want := []string{"w=2 f=a", "w=9 f=z", "w=1 f=a"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	got = combinations(matrixOf(t, "{w: [1, 2], exclude: [{w: 1}, {w: 2}], include: [{w: 3}]}"))
	if diff := cmp.Diff([]string{"w=3"}, got); diff != "" {
		t.Error(diff)
	}
}

func TestMatrix_ValuesKeepTheirType(t *testing.T) {
	t.Parallel()
	m := matrixOf(t, `{v: [1, "1", 1.0, ~, {a: [b]}]}`)
	want := []any{int64(1), "1", 1.0, nil}
	for i, w := range want {
		if got := m.At(i)[0].Value.Any(); got != w {
			t.Errorf("value %d is %T(%v), want %T(%v)", i, got, got, w, w)
		}
	}
	if got := m.At(4)[0].Value.Text(); got != `{"a":["b"]}` {
		t.Errorf("value 4 is %s", got)
	}
	if axes := m.Axes(); len(axes) != 1 || axes[0].Name != "v" {
		t.Errorf("axes are %v", axes)
	}
}

func TestMatrix_WithForeachBoundsTheInstances(t *testing.T) {
	t.Parallel()
	_, err := Parse("f", []byte("jobs: [{id: a, run: [x], foreach: {range: 1..9007199254740992}, matrix: {w: [1, 2]}}]\n"))
	want := "f:1:35: foreach and matrix make more than 2^53 instances"
	if err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
}
