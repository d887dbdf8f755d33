package process

import (
	"fmt"
	"io"
	"os"
	"sync"
)

// input is a command's stdin.
type input struct {
	theirs *os.File // what the command gets; nil = the null device
	w      *os.File // our end of the pipe; nil without one
	from   io.Reader

	mu  sync.Mutex
	err error // from's
}

func openInput(r io.Reader) (in *input, err error) {
	in = &input{from: r}
	if f, ok := r.(*os.File); ok || r == nil {
		in.theirs = f
		return in, nil
	}
	if in.theirs, in.w, err = os.Pipe(); err != nil {
		return nil, fmt.Errorf("stdin: %w", err)
	}
	return in, nil
}

// started gives up the command's end of the pipe, which it now has itself.
func (in *input) started() {
	if in.w != nil {
		in.theirs.Close()
	}
}

// copy feeds the command. Errors of writing are the command's right not to read;
// those of reading are kept before the command can see the end of its input.
func (in *input) copy() {
	if in.w == nil {
		return
	}
	_, _ = io.Copy(in.w, in)
	in.close()
}

// Read is from's, whose error it keeps.
func (in *input) Read(p []byte) (int, error) {
	n, err := in.from.Read(p)
	if err != nil && err != io.EOF {
		in.mu.Lock()
		in.err = err
		in.mu.Unlock()
	}
	return n, err
}

func (in *input) close() {
	if in.w != nil {
		in.w.Close()
	}
}

// lost is why input is missing, nil if none is.
func (in *input) lost() error {
	in.mu.Lock()
	defer in.mu.Unlock()
	if in.err == nil {
		return nil
	}
	return fmt.Errorf("stdin is not whole: %w", in.err)
}
