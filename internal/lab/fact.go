package lab

import (
	"fmt"
	"math"
	"strconv"
	"time"
)

// Fact is one thing that was seen on both sides. A value is an int64, a float64, a
// string or a bool; nil where there is nothing to see.
type Fact struct {
	Name      string `json:"name"`
	Unit      string `json:"unit,omitempty"`
	Threads   any    `json:"threads"`
	Processes any    `json:"processes"`
}

// none stands for the value of a side that has no such thing.
var none any

// count notes whole numbers.
func (t *trial) count(name string, threads, processes int) {
	t.note(name, "", int64(threads), int64(processes))
}

// words notes texts.
func (t *trial) words(name, threads, processes string) { t.note(name, "", threads, processes) }

// answer notes what is so or is not.
func (t *trial) answer(name string, threads, processes bool) { t.note(name, "", threads, processes) }

// note adds a fact. What text and JSON show is the same number: it is rounded
// here.
func (t *trial) note(name, unit string, threads, processes any) {
	t.facts = append(t.facts, Fact{name, unit, rounded(threads), rounded(processes)})
}

// spans notes times in one unit, that of the longer one.
func (t *trial) spans(name string, threads, processes time.Duration) {
	unit, in := "µs", time.Microsecond
	switch longest := max(threads, processes); {
	case longest >= 10*time.Second:
		unit, in = "s", time.Second
	case longest >= 10*time.Millisecond:
		unit, in = "ms", time.Millisecond
	}
	t.note(name, unit, float64(threads)/float64(in), float64(processes)/float64(in))
}

// rounded keeps three digits of a measured number.
func rounded(v any) any {
	f, ok := v.(float64)
	if !ok || f == 0 {
		return v
	}
	scale := math.Pow(10, 2-math.Floor(math.Log10(math.Abs(f))))
	return math.Round(f*scale) / scale
}

// show renders a value for people.
func show(v any, unit string) string {
	text := ""
	switch v := v.(type) {
	case nil:
		return "-"
	case bool:
		return map[bool]string{true: "yes", false: "no"}[v]
	case float64:
		text = strconv.FormatFloat(v, 'f', -1, 64)
	default:
		text = fmt.Sprint(v)
	}
	if unit != "" {
		text += " " + unit
	}
	return text
}
