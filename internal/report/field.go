package report

import "encoding/json"

// field is one entry of a JSON object.
type field struct {
	name string
	json []byte
}

// fieldsOf gives the entries of compact JSON that AppendJSON of package task wrote.
// It reports false for what is no object, and for one in which a name comes twice.
func fieldsOf(b []byte) ([]field, bool) {
	if len(b) < 2 || b[0] != '{' {
		return nil, false
	}
	var fields []field
	seen := map[string]bool{}
	for at := 1; b[at] != '}'; {
		if b[at] == ',' {
			at++
		}
		end := valueEnd(b, at)
		var name string
		if json.Unmarshal(b[at:end], &name) != nil || seen[name] {
			return nil, false
		}
		seen[name] = true
		at = end + 1 // behind the colon
		end = valueEnd(b, at)
		fields = append(fields, field{name, b[at:end:end]})
		at = end
	}
	return fields, true
}

// valueEnd gives where the value that begins at from ends. b is compact and right.
func valueEnd(b []byte, from int) int {
	depth := 0
	for i := from; i < len(b); i++ {
		switch b[i] {
		case '"':
			for i++; b[i] != '"'; i++ {
				if b[i] == '\\' {
					i++
				}
			}
			if depth == 0 {
				return i + 1
			}
		case '{', '[':
			depth++
		case '}', ']':
			if depth == 0 {
				return i // of what is around a number or a word
			}
			if depth--; depth == 0 {
				return i + 1
			}
		case ',', ':':
			if depth == 0 {
				return i
			}
		}
	}
	return len(b)
}
