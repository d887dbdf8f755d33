package figure

import (
	"bytes"
	"os"
	"testing"
	"time"
)

func TestParse_ReadsWhatWriteWrote(t *testing.T) {
	t.Parallel()
	var b bytes.Buffer
	b.WriteString("something else\n")
	if err := (Set{P50: 0.25, Rate: 1e6}).Write(&b); err != nil {
		t.Fatal(err)
	}
	got, err := Parse(b.Bytes())
	if err != nil || len(got) != 2 || got[P50] != 0.25 || got[Rate] != 1e6 {
		t.Errorf("%v, %v", got, err)
	}
}

func TestParse_RefusesWhatIsNoFigure(t *testing.T) {
	t.Parallel()
	for _, out := range []string{"", "done", `{"p50": "fast"}`, `{"p50": 0}`, `{"rate": -1}`, "{\"p50\": 1}\ndone"} {
		if got, err := Parse([]byte(out)); err == nil {
			t.Errorf("%q: %v", out, got)
		}
	}
}

func TestLaps_TellTheMedianAndTheSlowestHundredth(t *testing.T) {
	t.Parallel()
	var l Laps
	for i := range 1000 {
		l = append(l, time.Duration(999-i)*time.Millisecond)
	}
	if got := l.Set(); got[P50] != 0.5 || got[P99] != 0.99 {
		t.Errorf("%v", got)
	}
	if got := (Laps{time.Second}).Set(); got[P50] != 1 || got[P99] != 1 {
		t.Errorf("of one lap: %v", got)
	}
}

func TestMeanPSS_IsOfProcessesThatAreThere(t *testing.T) {
	t.Parallel()
	got, err := MeanPSS([]int{os.Getpid(), os.Getpid()})
	if err != nil || got[PSS] < 100<<10 || got[PSS] > 1<<30 {
		t.Errorf("this process: %v, %v", got, err)
	}
	if got, err := MeanPSS([]int{1 << 30}); err == nil {
		t.Errorf("no process: %v", got)
	}
}
