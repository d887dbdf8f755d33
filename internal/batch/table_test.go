package batch

import (
	"io"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/feac4032/multiproc/config"
)

func TestTable_Records(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		name, in string
		want     []string
		err      string
	}{
		{"plain", "a,b\n1,2\n3,4", []string{`{"a":"1","b":"2"}`, `{"a":"3","b":"4"}`}, ""},
		{"quotes", "a,\"b,c\"\n\"x\"\"y\",\"two\nlines\"\n", []string{`{"a":"x\"y","b,c":"two\nlines"}`}, ""},
		{"CR LF", "a,b\r\n1,2\r\n", []string{`{"a":"1","b":"2"}`}, ""},
		{"byte order mark", "\ufeffa,b\n1,2\n", []string{`{"a":"1","b":"2"}`}, ""},
		{"byte order mark and quote", "\ufeff\"a\",b\n1,2\n", []string{`{"a":"1","b":"2"}`}, ""},
		{"counts of fields", "a,b\n1\n1,2\n1,2,3\n3,4\n", []string{"error", `{"a":"1","b":"2"}`, "error", `{"a":"3","b":"4"}`}, ""},
		{"empty values", "a,b\n,\n", []string{`{"a":"","b":""}`}, ""},
		{"names alone", "a,b\n", nil, ""},
		{"empty", "", nil, "-: is empty; its first record names the fields"},
		{"byte order mark alone", "\ufeff", nil, "is empty"},
		{"names twice", "a,b,a\n1,2,3\n", nil, `-:1: CSV header has "a" twice`},
		{"no name", "a,,c\n1,2,3\n", nil, "-:1: field 2 has no name"},
		{"open quote", "a\n1\n\"2\n", []string{`{"a":"1"}`}, "-:3:"},
		{"quote within", "a\n1\nx\"y\n2\n", []string{`{"a":"1"}`}, "-:3:2: "},
	} {
		for i, in := range []io.Reader{strings.NewReader(tc.in), iotest.OneByteReader(strings.NewReader(tc.in))} {
			got, err := drain(t, &config.Foreach{Source: config.FromCSV, Path: "-"}, "", in)
			if !slices.Equal(got, tc.want) || (err == nil) != (tc.err == "") || err != nil && !strings.Contains(err.Error(), tc.err) {
				t.Errorf("%s (%d): got %q, %v; want %q, %q", tc.name, i, got, err, tc.want, tc.err)
			}
		}
	}
}

// lines yields one line again and again.
type lines struct {
	head, line string
	left       int64
	read       int64
}

func (l *lines) Read(p []byte) (int, error) {
	if l.left <= 0 {
		return 0, io.EOF
	}
	n := copy(p, l.head)
	l.head = l.head[n:]
	for n+len(l.line) <= len(p) {
		n += copy(p[n:], l.line)
	}
	l.left -= int64(n)
	l.read += int64(n)
	return n, nil
}

func TestTable_OpenQuoteEndsInBoundedMemory(t *testing.T) {
	in := &lines{head: "a,b\n1,2\n\"open,2\n", line: "one, two, three, four\n", left: 4 << 30}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	got, err := drain(t, &config.Foreach{Source: config.FromCSV, Path: "-"}, "", in)
	runtime.ReadMemStats(&after)
	if err == nil || !strings.Contains(err.Error(), "-: record is longer than 16 MiB; is a quote not closed?") || len(got) != 1 {
		t.Errorf("%d items, %v", len(got), err)
	}
	if in.read > MaxItem+1<<20 || after.TotalAlloc-before.TotalAlloc > 16*MaxItem {
		t.Errorf("%d bytes were read, %d allocated", in.read, after.TotalAlloc-before.TotalAlloc)
	}
}

func TestTable_BadRecordFailsAlone(t *testing.T) {
	t.Parallel()
	tr := setup(t, "jobs: [{id: a, run: [x, '{{.item.name}}'], foreach: {csv: in.csv}}]")
	tr.write("in.csv", "name,size\np,1\nq\nr,3\n")
	rep := tr.run()
	if rep.Totals.OK != 2 || rep.Totals.Failed != 1 || !strings.Contains(string(rep.First), "in.csv:3: 1 field, the first record names 2") {
		t.Errorf("totals %+v, first %s", rep.Totals, rep.First)
	}
}
