package main

import (
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/feac4032/multiproc/bench/figure"
)

// Table is rows of cells, the first of which are names and the rest figures.
type Table struct {
	Head []string
	Rows [][]string
}

var titles = map[figure.Kind]string{
	figure.P50: "median", figure.P99: "99th percentile", figure.Wall: "time",
	figure.Rate: "rate", figure.RSS: "peak memory", figure.PSS: "memory",
}

// table shows the medians of a work's figures, where the middle half of the samples
// of the first one lies, and what the first one is, divided by the floor's and by
// the best peer's. Figures that are missing are empty cells.
func (w *Work) table() Table {
	first := w.Figures[0]
	floor, peer := w.floor(), w.best(Peer, first)
	t := Table{Head: []string{"", ""}}
	for _, kind := range w.Figures {
		t.Head = append(t.Head, titles[kind])
		if kind == first {
			t.Head = append(t.Head, "middle half", "÷ floor", "÷ best peer")
		}
	}
	for _, s := range w.Subjects {
		row := []string{s.name(), s.Role.cell()}
		for _, kind := range w.Figures {
			sum := s.summary(kind)
			value, middle := "", ""
			if sum.N > 0 {
				value, middle = quantity(kind, sum.Median), spread(kind, sum.Q1, sum.Q3)
			}
			row = append(row, value)
			if kind == first {
				row = append(row, middle, ratio(sum, floor, kind), ratio(sum, peer, kind))
			}
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// cell marks the rows that are ours.
func (r Role) cell() string {
	if r == Ours {
		return "**ours**"
	}
	return string(r)
}

// name is the title, and why there is nothing to see.
func (s *Subject) name() string {
	switch {
	case s.missing != "":
		return s.Title + ": " + s.missing
	case s.failed != nil:
		return s.Title + ": failed"
	}
	return s.Title
}

func ratio(sum Summary, other *Subject, kind figure.Kind) string {
	if sum.N == 0 || other == nil {
		return ""
	}
	return digits(sum.Median / other.summary(kind).Median)
}

// goals shows how the goals stand.
func (m *measurement) goals() Table {
	t := Table{Head: []string{"work", "goal", "that is", "measured", "met"}}
	for _, v := range m.verdicts() {
		row := []string{v.Work.Title, v.Goal.Text, "", "", ""}
		if v.Limit > 0 {
			row[2] = quantity(v.Goal.Figure, v.Limit)
		}
		if v.Value > 0 {
			row[3] = quantity(v.Goal.Figure, v.Value)
		}
		if v.Judged {
			row[4] = map[bool]string{true: "yes", false: "**no**"}[v.Met]
		}
		t.Rows = append(t.Rows, row)
	}
	return t
}

// lost lists the peers that are better than the best of ours, in the first figure
// of their work.
func (m *measurement) lost() Table {
	t := Table{Head: []string{"work", "peer", "", "ours, the best", "", "÷ peer"}}
	for _, w := range m.Works {
		kind := w.Figures[0]
		best := w.best(Ours, kind)
		if best == nil {
			continue
		}
		us := best.summary(kind)
		for _, s := range w.Subjects {
			they := s.summary(kind)
			if s.Role == Peer && they.N > 0 && they.Median != us.Median && they.Median > us.Median == kind.More() {
				t.Rows = append(t.Rows, []string{w.Title, s.Title, quantity(kind, they.Median),
					best.Title, quantity(kind, us.Median), ratio(us, s, kind)})
			}
		}
	}
	return t
}

// markdown writes it as a document has it.
func (t Table) markdown(w io.Writer) {
	fmt.Fprintln(w, "| "+strings.Join(t.Head, " | ")+" |")
	fmt.Fprintln(w, strings.Repeat("| --- ", len(t.Head))+"|")
	for _, row := range t.Rows {
		fmt.Fprintln(w, "| "+strings.Join(row, " | ")+" |")
	}
}

// text writes it in columns, without Markdown.
func (t Table) text(w io.Writer) {
	widths := make([]int, len(t.Head))
	rows := append([][]string{t.Head}, t.Rows...)
	for _, row := range rows {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(plain(cell)))
		}
	}
	for _, row := range rows {
		var line strings.Builder
		for i, cell := range row {
			cell = plain(cell)
			line.WriteString(cell + strings.Repeat(" ", widths[i]-utf8.RuneCountInString(cell)+2))
		}
		fmt.Fprintln(w, strings.TrimRight(line.String(), " "))
	}
}

// plain is a cell without the marks of Markdown.
func plain(cell string) string { return strings.NewReplacer("`", "", "**", "").Replace(cell) }
