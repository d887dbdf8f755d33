//go:build unix

package worker

import (
	"os"
	"testing"
	"time"
)

// A worker that was slow while it started does not go on to take jobs that have
// written for ones that cannot have.
func TestOutputOffsets_LearnsThatAskingHasBecomeFaster(t *testing.T) {
	t.Parallel()
	f, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	o := newOutputOffsets(int(f.Fd()), int(f.Fd()))
	if o == nil {
		t.Fatal("a file has no offsets")
	}
	o.least = time.Hour // as measured then
	if _, _, changed := o.moved(); changed {
		t.Fatal("nothing was written, and an offset has changed")
	}
	if _, err := f.WriteString("text"); err != nil {
		t.Fatal(err)
	}
	if o.untouched(sinceEpoch() - 20*time.Millisecond) { // longer than all of the questions took
		t.Fatalf("untouched, though it was written; the least is %v", o.least)
	}
	if stdout, _, changed := o.moved(); !changed || stdout != 4 {
		t.Errorf("offset %d, changed %v", stdout, changed)
	}
}
