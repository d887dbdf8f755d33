package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"time"
)

// print writes all tables for a terminal.
func (m *measurement) print(out io.Writer) error {
	var b bytes.Buffer
	for _, w := range m.Works {
		fmt.Fprintf(&b, "\n%s (%s): %s\n", w.Title, w.ID, better(w))
		w.table().text(&b)
	}
	if goals := m.goals(); len(goals.Rows) > 0 {
		fmt.Fprintln(&b, "\nGoals")
		goals.text(&b)
	}
	if lost := m.lost(); len(lost.Rows) > 0 {
		fmt.Fprintln(&b, "\nPeers that are better")
		lost.text(&b)
	}
	_, err := out.Write(b.Bytes())
	return err
}

func better(w *Work) string {
	if w.Figures[0].More() {
		return "more is better"
	}
	return "less is better"
}

// writePage writes the document.
func (m *measurement) writePage(path string) error {
	var b bytes.Buffer
	m.page(&b)
	return os.WriteFile(path, b.Bytes(), 0o666)
}

func (m *measurement) page(b io.Writer) {
	fmt.Fprint(b, `# Benchmarks

This page is written by the program in [bench](../bench/README.md), which measures this project beside others that do
the same work, and beside the *floor*: what the same work costs with system calls and nothing else. To see it on your
machine:

`+"```sh\ncd bench && go run .\n```"+`

Where our own time goes, step by step, is in [performance.md](performance.md).

**How.** Every subject is a process of its own, with two workers where nothing else is said, warm before anything is
measured. None has a locale in its environment, which would make `+"`/bin/true`"+` three times as dear. A round runs each subject once, one after the other, in an order that changes from round to round. A figure is
the median of the rounds, the *middle half* is where those lie that are next to it, half of all. One more round before
them, with small numbers, does not count. Ratios are those of the medians: `+"`÷ floor`"+` is a figure divided by that of
the first floor of its table, `+"`÷ best peer`"+` by that of the best peer.

`)
	m.Machine.table().markdown(b)
	fmt.Fprintf(b, "\nMeasured on %s, in %d rounds and %v.\n", m.Begin.UTC().Format("2 January 2006"), m.Rounds, m.Took.Round(time.Second))
	fmt.Fprint(b, "\n## Goals\n\n")
	m.goals().markdown(b)
	fmt.Fprint(b, "\n## Where others are better\n\n")
	if lost := m.lost(); len(lost.Rows) > 0 {
		lost.markdown(b)
	} else {
		fmt.Fprintln(b, "Nowhere in this run.")
	}
	for _, w := range m.Works {
		fmt.Fprintf(b, "\n## %s\n\n%s %s\n\n", w.Title, w.About, map[bool]string{true: "More is better.", false: "Less is better."}[w.Figures[0].More()])
		w.table().markdown(b)
		for _, s := range w.Subjects {
			if s.Rounds > 0 && s.Rounds < m.Rounds {
				fmt.Fprintf(b, "\n%s: in the first %d rounds.\n", s.Title, s.Rounds)
			}
		}
	}
}
