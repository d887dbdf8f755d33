package pool

import (
	"fmt"
	"time"

	"github.com/feac4032/multiproc/task"
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
	priority  int
	progress  func(*Job, []byte)
	program   *Program // nil = Config.Program
	confined  confined // what it is to be besides

	buffer   int // items alive beside those that the workers have; −1 = as the chunks need
	chunk    int // items of a job; 0 = measured
	failFast bool

	many string // an option that only makes sense for many items; "" = none was given
}

// forOne takes the options of a call that gives the pool a single job.
func forOne(p *Pool, opts []Option) (options, error) {
	o, err := optionsOf(p, opts)
	if err == nil {
		err = o.confine(p)
	}
	if err == nil && o.many != "" {
		err = fmt.Errorf("%w: %s is for Map and Unordered", ErrJob, o.many)
	}
	return o, err
}

func optionsOf(p *Pool, opts []Option) (options, error) {
	o := options{retry: p.cfg.Retry, buffer: -1}
	if len(opts) == 0 {
		return o, nil
	}
	return o.with(opts)
}

// with is on its own because what the options change is on the heap.
func (o options) with(opts []Option) (options, error) {
	for _, opt := range opts {
		if opt == nil {
			return o, fmt.Errorf("%w: an option is nil", ErrJob)
		}
		if err := opt(&o); err != nil {
			return o, err
		}
	}
	return o, nil
}

// optioned fills in what the options of a call say of its only job.
func (j *Job) optioned(p *Pool, opts []Option) error {
	if len(opts) == 0 {
		j.Retry = p.cfg.Retry
		return nil
	}
	o, err := forOne(p, opts)
	if err == nil {
		o.apply(j)
	}
	return err
}

// apply fills in the fields of a job.
func (o *options) apply(j *Job) {
	j.Timeout, j.KillAfter, j.Retry, j.Label = o.timeout, o.killAfter, o.retry, o.label
	j.Priority, j.Progress, j.Program = o.priority, o.progress, o.program
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
// run more than once, also after an attempt that had its effect. It wins over
// Config.Retry.
func WithRetry(r Retry) Option {
	return func(o *options) error {
		if err := r.check(); err != nil {
			return fmt.Errorf("%w: %w", ErrJob, err)
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

// WithPriority lets the job go ahead of those with lower priorities that wait for
// a worker of the same program; 0 without it. Equal ones are served first come,
// first served.
func WithPriority(n int) Option {
	return func(o *options) error {
		o.priority = n
		return nil
	}
}

// WithLimits bounds what each attempt may use, in place of the limits of
// Config.Program. Jobs with equal limits share workers, each one job at a time. The
// error of one that goes over a limit is a *LimitError; where this machine cannot
// enforce one it is ErrConfine. Map and Unordered give the workers single items.
func WithLimits(l Limits) Option {
	return func(o *options) error {
		if err := l.check(); err != nil {
			return fmt.Errorf("%w: %w", ErrJob, err)
		}
		o.confined.limits, o.confined.limited = l, true
		return nil
	}
}

// WithIsolation sets how far the workers are kept from other processes, in place
// of Config.Program's level. What this machine has not got of the level is
// ErrConfine.
func WithIsolation(level Level) Option { return withLevel(level, false) }

// WithBestIsolation is WithIsolation with as much of the level as this machine has;
// Result.Isolation says what that was.
func WithBestIsolation(level Level) Option { return withLevel(level, true) }

func withLevel(level Level, lenient bool) Option {
	return func(o *options) error {
		if err := checkLevel(level); err != nil {
			return fmt.Errorf("%w: %w", ErrJob, err)
		}
		o.confined.level, o.confined.lenient, o.confined.leveled = level, lenient, true
		return nil
	}
}

// confined is what WithLimits and WithIsolation ask for.
type confined struct {
	limits  Limits
	limited bool // limits was given
	level   Level
	lenient bool
	leveled bool // level was given
}

// confine finds the program that is as the options want it.
func (o *options) confine(p *Pool) error {
	if !o.confined.limited && !o.confined.leveled {
		return nil
	}
	return o.confineTo(p, o.confined)
}

// confineTo is on its own because what it remembers is on the heap.
func (o *options) confineTo(p *Pool, c confined) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if o.program = p.confined[c]; o.program != nil {
		return nil
	}
	own := p.cfg.Program
	if c.limited {
		own.Limits = &c.limits
	}
	if c.leveled {
		own.Isolation, own.Lenient = c.level, c.lenient
	}
	if err := own.check(); err != nil {
		return fmt.Errorf("%w: %w", ErrJob, err)
	}
	if len(p.confined) < 4096 { // a cache: each call may ask for something else
		if p.confined == nil {
			p.confined = make(map[confined]*Program)
		}
		p.confined[c] = &own
	}
	o.program = &own
	return nil
}

// WithProgress hands to f what the task reports with worker.Progress, decoded
// strictly as T: on one goroutine at a time, and in order. An f that is slower than
// the reports come misses some, but never the last; it may still run when the
// result is there. One that blocks or panics harms nothing else: see Future.OnDone.
// A report that does not decode is left out, with a line in the pool's log.
func WithProgress[T any](f func(T)) Option {
	return func(o *options) error {
		if f == nil {
			return fmt.Errorf("%w: progress without a function", ErrJob)
		}
		o.progress = newRelay(func(payload []byte) error {
			var v T
			if err := task.Decode(payload, &v); err != nil {
				return err
			}
			f(v)
			return nil
		}).put
		return nil
	}
}

// maxChunk is the most items that a job has.
const maxChunk = 1 << 15

// Buffer bounds how far Map and Unordered run ahead: at most n items and one for
// each worker have been taken from the input and not yet been done with by the
// loop. With 0 there is only one for each worker. Chunks are so small then that
// all workers have some.
//
// Without it there is room for four measured chunks for each worker: for 4 items
// when a call takes a millisecond or more, and for no more than 32,768.
func Buffer(n int) Option {
	return func(o *options) error {
		if n < 0 {
			return fmt.Errorf("%w: a buffer of %d items, want 0 or more", ErrJob, n)
		}
		o.buffer, o.many = n, "Buffer"
		return nil
	}
}

// Chunk lets Map and Unordered give a worker n items at a time, 1 to 32,768
// (Pool.map's chunksize). With 0, the default, their number is measured, so that a
// chunk takes a millisecond or two, and one that takes longer holds few others up.
func Chunk(n int) Option {
	return func(o *options) error {
		if n < 0 || n > maxChunk {
			return fmt.Errorf("%w: chunks of %d items, want 0 to %d", ErrJob, n, maxChunk)
		}
		o.chunk, o.many = n, "Chunk"
		return nil
	}
}

// FailFast ends Map and Unordered with the first error: it is the last that they
// hand over, and what is under way is cancelled.
func FailFast() Option {
	return func(o *options) error {
		o.failFast, o.many = true, "FailFast"
		return nil
	}
}

// forMany takes the options of a call that has many items.
func forMany(p *Pool, opts []Option) (options, error) {
	o, err := optionsOf(p, opts)
	if err == nil {
		err = o.confine(p)
	}
	if err != nil {
		return o, err
	}
	limits := p.cfg.Program.Limits
	if o.program != nil {
		limits = o.program.Limits
	}
	for what, given := range map[string]bool{"timeout is that": o.timeout > 0, "limit is that": limits != nil} {
		if given && o.chunk > 1 {
			return o, fmt.Errorf("%w: a %s of one item, and goes with Chunk(1), not with Chunk(%d)", ErrJob, what, o.chunk)
		}
	}
	if o.timeout > 0 || limits != nil {
		o.chunk = 1
	}
	return o, nil
}
