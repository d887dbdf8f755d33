package worker

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"
)

func TestJobContext_IsMadeOnlyWhenAsked(t *testing.T) {
	t.Parallel()
	c := &jobContext{}
	if c.Err() != nil || contextOf(c) != c || c.inner != nil {
		t.Error("looking at a job's context has made a real one")
	}
	c.end(ErrCancelled)
	if c.Err() != context.Canceled || context.Cause(c) != ErrCancelled {
		t.Errorf("after its end: %v, cause %v", c.Err(), context.Cause(c))
	}
	select {
	case <-c.Done():
	default:
		t.Error("Done is open after the end")
	}
}

func TestJobContext_EndReachesDerivedContexts(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := &jobContext{}
		derived, cancel := context.WithTimeout(c, time.Hour)
		defer cancel()
		if contextOf(derived) != c {
			t.Error("the job is not found in a derived context")
		}
		c.end(ErrCancelled)
		c.end(errors.New("later"))
		<-derived.Done()
		if context.Cause(derived) != ErrCancelled {
			t.Errorf("cause %v, want the first", context.Cause(derived))
		}
	})
}

func TestJobContext_Deadline(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		start := time.Now()
		polled := &jobContext{started: start, limit: time.Second}
		waited := &jobContext{started: start, limit: time.Second}
		if d, ok := polled.Deadline(); !ok || !d.Equal(start.Add(time.Second)) {
			t.Errorf("deadline %v, %v", d, ok)
		}
		<-waited.Done()
		if time.Since(start) != time.Second {
			t.Errorf("ended after %v", time.Since(start))
		}
		for _, c := range []*jobContext{polled, waited} {
			if c.Err() != context.DeadlineExceeded || context.Cause(c) != ErrTimeout || !c.cancelled() {
				t.Errorf("%v, cause %v", c.Err(), context.Cause(c))
			}
			c.end(errAnswered)
		}
		// One that ends before leaves no timer behind: synctest would see it.
		early := &jobContext{started: start, limit: time.Hour}
		early.Done()
		early.end(errAnswered)
	})
}
