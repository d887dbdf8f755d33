package main

import (
	"encoding/json"
	"os"

	"github.com/feac4032/multiproc/bench/figure"
)

// results is the form of results.json: figures in seconds, bytes and numbers per
// second.
type results struct {
	Date    string       `json:"date"` // RFC 3339
	Seconds float64      `json:"seconds"`
	Rounds  int          `json:"rounds"`
	Machine Machine      `json:"machine"`
	Works   []workResult `json:"works"`
	Goals   []goalResult `json:"goals"`
}

type workResult struct {
	ID       string          `json:"id"`
	Title    string          `json:"title"`
	Subjects []subjectResult `json:"subjects"`
}

type subjectResult struct {
	ID      string                    `json:"id"`
	Title   string                    `json:"title"`
	Role    Role                      `json:"role"`
	N       int                       `json:"n,omitempty"`       // jobs, items or starts in a run
	Missing string                    `json:"missing,omitempty"` // why it was not measured
	Error   string                    `json:"error,omitempty"`
	Figures map[figure.Kind]Summary   `json:"figures,omitempty"`
	Samples map[figure.Kind][]float64 `json:"samples,omitempty"` // in the order of the rounds
}

type goalResult struct {
	Work  string  `json:"work"`
	Goal  string  `json:"goal"`
	Value float64 `json:"value,omitempty"`
	Limit float64 `json:"limit,omitempty"`
	Met   *bool   `json:"met,omitempty"` // absent = not known
}

func (m *measurement) writeResults(path string) error {
	r := results{Date: m.Begin.UTC().Format("2006-01-02T15:04:05Z"), Seconds: m.Took.Seconds(), Rounds: m.Rounds, Machine: m.Machine}
	for _, w := range m.Works {
		work := workResult{ID: w.ID, Title: w.Title}
		for _, s := range w.Subjects {
			subject := subjectResult{ID: s.ID, Title: s.Title, Role: s.Role, N: s.Full, Missing: s.missing, Samples: s.samples}
			if s.failed != nil {
				subject.Error = s.failed.Error()
			}
			subject.Figures = map[figure.Kind]Summary{}
			for kind := range s.samples {
				subject.Figures[kind] = s.summary(kind)
			}
			work.Subjects = append(work.Subjects, subject)
		}
		r.Works = append(r.Works, work)
	}
	for _, v := range m.verdicts() {
		goal := goalResult{Work: v.Work.ID, Goal: v.Goal.Text, Value: v.Value, Limit: v.Limit}
		if v.Judged {
			goal.Met = &v.Met
		}
		r.Goals = append(r.Goals, goal)
	}
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return err
	}
	return os.WriteFile(path, append(text, '\n'), 0o666)
}
