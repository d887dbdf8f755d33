package journal

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"
)

// View reads the record of a run, also of one that is under way: it sees every
// commit that was made when it is asked, and holds nothing up. Its methods may be
// called by several goroutines.
type View struct {
	mu    sync.Mutex
	info  RunInfo
	root  *os.Root
	outs  *os.Root
	db    *database
	reads reads
}

// View opens the record of a run. The error wraps ErrNotFound, or is a
// *DamagedError or *NewerError.
func (s *Store) View(id string) (_ *View, err error) {
	v := &View{}
	defer func() {
		if err != nil {
			v.Close()
		}
	}()
	if v.info, err = s.inspect(id); err != nil {
		return nil, err
	}
	if v.info.Broken != nil {
		return nil, v.info.Broken
	}
	if v.root, err = s.folder(id); err != nil {
		return nil, err
	}
	if v.outs, err = openIn(v.root, "outputs"); err != nil {
		return nil, err
	}
	v.reads.shelf = folderShelf{v.outs}
	if v.db, err = s.described(v.root, id); err != nil {
		return nil, err
	}
	if v.info.Jobs, err = v.jobs(); err != nil {
		return nil, err
	}
	return v, nil
}

// described is readable of a run that may be only just beginning: it waits for a moment
// until that has said what it is.
func (s *Store) described(root *os.Root, id string) (*database, error) {
	for deadline := time.Now().Add(patience); ; {
		begins, err := alive(root) // asked first: what is described then stays so
		if err != nil {
			return nil, err
		}
		db, err := s.readable(root, id)
		said := false
		if err == nil {
			err = db.conn.QueryRowContext(background, "SELECT count(*) > 0 FROM run").Scan(&said)
			if err == nil && said || !begins || time.Now().After(deadline) {
				if err != nil {
					err = errors.Join(db.explain(err), db.close())
					return nil, err
				}
				return db, nil
			}
			db.close()
		} else if !begins || time.Now().After(deadline) || isNewer(err) {
			return nil, err
		}
		time.Sleep(5 * time.Millisecond) // no event tells of it
	}
}

// maxJobs bounds the jobs of a file that are read.
const maxJobs = 1 << 20

func (v *View) jobs() (jobs []JobInfo, err error) {
	err = v.query("SELECT number, id, kind, program FROM job ORDER BY number", 4, func(c []driver.Value) error {
		if n := number(c[0]); n != int64(len(jobs)) || n >= maxJobs {
			return &DamagedError{Run: v.info.ID, Path: v.db.path, Err: fmt.Errorf("it has a job number %d behind %d others", n, len(jobs))}
		}
		jobs = append(jobs, JobInfo{ID: text(c[1]), Kind: text(c[2]), Program: text(c[3])})
		return nil
	})
	return jobs, err
}

func (v *View) query(query string, n int, fn func([]driver.Value) error, args ...driver.Value) error {
	p, err := v.db.prepare(query)
	if err != nil {
		return err
	}
	defer p.close()
	for _, a := range args {
		p.bind(a)
	}
	return p.each(n, fn)
}

// Info describes the run as it was when the view was opened, with its jobs.
func (v *View) Info() RunInfo { return v.info }

// Job gives the id of a job by its number, "" for one that is not there.
func (v *View) Job(number int) string {
	if number < 0 || number >= len(v.info.Jobs) {
		return ""
	}
	return v.info.Jobs[number].ID
}

// Label names the instance of a row, such as resize#17.
func (v *View) Label(r *Row) string { return label(v.Job(r.Job), r.Index) }

// Filter says which records are wanted. The zero Filter wants all.
type Filter struct {
	Job      string   // the id of a job
	Index    *int64   // −1 = the job as one
	Failed   bool     // only what is not ok
	Outcomes []string // any of these
	AfterRow int64    // only rows behind this one
	Limit    int      // at most so many; 0 = all
}

// What is read at once is bounded: a reader that is slow must not keep SQLite
// from shortening the run's log.
const (
	pageRows  = 512
	pageBytes = 1 << 20
)

// Each calls fn with the records that are wanted, in the order of their commits,
// until it returns an error, which is returned. The Row is valid until fn returns.
// Records that are committed meanwhile are seen too. To follow a run, call it
// again with AfterRow, whenever Version has changed.
func (v *View) Each(f Filter, fn func(*Row) error) error {
	query := selectRow + " WHERE i.row > ?"
	var args []driver.Value
	if f.Job != "" {
		job := -1
		for i, j := range v.info.Jobs {
			if j.ID == f.Job {
				job = i
			}
		}
		if job < 0 {
			return fmt.Errorf("run %s has no job %s", v.info.ID, f.Job)
		}
		query, args = query+" AND i.job = ?", append(args, int64(job))
	}
	switch {
	case f.Index == nil:
	case *f.Index < 0:
		query += " AND i.idx IS NULL"
	default:
		query, args = query+" AND i.idx = ?", append(args, *f.Index)
	}
	if f.Failed {
		query += " AND i.outcome <> 'ok'"
	}
	if len(f.Outcomes) > 0 {
		query += " AND i.outcome IN (?" + strings.Repeat(",?", len(f.Outcomes)-1) + ")"
		for _, o := range f.Outcomes {
			args = append(args, o)
		}
	}
	query += fmt.Sprintf(" ORDER BY i.row LIMIT %d", pageRows)

	p, err := v.prepare(query)
	if err != nil {
		return err
	}
	defer func() {
		v.mu.Lock()
		defer v.mu.Unlock()
		p.close()
	}()
	rows := make([]Row, 0, pageRows)
	for after, left := f.AfterRow, f.Limit; ; {
		full := false
		if rows, full, err = v.page(p, after, args, rows[:0]); err != nil {
			return err
		}
		for i := range rows {
			after = rows[i].Row
			if err := fn(&rows[i]); err != nil {
				return err
			}
			if left--; left == 0 {
				return nil
			}
		}
		if !full {
			return nil
		}
	}
}

func (v *View) prepare(query string) (*prepared, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.db == nil {
		return nil, ErrClosed
	}
	return v.db.prepare(query)
}

// page reads some rows, and reports whether there may be more.
func (v *View) page(p *prepared, after int64, args []driver.Value, rows []Row) ([]Row, bool, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.db == nil {
		return nil, false, ErrClosed
	}
	p.bind(after)
	for _, a := range args {
		p.bind(a)
	}
	bytes := 0
	err := p.each(rowColumns, func(c []driver.Value) error {
		rows = append(rows, Row{})
		r := &rows[len(rows)-1]
		r.scan(c, v.info.Begin.UnixMicro())
		if bytes += len(r.Item) + len(r.Evidence) + len(r.Result); bytes > pageBytes {
			return errEnough
		}
		return nil
	})
	if errors.Is(err, errEnough) {
		return rows, true, nil
	}
	return rows, len(rows) == pageRows, err
}

// maxAttempts bounds the attempts that are read of an instance: the latest.
const maxAttempts = 1000

// Attempts gives the attempts of an instance before its last one, up to the
// latest 1,000, in their order.
func (v *View) Attempts(r *Row) ([]Attempt, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.db == nil {
		return nil, ErrClosed
	}
	var list []Attempt
	err := v.query(`SELECT * FROM (SELECT job,idx,attempt,outcome,which,exit_code,signal,worker,pid,start_us,wall_us,evidence,limit_value,observed,enforced_by
		FROM attempt WHERE job = ? AND idx = ? ORDER BY attempt DESC LIMIT ?) ORDER BY attempt`, attemptColumns, func(c []driver.Value) error {
		var a Attempt
		a.scan(c, v.info.Begin.UnixMicro())
		list = append(list, a)
		return nil
	}, int64(r.Job), r.Index, int64(maxAttempts))
	return list, err
}

// Count counts the records by outcome, by going through all of them. Of a run
// that has ended, its totals tell more.
func (v *View) Count() (map[string]int64, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.db == nil {
		return nil, ErrClosed
	}
	n := map[string]int64{}
	err := v.query("SELECT outcome, count(*) FROM instance GROUP BY outcome LIMIT 100", 2, func(c []driver.Value) error {
		n[text(c[0])] = number(c[1])
		return nil
	})
	return n, err
}

// Version changes whenever something was committed since it was asked before. It
// costs a read of a few bytes, and is for polling.
func (v *View) Version() (int64, error) {
	v.mu.Lock()
	defer v.mu.Unlock()
	if v.db == nil {
		return 0, ErrClosed
	}
	var n int64
	err := v.query("PRAGMA data_version", 1, func(c []driver.Value) error { n = number(c[0]); return nil })
	return n, err
}

// Output gives what the instance of a row wrote. It may be read until Close; once
// it has gone, also in the midst of reading, the error is ErrGone.
func (v *View) Output(r *Row) (stdout, stderr *io.SectionReader, err error) {
	return read(r.Output, v.reads.get)
}

// Close closes the view.
func (v *View) Close() error {
	v.mu.Lock()
	defer v.mu.Unlock()
	var errs []error
	if v.db != nil {
		errs = append(errs, v.db.close())
		v.db = nil
	}
	v.reads.close()
	for _, root := range []**os.Root{&v.outs, &v.root} {
		if *root != nil {
			errs = append(errs, (*root).Close())
			*root = nil
		}
	}
	return errors.Join(errs...)
}
