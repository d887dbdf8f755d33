package main

import (
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"syscall"
	"time"
)

func main() {
	if len(os.Args) > 1 && os.Args[1] == pluginCommand {
		if err := pluginMain(os.Args[2:]); err != nil {
			fmt.Fprintln(os.Stderr, "bench:", err)
			os.Exit(1)
		}
		return
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	err := run(ctx, os.Args[1:], os.Stdout, os.Stderr)
	stop()
	if err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

// run returns an error if a subject has failed that the machine has got.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) (err error) {
	flags := flag.NewFlagSet("bench", flag.ContinueOnError)
	flags.SetOutput(stderr)
	short := flags.Bool("short", false, "run everything once, with tiny numbers, which say nothing")
	rounds := flags.Int("rounds", 7, "measure `N` times, in turns")
	only := flags.String("only", "", "measure the subjects alone whose names match `REGEXP`; see -list")
	list := flags.Bool("list", false, "print the names of the subjects")
	dir := flags.String("o", "", "write benchmarks.md and results.json into `DIR`; default: ../docs and here, and nothing with -short or -only")
	if err := flags.Parse(args); err != nil {
		return err
	}
	if flags.NArg() > 0 {
		return fmt.Errorf("%q: there are only flags", flags.Arg(0))
	}
	if *rounds < 1 {
		return fmt.Errorf("%d rounds are too few", *rounds)
	}
	chosen, err := regexp.Compile(*only)
	if err != nil {
		return fmt.Errorf("-only: %w", err)
	}
	works := choose(catalogue(), chosen)
	if len(works) == 0 {
		return fmt.Errorf("no subject matches %q; -list prints their names", *only)
	}
	if *list {
		for _, w := range works {
			for _, s := range w.Subjects {
				fmt.Fprintf(stdout, "%-22s %-6s %s\n", w.ID+"/"+s.ID, s.Role, plain(s.Title))
			}
		}
		return nil
	}
	page, results := filepath.Join("..", "docs", "benchmarks.md"), "results.json"
	if *dir != "" {
		page, results = filepath.Join(*dir, "benchmarks.md"), filepath.Join(*dir, "results.json")
		if err := os.MkdirAll(*dir, 0o777); err != nil {
			return err
		}
	} else if *short || *only != "" {
		page, results = "", ""
	}

	if err := plainLocale(); err != nil {
		return err
	}
	if err := adopt(); err != nil {
		return err
	}
	stand, err := newStand(ctx, stderr)
	if err != nil {
		return err
	}
	defer func() {
		if e := stand.close(); err == nil {
			err = e
		}
	}()
	m := measurement{Machine: stand.machine(ctx), Begin: time.Now(), Rounds: *rounds, Works: works}
	if err := m.measure(ctx, stand, *short, stderr); err != nil {
		return err
	}
	if err := m.print(stdout); err != nil {
		return err
	}
	if page != "" {
		if err := m.writePage(page); err != nil {
			return err
		}
		if err := m.writeResults(results); err != nil {
			return err
		}
	}
	return m.failures()
}
