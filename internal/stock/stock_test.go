package stock

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/feac4032/multiproc/task"
)

func TestStock_DefinesEveryTask(t *testing.T) {
	t.Parallel()
	want := "alloc counter echo exit fail hang hash panic primes print segfault sleep wordcount"
	if got := strings.Join(task.Names(), " "); got != want {
		t.Errorf("tasks %q, want %q", got, want)
	}
}

func TestEcho_KeepsTheValueAndItsType(t *testing.T) {
	t.Parallel()
	for _, v := range []any{nil, true, int64(-3), 2.5, "text", []byte{0, 255}, []any{int64(1), "a"}, map[string]any{"k": int64(1)}} {
		got, err := call[any](t, t.Context(), "echo", v)
		if err != nil || !reflect.DeepEqual(got, v) {
			t.Errorf("echo of %#v: %#v, %v", v, got, err)
		}
	}
}

func TestCounter_AddsAcrossCalls(t *testing.T) {
	t.Parallel()
	before, err := call[int64](t, t.Context(), "counter", 0)
	if err != nil {
		t.Fatal(err)
	}
	for _, step := range []struct {
		arg  any
		want int64
	}{{nil, 1}, {41, 42}, {-2, 40}} {
		if got, err := call[int64](t, t.Context(), "counter", step.arg); err != nil || got != before+step.want {
			t.Errorf("counter(%v) = %d, %v, want %d", step.arg, got, err, before+step.want)
		}
	}
	if _, err := call[int64](t, t.Context(), "counter", "one"); err == nil {
		t.Error("a text was added")
	}
}

func TestPrint_WritesExactlyItsText(t *testing.T) {
	t.Parallel()
	_, stdout := inChild(t, "print")
	if stdout != "child" {
		t.Errorf("stdout %q, want %q", stdout, "child")
	}
}

func TestSleep_TakesTextAndSeconds(t *testing.T) {
	t.Parallel()
	for arg, want := range map[any]time.Duration{"250ms": 250 * time.Millisecond, 2: 2 * time.Second, 0.5: 500 * time.Millisecond, "0": 0} {
		synctest.Test(t, func(t *testing.T) {
			start := time.Now()
			got, err := call[string](t, t.Context(), "sleep", arg)
			if err != nil || got != want.String() || time.Since(start) != want {
				t.Errorf("sleep(%v) = %q, %v after %v, want %v", arg, got, err, time.Since(start), want)
			}
		})
	}
	for _, bad := range []any{"-1s", -1, "soon", "", 1e300, nil, []any{}} {
		if got, err := call[string](t, t.Context(), "sleep", bad); err == nil {
			t.Errorf("sleep(%v) = %q, want an error", bad, got)
		}
	}
}

func TestSleep_EndsWithItsContext(t *testing.T) {
	t.Parallel()
	cause := errors.New("enough")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(cause)
	if _, err := call[string](t, ctx, "sleep", "1h"); !errors.Is(err, cause) {
		t.Errorf("error %v, want %v", err, cause)
	}
}

func TestAlloc_TakesTextAndBytes(t *testing.T) {
	t.Parallel()
	for arg, want := range map[any]int{"1MiB": 1 << 20, "2 KB": 2000, "1.5KiB": 1536, 4097: 4097, "0": 0} {
		if got, err := call[int](t, t.Context(), "alloc", arg); err != nil || got != want {
			t.Errorf("alloc(%v) = %d, %v, want %d", arg, got, err, want)
		}
	}
	for _, bad := range []any{"1XB", "-1", -1, "MiB", "1mib", "1e30TB", "0.5B", "NaN", nil} {
		if got, err := call[int](t, t.Context(), "alloc", bad); err == nil {
			t.Errorf("alloc(%v) = %d, want an error", bad, got)
		}
	}
}

func TestPrimes_Counts(t *testing.T) {
	t.Parallel()
	for n, want := range map[uint64]uint64{0: 0, 1: 0, 2: 1, 3: 2, 4: 2, 9: 4, 10: 4, 25: 9, 100: 25,
		131071: 12251, 131072: 12251, 131075: 12251, 131101: 12252, 1_000_000: 78498, 3_000_000: 216816} {
		if got, err := call[uint64](t, t.Context(), "primes", n); err != nil || got != want {
			t.Errorf("primes(%d) = %d, %v, want %d", n, got, err, want)
		}
	}
	if _, err := call[uint64](t, t.Context(), "primes", uint64(primesMax+1)); err == nil {
		t.Error("a number above the limit was taken")
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := call[uint64](t, ctx, "primes", uint64(primesMax)); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestHash_OfAFile(t *testing.T) {
	t.Parallel()
	data := []byte(strings.Repeat("0123456789abcdef", 10_000)) // more than a block
	path := file(t, data)
	sum := sha256.Sum256(data)
	want := FileHash{Path: path, SHA256: hex.EncodeToString(sum[:]), Bytes: int64(len(data))}
	if got, err := call[FileHash](t, t.Context(), "hash", path); err != nil || got != want {
		t.Errorf("hash = %+v, %v, want %+v", got, err, want)
	}
	if _, err := call[FileHash](t, t.Context(), "hash", path+".absent"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("absent file: %v", err)
	}
}

func TestWordcount_CountsLikeWC(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		text         string
		lines, words int64
	}{
		"empty":           {"", 0, 0},
		"one":             {"word", 0, 1},
		"lines":           {"a b\n\nc\td\r\ne\vf\fg", 3, 7},
		"wide space":      {"a\u2003b\u3000c\u00a0d\u2060e\u200bf", 0, 5},
		"not UTF-8":       {"\xff \xc3 \xe2\x80", 0, 3},
		"cut at the end":  {"a \xe2\x80", 0, 2},
		"cut, then ASCII": {"a\xe2\n\xe2\x80 b", 1, 3},
	} {
		for size := 1; size <= 4; size++ { // blocks that cut characters in pieces
			var w wordCounter
			for p := []byte(c.text); len(p) > 0; p = p[min(size, len(p)):] {
				w.add(p[:min(size, len(p))])
			}
			w.end()
			if w.lines != c.lines || w.words != c.words {
				t.Errorf("%s, blocks of %d: %d lines, %d words, want %d, %d", name, size, w.lines, w.words, c.lines, c.words)
			}
		}
	}
	if _, err := call[FileWords](t, t.Context(), "wordcount", filepath.Join(t.TempDir(), "absent")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("absent file: %v", err)
	}
}

func TestWordcount_EqualsWCOnTheCorpus(t *testing.T) {
	t.Parallel()
	if _, err := exec.LookPath("wc"); err != nil {
		t.Skip("wc is not installed")
	}
	paths, err := filepath.Glob("../../testdata/texts/*/*.txt")
	if err != nil || len(paths) < 40 {
		t.Fatalf("%d texts, %v", len(paths), err)
	}
	for _, path := range paths {
		cmd := exec.Command("wc", "-lwc", path)
		cmd.Env = append(os.Environ(), "LC_ALL=C.UTF-8")
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		want := FileWords{Path: path}
		if _, err := fmt.Sscan(string(out), &want.Lines, &want.Words, &want.Bytes); err != nil {
			t.Fatal(err)
		}
		if got, err := call[FileWords](t, t.Context(), "wordcount", path); err != nil || got != want {
			t.Errorf("%+v, %v, wc says %+v", got, err, want)
		}
	}
}

func FuzzWordCounter_BlocksDoNotMatter(f *testing.F) {
	f.Add([]byte("a b\nc"), 1)
	f.Add([]byte("\xe2\x80\x83x\xf0\x9f\x98\x80 \xff"), 2)
	f.Fuzz(func(t *testing.T, text []byte, size int) {
		if size < 1 || size > 16 {
			return
		}
		var whole, pieces wordCounter
		whole.add(text)
		whole.end()
		for p := text; len(p) > 0; p = p[min(size, len(p)):] {
			pieces.add(p[:min(size, len(p))])
		}
		pieces.end()
		if whole.lines != pieces.lines || whole.words != pieces.words {
			t.Errorf("%q in blocks of %d: %d lines and %d words, at once %d and %d",
				text, size, pieces.lines, pieces.words, whole.lines, whole.words)
		}
	})
}

func TestFailAndPanic_SayTheirMessage(t *testing.T) {
	t.Parallel()
	_, err := call[struct{}](t, t.Context(), "fail", "no luck")
	if f := task.NewFailure(err); f.Msg != "no luck" || f.Panic {
		t.Errorf("fail: %+v", f)
	}
	_, err = call[struct{}](t, t.Context(), "panic", "no way")
	var p *task.PanicError
	if !errors.As(err, &p) || p.Text != "no way" || !strings.Contains(p.Stack, "stock") {
		t.Errorf("panic: %v", err)
	}
}

func TestExit_EndsTheProcess(t *testing.T) {
	t.Parallel()
	if state, _ := inChild(t, "exit"); state.ExitCode() != 41 {
		t.Errorf("exit code %d, want 41", state.ExitCode())
	}
	if _, err := call[struct{}](t, t.Context(), "exit", 256); err == nil {
		t.Error("exit code 256 was taken")
	}
}

func TestHang_OutlivesItsContext(t *testing.T) {
	t.Parallel()
	if state, _ := inChild(t, "hang"); state.ExitCode() != 5 {
		t.Errorf("ended by %v, want the end of its input", state)
	}
}

func file(t *testing.T, data []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
