package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"
	"unicode/utf8"
)

// Each experiment bears its claim out, in a time that lets all of them end within
// a minute.
func TestExperiments_BearTheirClaimsOut(t *testing.T) {
	for _, e := range All() {
		t.Run(e.Name, func(t *testing.T) {
			begin := time.Now()
			r := try(t.Context(), e, 2)
			if r.Error != "" {
				t.Fatal(r.Error)
			}
			if !r.Holds {
				t.Errorf("it does not: %+v", r.Facts)
			}
			if len(r.Facts) == 0 {
				t.Error("nothing was seen")
			}
			if took := time.Since(begin); took > 20*time.Second {
				t.Errorf("took %v", took)
			}
			checkText(t, r)
		})
	}
}

// checkText holds the text of a report to the facts of its JSON, and to 80
// columns.
func checkText(t *testing.T, r *Report) {
	t.Helper()
	b, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	var back Report
	dec := json.NewDecoder(strings.NewReader(string(b)))
	dec.UseNumber()
	if err := dec.Decode(&back); err != nil {
		t.Fatal(err)
	}
	var text strings.Builder
	if err := r.WriteText(&text); err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(text.String(), "\n")
	for _, line := range lines {
		if n := utf8.RuneCountInString(line); n > pageWidth {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	// What stands in the columns, put together again, are the facts in their order.
	_, table, _ := strings.Cut(text.String(), "processes\n")
	var got [3]strings.Builder
	for line := range strings.Lines(table) {
		if strings.HasPrefix(line, gap+"=>") {
			break
		}
		cells := []rune(strings.TrimSuffix(line, "\n") + strings.Repeat(" ", pageWidth))
		from := len(gap)
		for i, width := range []int{nameWidth, sideWidth, sideWidth} {
			got[i].WriteString(squeeze(string(cells[from : from+width])))
			from += width + len(gap)
		}
	}
	var want [3]strings.Builder
	for _, f := range back.Facts {
		want[0].WriteString(squeeze(f.Name))
		want[1].WriteString(squeeze(show(f.Threads, f.Unit)))
		want[2].WriteString(squeeze(show(f.Processes, f.Unit)))
	}
	for i := range got {
		if got[i].String() != want[i].String() {
			t.Errorf("column %d:\ntext %s\nJSON %s", i, got[i].String(), want[i].String())
		}
	}
}

func squeeze(s string) string { return strings.ReplaceAll(s, " ", "") }

func TestReport_WrapsWhatIsLong(t *testing.T) {
	t.Parallel()
	r := &Report{
		Name: "example", Claim: "What is said here is longer than one line of a terminal that has eighty columns, so it goes on in a second one.",
		Facts: []Fact{
			{"a number", "µs", rounded(12.3456), nil},
			{"a name that needs more room than its column has", "", true, "averyveryverylongwordwithoutspaces and more"},
		},
		Holds: true,
	}
	want := `example
  What is said here is longer than one line of a terminal that has eighty
  columns, so it goes on in a second one.

                                        threads              processes
  a number                              12.3 µs              -
  a name that needs more room than its  yes                  averyveryverylongwo
  column has                                                 rdwithoutspaces and
                                                             more
  => what was seen bears the claim out

`
	var b strings.Builder
	if err := r.WriteText(&b); err != nil || b.String() != want {
		t.Errorf("%v, got\n%s\nwant\n%s", err, b.String(), want)
	}
	checkText(t, r)
	r.Error = "no processes here"
	b.Reset()
	if r.WriteText(&b); !strings.Contains(b.String(), "=> could not be tried: no processes here\n") {
		t.Errorf("got\n%s", b.String())
	}
}

// -list prints each on a line, behind its name.
func TestExperiments_ClaimsFitALine(t *testing.T) {
	t.Parallel()
	for _, e := range All() {
		if n := utf8.RuneCountInString(e.Claim); len(e.Name) > 11 || n > pageWidth-12 {
			t.Errorf("%s: a claim of %d characters: %s", e.Name, n, e.Claim)
		}
	}
}

func TestChoose_NamesWhatWasMeant(t *testing.T) {
	t.Parallel()
	if all, err := Choose(nil); err != nil || len(all) != len(All()) {
		t.Errorf("without names: %d, %v", len(all), err)
	}
	if two, err := Choose([]string{"latency", "memory"}); err != nil || two[0].Name != "latency" || two[1].Name != "memory" {
		t.Errorf("got %v, %v", two, err)
	}
	_, err := Choose([]string{"memory", "crahs"})
	if !errors.Is(err, ErrUnknown) || !strings.Contains(err.Error(), `"crahs" (did you mean crash?)`) {
		t.Errorf("got %v", err)
	}
	if _, err := Choose([]string{"x"}); err == nil || !strings.Contains(err.Error(), "there are memory, crash") {
		t.Errorf("got %v", err)
	}
}

// However far it has come, the end of the context is the end of it.
func TestExperiments_EndWithTheirContext(t *testing.T) {
	for _, e := range All() {
		for _, after := range []time.Duration{0, 5 * time.Millisecond, 50 * time.Millisecond} {
			t.Run(fmt.Sprintf("%s after %v", e.Name, after), func(t *testing.T) {
				ctx, cancel := context.WithTimeout(t.Context(), after)
				defer cancel()
				begin, ended := time.Now(), false
				_, err := Run(ctx, []*Experiment{e}, Config{Workers: 2}, func(*Report) { ended = true })
				if !ended && !errors.Is(err, context.DeadlineExceeded) {
					t.Errorf("got %v", err)
				}
				if took := time.Since(begin); took > 5*time.Second {
					t.Errorf("took %v", took)
				}
			})
		}
	}
}
