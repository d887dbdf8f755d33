package main

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/feac4032/multiproc/config"
)

// defaultFile is run when no file is named.
const defaultFile = "job.yaml"

// open changes the directory, loads the job file and gives it the variables of
// the flags. Mistakes in the file come back as config.Errors.
func open(c *cli.Context) (*config.File, error) {
	if dir := c.String("C"); dir != "" {
		if err := os.Chdir(dir); err != nil {
			return nil, usagef("-C %s: %v", dir, reason(err))
		}
	}
	path := defaultFile
	switch c.Args().Len() {
	case 0:
		if _, err := os.Stat(path); errors.Is(err, os.ErrNotExist) {
			if c.Command.Name == "run" {
				return nil, usagef("no %s here; try supervisor init", defaultFile)
			}
			return nil, usagef("no %s here; try supervisor %s FILE", defaultFile, c.Command.Name)
		}
	case 1:
		path = c.Args().First()
	default:
		return nil, usagef("one file at a time, not %d: %s", c.Args().Len(), strings.Join(c.Args().Slice(), " "))
	}
	f, err := config.Load(path)
	if err != nil {
		return nil, err
	}
	for _, v := range c.StringSlice("var") {
		name, text, ok := strings.Cut(v, "=")
		if !ok {
			return nil, usagef("-var %s: want NAME=VALUE", v)
		}
		if err := f.SetVar(name, text); err != nil {
			return nil, usagef("-var %s: %v", v, err)
		}
	}
	return f, nil
}

// reason leaves away the path, which the caller has named.
func reason(err error) error {
	var pe *os.PathError
	if errors.As(err, &pe) {
		return pe.Err
	}
	return err
}

// unwritable refuses the file of a flag. The error names it.
func unwritable(flag, path string, err error) error {
	dir := filepath.Dir(path)
	if _, missing := os.Stat(dir); errors.Is(missing, fs.ErrNotExist) {
		return usagef("-%s %s: there is no folder %s: make it first", flag, path, dir)
	}
	return usagef("-%s %v", flag, err)
}
