package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"runtime"
	"strconv"
	"syscall"

	"github.com/urfave/cli/v2"

	"github.com/feac4032/multiproc/internal/batch"
	"github.com/feac4032/multiproc/internal/lab"
)

func experimentFlags() []cli.Flag {
	return []cli.Flag{
		&cli.BoolFlag{Name: "list", Usage: "list the experiments with their claims, and run none", DisableDefaultText: true},
		&cli.BoolFlag{Name: "json", Usage: "print JSON with the same facts", DisableDefaultText: true},
		&cli.StringFlag{Name: "workers", Aliases: []string{"j", "P"}, Usage: "let `N` threads and N processes work at a time, 1 to 64; default: the CPUs, at least 2"},
	}
}

// maxParties bounds the workers of an experiment, each of which is a process.
const maxParties = 64

func (s *command) experiment(c *cli.Context) error {
	chosen, err := lab.Choose(c.Args().Slice())
	if err != nil {
		return usagef("experiment: %v", err)
	}
	workers := min(max(2, runtime.GOMAXPROCS(0)), maxParties)
	if c.IsSet("workers") {
		text := c.String("workers")
		if workers, err = strconv.Atoi(text); err != nil || workers < 1 || workers > maxParties {
			return usagef("-workers %s: want a number from 1 to %d", text, maxParties)
		}
	}
	if c.Bool("list") {
		return s.list(chosen, c.Bool("json"))
	}
	signals, stop := listen()
	defer stop()
	ctx, cancel := context.WithCancelCause(context.Background())
	defer cancel(nil)
	go func() {
		select {
		case sig := <-signals:
			cancel(signalError{sig})
		case <-ctx.Done():
		}
	}()
	return s.perform(ctx, chosen, lab.Config{Workers: workers}, c.Bool("json"))
}

// signalError is why experiments ended early.
type signalError struct{ os.Signal }

func (e signalError) Error() string { return e.String() }

// perform runs experiments and prints what was seen.
func (s *command) perform(ctx context.Context, chosen []*lab.Experiment, cfg lab.Config, asJSON bool) error {
	var lost error
	summary, err := lab.Run(ctx, chosen, cfg, func(r *lab.Report) {
		switch {
		case r.Error != "":
			s.code = batch.ExitInternal
		case !r.Holds && s.code == batch.ExitOK:
			s.code = batch.ExitNotOK
		}
		if !asJSON && lost == nil {
			lost = r.WriteText(s.stdout)
		}
	})
	var sig signalError
	if errors.As(err, &sig) {
		s.code = batch.ExitSignal + 2
		if n, ok := sig.Signal.(syscall.Signal); ok {
			s.code = batch.ExitSignal + int(n)
		}
		return fmt.Errorf("ended by a signal: %w", err)
	}
	switch {
	case asJSON:
		b, err := summary.JSON()
		if err == nil {
			_, err = s.stdout.Write(b)
		}
		lost = err
	case lost == nil:
		held := 0
		for _, r := range summary.Experiments {
			if r.Holds {
				held++
			}
		}
		_, lost = fmt.Fprintf(s.stdout, "%d of %d claims were borne out, with %d %s, in %.1f s\n",
			held, len(summary.Experiments), summary.Workers, plural(int64(summary.Workers), "worker", "workers"), summary.Wall)
	}
	if lost != nil {
		s.code = batch.ExitInternal
		return fmt.Errorf("stdout: %w", reason(lost))
	}
	return nil
}

// list prints what there is.
func (s *command) list(chosen []*lab.Experiment, asJSON bool) error {
	if asJSON {
		b, err := json.MarshalIndent(chosen, "", "  ")
		if err != nil {
			return err
		}
		return s.print(string(b))
	}
	for _, e := range chosen {
		if err := s.print(fmt.Sprintf("%-12s%s", e.Name, e.Claim)); err != nil {
			return err
		}
	}
	return nil
}
