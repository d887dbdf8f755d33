package journal

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"os"
)

// source is an earlier run that records are taken from.
type source struct {
	run      string
	root     *os.Root
	outs     *os.Root
	lock     *lock
	db       *database
	begin    int64 // µs since 1970
	parent   string
	jobs     map[string]int64
	programs map[string]string // by job
	retried  bool              // it has records of attempts
	segments int64             // the highest number of one
	only     bool              // only rows that are ok are of use
	present  map[int32]int64
	reads    reads

	claimed bitmap
	win     window
	ahead   []candidate // read, not in the window yet
	aheadAt int
	after   int64 // the last row that was read
	last    int64 // of the run
	whole   bool  // no row was left out on the way to after
	indexed bool
	cursor  *prepared
	lookup  *prepared
	fetch   *prepared
	hits    hits
	counts  *prepared
}

// readAhead is how many old rows are read at once.
const readAhead = 1024

// bitmap marks rows, from 1.
type bitmap struct {
	bits []uint64
	max  int64
}

func (b *bitmap) has(row int64) bool {
	i := row >> 6
	return i < int64(len(b.bits)) && b.bits[i]&(1<<(row&63)) != 0
}

func (b *bitmap) set(row int64) {
	if row < 1 || row > b.max {
		return
	}
	for i := row >> 6; i >= int64(len(b.bits)); {
		b.bits = append(b.bits, 0)
	}
	b.bits[row>>6] |= 1 << (row & 63)
}

// hits remembers where the index has found rows, to tell that the input goes on
// in step elsewhere.
type hits struct {
	last  int64
	close int
}

// A jump of the cursor is worth it after some rows in a row that lie close
// together. Few instances run at a time, so the order of rows is about that of
// the input.
const (
	nearby   = 512
	inAStep  = 4
	jumpBack = 1024
)

// openSource opens an earlier run whose lock is held, or shared.
func (s *Store) openSource(id string, l *lock, root *os.Root) (_ *source, err error) {
	src := &source{run: id, root: root, lock: l, whole: true, jobs: map[string]int64{}, programs: map[string]string{}}
	defer func() {
		if err != nil {
			src.close()
		}
	}()
	if src.outs, err = openIn(root, "outputs"); err != nil {
		return nil, fmt.Errorf("run %s: %w", id, err)
	}
	if src.present, err = (folderShelf{src.outs}).list(); err != nil {
		return nil, fmt.Errorf("run %s: %w", id, err)
	}
	src.reads.shelf = folderShelf{src.outs}
	if src.db, err = s.database(root, id, toIndex); err != nil {
		return nil, err
	}
	if err := migrate(src.db.conn, id, s.steps); err != nil {
		return nil, src.db.explain(err)
	}
	if err := src.describe(); err != nil {
		return nil, err
	}
	if src.cursor, err = src.db.prepare(`SELECT row, key, outcome = 'ok', job, idx, segment, stdout_bytes
		FROM instance WHERE row > ? ORDER BY row LIMIT ?`); err != nil {
		return nil, err
	}
	return src, nil
}

func (s *source) describe() error {
	err := s.query(`SELECT begin_us, parent, (SELECT max(row) FROM instance),
		(SELECT max(number) FROM segment), EXISTS(SELECT 1 FROM attempt) FROM run WHERE id = ?`, 5, func(v []driver.Value) error {
		s.begin = number(v[0])
		s.parent, _ = v[1].(string)
		s.last, s.segments, s.retried = number(v[2]), number(v[3]), number(v[4]) != 0
		return nil
	}, s.run)
	if err != nil {
		return err
	}
	// A row takes more than 16 bytes, so that a file cannot ask for more memory
	// than it has bytes.
	var pages, size int64
	for _, q := range []struct {
		pragma string
		n      *int64
	}{{"PRAGMA page_count", &pages}, {"PRAGMA page_size", &size}} {
		if err := s.query(q.pragma, 1, func(v []driver.Value) error { *q.n = number(v[0]); return nil }); err != nil {
			return err
		}
	}
	if s.last < 0 || s.last > pages*size/16 {
		return &DamagedError{Run: s.run, Path: s.db.path, Err: fmt.Errorf("it has a row %d", s.last)}
	}
	s.claimed.max = s.last
	return s.query("SELECT id, number, program FROM job", 3, func(v []driver.Value) error {
		if id, ok := v[0].(string); ok {
			s.jobs[id] = number(v[1])
			if program := text(v[2]); program != "" {
				s.programs[id] = program
			}
		}
		return nil
	})
}

// query runs a statement once.
func (s *source) query(query string, n int, fn func([]driver.Value) error, args ...driver.Value) error {
	p, err := s.db.prepare(query)
	if err != nil {
		return err
	}
	defer p.close()
	for _, a := range args {
		p.bind(a)
	}
	return p.each(n, fn)
}

// close also closes root and lock.
func (s *source) close() {
	for _, p := range []*prepared{s.cursor, s.lookup, s.fetch, s.counts} {
		p.close()
	}
	if s.db != nil {
		s.db.close()
	}
	s.reads.close()
	if s.outs != nil {
		s.outs.Close()
	}
	s.root.Close()
	s.lock.release()
}

// errEnough ends a query early.
var errEnough = errors.New("enough")

func (s *source) read() error {
	s.ahead, s.aheadAt = s.ahead[:0], 0
	n := 0
	s.cursor.bind(s.after)
	s.cursor.bind(int64(readAhead))
	err := s.cursor.each(7, func(v []driver.Value) error {
		n++
		var c candidate
		s.after = number(v[0])
		if c.set(v) && !s.claimed.has(c.row) && (c.ok || !s.only) {
			s.ahead = append(s.ahead, c)
		}
		return nil
	})
	if n < readAhead {
		s.after = s.last
	}
	return err
}

// set takes a row over. It reports false for one without a key.
func (c *candidate) set(v []driver.Value) bool {
	key, _ := v[1].([]byte)
	if len(key) != len(c.key) {
		return false
	}
	copy(c.key[:], key)
	c.row, c.ok, c.job, c.index = number(v[0]), number(v[2]) == 1, number(v[3]), -1
	if n, ok := v[4].(int64); ok {
		c.index = n
	}
	c.segment = -1
	if n, ok := v[5].(int64); ok && n > 0 && n <= maxSegment {
		c.segment = int32(n)
	}
	c.stdout = number(v[6])
	return true
}

// stored reports whether a row's stdout can still be read.
func (s *source) stored(c *candidate) bool {
	if c.stdout == 0 {
		return true
	}
	_, ok := s.present[c.segment]
	return ok
}

// match looks a key up. found says that a row of this key was used up, ok that
// it can be carried.
func (s *source) match(key [16]byte, output bool) (c candidate, found, ok bool, err error) {
	for {
		if c, found = s.win.take(key); found {
			s.claimed.set(c.row) // also what was not ok, which a jump may bring up again
			return c, true, c.ok && (!output || s.stored(&c)), nil
		}
		more, err := s.fill(key)
		if err != nil {
			return c, false, false, err
		}
		if !more {
			break
		}
	}
	if s.whole && s.after >= s.last && s.aheadAt == len(s.ahead) {
		return c, false, false, nil // every row that is left is in the window
	}
	return s.find(key, output)
}

// fill reads on until the window has the key, and reports whether it has.
func (s *source) fill(key [16]byte) (bool, error) {
	for !s.win.full() {
		if s.aheadAt == len(s.ahead) {
			if s.after >= s.last {
				return false, nil
			}
			if err := s.read(); err != nil {
				return false, err
			}
			continue
		}
		c := &s.ahead[s.aheadAt]
		s.aheadAt++
		if s.claimed.has(c.row) {
			continue // the index was faster
		}
		s.win.add(c)
		if c.key == key {
			return true, nil
		}
	}
	return false, nil
}

// find looks a key up by the index.
func (s *source) find(key [16]byte, output bool) (c candidate, found, ok bool, err error) {
	if !s.indexed {
		if err := s.db.exec("CREATE INDEX IF NOT EXISTS instance_ok_key ON instance(key) WHERE outcome = 'ok'"); err != nil {
			return c, false, false, fmt.Errorf("index run %s: %w", s.run, err)
		}
		s.lookup, err = s.db.prepare(`SELECT row, key, 1, job, idx, segment, stdout_bytes
			FROM instance WHERE key = ? AND outcome = 'ok' ORDER BY row`)
		if err != nil {
			return c, false, false, err
		}
		s.indexed = true
	}
	s.lookup.bind(key[:])
	err = s.lookup.each(7, func(v []driver.Value) error {
		if !c.set(v) || s.claimed.has(c.row) || output && !s.stored(&c) {
			return nil
		}
		ok = true
		return errEnough
	})
	if err != nil && !errors.Is(err, errEnough) {
		return c, false, false, err
	}
	if !ok {
		return c, false, false, nil
	}
	s.claimed.set(c.row)
	s.follow(c.row)
	return c, true, true, nil
}

// follow moves the cursor to where the index finds rows that follow each other.
// What it leaves behind the index finds.
func (s *source) follow(row int64) {
	h := &s.hits
	if d := row - h.last; d > -nearby && d < nearby {
		h.close++
	} else {
		h.close = 0
	}
	h.last = row
	if h.close < inAStep {
		return
	}
	h.close = 0
	s.win.reset()
	s.ahead, s.aheadAt = s.ahead[:0], 0
	s.after = max(0, row-jumpBack)
	s.whole = false
}
