package batch

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/feac4032/multiproc/pool"
)

// sizesOf gives how many items the instances had, by index.
func sizesOf(c *crew) (sizes []int) {
	for _, s := range c.starts {
		var n int
		fmt.Sscanf(s.label[strings.IndexByte(s.label, '#')+1:], "%d", &n)
		for len(sizes) <= n {
			sizes = append(sizes, 0)
		}
		sizes[n] = s.items
	}
	return sizes
}

func TestChunk_FixedSizes(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		file  string
		sizes []int
		bad   int64
	}{
		{"chunk: 3, foreach: {range: 1..8}", []int{3, 3, 2}, 0},
		{"chunk: 3, foreach: {range: 1..9}", []int{3, 3, 3}, 0},
		{"chunk: 100, foreach: [1]", []int{1}, 0},
		{"chunk: 2, foreach: {range: 1..5}, matrix: {m: [p, q]}", []int{2, 2, 2, 2, 1, 1}, 0},
		// A bad item is an instance of its own, and ends the chunk in front of it.
		{"chunk: 3, foreach: {jsonl: in.jsonl}", []int{2, 0, 0, 3, 1}, 2},
		{"chunk: 3, foreach: {lines: empty}", nil, 0},
	} {
		tr := setup(t, "jobs: [{id: a, run: [x], "+tc.file+"}]")
		tr.write("in.jsonl", "1\n2\n{\n[\n3\n4\n5\n6\n")
		tr.write("empty", "")
		c := crewed(tr, 2)
		var progress Progress
		tr.cfg.Progress = &progress
		rep := tr.run()
		if sizes := sizesOf(c); !slices.Equal(sizes, tc.sizes) || rep.Totals.Failed != tc.bad {
			t.Errorf("%s: chunks of %v, want %v; totals %+v", tc.file, sizes, tc.sizes, rep.Totals)
		}
		if n := progress.Status(0).Total; n != len(tc.sizes) {
			t.Errorf("%s: %d instances are said to be, want %d", tc.file, n, len(tc.sizes))
		}
	}
}

func TestChunk_IsKnownBeforeItRuns(t *testing.T) {
	t.Parallel()
	for file, want := range map[string]int64{
		"chunk: 3, foreach: {range: 1..8}":                                     3,
		"chunk: 3, foreach: {range: 1..9}, matrix: {m: [1, 2]}":                6,
		"chunk: auto, foreach: {range: 1..9}":                                  -1,
		"chunk: 3, foreach: {lines: x}":                                        -1,
		"foreach: {range: 1..9}":                                               9,
		"chunk: 1000000, foreach: {range: 1..9007199254740992}":                9007199255,
		"chunk: 1, foreach: {range: 9223372036854775806..9223372036854775807}": 2,
	} {
		p := plansOf(t, "jobs: [{id: a, run: [x], "+file+"}]", Settings{})[0]
		n, known := p.known()
		if !known {
			n = -1
		}
		if n != want {
			t.Errorf("%s: %d, want %d", file, n, want)
		}
	}
}

func TestChunk_AutoFindsItsSize(t *testing.T) {
	t.Parallel()
	tr := setup(t, "jobs: [{id: a, run: [x], chunk: auto, foreach: {range: 1..20000}}]")
	c := crewed(tr, 2)
	each := time.Millisecond
	items := 0
	c.work = func(in *Instance, _ int) (time.Duration, *pool.Result) {
		if items += len(in.Items); items > 10000 {
			each = 50 * time.Millisecond
		}
		return time.Duration(len(in.Items)) * each, ok()
	}
	rep := tr.run()
	sizes := sizesOf(c)
	total := 0
	for _, n := range sizes {
		total += n
	}
	if total != 20000 || rep.Totals.OK != int64(len(sizes)) {
		t.Errorf("%d items in %d chunks, totals %+v", total, len(sizes), rep.Totals)
	}
	if sizes[0] != 1 || slices.Max(sizes) < 256 || slices.Max(sizes) > 4096 {
		t.Errorf("with 1 ms an item: chunks of %v", sizes)
	}
	if late := sizes[len(sizes)-20 : len(sizes)-1]; slices.Max(late) > 40 || slices.Min(late) < 5 {
		t.Errorf("with 50 ms an item: chunks of %v", late)
	}
}

func TestChunk_AutoFitsACommandLine(t *testing.T) {
	t.Parallel()
	tr := setup(t, "jobs: [{id: a, run: [x], chunk: auto, foreach: {lines: in.txt}}]")
	var b strings.Builder
	for i := range 600 {
		b.WriteString(strings.Repeat("y", 10<<10))
		if i == 300 {
			b.WriteString(strings.Repeat("z", 2*chunkBytes)) // alone too much
		}
		b.WriteByte('\n')
	}
	tr.write("in.txt", b.String())
	c := crewed(tr, 1)
	large := 0
	c.work = func(in *Instance, _ int) (time.Duration, *pool.Result) {
		size := 0
		for _, v := range in.Items {
			size += len(v.Text()) + chunkEach
		}
		if size > chunkBytes {
			if large++; len(in.Items) > 1 {
				t.Errorf("%s has %d items of %d bytes", in.Label(), len(in.Items), size)
			}
		}
		return time.Microsecond, ok()
	}
	tr.run()
	total := 0
	for _, n := range sizesOf(c) {
		total += n
	}
	if total != 600 || large != 1 || slices.Max(sizesOf(c)) < 40 {
		t.Errorf("%d items, %d chunks that are too large; %v", total, large, sizesOf(c))
	}
}
