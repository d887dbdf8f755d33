package batch

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"testing"
	"testing/iotest"

	"github.com/bmatcuk/doublestar/v4"

	"github.com/feac4032/multiproc/config"
)

// drain reads a source to its end.
func drain(t *testing.T, f *config.Foreach, dir string, in io.Reader) (items []string, err error) {
	t.Helper()
	src, err := openSource(f, dir, in, nil)
	if err != nil {
		return nil, err
	}
	defer src.close()
	for {
		batch, err := src.more(nil)
		for _, it := range batch {
			if it.err != nil {
				items = append(items, "error")
				continue
			}
			items = append(items, it.value.Text())
		}
		if err == io.EOF {
			return items, nil
		}
		if err != nil {
			return items, err
		}
	}
}

func TestSource_Records(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		source config.Source
		in     string
		want   []string
	}{
		{config.FromLines, "", nil},
		{config.FromLines, "\n", []string{""}},
		{config.FromLines, "a\n\nb", []string{"a", "", "b"}},
		{config.FromLines, "a\nb\n", []string{"a", "b"}},
		{config.FromLines, "a\r\nb\r", []string{"a", "b"}},
		{config.FromLines, "\xff\x00{{x}}\n", []string{"\xff\x00{{x}}"}},
		{config.FromNul, "a\nb\x00\x00c\r", []string{"a\nb", "", "c\r"}},
		{config.FromJSONL, "1\r\n\"a\"\n{\"b\": [1.0]}\n", []string{"1", "a", `{"b":[1.0]}`}},
		{config.FromJSONL, "\nnope\n3", []string{"error", "error", "3"}},
	} {
		// Whole, and as a slow pipe brings it.
		for i, in := range []io.Reader{strings.NewReader(tc.in), iotest.OneByteReader(strings.NewReader(tc.in))} {
			got, err := drain(t, &config.Foreach{Source: tc.source, Path: "-"}, "", in)
			if err != nil || !slices.Equal(got, tc.want) {
				t.Errorf("%s %q (%d): got %q, %v; want %q", tc.source, tc.in, i, got, err, tc.want)
			}
		}
	}
}

func TestSource_LongLinesComeWholeUpToTheLimit(t *testing.T) {
	t.Parallel()
	f := &config.Foreach{Source: config.FromLines, Path: "-"}
	long := strings.Repeat("x", 3<<20)
	got, err := drain(t, f, "", strings.NewReader("a\n"+long+"\nb"))
	if err != nil || len(got) != 3 || got[1] != long || got[2] != "b" {
		t.Errorf("%d items, %v", len(got), err)
	}
	endless := io.MultiReader(strings.NewReader("a\n"), bytes.NewReader(make([]byte, MaxItem+1)))
	got, err = drain(t, f, "", endless)
	if err == nil || !strings.Contains(err.Error(), "item 2 is longer") || len(got) != 1 {
		t.Errorf("%d items, %v", len(got), err)
	}
}

func TestSource_ReadErrorComesBehindWhatWasRead(t *testing.T) {
	t.Parallel()
	boom := errors.New("boom")
	in := io.MultiReader(strings.NewReader("a\nb\n"), iotest.ErrReader(boom))
	got, err := drain(t, &config.Foreach{Source: config.FromLines, Path: "-"}, "", in)
	if !errors.Is(err, boom) || !slices.Equal(got, []string{"a", "b"}) {
		t.Errorf("got %q, %v", got, err)
	}
}

func TestSource_RangeIncludesBothEnds(t *testing.T) {
	t.Parallel()
	for _, tc := range []struct {
		lo, hi int64
		n      int
	}{{5, 5, 1}, {-1, 1, 3}, {1, 1000, 1000}, {math.MaxInt64 - 1, math.MaxInt64, 2}, {math.MinInt64, math.MinInt64 + 2, 3}} {
		got, err := drain(t, &config.Foreach{Source: config.FromRange, Lo: tc.lo, Hi: tc.hi}, "", nil)
		if err != nil || len(got) != tc.n || got[0] != fmt.Sprint(tc.lo) || got[tc.n-1] != fmt.Sprint(tc.hi) {
			t.Errorf("%d..%d: %d items, %v", tc.lo, tc.hi, len(got), err)
		}
	}
}

func TestGlob_FindsWhatDoublestarFindsInByteOrder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	for _, name := range []string{
		"a.txt", "a/b.txt", "a/b/c.txt", "a/b.d/e.txt", "a-b/f.txt", "z.jpg", ".hidden", "a/.h.txt", "x y/{q}.txt", "x y/[r].txt",
	} {
		path := filepath.Join(dir, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, nil, 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	for _, pattern := range []string{
		"**", "**/*.txt", "*.txt", "a/**", "a/*/*.txt", "{a,x y}/*.txt", "{a/b,a-b}/*.txt", "[az]*", "x y/\\{q\\}.txt",
		"**/b*/*", "a.txt", "none", "none/*", "a/b", "*/b/**/c.txt", "?/b.txt",
	} {
		want, err := doublestar.Glob(os.DirFS(dir), pattern, doublestar.WithFilesOnly())
		if err != nil {
			t.Fatal(err)
		}
		slices.Sort(want)
		got, err := drain(t, &config.Foreach{Source: config.FromGlob, Patterns: []string{pattern}, EmptyOK: true}, dir, nil)
		if err != nil || !slices.Equal(got, slices.Compact(want)) {
			t.Errorf("%s: got %q, %v; want %q", pattern, got, err, want)
		}
	}
	got, err := drain(t, &config.Foreach{Source: config.FromGlob, Patterns: []string{"*.txt", "a*", "../" + filepath.Base(dir) + "/z*"}}, dir, nil)
	if want := []string{"../" + filepath.Base(dir) + "/z.jpg", "a.txt"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("several patterns: got %q, %v; want %q", got, err, want)
	}
	if _, err := drain(t, &config.Foreach{Source: config.FromGlob, Patterns: []string{"*.png"}}, dir, nil); !errors.Is(err, errNoMatch) {
		t.Errorf("no match: %v", err)
	}
}

func TestGlob_DoesNotFollowLinksInCircles(t *testing.T) {
	t.Parallel()
	if runtime.GOOS == "windows" {
		t.Skip("symbolic links need a privilege on Windows")
	}
	dir := t.TempDir()
	if err := errors.Join(os.Mkdir(dir+"/a", 0o700), os.WriteFile(dir+"/a/f", nil, 0o600),
		os.Symlink("..", dir+"/a/up"), os.Symlink("a", dir+"/l"), os.Symlink("gone", dir+"/dangling")); err != nil {
		t.Fatal(err)
	}
	for pattern, want := range map[string][]string{"**": {"a/f"}, "l/*": {"l/f"}, "*/f": {"a/f", "l/f"}} {
		got, err := drain(t, &config.Foreach{Source: config.FromGlob, Patterns: []string{pattern}}, dir, nil)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: got %q, %v; want %q", pattern, got, err, want)
		}
	}
}
