package config

import (
	"fmt"
	"strconv"
	"strings"
)

// Halt is the policy that ends a run before its jobs are through. The zero
// value never halts.
type Halt struct {
	Now     bool    // running jobs are killed; otherwise they finish
	Success bool    // counts instances that are ok; otherwise those that are not
	Count   int     // at least so many; 0: see Percent
	Percent float64 // at least so much of the finished ones, after 20 have finished
}

// haltSample is how many instances must have finished before a percentage means
// anything.
const haltSample = 20

// ParseHalt reads "never", or "now" or "soon", a comma, and "fail=N",
// "fail=N%", "success=N" or "success=N%".
func ParseHalt(text string) (Halt, error) {
	if text == "never" {
		return Halt{}, nil
	}
	bad := func(why string) (Halt, error) {
		return Halt{}, fmt.Errorf("halt %q: %s; want never, or like now,fail=1 or soon,fail=10%% or now,success=1", text, why)
	}
	when, what, ok := strings.Cut(text, ",")
	if !ok || when != "now" && when != "soon" {
		return bad("unknown policy")
	}
	on, amount, ok := strings.Cut(what, "=")
	if !ok || on != "fail" && on != "success" {
		return bad("unknown condition")
	}
	h := Halt{Now: when == "now", Success: on == "success"}
	if pct, ok := strings.CutSuffix(amount, "%"); ok {
		p, err := strconv.ParseFloat(pct, 64)
		if err != nil || !(p > 0 && p <= 100) {
			return bad("the percentage must be above 0 and at most 100")
		}
		h.Percent = p
		return h, nil
	}
	n, err := strconv.Atoi(amount)
	if err != nil || n < 1 {
		return bad("the count must be 1 or more")
	}
	h.Count = n
	return h, nil
}

// Never reports whether the policy can not be reached.
func (h Halt) Never() bool { return h.Count == 0 && h.Percent == 0 }

// Reached reports whether a run that has finished so many instances, so many of
// them ok, is to halt.
func (h Halt) Reached(ok, finished int64) bool {
	n := finished - ok
	if h.Success {
		n = ok
	}
	if h.Count > 0 {
		return n >= int64(h.Count)
	}
	return h.Percent > 0 && finished >= haltSample && float64(n)*100 >= h.Percent*float64(finished)
}

// String gives the policy as ParseHalt reads it.
func (h Halt) String() string {
	if h.Never() {
		return "never"
	}
	s := "soon,"
	if h.Now {
		s = "now,"
	}
	if h.Success {
		s += "success="
	} else {
		s += "fail="
	}
	if h.Count > 0 {
		return s + strconv.Itoa(h.Count)
	}
	return s + strconv.FormatFloat(h.Percent, 'g', -1, 64) + "%"
}
