package death

import (
	"strings"
	"testing"
	"unicode"
	"unicode/utf8"
)

func TestRead_NamesReasonAndPlace(t *testing.T) {
	t.Parallel()
	noise := strings.Repeat("\ngoroutine 9 [select]:\nmain.other()\n\t/src/other.go:3 +0x1\n", 500)
	for name, c := range map[string]struct{ stderr, kind, words string }{
		"nothing":   {"", "", ""},
		"last line": {"one\ntwo\n\n", "", "two"},
		"panic": {
			"hello\npanic: boom\n\ngoroutine 34 [running]:\nmain.(*T).work(0xc0, {0x1, 0x2})\n\t/src/my app/work.go:8 +0x156\nmain.main()\n\t/src/main.go:1\nexit status 2\n",
			Panic, "panic: boom, in main.(*T).work (work.go:8)",
		},
		"nil pointer": {
			"panic: runtime error: invalid memory address or nil pointer dereference\n[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x4a119f]\n\ngoroutine 1 [running]:\nruntime.sigpanic()\n\t/go/src/runtime/signal.go:1 +0x1\nexample.com/a/b.f(...)\n\t./b/f.go:9\n",
			Panic, "panic: runtime error: invalid memory address or nil pointer dereference, in example.com/a/b.f (f.go:9)",
		},
		"below the kit": {
			"panic: boom\n\ngoroutine 34 [running]:\ngithub.com/feac4032/multiproc/worker.(*runner).run(0x1)\n\t/m/worker/run.go:8 +0x1\n",
			Panic, "panic: boom",
		},
		"stack overflow": {
			"runtime: goroutine stack exceeds 67108864-byte limit\nruntime: sp=0xa stack=[0xa, 0xb]\nfatal error: stack overflow\n\nruntime stack:\nruntime.throw({0x4, 0x5})\n\t/go/src/runtime/panic.go:1229 +0x48\n\ngoroutine 1 gp=0xa6 m=2 mp=0xa6 [running]:\nmain.rec({{0x0, ...}})\n\t/src/a.go:4 +0x6e fp=0xa\n" + noise,
			Fatal, "fatal error: stack overflow, in main.rec (a.go:4)",
		},
		"concurrent map writes": {
			"fatal error: concurrent map writes\n\ngoroutine 19 [running]:\ninternal/runtime/maps.fatal({0x4, 0x0})\n\t/go/src/runtime/panic.go:1181 +0x18\nmain.slow.func1()\n\t/src/a.go:5 +0x28\ncreated by main.slow in goroutine 1\n\t/src/a.go:5 +0x56\n",
			Fatal, "fatal error: concurrent map writes, in main.slow.func1 (a.go:5)",
		},
		"deadlock": {
			"fatal error: all goroutines are asleep - deadlock!\n\ngoroutine 1 [select (no cases)]:\nmain.main()\n\t/src/a.go:12 +0x15b\n",
			Fatal, "fatal error: all goroutines are asleep - deadlock!, in main.main (a.go:12)",
		},
		"signal in cgo": {
			"fatal error: unexpected signal during runtime execution\n[signal SIGSEGV: segmentation violation code=0x1 addr=0x0 pc=0x0]\n\nruntime stack:\nruntime.throw({0x4, 0x5})\n\t/go/src/runtime/panic.go:1 +0x1\n\ngoroutine 1 [syscall]:\nruntime.cgocall(0x1)\n\t/go/src/runtime/cgocall.go:1\nmain._Cfunc_crash()\n\t_cgo_gotypes.go:2 +0x1\n",
			Fatal, "fatal error: unexpected signal during runtime execution, in main._Cfunc_crash (_cgo_gotypes.go:2)",
		},
		"signal": {"SIGSEGV: segmentation violation\nPC=0x1 m=0\n", Fatal, "SIGSEGV: segmentation violation"},
		"go out of memory": {
			"fatal error: runtime: out of memory\n\ngoroutine 1 [running]:\nruntime.throw()\n\t/go/src/runtime/p.go:1\nmain.grow()\n\t/src/a.go:5 +0x28\n",
			OOM, "fatal error: runtime: out of memory, in main.grow (a.go:5)",
		},
		"go has no address space": {"fatal error: failed to reserve page summary memory\n\nruntime stack:\n", OOM, "fatal error: failed to reserve page summary memory"},
		"python": {
			"Traceback (most recent call last):\n  File \"/a/w.py\", line 7, in <module>\n    main()\n  File \"/a/w.py\", line 3, in grow\n    raise ValueError(1)\nValueError: 1\n",
			"", "ValueError: 1, in grow (w.py:3)",
		},
		"python out of memory": {
			"Traceback (most recent call last):\n  File \"/a/w.py\", line 7, in <module>\n  File \"/a/w.py\", line 3, in grow\nMemoryError\n",
			OOM, "MemoryError, in grow (w.py:3)",
		},
		"python fatal": {
			"Fatal Python error: Segmentation fault\n\nCurrent thread 0x00007 (most recent call first):\n  File \"/usr/lib/python3.11/ctypes/__init__.py\", line 519 in string_at\n  File \"/a/w.py\", line 3 in f\n  File \"/a/w.py\", line 4 in <module>\n",
			Fatal, "Fatal Python error: Segmentation fault, in f (w.py:3)",
		},
		"no mark inside of a line":          {"do not panic: it is fine\nbye\n", "", "bye"},
		"a crash whose reason was not kept": {noise, "", ""},
		"escapes": {
			"panic: \x1b[31m\x1b]0;title\x07\u202eevil\u0085\n\ngoroutine 1 [running]:\nmain.\x1b[2J(...)\n\t/src/\x1b[1m.go:1\n",
			Panic, "panic: [31m]0;titleevil, in main.[2J ([1m.go:1)",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w := Read([]byte(c.stderr))
			if w.Kind != c.kind || w.String() != c.words {
				t.Errorf("%q: %q, want %q: %q", w.Kind, w, c.kind, c.words)
			}
		})
	}
}

func TestHang_NamesWhatTheJobDid(t *testing.T) {
	t.Parallel()
	const mark = "the job:\n"
	const other = "goroutine 5 [select]:\nmain.other()\n\t/src/o.go:1\n\n"
	for _, c := range []struct{ stderr, want string }{
		{"", ""},
		{other, ""},
		{other + mark, ""},
		{other + mark + "goroutine 7 [sleep]:\ntime.Sleep(0x1)\n\t/go/src/runtime/time.go:1\nmain.slow(0x1)\n\t/src/a.go:12 +0x1\n", "main.slow (a.go:12)"},
		{other + mark + "  File \"/usr/lib/python3.11/threading.py\", line 1 in wait\n  File \"/a/w.py\", line 3 in f\n", "f (w.py:3)"},
		{"x" + mark + other, ""},
	} {
		if got := Hang([]byte(c.stderr), mark); got != c.want {
			t.Errorf("%q: %q, want %q", c.stderr, got, c.want)
		}
	}
}

// Anybody can write to stderr.
func FuzzRead(f *testing.F) {
	for _, s := range []string{
		"", "panic: ", "\npanic: x\n\ngoroutine 1 [running]:\na.b(\n\t\n", "goroutine 1 []:\n)(\n\t.go:",
		"MemoryError", "  File \"", "  File \"a\", line 1\nMemoryError\n", "Traceback (most recent call last):\n\nx", "\xff\x1b[0m", "the job:\n",
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		w := Read([]byte(s))
		for _, said := range []string{w.Line, w.Where, Hang([]byte(s), "the job:\n")} {
			if len(said) > limit+len("…") {
				t.Errorf("%d bytes", len(said))
			}
			for _, r := range said {
				if r == utf8.RuneError && !utf8.ValidString(said) || !unicode.IsGraphic(r) {
					t.Errorf("%q", said)
				}
			}
		}
	})
}
