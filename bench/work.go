package main

import (
	"regexp"
	"slices"

	"github.com/feac4032/multiproc/bench/figure"
)

// Work is something that all of its subjects do.
type Work struct {
	ID, Title string
	About     string        // what exactly is measured, for the page
	Figures   []figure.Kind // columns; the first is compared
	Goals     []Goal
	Subjects  []*Subject
}

// Goal is what a figure of ours is to come to.
type Goal struct {
	Text    string
	Subject string // WORK/SUBJECT
	Figure  figure.Kind
	// The figure is to be at most Bound times what that of Against is, or at least
	// where more is better, and Plus may come on top. Without Against they are absolute.
	Bound, Plus float64
	Against     string // WORK/SUBJECT, or WORK/peers for the best of them
}

// choose leaves the subjects whose names, WORK/SUBJECT, match, and works that have
// one.
func choose(works []*Work, chosen *regexp.Regexp) []*Work {
	for _, w := range works {
		w.Subjects = slices.DeleteFunc(w.Subjects, func(s *Subject) bool { return !chosen.MatchString(w.ID + "/" + s.ID) })
	}
	return slices.DeleteFunc(works, func(w *Work) bool { return len(w.Subjects) == 0 })
}

// best is the subject of a role with the best median of a figure, nil if none has
// one.
func (w *Work) best(role Role, kind figure.Kind) *Subject {
	var best *Subject
	for _, s := range w.Subjects {
		if s.Role != role || len(s.samples[kind]) == 0 {
			continue
		}
		if best == nil || s.summary(kind).Median > best.summary(kind).Median == kind.More() {
			best = s
		}
	}
	return best
}

// floor is the first floor of the work that was measured, with which the others
// are compared; nil if there is none.
func (w *Work) floor() *Subject {
	for _, s := range w.Subjects {
		if s.Role == Floor && len(s.samples[w.Figures[0]]) > 0 {
			return s
		}
	}
	return nil
}
