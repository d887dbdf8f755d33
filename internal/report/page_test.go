package report

import (
	"math"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/feac4032/multiproc/internal/text"
)

// luminance is what the guidelines for accessible pages compare.
func luminance(hex string) float64 {
	if len(hex) == 3 {
		hex = hex[:1] + hex[:1] + hex[1:2] + hex[1:2] + hex[2:] + hex[2:]
	}
	n, err := strconv.ParseUint(hex, 16, 32)
	if err != nil {
		return math.NaN()
	}
	linear := func(c uint64) float64 {
		v := float64(c&255) / 255
		if v <= 0.04045 {
			return v / 12.92
		}
		return math.Pow((v+0.055)/1.055, 2.4)
	}
	return 0.2126*linear(n>>16) + 0.7152*linear(n>>8) + 0.0722*linear(n)
}

func TestPage_HasContrastInEachScheme(t *testing.T) {
	t.Parallel()
	colour := regexp.MustCompile(`--(\w+): #([0-9a-f]+);`)
	schemes := strings.SplitAfterN(pageCSS, "prefers-color-scheme: dark", 2)
	for scheme, css := range map[string]string{"light": schemes[0], "dark": schemes[1][:strings.Index(schemes[1], "* {")]} {
		colours := map[string]float64{}
		for _, m := range colour.FindAllStringSubmatch(css, -1) {
			colours[m[1]] = luminance(m[2])
		}
		for _, text := range []string{"ink", "soft", "bad", "over", "fault", "rest"} {
			for _, ground := range []string{"paper", "raised", "wash"} {
				a, b := colours[text], colours[ground]
				if ratio := (max(a, b) + 0.05) / (min(a, b) + 0.05); !(ratio >= 4.5) {
					t.Errorf("%s: %s on %s has a contrast of %.2f, want 4.5", scheme, text, ground, ratio)
				}
			}
		}
		if ratio := (max(colours["ok"], colours["wash"]) + 0.05) / (min(colours["ok"], colours["wash"]) + 0.05); !(ratio >= 3) {
			t.Errorf("%s: bars have a contrast of %.2f, want 3", scheme, ratio)
		}
	}
}

func TestSpan_PrintsFewDigits(t *testing.T) {
	t.Parallel()
	for d, want := range map[time.Duration]string{
		0: "0 s", 1: "1 ns", 1234: "1.23 µs", 999_900: "1.00 ms", 12_345_678: "12.3 ms", 123 * time.Millisecond: "123 ms",
		1500 * time.Millisecond: "1.50 s", 59*time.Second + 990*time.Millisecond: "60.0 s", 61 * time.Second: "1 min 01 s",
		90 * time.Minute: "1 h 30 min", 500 * time.Hour: "500 h",
	} {
		if got := text.Span(d); got != want {
			t.Errorf("%d is %s, want %s", d, got, want)
		}
	}
	for d, want := range map[time.Duration]string{
		0: "0 s", 2 * time.Second: "2 s", 1500 * time.Millisecond: "1.5 s", 100 * time.Millisecond: "100 ms", 10 * time.Microsecond: "10 µs",
		2 * time.Minute: "2 min", 90 * time.Second: "1 min 30 s", 2 * time.Hour: "2 h",
	} {
		if got := brief(d); got != want {
			t.Errorf("in short %d is %s, want %s", d, got, want)
		}
	}
}

func TestRound_GivesAFewDurationsForAnyLength(t *testing.T) {
	t.Parallel()
	for end := time.Duration(1); end < 100*24*time.Hour; end += end/7 + 1 {
		at := round(end)
		if len(at) < 2 && end > 1 || len(at) > 6 || at[0] != 0 || at[len(at)-1] > end {
			t.Errorf("%v: %v", end, at)
		}
	}
	if got := round(4*time.Minute + 10*time.Second); len(got) != 5 || got[1] != time.Minute {
		t.Errorf("%v", got)
	}
}
