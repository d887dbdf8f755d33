package batch

import (
	"cmp"
	"slices"
	"sync/atomic"
	"time"

	"github.com/feac4032/multiproc/internal/terminal"
	"github.com/feac4032/multiproc/internal/text"
	"github.com/feac4032/multiproc/pool"
)

// Progress tells how far a run is, from when it has begun. It is a terminal.Source.
type Progress struct{ run atomic.Pointer[run] }

// Status implements terminal.Source.
func (p *Progress) Status(maxRunning int) terminal.Status {
	r := p.run.Load()
	if r == nil {
		return terminal.Status{Total: -1}
	}
	return r.status(maxRunning)
}

func (r *run) status(maxRunning int) terminal.Status {
	r.mu.Lock()
	defer r.mu.Unlock()
	done, ok, idle := r.tally.jobs(), r.tally.count(pool.OK), r.tally.count(skipped)
	s := terminal.Status{
		Elapsed: time.Since(r.begin), Total: r.total(), Done: int(done), OK: int(ok),
		NotOK: int(done - ok - idle), Skipped: int(idle), Resumed: int(r.tally.resumed), Active: int(r.active),
		Rate: r.meter.Rate(),
	}
	if s.Total >= 0 {
		s.ETA = r.meter.ETA(s.Total-s.Done, r.cfg.Workers)
	}
	if maxRunning <= 0 {
		return s
	}
	var active []*Instance
	for _, in := range r.flight {
		if !in.active {
			continue
		}
		at, _ := slices.BinarySearchFunc(active, in, func(a, b *Instance) int { return cmp.Compare(a.since.UnixNano(), b.since.UnixNano()) })
		if at < maxRunning {
			active = slices.Insert(active, at, in)
			active = active[:min(len(active), maxRunning)]
		}
	}
	for _, in := range active {
		run := terminal.Running{Label: in.Label(), Since: in.since}
		in = in.face()
		switch {
		case in.Items != nil:
			run.Item = text.Number(int64(len(in.Items))) + " items"
		case in.hasItem():
			run.Item = text.Plain(in.Item.Text(), maxItemShown)
		}
		s.Running = append(s.Running, run)
	}
	return s
}

// total is how many instances there will be, -1 while that is not known. The
// caller holds mu.
func (r *run) total() int {
	total := int64(0)
	for _, js := range r.jobs {
		n := js.expected()
		if only, chosen := r.cfg.Only[js.plan.job.ID]; chosen {
			n = int64(len(only))
		}
		if n < 0 {
			return -1
		}
		total += n
	}
	return int(min(total, 1<<53))
}

// expected is how many instances a job will have, -1 while that is not known. One
// that takes the items of another has as many as that one if no more of these fail.
// The caller holds run.mu.
func (js *jobState) expected() int64 {
	n, known := js.plan.known()
	switch {
	case js.ended || js.drained():
		return js.index
	case known:
		return n
	case js.source == nil || js.chunk != nil || js.source.chunk != nil:
		return -1
	}
	if n = js.source.expected(); n < 0 {
		return -1
	}
	return max(n-js.source.notOK, 0) * int64(js.plan.matrices())
}
