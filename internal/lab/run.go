package lab

import (
	"context"
	"fmt"
	"math"
	"runtime"
	"time"
)

// Config says how experiments are run.
type Config struct {
	// Workers is how many threads, and how many processes, work at a time. 0 = as
	// many as there are CPUs for this process, at least 2.
	Workers int
}

// trial is an experiment under way.
type trial struct {
	workers int
	facts   []Fact
}

// perExperiment bounds one experiment: what takes longer is stuck.
const perExperiment = 30 * time.Second

// Run tries experiments one after the other, and hands each report to done as it
// comes. Reports of claims that did not hold are no error, nor are those of
// experiments that could not be tried; the end of ctx is, and nothing of theirs is
// left then.
func Run(ctx context.Context, chosen []*Experiment, cfg Config, done func(*Report)) (*Summary, error) {
	if cfg.Workers <= 0 {
		cfg.Workers = max(2, runtime.GOMAXPROCS(0))
	}
	begin := time.Now()
	s := &Summary{Version: 1, Workers: cfg.Workers, Experiments: []*Report{}}
	for _, e := range chosen {
		r := try(ctx, e, cfg.Workers)
		if ctx.Err() != nil {
			return s, context.Cause(ctx)
		}
		s.Experiments = append(s.Experiments, r)
		s.Wall = seconds(time.Since(begin))
		done(r)
	}
	return s, nil
}

func try(ctx context.Context, e *Experiment, workers int) *Report {
	ctx, cancel := context.WithTimeoutCause(ctx, perExperiment, fmt.Errorf("it did not end within %v", perExperiment))
	defer cancel()
	t := &trial{workers: workers, facts: []Fact{}}
	begin := time.Now()
	holds, err := e.run(ctx, t)
	r := &Report{Name: e.Name, Claim: e.Claim, Facts: t.facts, Holds: holds && err == nil, Wall: seconds(time.Since(begin))}
	if err != nil {
		r.Error = err.Error()
	}
	return r
}

func seconds(d time.Duration) float64 { return math.Round(d.Seconds()*1000) / 1000 }
