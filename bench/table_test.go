package main

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/feac4032/multiproc/bench/figure"
)

// sample is a measurement in which a peer is better, one is missing, and one has
// failed.
func sample() *measurement {
	samples := func(values ...float64) map[figure.Kind][]float64 {
		return map[figure.Kind][]float64{figure.P50: values}
	}
	return &measurement{
		Begin: time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), Took: time.Minute, Rounds: 3,
		Works: []*Work{{
			ID: "one", Title: "One", About: "What it is.", Figures: []figure.Kind{figure.P50},
			Goals: []Goal{
				{Text: "at most 2 × pipes", Subject: "one/ours", Figure: figure.P50, Bound: 2, Against: "one/pipes"},
				{Text: "as good as peers", Subject: "one/ours", Figure: figure.P50, Bound: 1, Against: "one/peers"},
				{Text: "at most 1 s", Subject: "one/absent", Figure: figure.P50, Bound: 1},
			},
			Subjects: []*Subject{
				{ID: "pipes", Title: "pipes", Role: Floor, samples: samples(10e-6, 11e-6, 12e-6)},
				{ID: "ours", Title: "`Call`", Role: Ours, samples: samples(20e-6, 22e-6, 40e-6)},
				{ID: "quick", Title: "quick", Role: Peer, samples: samples(5.5e-6, 5.5e-6, 5.5e-6)},
				{ID: "slow", Title: "slow", Role: Peer, samples: samples(1e-3, 1.1e-3, 1.2e-3)},
				{ID: "absent", Title: "absent", Role: Peer, missing: "not installed"},
				{ID: "broken", Title: "broken", Role: Peer, failed: errors.New("exit status 1")},
			},
		}},
	}
}

func TestTable_ShowsEveryRow(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	sample().Works[0].table().markdown(&b)
	want := `|  |  | median | middle half | ÷ floor | ÷ best peer |
| --- | --- | --- | --- | --- | --- |
| pipes | floor | 11.0 µs | 10.5 µs – 11.5 µs | 1.00 | 2.00 |
| ` + "`Call`" + ` | **ours** | 22.0 µs | 21.0 µs – 31.0 µs | 2.00 | 4.00 |
| quick | peer | 5.50 µs | 5.50 µs | 0.50 | 1.00 |
| slow | peer | 1.10 ms | 1.05 ms – 1.15 ms | 100 | 200 |
| absent: not installed | peer |  |  |  |  |
| broken: failed | peer |  |  |  |  |
`
	if got := b.String(); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
}

func TestTable_HasColumnsOnATerminal(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	Table{Head: []string{"", "größe"}, Rows: [][]string{{"`a`", "1 µs"}, {"**long**", ""}}}.text(&b)
	want := "      größe\na     1 µs\nlong\n"
	if got := b.String(); got != want {
		t.Errorf("got\n%q\nwant\n%q", got, want)
	}
}

func TestGoals_AreMetAtTheirLimit(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	sample().goals().markdown(&b)
	for _, want := range []string{
		"| One | at most 2 × pipes | 22.0 µs | 22.0 µs | yes |",
		"| One | as good as peers | 5.50 µs | 22.0 µs | **no** |",
		"| One | at most 1 s | 1.00 s |  |  |",
	} {
		if !strings.Contains(b.String(), want+"\n") {
			t.Errorf("no line %q in\n%s", want, b.String())
		}
	}
}

func TestGoals_OfRatesWantMore(t *testing.T) {
	t.Parallel()
	m := &measurement{Works: []*Work{{ID: "many", Figures: []figure.Kind{figure.Rate},
		Goals: []Goal{
			{Subject: "many/ours", Figure: figure.Rate, Bound: 20, Against: "many/peers"},
			{Subject: "many/ours", Figure: figure.Rate, Bound: 1000},
		},
		Subjects: []*Subject{
			{ID: "ours", Role: Ours, samples: map[figure.Kind][]float64{figure.Rate: {1500}}},
			{ID: "a", Role: Peer, samples: map[figure.Kind][]float64{figure.Rate: {10}}},
			{ID: "b", Role: Peer, samples: map[figure.Kind][]float64{figure.Rate: {100}}},
		}}}}
	got := m.verdicts()
	if got[0].Limit != 2000 || got[0].Met || !got[1].Met {
		t.Errorf("%+v", got)
	}
	if lost := m.lost(); len(lost.Rows) != 0 {
		t.Errorf("lost against %v", lost.Rows)
	}
}

func TestPage_NamesThePeersThatAreBetter(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	sample().page(&b)
	_, lost, found := strings.Cut(b.String(), "## Where others are better\n\n")
	lost, _, _ = strings.Cut(lost, "\n## ")
	if !found || !strings.HasSuffix(lost, "| --- |\n| One | quick | 5.50 µs | `Call` | 22.0 µs | 4.00 |\n") {
		t.Errorf("they are\n%s", lost)
	}
	if !strings.Contains(b.String(), "Measured on 2 January 2026, in 3 rounds and 1m0s.") {
		t.Error("the page does not say when it was measured")
	}
}

func TestQuantity_HasThreeDigits(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		kind figure.Kind
		v    float64
		want string
	}{
		{figure.P50, 1.234e-9, "1.23 ns"},
		{figure.P50, 999.7e-9, "1.00 µs"},
		{figure.P50, 99.94e-6, "99.9 µs"},
		{figure.P50, 99.96e-6, "100 µs"},
		{figure.Wall, 61, "61.0 s"},
		{figure.Rate, 1_234_567, "1.23 M/s"},
		{figure.Rate, 987, "987 /s"},
		{figure.Rate, 0.5, "0.50 /s"},
		{figure.PSS, 3_456_000, "3.46 MB"},
	} {
		if got := quantity(c.kind, c.v); got != c.want {
			t.Errorf("%s %v: %q, want %q", c.kind, c.v, got, c.want)
		}
	}
}
