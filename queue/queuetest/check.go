package queuetest

import (
	"context"
	"errors"
	"fmt"
	"runtime"
	"sync"
)

// ErrSkipped comes from Check for a behaviour that the harness leaves out, or that
// needs a test of package testing.
var ErrSkipped = errors.New("not checked")

// Check checks one behaviour by its name, for where there is no *testing.T: in a
// worker process, whose test calls it as a task, once for each of [Behaviours].
// ctx carries no owner. The error says all that is wrong.
func Check(ctx context.Context, name string, h Harness) error {
	for _, b := range behaviours {
		if b.name != name {
			continue
		}
		if b.bubble || !h.has(b) {
			return fmt.Errorf("%s: %w", name, ErrSkipped)
		}
		r := new(record)
		done := make(chan struct{})
		go func() { // its own goroutine, so that Fatal can end it
			defer close(done)
			run(ctx, r, b, h)
		}()
		<-done
		return r.result(name)
	}
	return fmt.Errorf("no behaviour is called %q", name)
}

// record is a reporter that keeps what it is told.
type record struct {
	mu      sync.Mutex
	errs    []error
	skipped bool
}

func (r *record) result(name string) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case len(r.errs) > 0:
		return fmt.Errorf("%s: %w", name, errors.Join(r.errs...))
	case r.skipped:
		return fmt.Errorf("%s: %w", name, ErrSkipped)
	}
	return nil
}

func (r *record) Helper() {}

func (r *record) Error(args ...any) { r.add(fmt.Sprint(args...)) }

func (r *record) Errorf(format string, args ...any) { r.add(fmt.Sprintf(format, args...)) }

func (r *record) Fatal(args ...any) {
	r.Error(args...)
	runtime.Goexit()
}

func (r *record) Fatalf(format string, args ...any) {
	r.Errorf(format, args...)
	runtime.Goexit()
}

func (r *record) Skip(...any) {
	r.mu.Lock()
	r.skipped = true
	r.mu.Unlock()
	runtime.Goexit()
}

func (r *record) add(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.errs = append(r.errs, errors.New(text))
}
