package journal

import (
	"cmp"
	"fmt"
	"slices"
)

// carried is a record to be copied.
type carried struct {
	claim Claim
	job   int
	index int64
}

// attached is a source in the run's connection.
type attached struct {
	source *source
	schema string
	origin int64
	shift  int64 // from the numbers of its segments to ours
	rows   *prepared
	tries  *prepared
}

func (a *attached) forget() {
	a.rows.close()
	a.tries.close()
	a.rows, a.tries = nil, nil
}

// SQLite attaches up to 10 databases.
const maxAttached = 8

// adoptSources links the outputs of everything that a batch is carried from, and
// splits what is carried into parts of up to maxAttached sources each. There is
// at least one part.
func (r *Run) adoptSources(b *Batch) (parts [][]carried, err error) {
	slices.SortFunc(b.carries, func(x, y carried) int {
		if x.claim.source != y.claim.source {
			return cmp.Compare(x.claim.run(), y.claim.run())
		}
		return cmp.Compare(x.claim.row, y.claim.row)
	})
	var last *source
	from, sources := 0, 0
	for i := range b.carries {
		s := b.carries[i].claim.source
		if s == nil {
			return nil, errNoClaim
		}
		if s == last {
			continue
		}
		last = s
		if sources++; sources > maxAttached {
			parts = append(parts, b.carries[from:i])
			from, sources = i, 1
		}
		if r.sources[s] == nil {
			a, err := r.adopt(s)
			if err != nil {
				return nil, fmt.Errorf("carry from run %s: %w", s.run, err)
			}
			r.sources[s] = a
		}
	}
	return append(parts, b.carries[from:]), nil
}

// attachAll attaches the sources of a part.
func (r *Run) attachAll(part []carried) error {
	var last *source
	for i := range part {
		if s := part[i].claim.source; s != last {
			last = s
			if err := r.attach(r.sources[s]); err != nil {
				return fmt.Errorf("carry from run %s: %w", s.run, err)
			}
		}
	}
	return nil
}

func (c Claim) run() string {
	if c.source == nil {
		return ""
	}
	return c.source.run
}

// adopt links the outputs of a source into this run.
func (r *Run) adopt(s *source) (*attached, error) {
	a := &attached{source: s, origin: int64(len(r.sources)) + 1}
	a.schema = fmt.Sprintf("old%d", a.origin)
	o := r.outputs
	o.mu.Lock()
	defer o.mu.Unlock()
	a.shift = int64(o.next - 1)
	numbers := make([]int32, 0, len(s.present))
	for n := range s.present {
		numbers = append(numbers, n)
	}
	slices.Sort(numbers)
	// Rows also name segments that have gone, whose numbers stay unused.
	highest := s.segments
	if len(numbers) > 0 {
		highest = max(highest, int64(numbers[len(numbers)-1]))
	}
	if highest < 0 || a.shift+highest >= maxSegment {
		return nil, &DamagedError{Run: s.run, Path: s.db.path, Err: fmt.Errorf("it has a segment %d", highest)}
	}
	o.next += int32(highest)
	for _, n := range numbers {
		number := n + int32(a.shift)
		err := r.store.runs.Link(s.run+"/outputs/"+segmentName(n), r.id+"/outputs/"+segmentName(number))
		if err != nil {
			continue // a file system without links: `logs` says that the output is gone
		}
		seg := &segment{number: number, size: s.present[n], origin: a.origin}
		o.segments = append(o.segments, seg)
		o.total += seg.size
		o.names = true
		o.note(seg, segmentSealed)
	}
	// They have been printed, and go if the quota is smaller than it was.
	if err := o.makeRoom(0); err != nil {
		return nil, err
	}
	if o.names {
		if err := o.shelf.sync(); err != nil {
			return nil, err
		}
		o.names = false
	}
	return a, nil
}

// attach makes the tables of a source visible, in place of those that were used
// longest ago. It cannot be done in a transaction.
func (r *Run) attach(a *attached) error {
	if i := slices.Index(r.attached, a); i >= 0 {
		r.attached = append(slices.Delete(r.attached, i, i+1), a)
		return nil
	}
	if len(r.attached) == maxAttached {
		old := r.attached[0]
		old.forget()
		r.attached = slices.Delete(r.attached, 0, 1)
		if err := r.db.exec("DETACH " + old.schema); err != nil {
			return err
		}
	}
	if err := r.db.exec("ATTACH ? AS "+a.schema, location(a.source.db.path)+"?mode=ro"); err != nil {
		return err
	}
	r.attached = append(r.attached, a)
	var err error
	if a.rows, err = r.db.prepare(`INSERT INTO main.instance(job,idx,key,outcome,which,exit_code,signal,attempt,slot,worker,pid,
		start_us,wall_us,cpu_us,peak_bytes,items,flags,origin,origin_row,segment,offset,stdout_bytes,stderr_bytes,result_bytes,
		item,evidence,result,peak_source)
		SELECT ?1,nullif(coalesce(idx,-1)+?2,-1),key,outcome,which,exit_code,signal,attempt,slot,worker,pid,
		start_us+?3,wall_us,cpu_us,peak_bytes,items,flags,?4,row,segment+?5,offset,stdout_bytes,stderr_bytes,result_bytes,
		item,evidence,result,peak_source FROM ` + a.schema + `.instance WHERE row BETWEEN ?6 AND ?7 AND outcome = 'ok' ORDER BY row`); err != nil {
		return err
	}
	if a.source.retried {
		a.tries, err = r.db.prepare(`INSERT OR REPLACE INTO main.attempt(job,idx,attempt,outcome,which,exit_code,signal,worker,pid,
			start_us,wall_us,evidence,limit_value,observed,enforced_by)
			SELECT ?1,t.idx+?2,t.attempt,t.outcome,t.which,t.exit_code,t.signal,t.worker,t.pid,t.start_us+?3,t.wall_us,t.evidence,
				t.limit_value,t.observed,t.enforced_by
			FROM ` + a.schema + `.instance i JOIN ` + a.schema + `.attempt t ON t.job = i.job AND t.idx = i.idx
			WHERE i.row BETWEEN ?4 AND ?5 AND i.attempt > 1`)
	}
	return err
}

// stretch is a range of old rows that are copied in one go.
type stretch struct {
	source      *source
	first, last int64
	oldJob, job int64
	shift       int64 // of the index
}

// stretches splits what is carried, which is sorted.
func stretches(carries []carried, fn func(stretch) error) error {
	for i := 0; i < len(carries); {
		c := &carries[i]
		s := stretch{source: c.claim.source, first: c.claim.row, oldJob: c.claim.job, job: int64(c.job), shift: c.index - c.claim.index}
		s.last = s.first
		for i++; i < len(carries); i++ {
			c := &carries[i]
			if c.claim.source != s.source || c.claim.row != s.last+1 || c.claim.job != s.oldJob || int64(c.job) != s.job ||
				c.index-c.claim.index != s.shift {
				break
			}
			s.last++
		}
		if err := fn(s); err != nil {
			return err
		}
	}
	return nil
}

// copyCarried copies rows, and the records of their attempts.
func (r *Run) copyCarried(part []carried) error {
	for last, i := (*source)(nil), 0; i < len(part); i++ {
		if s := part[i].claim.source; s != last {
			last = s
			if err := r.db.exec("INSERT OR IGNORE INTO origin(number, run) VALUES(?, ?)", r.sources[s].origin, s.run); err != nil {
				return err
			}
		}
	}
	return stretches(part, func(s stretch) error {
		a := r.sources[s.source]
		shift := s.source.begin - r.begin.UnixMicro()
		for _, v := range []int64{s.job, s.shift, shift, a.origin, a.shift, s.first, s.last} {
			a.rows.bind(v)
		}
		n, err := a.rows.change()
		if err == nil && n != s.last-s.first+1 {
			err = fmt.Errorf("rows %d to %d are not what they were", s.first, s.last)
		}
		if err == nil && a.tries != nil {
			for _, v := range []int64{s.job, s.shift, shift, s.first, s.last} {
				a.tries.bind(v)
			}
			err = a.tries.exec()
		}
		if err != nil {
			return fmt.Errorf("carry from run %s: %w", s.source.run, err)
		}
		return nil
	})
}
