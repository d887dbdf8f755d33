package journal

import (
	"slices"
	"strings"
)

// Commit makes the records of a batch durable: outputs first, then all rows in
// one transaction. It returns when they are on the disk, and then the batch tells
// where its outputs are; they count as not printed. An empty batch costs nothing.
//
// After an error nothing of the batch is in the journal, what was committed
// before is whole, and another Commit may be tried. The error is a *LostError. If it
// is the disk's that it cannot sync, and nothing is committed any more, who opens the
// journal later may find the whole batch in it all the same.
// Only what is carried from more than eight earlier runs at once takes more than
// one transaction, of which the first ones may stay.
func (r *Run) Commit(b *Batch) error {
	if len(b.rows)+len(b.attempts)+len(b.carries) == 0 {
		return nil
	}
	first := r.first(b)
	if err := r.write(b); err != nil {
		return &LostError{Label: first, Lost: b.Len(), Err: err}
	}
	return nil
}

// first names the first record of a batch.
func (r *Run) first(b *Batch) string {
	job, index := -1, int64(-1)
	switch {
	case len(b.rows) > 0:
		job, index = b.rows[0].Job, b.rows[0].Index
	case len(b.carries) > 0:
		job, index = b.carries[0].job, b.carries[0].index
	}
	if job < 0 || job >= len(r.jobs) {
		return ""
	}
	return label(r.jobs[job].ID, index)
}

func (r *Run) write(b *Batch) (err error) {
	if r.closed {
		return ErrClosed
	}
	o := r.outputs
	o.mu.Lock()
	m := o.mark()
	err = r.keepOutputs(b)
	o.mu.Unlock()
	var parts [][]carried
	if err == nil {
		parts, err = r.adoptSources(b)
	}
	for i, part := range parts {
		if err == nil {
			err = r.attachAll(part)
		}
		if err == nil {
			err = r.transaction(func() error {
				if i == len(parts)-1 {
					if err := r.insert(b); err != nil {
						return err
					}
				}
				return r.copyCarried(part)
			})
		}
	}
	if err != nil {
		// A COMMIT that failed may be found in the log all the same, by who reads it next:
		// then its rows are to find their outputs.
		if !r.unsure {
			o.mu.Lock()
			o.rollback(m) // what it cannot take back is ignored by all readers
			o.mu.Unlock()
		}
		for i := range b.rows {
			b.rows[i].ref = Ref{}
		}
	}
	return err
}

// keepOutputs puts the outputs of a batch on the disk. The caller holds the
// outputs' lock.
func (r *Run) keepOutputs(b *Batch) error {
	any := false
	for i := range b.rows {
		p := &b.rows[i]
		if p.out == nil && p.err == nil && p.stdout.to == p.stdout.from && p.stderr.to == p.stderr.from {
			p.ref = Ref{}
			continue
		}
		var err error
		if p.out != nil || p.err != nil {
			p.ref, err = r.outputs.put(p.out, p.err)
		} else {
			p.ref, err = r.outputs.put(b.bytes(p.stdout), b.bytes(p.stderr))
		}
		if err != nil {
			return err
		}
		if !p.ref.Stored() {
			p.Flags |= NotStored
		}
		any = true
	}
	if !any {
		return nil
	}
	return r.outputs.sync()
}

// transaction runs fn and what there is to record of segments in a transaction.
func (r *Run) transaction(fn func() error) error {
	if err := r.begun.exec(); err != nil {
		return err
	}
	states, err := r.recordSegments()
	if err == nil {
		err = fn()
	}
	if err == nil {
		err = r.commit.exec()
		r.unsure = err != nil
	}
	if err != nil {
		// SQLite has rolled back by itself after some errors, and says so.
		r.db.exec("ROLLBACK")
		return err
	}
	o := r.outputs
	o.mu.Lock()
	defer o.mu.Unlock()
	for n, s := range states {
		if o.changed[n] == s {
			delete(o.changed, n)
		}
	}
	return nil
}

// recordSegments records what became of segments. What it returns may be
// forgotten when it is on the disk.
func (r *Run) recordSegments() (map[int32]segmentState, error) {
	o := r.outputs
	o.mu.Lock()
	var states map[int32]segmentState
	if len(o.changed) > 0 {
		states = make(map[int32]segmentState, len(o.changed))
		for n, s := range o.changed {
			states[n] = s
		}
	}
	o.mu.Unlock()
	for n, s := range states {
		r.segment.bind(int64(n))
		r.segment.bind(segmentName(n))
		r.segment.bind(s.bytes)
		r.segment.bind(s.state)
		r.segment.bind(orNull(s.origin, 0))
		if err := r.segment.exec(); err != nil {
			return nil, err
		}
	}
	return states, nil
}

func (r *Run) insert(b *Batch) error {
	rows := b.rows
	if b.fewer {
		rows = slices.DeleteFunc(slices.Clone(rows), func(p pending) bool { return p.Flags&withdrawn != 0 })
	}
	for i := 0; i < len(rows); {
		n := 1
		if len(rows)-i >= rowsAtOnce {
			n = rowsAtOnce
		}
		groups := 0
		for k := range n {
			groups |= rows[i+k].groups()
		}
		s, err := r.inserter(groups, n)
		if err != nil {
			return err
		}
		for k := range n {
			bindRow(s, b, &rows[i+k], groups, r.begin)
		}
		if err := s.exec(); err != nil {
			return err
		}
		i += n
	}
	for i := range b.attempts {
		a := &b.attempts[i]
		s := r.attempt
		s.bind(int64(a.Job))
		s.bind(a.Index)
		s.bind(int64(a.Attempt))
		s.bind(a.Outcome)
		s.bind(textOrNull(a.Which))
		s.bind(orNull(int64(a.ExitCode), -1))
		s.bind(orNull(int64(a.Signal), 0))
		s.bind(textOrNull(a.Worker))
		s.bind(orNull(int64(a.PID), 0))
		bindTime(s, a.Start, a.Wall, r.begin)
		s.bind(textOrNull(a.Evidence))
		s.bind(orNull(a.Limit, 0))
		s.bind(orNull(a.Observed, 0))
		s.bind(textOrNull(a.EnforcedBy))
		if err := s.exec(); err != nil {
			return err
		}
	}
	return nil
}

// inserter gives the statement for n rows that need no columns but those of the
// groups.
func (r *Run) inserter(groups, n int) (*prepared, error) {
	at := &r.inserts[groups][min(n-1, 1)]
	if *at != nil {
		return *at, nil
	}
	columns := columnGroups[0]
	for g := range groupCount {
		if groups&(1<<g) != 0 {
			columns += "," + columnGroups[g+1]
		}
	}
	row := "(" + strings.Repeat("?,", strings.Count(columns, ",")) + "?)"
	p, err := r.db.prepare("INSERT INTO instance(" + columns + ") VALUES " + strings.Repeat(row+",", n-1) + row)
	if err != nil {
		return nil, err
	}
	*at = p
	return p, nil
}
