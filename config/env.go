package config

import (
	"strings"
)

// EnvVar is one declared variable of the environment.
type EnvVar struct {
	Name  string
	Value *Template
}

// InheritEnv says which variables of the supervisor's own environment an
// instance gets.
type InheritEnv struct {
	All      bool
	Patterns []string // names, in which * stands for any run of characters; unused if All
}

// Match reports whether the variable name is inherited.
func (ie *InheritEnv) Match(name string) bool {
	if ie.All {
		return true
	}
	for _, p := range ie.Patterns {
		if matchStar(p, name) {
			return true
		}
	}
	return false
}

// matchStar matches with * only, so that the brackets and question marks that
// path patterns know stay plain characters of a name.
func matchStar(pattern, name string) bool {
	parts := strings.Split(pattern, "*")
	if len(parts) == 1 {
		return pattern == name
	}
	if !strings.HasPrefix(name, parts[0]) {
		return false
	}
	name = name[len(parts[0]):]
	last := parts[len(parts)-1]
	for _, mid := range parts[1 : len(parts)-1] {
		i := strings.Index(name, mid)
		if i < 0 {
			return false
		}
		name = name[i+len(mid):]
	}
	return strings.HasSuffix(name, last)
}

// EnvName gives the name under which a value reaches the environment of an
// instance: EnvName("ITEM", "width") is "ITEM_WIDTH". Every character that is
// not an ASCII letter or digit becomes an underscore.
func EnvName(prefix, field string) string {
	var b strings.Builder
	b.Grow(len(prefix) + 1 + len(field))
	b.WriteString(prefix)
	b.WriteByte('_')
	for _, r := range field {
		switch {
		case r >= 'a' && r <= 'z':
			b.WriteByte(byte(r) - 'a' + 'A')
		case r >= 'A' && r <= 'Z', r >= '0' && r <= '9':
			b.WriteByte(byte(r))
		default:
			b.WriteByte('_')
		}
	}
	return b.String()
}

// ReservedEnv reports whether the supervisor itself sets the variable name for
// an instance or its own processes, so that a file or a flag may not declare it.
func ReservedEnv(name string) bool {
	switch name {
	case "ITEM", "INDEX", "JOB_ID", "JOB_KEY", "ATTEMPT", "SLOT":
		return true
	}
	for _, p := range [...]string{"ITEM_", "MATRIX_", "VAR_", "USES_", "MULTIPROC_"} {
		if strings.HasPrefix(name, p) {
			return true
		}
	}
	return false
}

// mergeEnv lays over on top of base by name, keeping base's order and putting
// new names behind it. The result shares no storage with a base it changes.
func mergeEnv(base, over []EnvVar) []EnvVar {
	if len(over) == 0 {
		return base
	}
	if len(base) == 0 {
		return over
	}
	at := make(map[string]int, len(base)+len(over))
	out := make([]EnvVar, len(base), len(base)+len(over))
	copy(out, base)
	for i, e := range base {
		at[e.Name] = i
	}
	for _, e := range over {
		if i, ok := at[e.Name]; ok {
			out[i] = e
			continue
		}
		out = append(out, e)
	}
	return out
}
