package terminal

import (
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"
)

// page is a writer whose text can be read meanwhile.
type page struct {
	mu   sync.Mutex
	text strings.Builder
}

func (p *page) Write(b []byte) (int, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.Write(b)
}

func (p *page) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.text.String()
}

// clock is a source of which only the time is known.
type clock struct{ begin time.Time }

func (c clock) Status(int) Status { return Status{Elapsed: time.Since(c.begin), Total: -1} }

func TestLines_ComeSeldom(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p, done := new(page), make(chan struct{})
		go lines(p, clock{time.Now()}, done)
		for _, c := range []struct {
			after time.Duration
			want  string
		}{
			{9 * time.Second, ""},
			{time.Second, "10s"},
			{59 * time.Second, "10s"},
			{time.Second, "10s 1m10s"},
			{2 * time.Minute, "10s 1m10s 2m10s 3m10s"},
		} {
			time.Sleep(c.after)
			synctest.Wait()
			want := ""
			for at := range strings.FieldsSeq(c.want) {
				want += "supervisor: " + at + ": 0 done, 0 running\n"
			}
			if got := p.String(); got != want {
				t.Errorf("%v later there is\n%swant\n%s", c.after, got, want)
			}
		}
		close(done)
	})
}

func TestLine_SaysWhatIsKnown(t *testing.T) {
	t.Parallel()
	now := time.Now()
	for _, c := range []struct {
		st   Status
		want string
	}{
		{
			Status{
				Elapsed: 20 * time.Second, Total: 10_000, Done: 1_200, NotOK: 3, Active: 4, ETA: 3 * time.Minute,
				Running: []Running{{Label: "a#7", Since: now.Add(-12 * time.Second)}},
			},
			"supervisor: 20s: 1,200 of 10,000 done (3 not ok), 4 running, about 3m left, longest a#7 for 12s\n",
		},
		{
			Status{Elapsed: time.Hour, Total: -1, Done: 12, NotOK: 1, Skipped: 2, Resumed: 3000},
			"supervisor: 1h00m: 12 done (1 not ok, 2 skipped, 3,000 resumed), 0 running\n",
		},
		{
			Status{Total: 0, Running: []Running{{Label: "a\x1b[1m\n", Since: now}}},
			"supervisor: 0s: 0 of 0 done, 0 running, longest a?[1m? for 0s\n",
		},
	} {
		if got := line(c.st, now); got != c.want {
			t.Errorf("got  %swant %s", got, c.want)
		}
	}
}

func TestAmounts_AreShort(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ got, want string }{
		{count(0), "0"}, {count(999), "999"}, {count(1000), "1,000"}, {count(1234567), "1,234,567"}, {count(-1), "0"},
		{pace(123456.7), "123,457/s"}, {pace(9.96), "10/s"}, {pace(9.94), "9.9/s"}, {pace(1), "1.0/s"}, {pace(0.5), "30/min"}, {pace(0.01), "36/h"},
		{span(59*time.Second + 999*time.Millisecond), "59s"}, {span(time.Minute), "1m00s"}, {span(90 * time.Minute), "1h30m"}, {span(50 * time.Hour), "2d02h"},
		{age(0), "0.0s"}, {age(-time.Second), "0.0s"}, {age(59_990 * time.Millisecond), "59.9s"}, {age(65 * time.Second), "1m05s"},
		{guess(time.Millisecond), "1s"}, {guess(9400 * time.Millisecond), "9s"}, {guess(43 * time.Second), "45s"},
		{guess(58 * time.Second), "1m"}, {guess(89 * time.Second), "1m"}, {guess(91 * time.Second), "2m"}, {guess(59*time.Minute + 29*time.Second), "59m"},
		{guess(59*time.Minute + 31*time.Second), "1h00m"}, {guess(97 * time.Minute), "1h40m"}, {guess(47*time.Hour + 58*time.Minute), "48h00m"}, {guess(50 * time.Hour), "2d02h"},
	} {
		if c.got != c.want {
			t.Errorf("got %s, want %s", c.got, c.want)
		}
	}
}
