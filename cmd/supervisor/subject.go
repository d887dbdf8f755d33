package main

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/urfave/cli/v2"

	"github.com/feac4032/multiproc/internal/batch"
	"github.com/feac4032/multiproc/internal/journal"
)

// subject is what the arguments of a command about recorded runs stand for: a run,
// by default the last, and of it all instances, those of a job, or one.
type subject struct {
	store *journal.Store
	view  *journal.View
	info  journal.RunInfo
	job   string // "" = all
	index *int64 // nil = all of the job
}

func (s *subject) close() {
	s.view.Close()
	s.store.Close()
}

// filter wants the records of the subject.
func (s *subject) filter() journal.Filter { return journal.Filter{Job: s.job, Index: s.index} }

// recorded gives a record with the names that go with it.
func (s *subject) recorded(r *journal.Row) *batch.Recorded {
	rec := &batch.Recorded{Row: r, Job: s.view.Job(r.Job)}
	if r.Job >= 0 && r.Job < len(s.info.Jobs) {
		rec.Task = s.info.Jobs[r.Job].Kind == "task"
	}
	return rec
}

// subject opens what the arguments [RUN] [JOB | JOB#INDEX] stand for. One of them
// alone is a run if there is such a run, else a job of the last one.
func (s *command) subject(c *cli.Context) (_ *subject, err error) {
	args := c.Args().Slice()
	if len(args) > 2 {
		return nil, usagef("%s: want a RUN and a JOB or JOB#INDEX of it, not %d names: %s", c.Command.Name, len(args), strings.Join(args, " "))
	}
	store, err := look(c)
	if err != nil {
		return nil, usagef("%v", err)
	}
	sub := &subject{store: store}
	defer func() {
		if err != nil {
			store.Close()
			if sub.view != nil {
				sub.view.Close()
			}
		}
	}()
	run, instance := "", ""
	switch len(args) {
	case 2:
		run, instance = args[0], args[1]
	case 1:
		run = args[0]
	}
	sub.info, err = store.Find(run)
	switch {
	case len(args) == 1 && errors.Is(err, journal.ErrNotFound):
		if sub.info, err = store.Find(""); err != nil {
			return nil, s.unreadable(err)
		}
		run, instance = "", args[0]
		if err := s.view(sub); err != nil {
			return nil, err
		}
		if id, _, _ := strings.Cut(instance, "#"); !sub.has(id) {
			return nil, usagef("%s is no run in %s (supervisor ls lists them), and the last run, %s, has no job %s%s",
				instance, store.Dir(), sub.info.ID, id, sub.nearest(id))
		}
	case err != nil && !errors.Is(err, journal.ErrNotFound):
		return nil, usagef("%v", err)
	case err != nil:
		return nil, s.unreadable(err)
	}
	if sub.view == nil {
		if err := s.view(sub); err != nil {
			return nil, err
		}
	}
	if len(args) == 1 && instance == "" && run == "last" && sub.has(run) {
		return nil, usagef("last is a job of the last run as well: write last last for the job, or %s for the run", sub.info.ID)
	}
	if c.IsSet("job") {
		if instance != "" {
			return nil, usagef("-job %s and %s exclude each other", c.String("job"), instance)
		}
		instance = c.String("job")
	}
	return sub, sub.choose(instance)
}

// view opens the record of the run that was found.
func (s *command) view(sub *subject) (err error) {
	if sub.info.Broken != nil {
		s.code = batch.ExitInternal
		return errors.New(mend(&sub.info))
	}
	if sub.view, err = sub.store.View(sub.info.ID); err != nil {
		return s.unreadable(err)
	}
	sub.info = sub.view.Info()
	return nil
}

func (s *subject) has(job string) bool {
	return slices.ContainsFunc(s.info.Jobs, func(j journal.JobInfo) bool { return j.ID == job })
}

func (s *subject) nearest(job string) string {
	ids := make([]string, len(s.info.Jobs))
	for i, j := range s.info.Jobs {
		ids[i] = j.ID
	}
	return suggestion(job, "", ids)
}

// choose takes JOB or JOB#INDEX; "" is all.
func (s *subject) choose(instance string) error {
	if instance == "" {
		return nil
	}
	id, number, single := strings.Cut(instance, "#")
	if !s.has(id) {
		return usagef("run %s has no job %s%s", s.info.ID, id, s.nearest(id))
	}
	s.job = id
	if !single {
		return nil
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil || n < 0 {
		return usagef("%s: want JOB or JOB#INDEX, with an index from 0", instance)
	}
	s.index = &n
	return nil
}

// none says that the subject has no record.
func (s *subject) none() string {
	what := "no instance"
	switch {
	case s.index != nil:
		what = fmt.Sprintf("%s#%d", s.job, *s.index)
	case s.job != "":
		what = "no instance of " + s.job
	}
	switch {
	case s.info.State == journal.Running && s.index != nil:
		return fmt.Sprintf("%s has not ended yet, or there is no such instance; run %s is under way", what, s.info.ID)
	case s.info.State == journal.Running:
		return fmt.Sprintf("%s has ended yet; run %s is under way", what, s.info.ID)
	case s.index != nil:
		return fmt.Sprintf("run %s has no record of %s: there is no such instance, or it never started", s.info.ID, what)
	}
	return fmt.Sprintf("run %s has recorded %s", s.info.ID, what)
}
