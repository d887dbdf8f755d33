package config

import (
	"regexp"
	"strconv"
	"strings"

	"github.com/bmatcuk/doublestar/v4"
	"go.yaml.in/yaml/v3"
)

// maxInstances bounds what a job can expand to: an index must travel exactly as
// a number of JSON.
const maxInstances = 1 << 53

var foreachKeys = newKeyset("in foreach",
	key[*Foreach]{name: "lines", read: fileSource("lines", FromLines)},
	key[*Foreach]{name: "nul", read: fileSource("nul", FromNul)},
	key[*Foreach]{name: "csv", read: fileSource("csv", FromCSV)},
	key[*Foreach]{name: "jsonl", read: fileSource("jsonl", FromJSONL)},
	key[*Foreach]{name: "glob", read: readGlob},
	key[*Foreach]{name: "empty", read: func(c *checker, n *yaml.Node, s *Foreach) { _, s.EmptyOK = c.oneOf(n, "empty", "ok") }},
	key[*Foreach]{name: "range", read: readRange},
	key[*Foreach]{name: "from", read: jobSource("from", FromJob)},
	key[*Foreach]{name: "lines_of", read: jobSource("lines_of", FromLinesOf)},
	key[*Foreach]{name: "jsonl_of", read: jobSource("jsonl_of", FromJSONLOf)},
)

// foreach reads a list of items, or a map that names one source of them.
func (c *checker) foreach(n *yaml.Node) *Foreach {
	// One that was found wrong stays, so that its items are not missed, too.
	f := &Foreach{Pos: posOf(n)}
	if c.bad[n] {
		return f
	}
	switch n.Kind {
	case yaml.SequenceNode:
		f.Source = FromList
		if v, ok := c.value(n); ok {
			f.List = v.Items()
		}
	case yaml.MappingNode:
		set, ok := foreachKeys.read(c, n, "foreach", f)
		if !ok {
			return f
		}
		count := 0
		for _, name := range foreachKeys.names {
			if name != "empty" && foreachKeys.has(set, name) {
				if count++; count > 1 && keyNode(n, name) != nil {
					c.failNode(keyNode(n, name), "", "foreach has exactly one source, %s is another one", name)
				}
			}
		}
		// A key that does not exist was reported, and was meant as the source.
		if known := foreachKeys.has(set, "empty"); count == 0 && (len(n.Content) == 0 || known && len(n.Content) == 2) {
			c.failNode(n, "", "foreach has no source: one of lines, nul, csv, jsonl, glob, range, from, lines_of, jsonl_of")
		}
		if k := keyNode(n, "empty"); k != nil && count > 0 && !foreachKeys.has(set, "glob") {
			c.failNode(k, "", "empty belongs to glob")
		}
	default:
		hint := "write a list, or a source like {lines: FILE} or {glob: PATTERN}"
		switch {
		case n.Kind != yaml.ScalarNode:
		case rangeForm.MatchString(n.Value):
			hint = "write {range: " + clip(n.Value) + "}"
		case strings.ContainsAny(n.Value, "*?["):
			hint = "write {glob: " + quote(n.Value) + "}"
		}
		c.wrong(n, hint, "foreach", "a list or a map")
	}
	return f
}

func fileSource(name string, kind Source) func(*checker, *yaml.Node, *Foreach) {
	return func(c *checker, n *yaml.Node, s *Foreach) {
		path, ok := c.fixed(n, name)
		if !ok {
			return
		}
		s.Source, s.Path = kind, path
		if path != StdinPath {
			return
		}
		if c.stdin != nil {
			c.failNode(n, "", `"-" is read in line %d already: standard input can feed one job`, c.stdin.Line)
			return
		}
		pos := posOf(n)
		c.stdin = &pos
	}
}

func readGlob(c *checker, n *yaml.Node, s *Foreach) {
	s.Source = FromGlob
	if c.bad[n] {
		return
	}
	items := []*yaml.Node{n}
	if n.Kind == yaml.SequenceNode {
		var ok bool
		if items, ok = c.list(n, "glob", false); !ok {
			return
		}
	}
	for _, e := range items {
		p, ok := c.fixed(e, "glob")
		if !ok {
			continue
		}
		if !doublestar.ValidatePattern(p) {
			c.failNode(e, "", "glob %s is no valid pattern", quote(p))
			continue
		}
		s.Patterns = append(s.Patterns, p)
	}
}

var rangeForm = regexp.MustCompile(`^(-?[0-9]+)\.\.(-?[0-9]+)$`)

func readRange(c *checker, n *yaml.Node, s *Foreach) {
	s.Source = FromRange
	text, ok := c.text(n, "range")
	if !ok {
		return
	}
	m := rangeForm.FindStringSubmatch(text)
	if m == nil {
		c.failNode(n, "", "range is like 1..100, both ends included, not %s", quote(text))
		return
	}
	lo, err1 := strconv.ParseInt(m[1], 10, 64)
	hi, err2 := strconv.ParseInt(m[2], 10, 64)
	switch {
	case err1 != nil || err2 != nil:
		c.failNode(n, "", "range %s: the ends must fit 64 bits", clip(text))
	case strconv.FormatInt(lo, 10) != m[1] || strconv.FormatInt(hi, 10) != m[2]:
		c.failNode(n, "", "range %s: a number has a leading zero", clip(text))
	case lo > hi:
		c.failNode(n, "", "range %s runs backwards", text)
	case uint64(hi)-uint64(lo) >= maxInstances:
		c.failNode(n, "", "range %s is too long: at most 2^53 items", text)
	default:
		s.Lo, s.Hi = lo, hi
	}
}

func jobSource(name string, kind Source) func(*checker, *yaml.Node, *Foreach) {
	return func(c *checker, n *yaml.Node, s *Foreach) {
		id, ok := c.fixed(n, name)
		switch {
		case !ok:
		case len(id) > maxName || !jobID.MatchString(id):
			c.failNode(n, "", "%s wants the id of a job, not %s", name, quote(id))
		default:
			s.Source, s.of = kind, needRef{id, posOf(n)}
		}
	}
}
