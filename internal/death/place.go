package death

import (
	"bytes"
	"strings"
)

// maxFrames bounds how many lines are looked at for a place.
const maxFrames = 4000

// goPlace finds the first call of the program's own in the first stack of b that
// has one, as Go prints them: a line with the function, and an indented one with
// the file.
//
//	goroutine 7 [running]:
//	main.walk(0x1)
//		/src/walk.go:12 +0x1d
func goPlace(b []byte) string {
	in := false // a stack
	function := ""
	for n := 0; len(b) > 0 && n < maxFrames; n++ {
		var line []byte
		line, b, _ = bytes.Cut(b, []byte{'\n'})
		switch {
		case bytes.HasPrefix(line, []byte("goroutine ")) && bytes.HasSuffix(line, []byte("]:")):
			in, function = true, ""
		case !in:
		case len(line) == 0:
			return "" // the first goroutine is the one that ended it
		case line[0] == '\t':
			if function != "" {
				return Printable(function + " (" + goFile(string(line)) + ")")
			}
		case bytes.HasPrefix(line, []byte("created by ")):
			function = ""
		default:
			if function = goFunction(string(line)); !ownGo(function) {
				function = ""
			}
		}
	}
	return ""
}

// goFunction gives the name of a called function, without its package's path and
// its arguments.
func goFunction(line string) string {
	// Of methods the receiver is in parentheses too: the arguments are the last.
	if i := strings.LastIndexByte(line, '('); i > 0 && strings.HasSuffix(line, ")") {
		line = line[:i]
	}
	return line
}

// goFile gives the base of the file, and the line.
func goFile(line string) string {
	line = strings.TrimSpace(line)
	if i := strings.LastIndex(line, ".go:"); i >= 0 { // a path may hold blanks
		if j := strings.IndexByte(line[i:], ' '); j >= 0 {
			line = line[:i+j]
		}
	}
	return line[strings.LastIndexAny(line, `/\`)+1:]
}

// kit are the packages between the main function of a worker and its task.
var kit = []string{
	"github.com/feac4032/multiproc/worker.",
	"github.com/feac4032/multiproc/task.",
	"github.com/feac4032/multiproc/internal/remote.",
	"github.com/feac4032/multiproc/internal/boot.",
}

// std are the first parts of the standard library's packages. Other paths may do
// without a dot as well.
var std = map[string]bool{
	"archive": true, "bufio": true, "bytes": true, "cmp": true, "compress": true, "container": true, "context": true,
	"crypto": true, "database": true, "debug": true, "embed": true, "encoding": true, "errors": true, "expvar": true,
	"flag": true, "fmt": true, "go": true, "hash": true, "html": true, "image": true, "index": true, "internal": true,
	"io": true, "iter": true, "log": true, "maps": true, "math": true, "mime": true, "net": true, "os": true,
	"path": true, "plugin": true, "reflect": true, "regexp": true, "runtime": true, "slices": true, "sort": true,
	"strconv": true, "strings": true, "structs": true, "sync": true, "syscall": true, "testing": true, "text": true,
	"time": true, "unicode": true, "unique": true, "unsafe": true, "vendor": true, "weak": true,
}

// ownGo reports whether a function is neither of the standard library nor of what
// calls tasks.
func ownGo(function string) bool {
	if function == "panic" || strings.HasPrefix(function, "_cgo") {
		return false
	}
	for _, prefix := range kit {
		if strings.HasPrefix(function, prefix) {
			return false
		}
	}
	first, _, slash := strings.Cut(function, "/")
	if !slash {
		var dot bool
		if first, _, dot = strings.Cut(function, "."); !dot {
			return false // no Go function: it has no package
		}
	}
	return !std[first]
}

// python is how its tracebacks name a place:
//
//	File "walk.py", line 12, in walk
const python = `  File "`

// pythonFirst finds the first place of a stack whose most recent call is first.
func pythonFirst(b []byte) string {
	for n := 0; len(b) > 0 && n < maxFrames; n++ {
		var line []byte
		line, b, _ = bytes.Cut(b, []byte{'\n'})
		if where := pythonPlace(string(line)); where != "" {
			return where
		}
	}
	return ""
}

// pythonTraceback reports whether b ends with the places of an error.
func pythonTraceback(b []byte) bool { return lastLine(b, "Traceback (most recent call last):") >= 0 }

// pythonRaised finds the last place in b, where the error was raised.
func pythonRaised(b []byte) string {
	for n := 0; len(b) > 0 && n < maxFrames; n++ {
		at := lineStart(b[:len(b)-1])
		if where := pythonPlace(firstLine(b[at:])); where != "" {
			return where
		}
		b = b[:at]
	}
	return ""
}

// pythonPlace reads the line of a place. Those of the standard library are none.
func pythonPlace(line string) string {
	rest, ok := strings.CutPrefix(line, python)
	if !ok {
		return ""
	}
	file, rest, ok := strings.Cut(rest, `", line `)
	if !ok || strings.Contains(file, "/lib/python") || strings.HasPrefix(file, "<frozen ") {
		return ""
	}
	file = file[strings.LastIndexAny(file, `/\`)+1:]
	number, name, ok := strings.Cut(rest, " in ")
	if !ok || name == "" {
		return Printable(file + ":" + strings.TrimSuffix(number, ","))
	}
	return Printable(name + " (" + file + ":" + strings.TrimSuffix(number, ",") + ")")
}
