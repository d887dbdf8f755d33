package batch

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/feac4032/multiproc/internal/report"
	"github.com/feac4032/multiproc/pool"
)

// place writes the output of an ok instance to the file of its `stdout`, whole or
// not at all. If that fails the instance has.
func (r *run) place(in *Instance, res *pool.Result) {
	s := in.plan.scope(in, res.Attempt, res.Slot)
	path, err := in.Job.Stdout.Text(&s)
	if err == nil {
		path = resolve(in.plan.root, path)
		err = os.MkdirAll(filepath.Dir(path), 0o777)
	}
	if err == nil {
		err = report.WriteFile(path, func(w io.Writer) error { return writeOutput(w, in, res) })
	}
	if err != nil {
		res.Outcome, res.Which, res.Evidence = pool.Failed, whichStdout, fmt.Sprintf("stdout %v", err)
	}
}

// writeOutput writes what an instance has printed, and its result behind it.
func writeOutput(to io.Writer, in *Instance, res *pool.Result) error {
	w := bufio.NewWriterSize(to, 64<<10)
	if _, err := res.Stdout.WriteTo(w); err != nil {
		return err
	}
	if hasResult(in, res) {
		w.Write(appendResult(nil, res))
	}
	return w.Flush()
}
