package main

import (
	"encoding/json"
	"os"
	"strconv"
	"time"

	"github.com/urfave/cli/v2"

	"github.com/feac4032/multiproc/config"
	"github.com/feac4032/multiproc/internal/batch"
)

// each runs a command for each item, without a job file.
func (s *command) each(c *cli.Context) error {
	begin := time.Now()
	if dir := c.String("C"); dir != "" {
		if err := os.Chdir(dir); err != nil {
			return usagef("-C %s: %v", dir, reason(err))
		}
	}
	dir, err := os.Getwd()
	if err != nil {
		return usagef("each: working directory: %v", err)
	}
	spec := config.Each{
		Argv: c.Args().Slice(), Shell: c.Bool("shell"), Path: c.String("a"), Nul: c.Bool("0"), Dir: dir,
	}
	if spec.N, err = packing(c.String("n")); err != nil {
		return err
	}
	if path := spec.Path; path != "" && path != config.StdinPath {
		if _, err := os.Stat(path); err != nil {
			return usagef("-a %s: %v", path, reason(err))
		}
	}
	f, err := config.NewEach(spec)
	if err != nil {
		return usagef("%v", err)
	}
	e := &execution{command: s, c: c, unkept: true}
	// Runs of the same command line, in the same folder, are the same.
	id, err := json.Marshal([]any{"each", dir, spec.Shell, spec.N, spec.Argv})
	if err != nil {
		return err
	}
	e.identity = string(id)
	e.cfg.Begin, e.cfg.File = begin, f
	if c.Bool("tag") {
		e.cfg.Tag = (*batch.Instance).ItemText
	}
	return e.start()
}

// packing reads how many items one command line gets.
func packing(text string) (int, error) {
	switch text {
	case "":
		return 0, nil
	case "auto":
		return -1, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 {
		return 0, usagef("-n %s: want a number of items, or auto", text)
	}
	return n, nil
}
