package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"github.com/feac4032/multiproc/bench/figure"
)

// measurement is one interleaved run of all subjects.
type measurement struct {
	Machine Machine
	Begin   time.Time
	Took    time.Duration
	Rounds  int
	Works   []*Work
}

// measure runs the rounds. Before them each subject runs once with its short
// number, so that files are in memory; with short that is all, and it counts.
func (m *measurement) measure(ctx context.Context, stand *Stand, short bool, progress io.Writer) error {
	type turn struct {
		name string
		*Subject
	}
	var all []turn
	for _, w := range m.Works {
		for _, s := range w.Subjects {
			s.samples = map[figure.Kind][]float64{}
			if s.missing = s.Never; s.missing == "" {
				s.missing = stand.lacks(s.Tool)
			}
			if s.missing == "" {
				all = append(all, turn{w.ID + "/" + s.ID, s})
			}
		}
	}
	rounds := m.Rounds
	if short {
		rounds, m.Rounds = 0, 1
	}
	for round := range rounds + 1 {
		fmt.Fprintf(progress, "round %d of %d, %v\n", round, rounds, time.Since(m.Begin).Round(time.Second))
		order := rand.New(rand.NewPCG(uint64(round), 0)) // another one in every round, the same in every run
		order.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		for _, s := range all {
			if s.failed != nil || s.Rounds > 0 && round > s.Rounds {
				continue
			}
			n := s.Full
			if round == 0 {
				n = s.Short
			}
			figures, err := s.measure(ctx, stand, n)
			if ctx.Err() != nil {
				return errors.New("interrupted")
			}
			if err != nil {
				s.failed = err
				fmt.Fprintf(progress, "%s: %v\n", s.name, err)
				continue
			}
			if round == 0 && !short {
				continue
			}
			for kind, v := range figures {
				s.samples[kind] = append(s.samples[kind], v)
			}
		}
	}
	m.Took = time.Since(m.Begin)
	fmt.Fprintf(progress, "done in %v\n", m.Took.Round(time.Second))
	return nil
}

// failures is the error of the subjects that have failed, nil if none has.
func (m *measurement) failures() error {
	var all []error
	for _, w := range m.Works {
		for _, s := range w.Subjects {
			if s.failed != nil {
				all = append(all, fmt.Errorf("%s/%s: %w", w.ID, s.ID, s.failed))
			}
		}
	}
	return errors.Join(all...)
}

// subject finds WORK/SUBJECT, and the best peer of a work for WORK/peers. It is nil
// if that was not measured.
func (m *measurement) subject(name string, kind figure.Kind) *Subject {
	for _, w := range m.Works {
		if name == w.ID+"/peers" {
			return w.best(Peer, kind)
		}
		for _, s := range w.Subjects {
			if name == w.ID+"/"+s.ID && len(s.samples[kind]) > 0 {
				return s
			}
		}
	}
	return nil
}

// Verdict says how a goal stands.
type Verdict struct {
	Work   *Work
	Goal   Goal
	Value  float64 // ours; 0 = not measured
	Limit  float64 // what it is to come to; 0 = not measured
	Met    bool
	Judged bool // both are known
}

// verdicts are those of all goals.
func (m *measurement) verdicts() []Verdict {
	var all []Verdict
	for _, w := range m.Works {
		for _, g := range w.Goals {
			v := Verdict{Work: w, Goal: g, Limit: g.Bound + g.Plus}
			if g.Against != "" {
				v.Limit = 0
				if other := m.subject(g.Against, g.Figure); other != nil {
					v.Limit = g.Bound*other.summary(g.Figure).Median + g.Plus
				}
			}
			if s := m.subject(g.Subject, g.Figure); s != nil {
				v.Value = s.summary(g.Figure).Median
			}
			v.Judged = v.Value > 0 && v.Limit > 0
			v.Met = v.Judged && (v.Value == v.Limit || v.Value > v.Limit == g.Figure.More())
			all = append(all, v)
		}
	}
	return all
}
