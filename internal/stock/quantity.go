package stock

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// duration takes text as Go writes it ("250ms") or a number of seconds.
func duration(v any) (time.Duration, error) {
	var d time.Duration
	switch v := v.(type) {
	case string:
		var err error
		if d, err = time.ParseDuration(v); err != nil {
			return 0, fmt.Errorf("%q is not a duration such as \"250ms\"", v)
		}
	default:
		seconds, ok := number(v)
		if !ok || math.IsNaN(seconds) || seconds > math.MaxInt64/1e9-1 {
			return 0, fmt.Errorf("%v (%T) is not a duration: a text such as \"250ms\", or seconds", v, v)
		}
		d = time.Duration(seconds * float64(time.Second))
	}
	if d < 0 {
		return 0, fmt.Errorf("duration %v is negative", v)
	}
	return d, nil
}

var sizeUnits = map[string]float64{
	"": 1, "B": 1,
	"KB": 1e3, "MB": 1e6, "GB": 1e9, "TB": 1e12,
	"KiB": 1 << 10, "MiB": 1 << 20, "GiB": 1 << 30, "TiB": 1 << 40,
}

// size takes text ("64MiB", "10MB") or a number of bytes.
func size(v any) (int, error) {
	bytes, ok := number(v)
	if s, isText := v.(string); isText {
		digits := strings.TrimRight(s, "BKMGTi")
		n, err := strconv.ParseFloat(strings.TrimSpace(digits), 64)
		unit, known := sizeUnits[s[len(digits):]]
		bytes, ok = n*unit, err == nil && known
	}
	if !ok || math.IsNaN(bytes) || bytes < 0 || bytes > math.MaxInt/2 || bytes != math.Trunc(bytes) {
		return 0, fmt.Errorf("%v (%T) is not a size: a text such as \"64MiB\", or bytes", v, v)
	}
	return int(bytes), nil
}

// number converts what a decoded argument may hold.
func number(v any) (float64, bool) {
	switch v := v.(type) {
	case int64:
		return float64(v), true
	case uint64:
		return float64(v), true
	case float64:
		return v, true
	case float32:
		return float64(v), true
	}
	return 0, false
}
