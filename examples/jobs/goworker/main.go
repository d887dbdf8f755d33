// Command goworker is a worker: supervisor run starts it, and it runs the tasks
// that it defines. See job.yaml.
package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"regexp"

	"github.com/feac4032/multiproc/task"
	"github.com/feac4032/multiproc/worker"
)

// Search is a task's argument: what stands under args in the job file. Names that
// it does not have, and values of other types, are errors.
type Search struct {
	Path    string `msgpack:"path"`
	Pattern string `msgpack:"pattern"`
}

// Found is its result, a line of JSON on the supervisor's stdout.
type Found struct {
	Path  string `msgpack:"path"`
	Lines int    `msgpack:"lines"`
}

// compiled is kept for all jobs of this process, which runs one at a time.
var compiled = map[string]*regexp.Regexp{}

var _ = task.Define("match", func(ctx context.Context, s Search) (Found, error) {
	re := compiled[s.Pattern]
	if re == nil {
		var err error
		if re, err = regexp.Compile(s.Pattern); err != nil {
			return Found{}, err
		}
		compiled[s.Pattern] = re
	}
	f, err := os.Open(s.Path)
	if err != nil {
		return Found{}, err
	}
	defer f.Close()
	found := Found{Path: s.Path}
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		if ctx.Err() != nil { // cancelled, or out of time
			return Found{}, ctx.Err()
		}
		if re.Match(lines.Bytes()) {
			found.Lines++
		}
	}
	if err := lines.Err(); err != nil {
		return Found{}, fmt.Errorf("%s: %w", s.Path, err)
	}
	return found, nil
})

func main() { worker.Main() }
