package config

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"
)

// EachID is the id of the only job of a file that [NewEach] makes.
const EachID = "each"

// Each is a command that runs for each item of an input, without a job file.
type Each struct {
	Argv    []string      // program and arguments, with placeholders; with Shell: the words of a script
	Shell   bool          // sh -c runs the words joined by spaces
	Path    string        // of the items' file, relative to Dir; StdinPath or "": standard input
	Nul     bool          // items end with NUL, not with a line
	N       int           // items packed into one instance at most; 0: one by one; -1: as with chunk: auto
	Dir     string        // working directory, absolute
	Timeout time.Duration // of one attempt; 0: none
	Retry   int           // further attempts, with the defaults of a job file
	Output  string        // an Output… constant; "": not given
	Name    string        // of the run; "": each
}

// NewEach makes the file that does what spec says, with one job, called
// [EachID]. All that spec does not give has the default of a job file.
//
// The words of Argv are no templates. In them {} stands for the item, {/} for
// its last element, {//} for its folder, {.} for it without its extension, {/.}
// for its last element without it, and {#} for the number of the instance from 1.
// They mean what they mean to GNU parallel, for which also a hidden file's name is an
// extension. Where no word has one of them the item is the last argument.
//
// With N, a word that is {} becomes as many arguments as there are items, and of
// the others only {#} has a meaning. With Shell there are no placeholders: the
// item is "$ITEM", the items of a pack are "$@".
//
// Errors name what is wrong in terms of the command line.
func NewEach(spec Each) (*File, error) {
	if err := spec.check(); err != nil {
		return nil, fmt.Errorf("each: %w", err)
	}
	j := &Job{
		ID: EachID, Kind: Run,
		Foreach:   &Foreach{Source: FromLines, Path: spec.Path},
		Timeout:   spec.Timeout,
		KillAfter: KillAfter,
		Slots:     1,
		OkExit:    []int{0},
	}
	if spec.Path == "" {
		j.Foreach.Path = StdinPath
	}
	if spec.Nul {
		j.Foreach.Source = FromNul
	}
	if spec.Retry > 0 {
		j.Retry = DefaultRetry(spec.Retry)
	}
	switch {
	case spec.N < 0:
		j.Chunk = Chunk{Auto: true}
	case spec.N > 0:
		j.Chunk = Chunk{Size: spec.N}
	}
	var err error
	if spec.Shell {
		j.Kind = Shell
		j.Shell, err = eachScript(spec.Argv, j.Chunk.Given())
	} else {
		j.Run, err = eachArgv(spec.Argv, j.Chunk.Given())
	}
	if err != nil {
		return nil, fmt.Errorf("each: %w", err)
	}
	f := &File{
		Path: EachID, Dir: spec.Dir, Name: spec.Name, Output: spec.Output,
		Jobs: []*Job{j}, Levels: [][]*Job{{j}},
	}
	if f.Name == "" {
		f.Name = EachID
	}
	return f, nil
}

func (e *Each) check() error {
	outputs := []string{"", OutputGroup, OutputLive, OutputOrder, OutputNone}
	switch {
	case len(e.Argv) == 0:
		return errors.New("there is no command; write it behind --")
	case e.Shell && strings.TrimSpace(strings.Join(e.Argv, " ")) == "":
		return errors.New("the script is empty")
	case !e.Shell && e.Argv[0] == "":
		return errors.New("the program is empty")
	case !filepath.IsAbs(e.Dir):
		return fmt.Errorf("the working directory %q is not absolute", e.Dir)
	case e.N < -1 || e.N > maxCount:
		return fmt.Errorf("%d items in one instance: want 1 to %d, or auto", e.N, maxCount)
	case e.Retry < 0 || e.Retry > maxRetries:
		return fmt.Errorf("%d retries: want 0 to %d", e.Retry, maxRetries)
	case e.Timeout < 0:
		return fmt.Errorf("the timeout %v is negative", e.Timeout)
	case !slices.Contains(outputs, e.Output):
		return fmt.Errorf("output %q: want one of %s", e.Output, strings.Join(outputs[1:], ", "))
	}
	for _, word := range append([]string{e.Path}, e.Argv...) {
		if strings.IndexByte(word, 0) >= 0 {
			return fmt.Errorf("%.40q holds a NUL byte", word)
		}
	}
	return nil
}

// placeholder is what stands for a part of the item in a word of a command.
type placeholder struct {
	text  string
	root  root
	edit  func(string) string // nil: as it is
	shell string              // what a script writes instead
}

var placeholders = [...]placeholder{
	{"{}", rootItem, nil, `"$ITEM"`},
	{"{/}", rootItem, lastElement, `"${ITEM##*/}"`},
	{"{//}", rootItem, folder, `"$(dirname "$ITEM")"`},
	{"{.}", rootItem, withoutExt, `"${ITEM%.*}"`},
	{"{/.}", rootItem, func(s string) string { return withoutExt(lastElement(s)) }, `"$(basename "${ITEM%.*}")"`},
	{"{#}", rootIndex, fromOne, `"$((INDEX + 1))"`},
}

// nextPlaceholder finds the first one in a word; at is -1 where there is none.
func nextPlaceholder(word string) (at int, p *placeholder) {
	for at = 0; at < len(word); at++ {
		if word[at] != '{' {
			continue
		}
		for i := range placeholders {
			if strings.HasPrefix(word[at:], placeholders[i].text) {
				return at, &placeholders[i]
			}
		}
	}
	return -1, nil
}

func eachArgv(words []string, packed bool) ([]*Template, error) {
	argv := make([]*Template, 0, len(words)+1)
	placed := false
	for _, word := range words {
		t, err := eachWord(word, packed)
		if err != nil {
			return nil, err
		}
		placed = placed || !t.Constant()
		argv = append(argv, t)
	}
	if !placed {
		last, err := eachWord("{}", packed)
		if err != nil {
			return nil, err
		}
		argv = append(argv, last)
	}
	return argv, nil
}

// eachWord makes a template of a word in which nothing but placeholders has a
// meaning.
func eachWord(word string, packed bool) (*Template, error) {
	t := Literal(word)
	for rest := word; rest != ""; {
		at, p := nextPlaceholder(rest)
		if at < 0 {
			if t.parts != nil {
				t.parts = append(t.parts, part{text: rest, ref: ref{root: rootCount}})
			}
			break
		}
		r := p.root
		if packed && r == rootItem {
			if word != "{}" {
				return nil, fmt.Errorf("%s in %.60q: with packed items only a word that is just {} becomes them", p.text, word)
			}
			r = rootItems
		}
		if at > 0 {
			t.parts = append(t.parts, part{text: rest[:at], ref: ref{root: rootCount}})
		}
		t.parts = append(t.parts, part{ref: ref{root: r}, edit: p.edit})
		t.uses |= 1 << r
		rest = rest[at+len(p.text):]
	}
	return t, nil
}

// eachScript joins the words of a script. An item in its text would be code:
// placeholders are refused. What follows a $ is the shell's own, as ${#}.
func eachScript(words []string, packed bool) (string, error) {
	script := strings.Join(words, " ")
	for from := 0; ; {
		at, p := nextPlaceholder(script[from:])
		if at < 0 {
			return script, nil
		}
		at += from
		from = at + len(p.text)
		if at > 0 && script[at-1] == '$' {
			continue
		}
		hint := p.shell
		if packed && p.root == rootItem {
			hint = `"$@"`
		}
		return "", fmt.Errorf("%s is not expanded in a script (write %s)", p.text, hint)
	}
}

// lastElement gives what follows the last slash.
func lastElement(s string) string { return s[strings.LastIndexByte(s, '/')+1:] }

// folder gives the path without its last element, "." where it has only one.
func folder(s string) string {
	trimmed := strings.TrimRight(s, "/")
	if trimmed == "" && s != "" {
		return "/"
	}
	i := strings.LastIndexByte(trimmed, '/')
	if i < 0 {
		return "."
	}
	if dir := strings.TrimRight(trimmed[:i], "/"); dir != "" {
		return dir
	}
	return "/"
}

// withoutExt takes the last dot of the last element away, and what follows it.
// A dot that nothing follows stays.
func withoutExt(s string) string {
	i := strings.LastIndexAny(s, "./")
	if i < 0 || s[i] == '/' || i == len(s)-1 {
		return s
	}
	return s[:i]
}

// fromOne counts an index from 1.
func fromOne(index string) string {
	n, _ := strconv.ParseInt(index, 10, 64)
	return strconv.FormatInt(n+1, 10)
}
