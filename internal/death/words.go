package death

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Kinds of a death, as results name them. "" is none that is known.
const (
	Panic = "panic" // of a Go program
	Fatal = "fatal" // an error of the runtime of Go or Python that cannot be recovered from
	OOM   = "oom"   // that runtime was out of memory
)

// Words are the last ones of a process.
type Words struct {
	Kind  string // Panic, Fatal, OOM or ""
	Line  string // the line that says most, printable; "" = it said nothing
	Where string // the first line of the program's own that was under way, such as "main.walk (walk.go:12)"; "" = not known
}

// String gives the line and the place for people.
func (w Words) String() string {
	if w.Where == "" {
		return w.Line
	}
	return w.Line + ", in " + w.Where
}

// Enough is how much of the end of stderr Read needs, in bytes: a Go program in
// which many goroutines run prints all of them behind the reason.
const Enough = 1 << 20

// marks begin the lines that say why, and what they say of the kind. Those of the
// runtimes stand first: they are the end of what the others began.
var marks = []struct {
	text string
	kind string
}{
	{"fatal error: ", Fatal},
	{"panic: ", Panic},
	{"Fatal Python error: ", Fatal},
	{"SIGSEGV: ", Fatal},
	{"SIGBUS: ", Fatal},
	{"SIGFPE: ", Fatal},
	{"SIGILL: ", Fatal},
	{"SIGABRT: ", Fatal},
	{"SIGQUIT: ", ""},
	{"MemoryError", OOM},
}

// noMemory is how the runtimes say that there was none left.
var noMemory = []string{"out of memory", "cannot allocate memory", "page summary memory", "heap metadata"}

// Read finds the reason for the end of a process in the end of its stderr.
func Read(stderr []byte) Words {
	for _, m := range marks {
		at := lastLine(stderr, m.text)
		if at < 0 {
			continue
		}
		rest := stderr[at:]
		line := firstLine(rest)
		w := Words{Kind: m.kind, Line: Printable(line)}
		if w.Kind == Fatal {
			for _, said := range noMemory {
				if strings.Contains(line, said) {
					w.Kind = OOM
				}
			}
		}
		if m.text == "MemoryError" {
			w.Where = pythonRaised(stderr[:at])
		} else if w.Where = goPlace(rest); w.Where == "" {
			w.Where = pythonFirst(rest)
		}
		return w
	}
	if bytes.Contains(stderr, []byte("\n\ngoroutine ")) {
		return Words{} // of stacks so long that what came before them was not kept no line says anything
	}
	line := stderr[lineStart(bytes.TrimRight(stderr, " \t\r\n")):]
	w := Words{Line: Printable(strings.TrimSpace(firstLine(line)))}
	if at := len(stderr) - len(line); pythonTraceback(stderr[:at]) {
		w.Where = pythonRaised(stderr[:at])
	}
	return w
}

// Hang finds what the job of a worker was doing that was asked for its stacks, in
// the end of its stderr; "" if it did not answer. mark is the line behind which
// the job's own stack stands.
func Hang(stderr []byte, mark string) string {
	at := lastLine(stderr, mark)
	if at < 0 {
		return ""
	}
	rest := stderr[at+len(mark):]
	if where := goPlace(rest); where != "" {
		return where
	}
	return pythonFirst(rest)
}

// lastLine gives where the last line begins that begins with mark, −1 if none
// does.
func lastLine(b []byte, mark string) int {
	for end := len(b); ; {
		at := bytes.LastIndex(b[:end], []byte(mark))
		if at <= 0 || b[at-1] == '\n' {
			return at
		}
		end = at + len(mark) - 1
	}
}

// lineStart gives where the last line of b begins.
func lineStart(b []byte) int { return bytes.LastIndexByte(b, '\n') + 1 }

func firstLine(b []byte) string {
	line, _, _ := bytes.Cut(b, []byte{'\n'})
	return string(line)
}

// limit is how much of a line is shown, in bytes.
const limit = 200

// Printable keeps a line short, and what acts on a terminal from it: control
// characters, and those that reorder a line. What is not UTF-8 is replaced.
func Printable(line string) string { return Clean(line, limit) }

// Clean is Printable for up to most bytes. A line feed is a blank.
func Clean(line string, most int) string {
	clean := strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case !unicode.IsGraphic(r): // also what reorders a line, or ends it
			return -1
		}
		return r
	}, strings.ToValidUTF8(line, "\uFFFD"))
	if len(clean) <= most {
		return clean
	}
	for most > 0 && !utf8.RuneStart(clean[most]) {
		most--
	}
	return clean[:most] + "…"
}
