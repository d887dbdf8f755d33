package config

import "strconv"

// Scope is what the templates of one attempt of one instance may refer to. A
// Scope is only read, and may be shared by goroutines that do not change it.
type Scope struct {
	Item    Value   // of foreach; null without one
	Items   []Value // of a chunk
	Index   int64   // of the instance, from 0
	Matrix  []Field // see Matrix.At
	Vars    []Field // see File.Vars
	Job     string  // id
	Attempt int     // from 1
	Slot    int     // from 1
}

// root is one name that a template may start from.
type root uint8

const (
	rootItem root = iota
	rootItems
	rootIndex
	rootMatrix
	rootVar
	rootJob
	rootAttempt
	rootSlot
	rootCount
)

var rootNames = [rootCount]string{"item", "items", "index", "matrix", "var", "job", "attempt", "slot"}

func rootNamed(name string) (root, bool) {
	for r, n := range rootNames {
		if n == name {
			return root(r), true
		}
	}
	return 0, false
}

// value gives what a root stands for.
func (s *Scope) value(r root) Value {
	switch r {
	case rootItem:
		return s.Item
	case rootItems:
		return ListValue(s.Items)
	case rootIndex:
		return IntValue(s.Index)
	case rootMatrix:
		return MapValue(s.Matrix)
	case rootVar:
		return MapValue(s.Vars)
	case rootJob:
		return String(s.Job)
	case rootAttempt:
		return IntValue(int64(s.Attempt))
	}
	return IntValue(int64(s.Slot))
}

// fields gives the entries of a root that always is a map.
func (s *Scope) fields(r root) []Field {
	if r == rootVar {
		return s.Vars
	}
	return s.Matrix
}

// appendRoot appends the text of a root without making a Value of it.
func (s *Scope) appendRoot(b []byte, r root) []byte {
	switch r {
	case rootIndex:
		return strconv.AppendInt(b, s.Index, 10)
	case rootAttempt:
		return strconv.AppendInt(b, int64(s.Attempt), 10)
	case rootSlot:
		return strconv.AppendInt(b, int64(s.Slot), 10)
	case rootJob:
		return append(b, s.Job...)
	}
	return s.value(r).appendText(b)
}
