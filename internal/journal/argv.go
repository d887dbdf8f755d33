package journal

import (
	"encoding/json"
	"unicode/utf8"
)

// maxArgv bounds the arguments that are recorded, in bytes.
const maxArgv = 1 << 20

// word is an argument as the record has it: a string of JSON, and where it is not
// UTF-8 {"$bytes":"base64"}, so that a command line comes back as it was.
type word string

type wordBytes struct {
	Bytes []byte `json:"$bytes"`
}

func (w word) MarshalJSON() ([]byte, error) {
	if utf8.ValidString(string(w)) {
		return json.Marshal(string(w))
	}
	return json.Marshal(wordBytes{[]byte(w)})
}

func (w *word) UnmarshalJSON(b []byte) error {
	if len(b) > 0 && b[0] == '{' {
		var raw wordBytes
		err := json.Unmarshal(b, &raw)
		*w = word(raw.Bytes)
		return err
	}
	return json.Unmarshal(b, (*string)(w))
}

// encodeArgv gives what is recorded of a command line: half of one would be another
// one, so that of a very long one nothing is.
func encodeArgv(argv []string) (string, error) {
	words, size := make([]word, len(argv)), 0
	for i, a := range argv {
		if size += len(a); size > maxArgv {
			return "[]", nil
		}
		words[i] = word(a)
	}
	b, err := json.Marshal(words)
	return string(b), err
}

func decodeArgv(text string) (argv []string, err error) {
	var words []word
	if err := json.Unmarshal([]byte(text), &words); err != nil {
		return nil, err
	}
	for _, w := range words {
		argv = append(argv, string(w))
	}
	return argv, nil
}
