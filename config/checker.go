package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"go.yaml.in/yaml/v3"
)

// nearBudget bounds the comparisons made to find nearest names in one file, so
// that a hundred thousand wrong names among as many right ones end in time.
const nearBudget = 1 << 20

// lookBudget bounds the items of lists that are looked at for a field, so that a
// hundred thousand jobs may take theirs from one long list. What is not looked at
// fails when it is run.
const lookBudget = 1 << 22

// checker walks one file and collects its mistakes.
type checker struct {
	file   string
	errs   Errors
	count  int                 // of mistakes, also those not kept
	bad    map[*yaml.Node]bool // already reported: nothing more is said of them
	budget int                 // see nearBudget
	looks  int                 // see lookBudget

	vars     map[string]bool
	varNames []string
	byID     map[string]*Job
	needs    [][]needRef        // of each job, by its place in File.Jobs
	stdin    *Pos               // where "-" was used
	objects  map[string]object  // declared queues and locks
	reported map[*Template]bool // templates whose references were found wrong

	resources map[string]*Resource // also those that were found wrong
	usable    []string             // names that uses may hold
	memory    int64                // bytes that resources give; 0: not given
	origins   map[*Foreach]*Foreach
}

func (c *checker) fail(pos Pos, hint, format string, args ...any) {
	c.add(&Error{File: c.file, Line: pos.Line, Col: pos.Col, Msg: fmt.Sprintf(format, args...), Hint: hint})
}

func (c *checker) failNode(n *yaml.Node, hint, format string, args ...any) {
	c.fail(posOf(n), hint, format, args...)
}

// failBad reports a node and keeps all else from being said of it.
func (c *checker) failBad(n *yaml.Node, hint, format string, args ...any) {
	if c.bad == nil {
		c.bad = make(map[*yaml.Node]bool)
	}
	if !c.bad[n] {
		c.bad[n] = true
		c.failNode(n, hint, format, args...)
	}
}

// add keeps a mistake. Keys and values that its text shows may hold anything,
// but a mistake is one line.
func (c *checker) add(e *Error) {
	c.count++
	e.Msg, e.Hint = oneLine(e.Msg), oneLine(e.Hint)
	if len(c.errs) < maxErrors {
		c.errs = append(c.errs, e)
	}
}

func (c *checker) result() error {
	if c.count == 0 {
		return nil
	}
	c.errs.sort()
	if more := c.count - len(c.errs); more > 0 {
		last := c.errs[len(c.errs)-1]
		c.errs = append(c.errs, &Error{File: c.file, Line: last.Line, Col: last.Col, Msg: fmt.Sprintf("and %d more mistakes", more)})
	}
	return c.errs
}

// near gives the nearest of names, "" if none is near.
func (c *checker) near(written string, names []string) string {
	if c.budget -= len(names); c.budget < 0 {
		return ""
	}
	return Nearest(written, names)
}

// didYouMean is the hint that names the nearest name.
func didYouMean(name string) string {
	if name == "" {
		return ""
	}
	return "did you mean " + strconv.Quote(name) + "?"
}

func posOf(n *yaml.Node) Pos { return Pos{n.Line, n.Column} }

// kindName names what a node is, in a message.
func kindName(n *yaml.Node) string {
	switch n.Kind {
	case yaml.MappingNode:
		return "a map"
	case yaml.SequenceNode:
		return "a list"
	}
	if !plain(n) {
		return "the text " + quote(n.Value)
	}
	v, _ := resolve(n.Value)
	switch v.typ {
	case Null:
		return "nothing"
	case Bool:
		return "the boolean " + n.Value
	case Int, Uint, Float:
		return "the number " + clip(n.Value)
	}
	return "the text " + quote(n.Value)
}

// wrong reports a node of another type than what wants.
func (c *checker) wrong(n *yaml.Node, hint, what, want string) {
	c.failNode(n, hint, "%s must be %s, not %s", what, want, kindName(n))
}

// scalarValue gives the typed value of a scalar node.
func scalarValue(n *yaml.Node) Value {
	if !plain(n) {
		return String(n.Value)
	}
	v, _ := resolve(n.Value)
	return v
}

func isNull(n *yaml.Node) bool {
	return n.Kind == yaml.ScalarNode && scalarValue(n).typ == Null
}

// text reads a scalar as it was written, for what an operating system takes:
// without NUL.
func (c *checker) text(n *yaml.Node, what string) (string, bool) {
	s, ok := c.data(n, what)
	if ok && strings.IndexByte(s, 0) >= 0 {
		c.failNode(n, "", "%s holds a NUL byte", what)
		return "", false
	}
	return s, ok
}

// data reads a scalar as it was written.
func (c *checker) data(n *yaml.Node, what string) (string, bool) {
	if c.bad[n] {
		return "", false
	}
	if n.Kind != yaml.ScalarNode {
		c.wrong(n, "", what, "a text")
		return "", false
	}
	if isNull(n) {
		c.wrong(n, `quote it, "" is the empty text`, what, "a text")
		return "", false
	}
	return n.Value, true
}

// fixed reads a text in which templates are not expanded.
func (c *checker) fixed(n *yaml.Node, what string) (string, bool) {
	s, ok := c.text(n, what)
	if !ok {
		return "", false
	}
	switch {
	case s == "":
		c.failNode(n, "", "%s is empty", what)
		return "", false
	case strings.Contains(s, "{{"):
		c.failNode(n, "", "templates are not expanded in %s", what)
		return "", false
	}
	return s, true
}

// template reads a text in which they are.
func (c *checker) template(n *yaml.Node, what string) (*Template, bool) {
	s, ok := c.text(n, what)
	if !ok {
		return nil, false
	}
	return c.compile(n, s)
}

func (c *checker) compile(n *yaml.Node, text string) (*Template, bool) {
	t, err := compile(c.file, posOf(n), text)
	if err != nil {
		c.add(err)
		return nil, false
	}
	return t, true
}

// path reads a text, perhaps a template, that must not be empty.
func (c *checker) path(n *yaml.Node, what string) (*Template, bool) {
	t, ok := c.template(n, what)
	if ok && t.raw == "" {
		c.failNode(n, "", "%s is empty", what)
		return nil, false
	}
	return t, ok
}

func (c *checker) integer(n *yaml.Node, what string, lo, hi int64) (int64, bool) {
	if c.bad[n] {
		return 0, false
	}
	want := fmt.Sprintf("an integer from %d to %d", lo, hi)
	if hi == math.MaxInt64 {
		want = fmt.Sprintf("an integer of at least %d", lo)
	}
	v := Value{}
	if n.Kind == yaml.ScalarNode {
		v = scalarValue(n)
	}
	if v.typ != Int || int64(v.bits) < lo || int64(v.bits) > hi {
		c.wrong(n, "", what, want)
		return 0, false
	}
	return int64(v.bits), true
}

// maxCount bounds the counts of a file: far above what a machine runs, and
// within every int.
const maxCount = 1 << 20

func (c *checker) positive(n *yaml.Node, what string) (int, bool) {
	i, ok := c.integer(n, what, 1, maxCount)
	return int(i), ok
}

func (c *checker) number(n *yaml.Node, what string, lo, hi float64) (float64, bool) {
	if c.bad[n] {
		return 0, false
	}
	f := math.NaN()
	if n.Kind == yaml.ScalarNode {
		switch v := scalarValue(n); v.typ {
		case Int:
			f = float64(int64(v.bits))
		case Float:
			f = math.Float64frombits(v.bits)
		}
	}
	if !(f >= lo && f <= hi) {
		c.wrong(n, "", what, fmt.Sprintf("a number from %g to %g", lo, hi))
		return 0, false
	}
	return f, true
}

func (c *checker) boolean(n *yaml.Node, what string) (value, ok bool) {
	if c.bad[n] {
		return false, false
	}
	if n.Kind != yaml.ScalarNode || scalarValue(n).typ != Bool {
		c.wrong(n, "", what, "true or false")
		return false, false
	}
	return scalarValue(n).bits != 0, true
}

// duration reads a duration of at least least.
func (c *checker) duration(n *yaml.Node, what string, least time.Duration) (time.Duration, bool) {
	s, ok := c.text(n, what)
	if !ok {
		return 0, false
	}
	d, err := ParseDuration(s)
	switch {
	case err != nil:
		c.failNode(n, "", "%s: %s", what, err)
		return 0, false
	case d < least:
		c.failNode(n, "", "%s must be longer than 0", what)
		return 0, false
	}
	return d, true
}

// size reads a number of bytes, 0 after an error.
func (c *checker) size(n *yaml.Node, what string) int64 {
	s, ok := c.text(n, what)
	if !ok {
		return 0
	}
	b, err := ParseSize(s)
	switch {
	case err != nil:
		c.failNode(n, "", "%s: %s", what, err)
		return 0
	case b == 0:
		c.failNode(n, "", "%s must be more than 0", what)
	}
	return b
}

func (c *checker) oneOf(n *yaml.Node, what string, names ...string) (string, bool) {
	s, ok := c.text(n, what)
	if !ok {
		return "", false
	}
	for _, name := range names {
		if s == name {
			return s, true
		}
	}
	if len(names) == 1 {
		c.failNode(n, "", "%s must be %s, not %s", what, names[0], quote(s))
		return "", false
	}
	c.failNode(n, didYouMean(c.near(s, names)), "%s must be one of %s, not %s", what, strings.Join(names, ", "), quote(s))
	return "", false
}

// list gives the entries of a list, which must have some unless empty is set.
func (c *checker) list(n *yaml.Node, what string, empty bool) ([]*yaml.Node, bool) {
	if c.bad[n] {
		return nil, false
	}
	if n.Kind != yaml.SequenceNode {
		c.wrong(n, "", what, "a list")
		return nil, false
	}
	if len(n.Content) == 0 && !empty {
		c.failNode(n, "", "%s is empty", what)
		return nil, false
	}
	return n.Content, true
}

// entry is a key of a mapping and its value.
type entry struct {
	name       string
	key, value *yaml.Node
}

// entries gives what a mapping holds, without the keys that were refused.
func (c *checker) entries(n *yaml.Node, what string) ([]entry, bool) {
	if c.bad[n] {
		return nil, false
	}
	if n.Kind != yaml.MappingNode {
		c.wrong(n, "", what, "a map")
		return nil, false
	}
	out := make([]entry, 0, len(n.Content)/2)
	for i := 0; i+1 < len(n.Content); i += 2 {
		if k := n.Content[i]; !c.bad[k] {
			out = append(out, entry{k.Value, k, n.Content[i+1]})
		}
	}
	return out, true
}

// value reads any value as data.
func (c *checker) value(n *yaml.Node) (Value, bool) {
	if c.bad[n] {
		return Value{}, false
	}
	ok := true
	switch n.Kind {
	case yaml.SequenceNode:
		items := make([]Value, len(n.Content))
		for i, e := range n.Content {
			v, good := c.value(e)
			items[i], ok = v, ok && good
		}
		return ListValue(items), ok
	case yaml.MappingNode:
		es, _ := c.entries(n, "")
		fields := make([]Field, len(es))
		for i, e := range es {
			v, good := c.value(e.value)
			fields[i], ok = Field{e.name, v}, ok && good
		}
		return MapValue(fields), ok && len(es) == len(n.Content)/2
	case yaml.ScalarNode:
		return scalarValue(n), true
	}
	return Value{}, false
}

// args reads any value in which texts may be templates.
func (c *checker) args(n *yaml.Node) (*Args, bool) {
	if c.bad[n] {
		return nil, false
	}
	switch n.Kind {
	case yaml.SequenceNode:
		a := &Args{constant: true, list: make([]*Args, len(n.Content))}
		for i, e := range n.Content {
			sub, ok := c.args(e)
			if !ok {
				a = nil
			}
			if a != nil {
				a.list[i] = sub
				a.constant = a.constant && sub.constant
			}
		}
		return a.fold(), a != nil
	case yaml.MappingNode:
		es, _ := c.entries(n, "")
		a := &Args{constant: true, names: make([]string, len(es)), list: make([]*Args, len(es))}
		for i, e := range es {
			sub, ok := c.args(e.value)
			if !ok {
				a = nil
			}
			if strings.Contains(e.name, "{{") {
				c.failNode(e.key, "", "templates are not expanded in keys")
			}
			if a != nil {
				a.names[i], a.list[i] = e.name, sub
				a.constant = a.constant && sub.constant
			}
		}
		return a.fold(), a != nil
	case yaml.ScalarNode:
		if !strings.Contains(n.Value, "{{") {
			return &Args{constant: true, value: scalarValue(n)}, true
		}
		t, ok := c.compile(n, n.Value)
		return &Args{tmpl: t}, ok
	}
	return nil, false
}
