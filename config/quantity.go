package config

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"time"
)

var (
	bareNumber = regexp.MustCompile(`^[0-9]+(\.[0-9]+)?$`)
	sizeForm   = regexp.MustCompile(`^([0-9]+(?:\.[0-9]+)?) ?([A-Za-z]*)$`)
)

// ParseDuration reads a duration as Go writes it ("30s", "1h30m", "250ms"). It
// must not be negative.
func ParseDuration(text string) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	switch {
	case err != nil && bareNumber.MatchString(text):
		return 0, fmt.Errorf("duration %q has no unit: write %ss, %sm or %sh", text, text, text, text)
	case err != nil:
		return 0, fmt.Errorf("duration %q: want a number with a unit, like 250ms, 30s or 1h30m", text)
	case d < 0:
		return 0, fmt.Errorf("duration %q is negative", text)
	}
	return d, nil
}

var sizeUnits = map[string]float64{
	"": 1, "B": 1,
	"kB": 1e3, "KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12,
	"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40,
}

var errSizeForm = errors.New("want bytes, like 4096, 10MB or 64MiB")

// ParseSize reads a number of bytes: a plain number, or one with kB MB GB TB
// (powers of 1000) or KiB MiB GiB TiB (powers of 1024).
func ParseSize(text string) (int64, error) {
	m := sizeForm.FindStringSubmatch(text)
	if m == nil {
		return 0, fmt.Errorf("size %q: %w", text, errSizeForm)
	}
	unit, ok := sizeUnits[m[2]]
	if !ok {
		return 0, fmt.Errorf("size %q: unknown unit %q; %w", text, m[2], errSizeForm)
	}
	if n, err := strconv.ParseInt(m[1], 10, 64); err == nil && n <= math.MaxInt64/int64(unit) {
		return n * int64(unit), nil
	}
	f, err := strconv.ParseFloat(m[1], 64)
	if err != nil || f*unit >= math.MaxInt64 {
		return 0, fmt.Errorf("size %q is too large", text)
	}
	return int64(f * unit), nil
}
