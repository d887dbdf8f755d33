package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/feac4032/multiproc/bench/figure"
)

// supervised is `supervisor run` of a file with one job, of n instances, timed as a
// whole, with everything that it does by default: outputs captured, whole and
// unmixed, and a journal. The resident memory is its own account of its peak.
func supervised(job string) func(context.Context, *Stand, int) (figure.Set, error) {
	return func(ctx context.Context, stand *Stand, n int) (figure.Set, error) {
		dir, err := os.MkdirTemp(stand.dir, "run-")
		if err != nil {
			return nil, err
		}
		defer os.RemoveAll(dir)
		file := fmt.Sprintf("jobs:\n  - {id: job, %s, foreach: {range: 1..%d}}\n", job, n)
		if err := os.WriteFile(filepath.Join(dir, "job.yaml"), []byte(file), 0o666); err != nil {
			return nil, err
		}
		_, took, err := stand.executeIn(ctx, dir, "", []string{stand.programs["supervisor"],
			"run", "-workers", "2", "-no-progress", "-report", "report.json"})
		if err != nil {
			return nil, err
		}
		return readReport(filepath.Join(dir, "report.json"), n, took)
	}
}

// readReport checks that a run has done all that it was to do.
func readReport(path string, n int, took time.Duration) (figure.Set, error) {
	text, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	var report struct {
		Totals     map[string]int
		Supervisor struct {
			Peak float64 `json:"peak_rss_bytes"`
		}
	}
	if err := json.Unmarshal(text, &report); err != nil {
		return nil, fmt.Errorf("report.json: %w", err)
	}
	if report.Totals["ok"] != n {
		return nil, fmt.Errorf("report.json: %d of %d instances are ok", report.Totals["ok"], n)
	}
	figures := figure.PerSecond(n, took)
	figures[figure.RSS] = report.Supervisor.Peak
	return figures, nil
}

// cold is a program that does a single thing, from its start to its end.
func cold(run func(context.Context, *Stand, int) (figure.Set, error)) func(context.Context, *Stand, int) (figure.Set, error) {
	return func(ctx context.Context, stand *Stand, n int) (figure.Set, error) {
		var laps figure.Laps
		for range n {
			figures, err := run(ctx, stand, 1)
			if err != nil {
				return nil, err
			}
			laps = append(laps, time.Duration(figures[figure.Wall]*1e9))
		}
		return laps.Set(), nil
	}
}
