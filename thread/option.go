package thread

import (
	"fmt"
	"unicode/utf8"
)

// Option changes what a thread is. An option that cannot be meant makes Start
// return ErrOption.
type Option func(*Thread) error

// maxName bounds a name, in bytes.
const maxName = 4096

// WithName sets the name, which errors show. 1 to 4096 bytes of UTF-8. Threads
// without it are Thread-1, Thread-2 and so on, in the order in which they were
// made.
func WithName(name string) Option {
	return func(t *Thread) error {
		if name == "" || len(name) > maxName || !utf8.ValidString(name) {
			return fmt.Errorf("%w: name %.64q, want 1 to %d bytes of UTF-8", ErrOption, name, maxName)
		}
		t.name = name
		return nil
	}
}

// WithDaemon makes a thread for whose end process.Main does not wait. A program
// that does not use that ends with its main function, as every Go program, and
// all threads with it, whether they are daemons or not. daemon=True in Python.
func WithDaemon() Option {
	return func(t *Thread) error {
		t.daemon = true
		return nil
	}
}
