package journal

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"math"
	"sync"
)

// Past is what earlier runs have done: the run that is resumed and all that it
// had resumed itself. Its methods may be called by several goroutines.
//
// It holds one bit in memory for each old row that was matched, and a window of
// up to 64k old rows. It has to stay open for as long as batches are committed
// that carry from it.
type Past struct {
	mu      sync.Mutex
	sources []*source // the latest first
	missing []string
	pages   map[string]*page
	closed  bool
}

// maxWindow is how many old rows wait to be matched, in all runs of a chain.
const maxWindow = 64 << 10

// maxChain bounds the runs that a resumed one is followed back to. Each run has
// carried what it took from the ones before, so that what is left out is only
// what 64 runs in a row did not get to.
const maxChain = 64

// Resume opens a run to carry from it, with those before it that are still
// there. It takes the lock of the run for as long as the Past is open, and waits
// up to 2 s for it, as the guardian of a supervisor that was killed holds it until
// it has swept; then the error is an *InUseError.
func (s *Store) Resume(run string) (past *Past, err error) {
	p := &Past{pages: map[string]*page{}}
	defer func() {
		if err != nil {
			p.Close()
		}
	}()
	seen := map[string]bool{}
	for id := run; id != "" && !seen[id]; {
		seen[id] = true
		if len(p.sources) == maxChain {
			p.missing = append(p.missing, id)
			break
		}
		src, err := s.lockSource(id, id == run)
		if err != nil {
			if id == run {
				return nil, err
			}
			// The record of an ancestor is a gain, and not needed.
			p.missing = append(p.missing, id)
			break
		}
		p.sources = append(p.sources, src)
		id = src.parent
	}
	size := max(maxWindow/len(p.sources), 2*readAhead)
	for i, src := range p.sources {
		src.only = i > 0
		src.win = newWindow(size)
	}
	for i, src := range p.sources[:len(p.sources)-1] {
		if err := src.exclude(p.sources[i+1:]); err != nil {
			return nil, err
		}
	}
	return p, nil
}

func (s *Store) lockSource(id string, exclusive bool) (*source, error) {
	root, err := s.folder(id)
	if err != nil {
		return nil, err
	}
	var l *lock
	if exclusive {
		if l, err = lockRun(root, id, forResume, patience); err != nil {
			root.Close()
			return nil, err
		}
	} else {
		l = shareLock(root)
	}
	return s.openSource(id, l, root)
}

// exclude marks in older runs what this one has carried from them.
func (s *source) exclude(older []*source) error {
	from := map[int64]*source{}
	err := s.query("SELECT number, run FROM origin", 2, func(v []driver.Value) error {
		for _, o := range older {
			if v[1] == o.run {
				from[number(v[0])] = o
			}
		}
		return nil
	})
	if err != nil || len(from) == 0 {
		return err
	}
	return s.query("SELECT origin, origin_row FROM instance WHERE origin IS NOT NULL", 2, func(v []driver.Value) error {
		if o := from[number(v[0])]; o != nil {
			o.claimed.set(number(v[1]))
		}
		return nil
	})
}

// Runs are the ids of the runs that are carried from, the latest first.
func (p *Past) Runs() []string {
	ids := make([]string, len(p.sources))
	for i, s := range p.sources {
		ids[i] = s.run
	}
	return ids
}

// Program is what Info.Jobs said of a job's program in the latest run that has the
// job, "" = nothing.
func (p *Past) Program(job string) string {
	for _, s := range p.sources {
		if _, ok := s.jobs[job]; ok {
			return s.programs[job]
		}
	}
	return ""
}

// Missing are the runs of the chain that could not be read.
func (p *Past) Missing() []string { return p.missing }

// Claim is an old record that stands for an instance now. It is valid while its
// Past is open.
type Claim struct {
	source *source
	row    int64
	index  int64
	job    int64
}

// Run is the run that holds the record.
func (c Claim) Run() string { return c.source.run }

// Match finds an old record that is ok, has the key and was not matched before.
// With output it also has to have its stdout stored. It says whether there is
// one: k records satisfy k instances of one key.
//
// An old record that was not ok is used up as well, so that the instances that
// have failed are told from new ones without an index. So, of several instances
// with one key of which some have failed, one that was ok may be found at the next
// call.
//
// It does not block, but for reading; once, when the order of the instances
// differs by more than 64k from that of the old run, for a few seconds per million
// old records.
func (p *Past) Match(key [16]byte, output bool) (Claim, bool, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return Claim{}, false, ErrClosed
	}
	for _, s := range p.sources {
		c, _, ok, err := s.match(key, output)
		if err != nil {
			return Claim{}, false, fmt.Errorf("resume run %s: %w", s.run, err)
		}
		if ok {
			return Claim{source: s, row: c.row, index: c.index, job: c.job}, true, nil
		}
	}
	return Claim{}, false, nil
}

// Row reads the record of a claim.
func (p *Past) Row(c Claim) (*Row, error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil, ErrClosed
	}
	return c.source.get(c.row)
}

func (s *source) get(row int64) (*Row, error) {
	if s.fetch == nil {
		var err error
		if s.fetch, err = s.db.prepare(selectRow + " WHERE i.row = ?"); err != nil {
			return nil, err
		}
	}
	var r *Row
	s.fetch.bind(row)
	err := s.fetch.each(rowColumns, func(v []driver.Value) error {
		r = new(Row)
		r.scan(v, s.begin)
		return nil
	})
	if err == nil && r == nil {
		err = fmt.Errorf("run %s has no row %d", s.run, row)
	}
	return r, err
}

// Output gives what the instance of a claim wrote, as Outputs.Reader does.
func (p *Past) Output(c Claim) (stdout, stderr *io.SectionReader, err error) {
	r, err := p.Row(c)
	if err != nil {
		return nil, nil, err
	}
	return read(r.Output, c.source.reads.get)
}

// page is a stretch of the sizes of chunks.
type page struct {
	loaded bool
	from   int64
	items  [pageSize]uint32
}

const pageSize = 1024

// Count tells how many items the chunk with an index had, in the latest run that
// has a record of it. It is meant to be called for one index after the other.
func (p *Past) Count(job string, index int64) (items int64, ok bool, err error) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return 0, false, ErrClosed
	}
	if index < 0 {
		return 0, false, nil
	}
	pg := p.pages[job]
	if pg == nil {
		pg = new(page)
		p.pages[job] = pg
	}
	if at := index - index%pageSize; !pg.loaded || pg.from != at {
		pg.items = [pageSize]uint32{}
		for i := len(p.sources) - 1; i >= 0; i-- { // later runs over earlier ones
			if err := p.sources[i].chunks(job, at, pg); err != nil {
				return 0, false, fmt.Errorf("resume run %s: %w", p.sources[i].run, err)
			}
		}
		pg.loaded, pg.from = true, at
	}
	n := pg.items[index-pg.from]
	return int64(n), n > 0, nil
}

func (s *source) chunks(job string, from int64, pg *page) error {
	jobNumber, ok := s.jobs[job]
	if !ok {
		return nil
	}
	if s.counts == nil {
		if err := s.db.exec("CREATE INDEX IF NOT EXISTS instance_chunk ON instance(job, idx, items) WHERE items IS NOT NULL"); err != nil {
			return err
		}
		var err error
		if s.counts, err = s.db.prepare(`SELECT idx, items FROM instance
			WHERE job = ? AND idx >= ? AND idx < ? AND items IS NOT NULL`); err != nil {
			return err
		}
	}
	s.counts.bind(jobNumber)
	s.counts.bind(from)
	s.counts.bind(from + pageSize)
	return s.counts.each(2, func(v []driver.Value) error {
		if i, n := number(v[0])-from, number(v[1]); i >= 0 && i < pageSize && n > 0 && n <= math.MaxUint32 {
			pg.items[i] = uint32(n)
		}
		return nil
	})
}

// Close gives the lock of the run back.
func (p *Past) Close() error {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil
	}
	p.closed = true
	for _, s := range p.sources {
		s.close()
	}
	return nil
}

var errNoClaim = errors.New("a record is carried that was never claimed")
