package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/feac4032/multiproc/config"
	"github.com/feac4032/multiproc/internal/batch"
)

func (s *command) validate(c *cli.Context) error {
	f, err := open(c)
	if err != nil {
		return s.refuse(err)
	}
	var known int64
	var open []string
	for _, j := range f.Jobs {
		n, ok := instances(j)
		if !ok {
			open = append(open, j.ID)
			continue
		}
		known += n
	}
	line := fmt.Sprintf("%s: ok: %d %s", f.Path, len(f.Jobs), plural(int64(len(f.Jobs)), "job", "jobs"))
	if known > 0 {
		line += fmt.Sprintf(", %d %s", known, plural(known, "instance", "instances"))
	}
	if len(open) > 0 {
		line += ", and as many as there is input for " + strings.Join(open, ", ")
	}
	return s.print(line)
}

// refuse prints the mistakes of a file, and what it asks for that is not there, a line
// for each, and passes on other errors.
func (s *command) refuse(err error) error {
	var bad config.Errors
	var missing *batch.UsageError
	switch {
	case errors.As(err, &missing):
		s.code = batch.ExitUsage
		fmt.Fprintln(s.stderr, missing)
		return nil
	case !errors.As(err, &bad):
		return err
	}
	s.code = batch.ExitUsage
	for _, e := range bad {
		fmt.Fprintln(s.stderr, e)
	}
	return nil
}

func plural(n int64, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}
