package pool

import (
	"fmt"
	"time"
)

// Option changes how work is treated that is given to Submit, Call, Map or
// Unordered. One that makes no sense there is an error that is ErrJob.
type Option func(*options) error

// options is what a call's options add up to.
type options struct {
	timeout   time.Duration
	killAfter time.Duration
	retry     Retry
	label     string

	many string // an option that only makes sense for many items; "" = none was given
}

// forOne takes the options of a call that gives the pool a single job.
func forOne(opts []Option) (options, error) {
	o, err := optionsOf(opts)
	if err == nil && o.many != "" {
		err = fmt.Errorf("%w: %s is for Map and Unordered", ErrJob, o.many)
	}
	return o, err
}

func optionsOf(opts []Option) (options, error) {
	var o options
	for _, opt := range opts {
		if err := opt(&o); err != nil {
			return o, err
		}
	}
	return o, nil
}

// apply fills in the fields of a job.
func (o *options) apply(j *Job) {
	j.Timeout, j.KillAfter, j.Retry, j.Label = o.timeout, o.killAfter, o.retry, o.label
}

// WithTimeout bounds each attempt, from its start in the worker: at its end the
// task's context is cancelled, and 5 s later, or what WithKillAfter says, the
// worker is killed. The error is a *TimeoutError.
func WithTimeout(d time.Duration) Option {
	return func(o *options) error {
		if d <= 0 {
			return fmt.Errorf("%w: timeout %v, want more than 0", ErrJob, d)
		}
		o.timeout = d
		return nil
	}
}

// WithKillAfter sets the time between asking an attempt to end and killing it.
func WithKillAfter(d time.Duration) Option {
	return func(o *options) error {
		if d <= 0 {
			return fmt.Errorf("%w: kill after %v, want more than 0", ErrJob, d)
		}
		o.killAfter = d
		return nil
	}
}

// WithRetry lets failed attempts be followed by others. The function may then
// run more than once, also after an attempt that had its effect.
func WithRetry(r Retry) Option {
	return func(o *options) error {
		if r.Max < 0 {
			return fmt.Errorf("%w: %d retries, want 0 or more", ErrJob, r.Max)
		}
		o.retry = r
		return nil
	}
}

// WithLabel names the job in errors and logs.
func WithLabel(label string) Option {
	return func(o *options) error {
		o.label = label
		return nil
	}
}
