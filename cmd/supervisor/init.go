package main

import (
	_ "embed"
	"errors"
	"fmt"
	"os"

	"github.com/urfave/cli/v2"

	"github.com/feac4032/multiproc/internal/batch"
)

// starter is a job file to begin with. It runs where there are the usual small
// commands.
//
//go:embed starter.yaml
var starter []byte

func initFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "force", Usage: "write over a FILE that is there", DisableDefaultText: true},
	}
}

func (s *command) init(c *cli.Context) error {
	path := defaultFile
	switch c.Args().Len() {
	case 0:
	case 1:
		path = c.Args().First()
	default:
		return usagef("init: one file at a time, not %d", c.Args().Len())
	}
	mode := os.O_EXCL
	if c.Bool("force") {
		mode = os.O_TRUNC
	}
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|mode, 0o666)
	switch {
	case errors.Is(err, os.ErrExist):
		return usagef("init: %s is there already; -force writes over it", path)
	case err != nil:
		return usagef("init: %s: %v", path, reason(err))
	}
	_, err = f.Write(starter)
	if err = errors.Join(err, f.Close()); err != nil {
		s.code = batch.ExitInternal
		return fmt.Errorf("init: %s: %w", path, reason(err))
	}
	file := " " + path
	if path == defaultFile {
		file = ""
	}
	return s.print(fmt.Sprintf("%s: written; supervisor run -dry-run%s prints what would run, and supervisor run%s runs it", path, file, file))
}
