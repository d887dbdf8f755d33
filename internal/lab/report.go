package lab

import (
	"encoding/json"
	"io"
	"strings"
	"unicode/utf8"
)

// Report is what came of an experiment.
type Report struct {
	Name  string  `json:"name"`
	Claim string  `json:"claim"`
	Facts []Fact  `json:"facts"`
	Holds bool    `json:"holds"`
	Wall  float64 `json:"wall_s"`
	// Error says why it could not be tried to its end, "" if it was. Then Holds is
	// false, and there may be fewer facts.
	Error string `json:"error,omitempty"`
}

// Summary is a whole run of experiments, for programs.
type Summary struct {
	Version     int       `json:"version"` // 1
	Workers     int       `json:"workers"`
	Wall        float64   `json:"wall_s"`
	Experiments []*Report `json:"experiments"`
}

// JSON renders the summary, indented.
func (s *Summary) JSON() ([]byte, error) {
	b, err := json.MarshalIndent(s, "", "  ")
	return append(b, '\n'), err
}

// The columns of a table that fits a terminal of 80.
const (
	pageWidth = 80
	nameWidth = 36
	sideWidth = 19
	gap       = "  "
)

// WriteText writes the report as a table of at most 80 columns, in one write.
func (r *Report) WriteText(w io.Writer) error {
	var b strings.Builder
	b.WriteString(r.Name + "\n")
	for _, line := range wrap(r.Claim, pageWidth-len(gap)) {
		b.WriteString(gap + line + "\n")
	}
	b.WriteString("\n")
	row(&b, "", "threads", "processes")
	for _, f := range r.Facts {
		row(&b, f.Name, show(f.Threads, f.Unit), show(f.Processes, f.Unit))
	}
	b.WriteString(gap + r.verdict() + "\n\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func (r *Report) verdict() string {
	switch {
	case r.Error != "":
		return "=> could not be tried: " + r.Error
	case r.Holds:
		return "=> what was seen bears the claim out"
	}
	return "=> what was seen does NOT bear the claim out"
}

// row writes one line of the table, and more where a text is too long for its
// column.
func row(b *strings.Builder, name, threads, processes string) {
	names, left, right := wrap(name, nameWidth), wrap(threads, sideWidth), wrap(processes, sideWidth)
	for i := range max(len(names), len(left), len(right)) {
		line := gap + pad(at(names, i), nameWidth) + gap + pad(at(left, i), sideWidth) + gap + at(right, i)
		b.WriteString(strings.TrimRight(line, " ") + "\n")
	}
}

func at(lines []string, i int) string {
	if i < len(lines) {
		return lines[i]
	}
	return ""
}

func pad(s string, width int) string {
	return s + strings.Repeat(" ", max(0, width-utf8.RuneCountInString(s)))
}

// wrap breaks a text at its spaces into lines of at most width characters; a
// longer word is broken where the line ends.
func wrap(text string, width int) []string {
	var lines []string
	line := []rune{}
	for _, word := range strings.Fields(text) {
		w := []rune(word)
		if len(line) > 0 && len(line)+1+len(w) > width {
			lines, line = append(lines, string(line)), nil
		}
		if len(line) > 0 {
			line = append(line, ' ')
		}
		for line = append(line, w...); len(line) > width; line = line[width:] {
			lines = append(lines, string(line[:width]))
		}
	}
	if len(line) > 0 || len(lines) == 0 {
		lines = append(lines, string(line))
	}
	return lines
}
