// Package mask replaces secret values in what is shown and stored by [Shown].
//
// The one idea: each value is turned into all the forms in which programs print it,
// and one automaton (Aho and Corasick's) looks for all of them at once. So a byte
// costs the same however many values there are, a value that comes in pieces is found,
// and no more is held back than what may yet become one.
//
//	m := mask.New([]string{os.Getenv("TOKEN")})
//	w := m.Writer(os.Stdout)
//	defer w.Close()
//
// What cannot be found is a value that was changed: encoded, cut, or in other words.
package mask
