package config

import "strings"

// parsePlain reads a template that holds only texts and references like
// {{.item}} or {{ .matrix.width }}, which are nearly all there are: a large file
// has a hundred thousand, and the standard library's parser takes ten times as
// long. It reports false where the template holds anything else, also what is
// wrong, and then leaves it as it was.
func (t *Template) parsePlain() bool {
	var parts []part
	var uses uint16
	var refs []ref
	rest := t.raw
	for {
		text, after, found := strings.Cut(rest, "{{")
		if text != "" {
			parts = append(parts, part{text: text, ref: ref{root: rootCount}})
		}
		if !found {
			break
		}
		action, behind, closed := strings.Cut(after, "}}")
		if !closed {
			return false
		}
		r, ok := parseRef(strings.Trim(action, " "))
		if !ok {
			return false
		}
		uses |= 1 << r.root
		switch r.root {
		case rootItem, rootItems, rootMatrix, rootVar:
			refs = append(refs, r)
		default:
			if len(r.path) > 0 {
				return false
			}
		}
		parts = append(parts, part{ref: r})
		rest = behind
	}
	t.parts, t.uses, t.refs = parts, uses, refs
	return true
}

// parseRef reads .root or .root.field.field.
func parseRef(s string) (ref, bool) {
	if !strings.HasPrefix(s, ".") {
		return ref{}, false
	}
	name, fields, more := strings.Cut(s[1:], ".")
	r, ok := rootNamed(name)
	if !ok {
		return ref{}, false
	}
	if !more {
		return ref{root: r}, true
	}
	path := strings.Split(fields, ".")
	for _, f := range path {
		if !plainIdent(f) {
			return ref{}, false
		}
	}
	return ref{root: r, path: path}, true
}

func plainIdent(s string) bool {
	for i := 0; i < len(s); i++ {
		c := s[i]
		letter := c == '_' || c|0x20 >= 'a' && c|0x20 <= 'z'
		if !letter && (i == 0 || c < '0' || c > '9') {
			return false
		}
	}
	return s != ""
}
