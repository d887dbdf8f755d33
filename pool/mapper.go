package pool

import (
	"context"
	"errors"
	"fmt"
	"iter"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"github.com/feac4032/multiproc/ipc"
	"github.com/feac4032/multiproc/task"
	workerside "github.com/feac4032/multiproc/worker"
)

// mapper is one loop over Map or Unordered. Three parties meet in it: the feed,
// which is the goroutine of the input; the pool's goroutines, which end jobs; and
// the loop itself.
//
// An item is alive from when the input is asked for it to when the loop has done
// with it. Tokens bound that: the feed takes one before it asks.
type mapper[In, Out any] struct {
	ctx       context.Context
	p         *Pool
	t         task.Task[In, Out]
	in        iter.Seq[In]
	opts      options
	workers   int
	unordered bool

	feed feed[In]
	pace pace

	over     atomic.Bool   // ctx has ended
	stopped  atomic.Bool   // the loop has ended
	quit     chan struct{} // closed then
	wake     chan struct{} // for the loop: there is something
	released atomic.Int64  // items that the loop has done with
	held     int           // and those of which it has not told yet; the loop's
	starved  atomic.Bool   // the feed waits for tokens
	room     chan struct{} // for the feed: there are tokens

	mu       sync.Mutex
	first    *chunk[In] // all that the loop has not taken, in the order of the input
	last     *chunk[In]
	ready    []*chunk[In] // of Unordered, in the order in which they became so
	inflight int          // chunks that the pool has
	ended    bool         // the input has
	thrown   *inputPanic
	exited   bool // it has called runtime.Goexit
	err      error
	spare    [][]byte
	spareIns [][]In // of Unordered
}

func newMapper[In, Out any](ctx context.Context, p *Pool, t task.Task[In, Out], in iter.Seq[In], opts []Option) (*mapper[In, Out], error) {
	o, err := forMany(p, opts)
	if err != nil {
		return nil, err
	}
	if in == nil {
		return nil, fmt.Errorf("%w: the input is nil", ErrJob)
	}
	m := &mapper[In, Out]{
		ctx: ctx, p: p, t: t, in: in, opts: o, workers: p.parallel(),
		quit: make(chan struct{}), wake: make(chan struct{}, 1), room: make(chan struct{}, 1),
	}
	m.pace.init(&m.opts, m.workers)
	return m, nil
}

// loop hands over the items until there are no more, the receiver wants none, or
// an error ends the whole, which it returns.
func (m *mapper[In, Out]) loop(emit func(c *chunk[In], i int, out Out, err error) bool) error {
	if m.ctx.Err() != nil {
		return context.Cause(m.ctx)
	}
	defer m.stop()
	unhook := context.AfterFunc(m.ctx, func() {
		m.over.Store(true)
		signal(m.wake)
	})
	defer unhook()
	go m.read()
	for {
		c := m.take()
		if m.over.Load() {
			m.stop()
			return context.Cause(m.ctx)
		}
		if c == nil {
			return m.conclude()
		}
		if !m.hand(c, emit) {
			return nil
		}
		m.recycle(c)
	}
}

// take waits for the next chunk that is ready. Nil is the end.
func (m *mapper[In, Out]) take() *chunk[In] {
	for {
		m.mu.Lock()
		c := m.first
		if m.unordered {
			c = nil
			if len(m.ready) > 0 {
				c = m.ready[0]
				m.ready[0] = nil
				m.ready = m.ready[1:]
			}
		} else if c != nil && !c.ready {
			c = nil
		}
		if c != nil {
			m.unlink(c)
		}
		end := c == nil && (m.err != nil && m.refused() || m.ended && m.first == nil)
		m.mu.Unlock()
		if c != nil || end || m.over.Load() {
			return c
		}
		m.tellReleased()
		select {
		case <-m.wake:
		case <-m.ctx.Done():
			m.over.Store(true)
		}
	}
}

// refused reports whether nothing will come any more because the pool takes no more
// jobs: what it has taken is still waited for. The caller holds mu.
func (m *mapper[In, Out]) refused() bool {
	return m.inflight == 0 || !m.unordered && m.first != nil && m.first.refused
}

// conclude is the end of a loop that has got everything.
func (m *mapper[In, Out]) conclude() error {
	m.mu.Lock()
	err, thrown, exited := m.err, m.thrown, m.exited
	m.mu.Unlock()
	m.stop()
	switch {
	case err != nil:
		return err
	case thrown != nil:
		panic(thrown)
	case exited:
		runtime.Goexit()
	}
	return nil
}

// hand gives the items of a chunk to the loop's body. It reports false when that
// was the end.
func (m *mapper[In, Out]) hand(c *chunk[In], emit func(c *chunk[In], i int, out Out, err error) bool) bool {
	results := m.t.DecodeOuts(c.values)
	failed := c.failed
	for i := range c.n {
		var out Out
		var err error
		switch {
		case c.err != nil:
			err = c.err
		case len(failed) > 0 && failed[0].index == i:
			err = failed[0].err
			failed = failed[1:]
			results.Skip()
		default:
			if out, err = results.Next(); err != nil {
				err = fmt.Errorf("result of %s: %w", m.name(c.index+i), err)
			}
		}
		if err != nil && m.opts.failFast {
			m.stop()
			emit(c, i, out, err)
			return false
		}
		if !emit(c, i, out, err) {
			return false
		}
		if c.ins != nil {
			var none In
			c.ins[i] = none
		}
		if m.held++; m.held >= m.pace.grain() {
			m.tellReleased()
		}
		if m.over.Load() {
			return true // take sees it
		}
	}
	return true
}

// tellReleased gives the tokens back of items that the loop has done with.
func (m *mapper[In, Out]) tellReleased() {
	if m.held == 0 {
		return
	}
	m.released.Add(int64(m.held))
	m.held = 0
	if m.starved.Load() {
		signal(m.room)
	}
}

// stop ends the loop for all others, once.
func (m *mapper[In, Out]) stop() {
	if m.stopped.Swap(true) {
		return
	}
	close(m.quit)
	var jobs []*Job
	m.mu.Lock()
	for c := m.first; c != nil; c = c.next {
		if c.job != nil {
			jobs = append(jobs, c.job)
		}
	}
	m.mu.Unlock()
	for _, j := range jobs {
		m.p.Cancel(j)
	}
}

// link adds a chunk at the end of the list, or behind another. The caller holds mu.
func (m *mapper[In, Out]) link(c, after *chunk[In]) {
	if after == nil {
		after = m.last
	}
	c.prev = after
	if after != nil {
		c.next, after.next = after.next, c
	} else {
		m.first = c
	}
	if c.next != nil {
		c.next.prev = c
	} else {
		m.last = c
	}
}

func (m *mapper[In, Out]) unlink(c *chunk[In]) {
	if c.prev != nil {
		c.prev.next = c.next
	} else {
		m.first = c.next
	}
	if c.next != nil {
		c.next.prev = c.prev
	} else {
		m.last = c.prev
	}
	c.prev, c.next = nil, nil
}

// cut is chunk.cut; both parts are in the list. The caller holds mu.
func (m *mapper[In, Out]) cut(c *chunk[In], at int) *chunk[In] {
	d := c.cut(at)
	m.link(d, c)
	return d
}

// finish makes a chunk one that the loop may take. The caller holds mu.
func (m *mapper[In, Out]) finish(c *chunk[In]) {
	c.ready = true
	if m.unordered {
		m.ready = append(m.ready, c)
	}
	if m.unordered || c == m.first {
		signal(m.wake)
	}
}

// recycle keeps the buffers of a chunk that is done with.
func (m *mapper[In, Out]) recycle(c *chunk[In]) {
	if c.shared {
		return
	}
	m.mu.Lock()
	for _, b := range [][]byte{c.buf, c.values} {
		if cap(b) >= 1024 && cap(b) <= 2*ipc.MaxInline && len(m.spare) < 8*m.workers {
			m.spare = append(m.spare, b[:0])
		}
	}
	if c.ins != nil && len(m.spareIns) < 4*m.workers {
		m.spareIns = append(m.spareIns, c.ins[:0]) // hand has cleared it
	}
	m.mu.Unlock()
}

// buffer returns an empty one. The caller holds mu.
func (m *mapper[In, Out]) buffer() []byte {
	if n := len(m.spare); n > 0 {
		b := m.spare[n-1]
		m.spare = m.spare[:n-1]
		return b
	}
	return nil
}

// run gives a chunk to the pool. The caller does not hold mu, and has counted it in
// inflight.
func (m *mapper[In, Out]) run(c *chunk[In], after time.Duration) {
	j := &Job{Task: m.t.Name(), Done: m.done, Tag: c}
	m.opts.apply(j)
	j.Label, j.Timeout, j.Retry = m.label(c), 0, Retry{}
	j.Payload, j.Items = c.payload()
	if c.n == 1 {
		j.Timeout, j.Retry = m.opts.timeout, m.opts.retry
	}
	m.mu.Lock()
	c.job = j
	m.mu.Unlock()
	if err := m.p.goOn(j, c.attempts, c.deaths, after); err != nil {
		m.mu.Lock()
		m.inflight--
		c.job = nil
		if errors.Is(err, ErrClosed) {
			if m.err == nil {
				m.err = err
			}
			c.refused = true
			signal(m.wake)
		} else {
			c.err = err
			m.finish(c)
		}
		m.mu.Unlock()
		return
	}
	if m.stopped.Load() {
		m.p.Cancel(j) // stop may have come before the pool knew it
	}
}

// rerun is a chunk that is to be run, after a while.
type rerun[In any] struct {
	*chunk[In]
	after time.Duration
}

// done takes the end of a job from the pool.
func (m *mapper[In, Out]) done(j *Job, r *Result) {
	m.p.stdout.copy(&r.Stdout)
	m.p.stderr.copy(&r.Stderr)
	c := j.Tag.(*chunk[In])
	var again []rerun[In]
	verdicts := m.judge(c, j, r) // with calls of the user's, who may hold locks
	m.mu.Lock()
	m.inflight--
	c.job = nil
	if j.beingWritten() {
		c.shared = true // with a write that has not ended
	}
	if m.stopped.Load() {
		m.mu.Unlock()
		return
	}
	again = m.settle(c, j, r, verdicts)
	if m.err != nil {
		signal(m.wake)
	}
	m.inflight += len(again)
	idle := m.inflight < m.workers
	m.mu.Unlock()
	if r.Outcome == OK || r.Failure != nil && j.Items == 0 {
		// The first has shown whether the workers take many.
		m.pace.measure(r.Wall, max(j.Items, 1), len(r.Value), func() bool { return m.p.takesItems() })
	}
	for _, x := range again {
		m.run(x.chunk, x.after)
	}
	if idle {
		m.flush()
	}
	if m.starved.Load() {
		signal(m.room) // there may be more of them now
	}
}

// verdict is what becomes of an item that has failed.
type verdict struct {
	index   int
	again   bool
	attempt int // that are counted then
	after   time.Duration
	err     error // if it is not run again
}

// judge decides about the items of a job that have failed, by rising index. The
// caller does not hold mu.
func (m *mapper[In, Out]) judge(c *chunk[In], j *Job, r *Result) (all []verdict) {
	one := func(index int, r *Result) verdict {
		if j.Items > 0 && m.opts.retry.again(r) {
			return verdict{index, true, r.Attempt, m.opts.retry.after(r.Attempt), nil}
		}
		named := &Job{Task: j.Task, Label: m.errorLabel(c.index + index), Timeout: j.Timeout}
		return verdict{index: index, err: r.Err(named)}
	}
	switch {
	case r.Outcome != OK:
		end := *r
		end.Item = -1
		return []verdict{one(max(r.Item, 0), &end)}
	case j.Items == 0:
		return nil
	}
	for _, f := range r.items.failures {
		if errors.Is(f.failure, workerside.ErrNoRoom) {
			all = append(all, verdict{index: f.index, again: true, attempt: c.attempts})
			continue
		}
		end := Result{
			Outcome: Failed, Failure: f.failure, Evidence: firstLine(f.failure.Error()), Item: -1,
			ExitCode: -1, Attempt: r.Attempt, Slot: r.Slot, Worker: r.Worker, PID: r.PID, Start: r.Start,
		}
		if f.failure.Panic {
			end.Which = WhichPanic
		}
		all = append(all, one(f.index, &end))
	}
	return all
}

// settle does what was decided about the end of a job, and returns what has to run
// again. The caller holds mu.
func (m *mapper[In, Out]) settle(c *chunk[In], j *Job, r *Result, verdicts []verdict) []rerun[In] {
	switch {
	case j.Items == 0:
		if r.Outcome == OK {
			c.values = m.keep(r.Value)
		} else {
			c.err = verdicts[0].err
		}
		m.finish(c)
		return nil
	case r.Outcome == OK:
		return m.sort(c, r, verdicts)
	}
	var f *task.Failure
	if r.Outcome == Failed {
		f = r.Failure
	}
	switch {
	case r.err == ErrItems:
		m.pace.singly()
	case r.Outcome == Cancelled, r.Outcome == Internal && r.err != nil, f != nil && errors.Is(f, workerside.ErrUnknownTask):
		c.err = r.Err(j)
		m.finish(c)
		return nil
	case r.Item >= 0 && r.Item < c.n && r.Outcome != Protocol:
		return m.charge(c, r, verdicts[0])
	}
	return m.split(c)
}

// sort takes the answer to a chunk: results, and failures, some of which are not
// the last word. The caller holds mu.
func (m *mapper[In, Out]) sort(c *chunk[In], r *Result, verdicts []verdict) (again []rerun[In]) {
	c.values = m.keep(r.items.values)
	c.failed = nil
	var repeat []verdict
	for _, v := range verdicts {
		if v.again {
			repeat = append(repeat, v)
			continue
		}
		c.failed = append(c.failed, itemEnd{v.index, v.err})
	}
	begin := c.index
	for _, x := range repeat {
		if at := begin + x.index - c.index; at > 0 {
			before := c
			c = m.cut(c, at)
			m.finish(before)
		}
		one := c
		c = nil
		if one.n > 1 {
			c = m.cut(one, 1)
		}
		one.again()
		one.attempts = x.attempt
		again = append(again, rerun[In]{one, x.after})
		if c == nil {
			return again
		}
	}
	m.finish(c)
	return again
}

// charge takes the end of a worker that was at an item of c: that alone is charged
// with it, the others run again. The caller holds mu.
func (m *mapper[In, Out]) charge(c *chunk[In], r *Result, v verdict) (again []rerun[In]) {
	guilty := c
	if r.Item > 0 {
		guilty = m.cut(c, r.Item)
		again = append(again, rerun[In]{c, 0})
	}
	if guilty.n > 1 {
		again = append(again, rerun[In]{m.cut(guilty, 1), 0})
	}
	if v.again {
		guilty.attempts = v.attempt
		if r.Outcome == Crashed || r.Outcome == Internal {
			guilty.deaths++
		}
		return append(again, rerun[In]{guilty, v.after})
	}
	guilty.err = v.err
	m.finish(guilty)
	return again
}

// split runs the items of c again, each for itself. The caller holds mu.
func (m *mapper[In, Out]) split(c *chunk[In]) (again []rerun[In]) {
	for {
		again = append(again, rerun[In]{c, 0})
		if c.n == 1 {
			return again
		}
		c = m.cut(c, 1)
	}
}

// keep copies a result out of the link's buffer; a long one is in none. The caller
// holds mu.
func (m *mapper[In, Out]) keep(value []byte) []byte {
	if len(value) > ipc.MaxInline {
		return value
	}
	return append(m.buffer(), value...)
}

// label names the job of a chunk.
func (m *mapper[In, Out]) label(c *chunk[In]) string {
	if m.opts.label == "" || c.n == 1 {
		return m.itemLabel(c.index)
	}
	return fmt.Sprintf("%s#%d-%d", m.opts.label, c.index, c.index+c.n-1)
}

// itemLabel names an item: label#index, if there is a label.
func (m *mapper[In, Out]) itemLabel(index int) string {
	if m.opts.label == "" {
		return ""
	}
	return fmt.Sprintf("%s#%d", m.opts.label, index)
}

// errorLabel is the label of an item in errors.
func (m *mapper[In, Out]) errorLabel(index int) string {
	if m.opts.label == "" {
		return fmt.Sprintf("item %d", index)
	}
	return m.itemLabel(index)
}

// name is what errors call an item.
func (m *mapper[In, Out]) name(index int) string {
	if m.opts.label == "" {
		return fmt.Sprintf("item %d of task %s", index, m.t.Name())
	}
	return m.itemLabel(index)
}

// signal wakes who waits on c, or will.
func signal(c chan struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}
