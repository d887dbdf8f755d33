package config

import (
	"errors"
	"fmt"
	"strings"
	"text/template"
	"unicode"
)

// maxActions bounds the actions of one template: the standard library parses
// nested ones by recursion without a limit of its own.
const maxActions = 1000

// Template is a text with {{…}} in it, parsed once. It expands without the
// standard library's engine where it holds nothing but text and plain
// references such as {{.item}} or {{.matrix.width}}. A Template may be used by
// many goroutines.
type Template struct {
	raw   string
	file  string
	pos   Pos
	uses  uint16 // bit per root
	parts []part // text and plain references; nil: constant, or see pool
	pool  *enginePool
	refs  []ref // what there is to check against a job
}

// part is a piece of a template: a text, or a reference if ref.root is valid.
type part struct {
	text string
	ref  ref
	edit func(string) string // of what the reference prints; nil: none
}

// ref is a reference to a root, or to something below it.
type ref struct {
	root root // rootCount: none
	path []string
}

func (r ref) String() string {
	if len(r.path) == 0 {
		return "." + rootNames[r.root]
	}
	return "." + rootNames[r.root] + "." + strings.Join(r.path, ".")
}

// Literal makes a template that expands to text as it is, whatever it holds.
func Literal(text string) *Template { return &Template{raw: text} }

// Compile parses a template that stands in no file. Its errors have no place.
func Compile(text string) (*Template, error) {
	t, err := compile("", Pos{}, text)
	if err != nil {
		return nil, err
	}
	return t, nil
}

// compile parses the template at a place of the job file.
func compile(file string, pos Pos, text string) (*Template, *Error) {
	t := &Template{raw: text, file: file, pos: pos}
	if !strings.Contains(text, "{{") {
		return t, nil
	}
	if n := strings.Count(text, "{{"); n > maxActions {
		return nil, t.fail(fmt.Sprintf("template has %d actions, at most %d are allowed", n, maxActions))
	}
	if err := t.parse(); err != nil {
		return nil, err
	}
	return t, nil
}

func (t *Template) fail(msg string) *Error {
	return &Error{File: t.file, Line: t.pos.Line, Col: t.pos.Col, Msg: msg}
}

// Raw gives the template as written.
func (t *Template) Raw() string { return t.raw }

// Pos gives the template's place in the job file, zero without one.
func (t *Template) Pos() Pos { return t.pos }

// Constant reports whether the template expands to the same text always.
func (t *Template) Constant() bool { return t.parts == nil && t.pool == nil }

// Uses reports whether the template refers to root, one of item, items, index,
// matrix, var, job, attempt and slot.
func (t *Template) Uses(root string) bool {
	r, ok := rootNamed(root)
	return ok && t.usesRoot(r)
}

func (t *Template) usesRoot(r root) bool { return t.uses&(1<<r) != 0 }

// isItems reports whether the template is exactly {{.items}}.
func (t *Template) isItems() bool {
	return len(t.parts) == 1 && t.parts[0].ref.root == rootItems && len(t.parts[0].ref.path) == 0
}

// Text expands the template. Scalars print as they were written, lists and maps
// as JSON; what it inserts is never expanded again. An error is an [*Error] at
// the template's place.
func (t *Template) Text(s *Scope) (string, error) {
	if t.Constant() {
		return t.raw, nil
	}
	if t.pool != nil {
		text, _, err := t.pool.run(t, s)
		return text, err
	}
	if len(t.parts) == 1 {
		v, err := t.look(t.parts[0].ref, s)
		if err != nil {
			return "", err
		}
		return t.parts[0].print(v), nil
	}
	b := make([]byte, 0, 128)
	for i := range t.parts {
		p := &t.parts[i]
		if p.ref.root == rootCount {
			b = append(b, p.text...)
			continue
		}
		if len(p.ref.path) == 0 && p.edit == nil {
			b = s.appendRoot(b, p.ref.root)
			continue
		}
		v, err := t.look(p.ref, s)
		if err != nil {
			return "", err
		}
		if p.edit != nil {
			b = append(b, p.print(v)...)
			continue
		}
		b = v.appendText(b)
	}
	return string(b), nil
}

func (p *part) print(v Value) string {
	if p.edit != nil {
		return p.edit(v.Text())
	}
	return v.Text()
}

// Value expands the template like Text, but where it is exactly one {{…}} the
// result keeps its type.
func (t *Template) Value(s *Scope) (Value, error) {
	if len(t.parts) == 1 && t.parts[0].edit == nil {
		return t.look(t.parts[0].ref, s)
	}
	if t.pool != nil {
		text, v, err := t.pool.run(t, s)
		if err != nil || t.pool.single {
			return v, err
		}
		return String(text), nil
	}
	text, err := t.Text(s)
	return String(text), err
}

// look finds what a reference stands for.
func (t *Template) look(r ref, s *Scope) (Value, error) {
	if len(r.path) == 0 {
		return s.value(r.root), nil
	}
	var v Value
	path := r.path
	if r.root == rootVar || r.root == rootMatrix {
		var ok bool
		if v, ok = lookup(s.fields(r.root), path[0]); !ok {
			return Value{}, t.fail(fmt.Sprintf("{{%s}}: there is no %s %q", r, rootNames[r.root], path[0]))
		}
		path = path[1:]
	} else {
		v = s.value(r.root)
	}
	for _, name := range path {
		if v.typ != Map {
			return Value{}, t.fail(fmt.Sprintf("{{%s}}: %s is not a field of %s", r, name, typeName(v)))
		}
		next, ok := v.Field(name)
		if !ok {
			return Value{}, t.fail(fmt.Sprintf("{{%s}}: the map has no field %q", r, name))
		}
		v = next
	}
	return v, nil
}

// execError turns an error of the standard library's engine into one at the
// template's place, without the engine's own idea of names and places.
func (t *Template) execError(err error) *Error {
	msg := err.Error()
	var ee template.ExecError
	if errors.As(err, &ee) {
		if _, at, ok := strings.Cut(msg, `executing "" `); ok {
			msg = at
		}
	} else {
		msg = strings.TrimPrefix(msg, "template: ")
		if rest, ok := strings.CutPrefix(msg, ":"); ok {
			if _, after, ok := strings.Cut(rest, ": "); ok {
				msg = after
			}
		}
	}
	return t.fail("template: " + oneLine(strings.TrimPrefix(msg, "at ")))
}

// oneLine shows a text in one line.
func oneLine(s string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == '\u2028' || r == '\u2029' {
			return ' '
		}
		return r
	}, s)
}
