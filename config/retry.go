package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Retry says when another attempt follows one that was not ok.
type Retry struct {
	Max        int           // further attempts; 0: none
	Causes     []Cause       // what is worth another attempt
	Backoff    time.Duration // before the first further attempt
	Factor     float64       // by which each wait grows, >= 1
	MaxBackoff time.Duration // of one wait, jitter aside
	Jitter     float64       // 0 to 1: part of a wait that is random, both ways
}

// DefaultRetry gives the policy of `retry: n`.
func DefaultRetry(n int) Retry {
	return Retry{
		Max:        n,
		Causes:     []Cause{{Outcome: "failed"}, {Outcome: "crashed"}, {Outcome: "timeout"}},
		Backoff:    time.Second,
		Factor:     2,
		MaxBackoff: 5 * time.Minute,
		Jitter:     0.2,
	}
}

// Cause is one reason for a retry: an outcome, a range of exit codes, or a
// signal.
type Cause struct {
	Outcome string // "failed", "crashed", "timeout" or "limit"; "": see the others
	Exit    bool   // exit codes Lo to Hi, both included
	Lo, Hi  int
	Signal  int // > 0: ended by this signal
}

// String gives the cause as the file writes it.
func (c Cause) String() string {
	switch {
	case c.Outcome != "":
		return c.Outcome
	case c.Signal > 0:
		return "signal:" + strconv.Itoa(c.Signal)
	case c.Lo == c.Hi:
		return "exit:" + strconv.Itoa(c.Lo)
	}
	return fmt.Sprintf("exit:%d-%d", c.Lo, c.Hi)
}

// Matches reports whether an attempt that ended so is worth another one, the
// number of attempts aside. exited says that the process ended with exitCode;
// signal is the signal that ended it, 0 for none. Exit codes and signals count
// only where the outcome is failed or crashed, so that the signals of our own
// kills (timeout, limit, cancel) do not.
func (r *Retry) Matches(outcome string, exited bool, exitCode, signal int) bool {
	own := outcome == "failed" || outcome == "crashed"
	for _, c := range r.Causes {
		switch {
		case c.Outcome != "":
			if c.Outcome == outcome {
				return true
			}
		case c.Exit:
			if own && exited && exitCode >= c.Lo && exitCode <= c.Hi {
				return true
			}
		case c.Signal > 0:
			if own && c.Signal == signal {
				return true
			}
		}
	}
	return false
}

// Delay gives the wait before further attempt n, counted from 1. random is
// uniform in [0, 1).
func (r *Retry) Delay(n int, random float64) time.Duration {
	d := float64(r.Backoff) * math.Pow(r.Factor, float64(n-1))
	d = min(d, float64(r.MaxBackoff))
	d *= 1 + r.Jitter*(2*random-1)
	return time.Duration(min(d, math.MaxInt64/2))
}

// parseCause reads one entry of `causes`.
func parseCause(text string) (Cause, error) {
	switch text {
	case "failed", "crashed", "timeout", "limit":
		return Cause{Outcome: text}, nil
	}
	if codes, ok := strings.CutPrefix(text, "exit:"); ok {
		a, b, ranged := strings.Cut(codes, "-")
		if !ranged {
			b = a
		}
		lo, err1 := exitCode(a)
		hi, err2 := exitCode(b)
		if err1 != nil || err2 != nil {
			return Cause{}, fmt.Errorf("retry cause %q: exit codes are 0 to 255", text)
		}
		if lo > hi {
			return Cause{}, fmt.Errorf("retry cause %q: the range runs backwards", text)
		}
		return Cause{Exit: true, Lo: lo, Hi: hi}, nil
	}
	if sig, ok := strings.CutPrefix(text, "signal:"); ok {
		n, err := strconv.Atoi(sig)
		if err != nil || n < 1 || n > 64 || sig != strconv.Itoa(n) {
			return Cause{}, fmt.Errorf("retry cause %q: signals are the numbers 1 to 64", text)
		}
		return Cause{Signal: n}, nil
	}
	return Cause{}, fmt.Errorf("retry cause %q: want failed, crashed, timeout, limit, exit:N, exit:A-B or signal:N", text)
}

func exitCode(s string) (int, error) {
	n, err := strconv.Atoi(s)
	if err != nil {
		return 0, err
	}
	if n < 0 || n > 255 || s != strconv.Itoa(n) {
		return 0, fmt.Errorf("exit code %q is not in 0 to 255", s)
	}
	return n, nil
}
