package batch

import (
	"fmt"
	"time"

	"github.com/feac4032/multiproc/internal/journal"
	"github.com/feac4032/multiproc/internal/report"
	"github.com/feac4032/multiproc/internal/text"
	"github.com/feac4032/multiproc/pool"
)

// tale is what the files of a run are told: the end of an instance, an attempt that
// is followed by another, or the death of a worker.
type tale struct {
	row     *report.Row
	attempt bool
	death   *report.Death
}

// tracer is a sink that wants to know of more than ends.
type tracer interface {
	Attempt(*report.Row) error
	Died(*report.Death) error
}

// tell tells it to those who want to know.
func (w *writer) tell(t *tale) {
	for i, s := range w.files {
		if s == nil {
			continue
		}
		var err error
		more, traces := s.(tracer)
		switch {
		case t.death != nil:
			if traces {
				err = more.Died(t.death)
			}
		case t.attempt:
			if traces {
				err = more.Attempt(t.row)
			}
		default:
			err = s.Add(t.row)
		}
		if err != nil {
			w.files[i] = nil
			s.Close(nil)
			w.onLost(toFiles, err)
		}
	}
}

// tellAttempt has an attempt told that is followed by another one.
func (r *run) tellAttempt(in *Instance, res *pool.Result) {
	if len(r.led.files) > 0 {
		r.led.tell(tale{row: r.reportRow(in, in.state, res), attempt: true})
	}
}

// tellDeath has the end of a worker told.
func (r *run) tellDeath(e *pool.WorkerEvent) {
	if len(r.led.files) > 0 && e.Kind == pool.WorkerExited && e.Job != "" {
		r.led.tell(tale{death: &report.Death{
			Time: e.Time, Worker: e.Worker, PID: e.PID, Slot: e.Slot, Evidence: e.Evidence, Under: e.Job,
		}})
	}
}

// summarize makes the summary that the files end with.
func (r *run) summarize(rep *Report) *report.Summary {
	s := &report.Summary{
		Name: rep.Name, Run: rep.Run, Command: r.cfg.Command, Exit: rep.Exit,
		Begin: r.begin, Wall: time.Since(r.begin), Workers: rep.Workers,
		NotStarted: rep.Totals.NotStarted, Retried: rep.Totals.Retried, Resumed: rep.Totals.Resumed,
		WorkersLost: int64(rep.Totals.WorkersLost), Halted: rep.Halted, Error: rep.Error,
		PeakRSS: rep.Supervisor.PeakRSS, Isolation: rep.Isolation, Leaked: rep.Leaked,
	}
	for i, o := range outcomes {
		s.Totals = append(s.Totals, report.Count{Outcome: string(o), N: r.tally.by[i]})
	}
	return s
}

// closeSinks completes the files, and the journal. What cannot be completed makes
// the run's exit code.
func (r *run) closeSinks(rep *Report) {
	lost := func(err error) {
		fmt.Fprintf(r.cfg.Stderr, "supervisor: %s\n", text.Plain(r.mask.Text(err.Error()), 4000))
		if rep.Exit < ExitSignal {
			rep.Exit = ExitInternal
		}
	}
	s := r.summarize(rep)
	for _, sink := range r.led.files {
		if sink == nil {
			continue
		}
		if err := sink.Close(s); err != nil {
			lost(err)
			s.Exit = rep.Exit
		}
	}
	if r.cfg.Journal == nil || r.led.lost {
		return
	}
	totals, err := rep.Totals.JSON()
	if err == nil {
		err = r.cfg.Journal.End(journal.End{Time: time.Now(), ExitCode: rep.Exit, Totals: totals})
	}
	if err != nil {
		lost(fmt.Errorf("journal %s: %w", r.cfg.Journal.Dir(), cause(err)))
	}
}
