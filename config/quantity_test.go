package config

import (
	"testing"
	"time"
)

func TestParseDuration(t *testing.T) {
	t.Parallel()
	if d, err := ParseDuration("1h30m"); err != nil || d != 90*time.Minute {
		t.Errorf("got %v, %v", d, err)
	}
	for text, want := range map[string]string{
		"30":  `duration "30" has no unit: write 30s, 30m or 30h`,
		"-1s": `duration "-1s" is negative`,
		"1d":  `duration "1d": want a number with a unit, like 250ms, 30s or 1h30m`,
		"":    `duration "": want a number with a unit, like 250ms, 30s or 1h30m`,
	} {
		if _, err := ParseDuration(text); err == nil || err.Error() != want {
			t.Errorf("%q gives %v, want %s", text, err, want)
		}
	}
}

func TestParseSize(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]int64{
		"0": 0, "4096": 4096, "10MB": 10e6, "64MiB": 64 << 20, "1.5GiB": 3 << 29, "1 kB": 1000, "2TiB": 2 << 40, "9223372036854775807": 1<<63 - 1,
	} {
		if got, err := ParseSize(text); err != nil || got != want {
			t.Errorf("%s gives %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "-1", "MB", "1XB", "1mb", "1e3", "9223372036854775808", "9999999TiB", "0x10", "1.MB"} {
		if got, err := ParseSize(text); err == nil {
			t.Errorf("%q gives %d", text, got)
		}
	}
}
