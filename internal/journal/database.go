package journal

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net/url"
	"path/filepath"
	"runtime"

	"modernc.org/sqlite"
)

// database is one connection to the database of a run.
//
// A process that opens a database must not open and close its file in another
// way: closing any descriptor of a file drops all POSIX locks that the process
// has on it.
type database struct {
	run  string
	path string
	pool *sql.DB
	conn *sql.Conn
}

// access is what a database is opened for.
type access int

const (
	toRead access = iota // never creates or changes anything
	toIndex
	toWrite
)

// maxCell bounds a text, blob or row that is read from a file, in bytes: files
// may have been made by anybody.
const maxCell = 8 << 20

// What is asked of a database is never given up half way.
var background = context.Background()

// SQLite's numbers that are needed here.
const (
	limitLength = 0
	codeCorrupt = 11
	codeNotADB  = 26
	primaryCode = 0xff
)

// location gives the database at path as a URI. What stands in a path is never
// taken for a parameter.
func location(path string) string {
	path = filepath.ToSlash(path)
	if runtime.GOOS == "windows" {
		path = "/" + path
	}
	return "file:" + (&url.URL{Path: path}).EscapedPath()
}

// openDatabase opens the one connection. rollback asks for a rollback journal,
// for file systems on which a write-ahead log does not work.
func openDatabase(run, path string, mode access, rollback bool) (*database, error) {
	// A schema that was tampered with gets no functions with side effects.
	q := "?_defensive=1&_dqs=0&_pragma=busy_timeout(10000)&_pragma=trusted_schema(0)&_pragma=cell_size_check(1)"
	switch mode {
	case toRead:
		q += "&mode=ro"
	case toIndex:
		q += "&mode=rw&_pragma=synchronous(NORMAL)"
	case toWrite:
		journal := "WAL"
		if rollback {
			journal = "TRUNCATE"
		}
		// A commit of 2,000 rows is some 80 pages: with the default of 1,000 pages
		// the log would be copied, with two syncs, at every twelfth.
		q += "&mode=rwc&_pragma=journal_mode(" + journal + ")&_pragma=synchronous(FULL)&_pragma=wal_autocheckpoint(2000)"
	}
	pool, err := sql.Open("sqlite", location(path)+q)
	if err != nil {
		return nil, err
	}
	pool.SetMaxOpenConns(1)
	d := &database{run: run, path: path, pool: pool}
	if d.conn, err = pool.Conn(background); err != nil {
		pool.Close()
		return nil, d.explain(err)
	}
	if _, err := sqlite.Limit(d.conn, limitLength, maxCell); err != nil {
		d.close()
		return nil, err
	}
	return d, nil
}

func (d *database) close() error {
	err := d.conn.Close()
	return errors.Join(err, d.pool.Close())
}

func (d *database) exec(query string, args ...any) error {
	_, err := d.conn.ExecContext(background, query, args...)
	return d.explain(err)
}

// explain turns SQLite's words for a broken file into ours.
func (d *database) explain(err error) error {
	var e *sqlite.Error
	if !errors.As(err, &e) {
		return err
	}
	switch e.Code() & primaryCode {
	case codeCorrupt, codeNotADB:
		return &DamagedError{Run: d.run, Path: d.path, Err: err}
	}
	return fmt.Errorf("%s: %w", d.path, err)
}

// prepared is a statement below database/sql, whose conversions cost more than
// the insertion of a row.
type prepared struct {
	db   *database
	stmt driver.Stmt
	args []driver.NamedValue
	dest []driver.Value
}

func (d *database) prepare(query string) (*prepared, error) {
	p := &prepared{db: d}
	err := d.conn.Raw(func(c any) (err error) {
		p.stmt, err = c.(driver.Conn).Prepare(query)
		return err
	})
	if err != nil {
		return nil, d.explain(err)
	}
	return p, nil
}

func (p *prepared) close() {
	if p != nil && p.stmt != nil {
		p.db.conn.Raw(func(any) error { return p.stmt.Close() })
		p.stmt = nil
	}
}

// bind adds an argument. nil is NULL.
func (p *prepared) bind(v driver.Value) {
	p.args = append(p.args, driver.NamedValue{Ordinal: len(p.args) + 1, Value: v})
}

// exec runs the statement with what was bound.
func (p *prepared) exec() error {
	_, err := p.change()
	return err
}

// change is exec that tells how many rows were changed.
func (p *prepared) change() (n int64, err error) {
	err = p.db.conn.Raw(func(any) error {
		res, err := p.stmt.(driver.StmtExecContext).ExecContext(background, p.args)
		if err == nil {
			n, err = res.RowsAffected()
		}
		return err
	})
	clear(p.args)
	p.args = p.args[:0]
	return n, p.db.explain(err)
}

// each runs the statement with what was bound, and calls fn with each row of n
// columns, which are valid until it returns.
func (p *prepared) each(n int, fn func([]driver.Value) error) error {
	if cap(p.dest) < n {
		p.dest = make([]driver.Value, n)
	}
	dest := p.dest[:n]
	err := p.db.conn.Raw(func(any) error {
		rows, err := p.stmt.(driver.StmtQueryContext).QueryContext(background, p.args)
		if err != nil {
			return err
		}
		for {
			if err = rows.Next(dest); err != nil {
				break
			}
			if err = fn(dest); err != nil {
				break
			}
		}
		if err == io.EOF {
			err = nil
		}
		return errors.Join(err, rows.Close())
	})
	clear(p.args)
	p.args = p.args[:0]
	return p.db.explain(err)
}
