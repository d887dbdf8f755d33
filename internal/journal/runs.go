package journal

import (
	"cmp"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"time"
)

// State is what has become of a run.
type State string

const (
	Running State = "running" // its supervisor lives, or the guardian that sweeps for it
	Ended   State = "ended"
	Killed  State = "killed" // nobody has its lock, and it has no end
)

// RunInfo is what a listing tells of a run.
type RunInfo struct {
	Info         // without Jobs
	State  State //
	End    End   // zero unless Ended
	Bytes  int64 // of its files; linked outputs count in each run that has them
	Broken error // why it cannot be read, often a *DamagedError; only ID, Bytes and Begin are set then
}

// Runs lists all runs, the latest first. A folder that cannot be read is in the
// list, with the reason.
func (s *Store) Runs() ([]RunInfo, error) {
	ids, err := s.ids()
	if err != nil {
		return nil, err
	}
	list := make([]RunInfo, 0, len(ids))
	for _, id := range ids {
		info, err := s.inspect(id)
		if errors.Is(err, ErrNotFound) {
			continue // removed since
		}
		list = append(list, info)
	}
	slices.SortStableFunc(list, func(a, b RunInfo) int {
		return cmp.Or(b.Begin.Compare(a.Begin), strings.Compare(b.ID, a.ID))
	})
	return list, nil
}

func (s *Store) ids() ([]string, error) {
	names, err := s.names()
	return slices.DeleteFunc(names, func(name string) bool { return checkID(name) != nil }), err
}

func (s *Store) names() ([]string, error) {
	d, err := s.runs.Open(".")
	if err != nil {
		return nil, err
	}
	defer d.Close()
	return d.Readdirnames(-1)
}

// inspect reads what a listing needs. Only ErrNotFound is returned; everything
// else is told in the info.
func (s *Store) inspect(id string) (info RunInfo, err error) {
	info.ID, info.State = id, Killed
	root, err := s.folder(id)
	if err != nil {
		info.Broken = err
		return info, err
	}
	defer root.Close()
	if st, err := root.Stat("."); err == nil {
		info.Begin = st.ModTime()
	}
	info.Bytes = size(root)
	running, err := alive(root)
	if err != nil {
		info.Broken = err
		return info, nil
	}
	db, err := s.readable(root, id)
	if err == nil {
		err = info.read(db)
		db.close()
	}
	switch {
	case !info.End.Time.IsZero():
		info.State = Ended
	case running:
		info.State = Running
		if err != nil && !isNewer(err) {
			err = nil // it is being made
		}
	}
	info.Broken = err
	return info, nil
}

func isNewer(err error) bool {
	var newer *NewerError
	return errors.As(err, &newer)
}

// readable opens the database of a run for reading. One of an older version is
// brought to this one, if nobody uses it.
func (s *Store) readable(root *os.Root, id string) (*database, error) {
	db, err := s.database(root, id, toRead)
	if err != nil {
		return nil, err
	}
	var version int
	if err := db.conn.QueryRowContext(background, "PRAGMA user_version").Scan(&version); err != nil {
		db.close()
		return nil, db.explain(err)
	}
	switch {
	case version == len(s.steps):
		return db, nil
	case version > len(s.steps):
		db.close()
		return nil, &NewerError{Run: id, Version: version, Known: len(s.steps)}
	}
	db.close()
	if version == 0 {
		return nil, &DamagedError{Run: id, Path: db.path, Err: errors.New("it ended before it was described")}
	}
	l, err := lockRun(root, id, forResume, 0)
	if err != nil {
		return nil, fmt.Errorf("migrate the journal of run %s from version %d: %w", id, version, err)
	}
	defer l.release()
	older, err := s.database(root, id, toIndex)
	if err != nil {
		return nil, err
	}
	err = migrate(older.conn, id, s.steps)
	if err = errors.Join(older.explain(err), older.close()); err != nil {
		return nil, err
	}
	return s.database(root, id, toRead)
}

func (info *RunInfo) read(db *database) error {
	var name, identity, file, dir, argv, parent, totals, version sql.NullString
	var begin int64
	var end, code, workers sql.NullInt64
	err := db.conn.QueryRowContext(background, `SELECT name,identity,file,dir,argv,begin_us,end_us,exit_code,workers,parent,totals,version
		FROM run WHERE id = ?`, info.ID).Scan(&name, &identity, &file, &dir, &argv, &begin, &end, &code, &workers, &parent, &totals, &version)
	if errors.Is(err, sql.ErrNoRows) {
		return &DamagedError{Run: info.ID, Path: db.path, Err: errors.New("it describes another run, or none")}
	}
	if err != nil {
		return db.explain(err)
	}
	info.Info = Info{
		ID: info.ID, Name: name.String, Identity: identity.String, File: file.String, Dir: dir.String,
		Begin: time.UnixMicro(begin), Workers: int(workers.Int64), Parent: parent.String, Version: version.String,
	}
	if !argv.Valid {
		argv.String = "[]"
	}
	if info.Argv, err = decodeArgv(argv.String); err != nil {
		return &DamagedError{Run: info.ID, Path: db.path, Err: fmt.Errorf("its argv: %w", err)}
	}
	if end.Valid {
		info.End = End{Time: time.UnixMicro(end.Int64), ExitCode: int(code.Int64), Totals: []byte(totals.String)}
	}
	return nil
}

// size is the bytes of the files in a run's folder.
func size(root *os.Root) (n int64) {
	for _, name := range []string{".", "outputs"} {
		d, err := root.Open(name)
		if err != nil {
			continue
		}
		for {
			entries, err := d.ReadDir(256)
			for _, e := range entries {
				if e.Name() == "journal.db-shm" {
					continue // who looks at a run leaves it there
				}
				if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
					n += info.Size()
				}
			}
			if err != nil || len(entries) == 0 {
				break
			}
		}
		d.Close()
	}
	return n
}

// Find finds a run by its id or the beginning of it, if no other id begins like
// that. "" and "last" are the latest run. Without one the error wraps
// ErrNotFound.
func (s *Store) Find(name string) (RunInfo, error) {
	if name == "" || name == "last" {
		list, err := s.Runs()
		if err != nil {
			return RunInfo{}, err
		}
		if len(list) == 0 {
			return RunInfo{}, fmt.Errorf("%w in %s: none has been recorded", ErrNotFound, s.dir)
		}
		return list[0], nil
	}
	ids, err := s.ids()
	if err != nil {
		return RunInfo{}, err
	}
	if slices.Contains(ids, name) {
		return s.inspect(name)
	}
	ids = slices.DeleteFunc(ids, func(id string) bool { return !strings.HasPrefix(id, name) })
	switch len(ids) {
	case 0:
		return RunInfo{}, fmt.Errorf("run %s: %w in %s; supervisor ls lists them", name, ErrNotFound, s.dir)
	case 1:
		return s.inspect(ids[0])
	}
	slices.Sort(ids)
	return RunInfo{}, fmt.Errorf("run %s: %d runs begin like that, such as %s and %s; give more of the id", name, len(ids), ids[0], ids[1])
}

// Latest finds the latest run with an identity, of those that can be read.
// Without one the error wraps ErrNotFound.
func (s *Store) Latest(identity string) (RunInfo, error) {
	list, err := s.Runs()
	if err != nil {
		return RunInfo{}, err
	}
	for _, info := range list {
		if info.Broken == nil && info.Identity == identity {
			return info, nil
		}
	}
	return RunInfo{}, fmt.Errorf("%w of this file in %s", ErrNotFound, s.dir)
}

// The names of folders that are being made or removed. They are no ids.
const (
	building = ".new-"
	removing = ".old-"
)

// Remove removes a run and everything that it has stored. The error is an
// *InUseError while it runs or is being resumed. Runs that have resumed it have
// copies and links of what they took.
func (s *Store) Remove(id string) error {
	root, err := s.folder(id)
	if err != nil {
		return err
	}
	l, err := lockRun(root, id, forRemove, 0)
	if err != nil {
		root.Close()
		return err
	}
	// Under another name nobody takes half of it for a run.
	name := removing + id
	if err := s.runs.Rename(id, name); err != nil {
		name = id // Windows, for one, renames no folder of which a file is open
	}
	err = errors.Join(l.release(), root.Close())
	return errors.Join(err, s.runs.RemoveAll(name))
}

// abandoned is how long it takes at most to make a run's folder.
const abandoned = time.Hour

// Prune removes all but the latest keep runs, and what was left behind by
// processes that were killed while they made or removed one. A run that is in use
// stays. What cannot be read counts as a run. It returns the ids of what it
// removed, also with an error about others.
func (s *Store) Prune(keep int) (removed []string, err error) {
	if keep < 0 {
		return nil, fmt.Errorf("prune: cannot keep %d runs", keep)
	}
	list, err := s.Runs()
	if err != nil {
		return nil, err
	}
	var errs []error
	for _, info := range list[min(keep, len(list)):] {
		if info.State == Running {
			continue
		}
		switch err := s.Remove(info.ID); {
		case err == nil:
			removed = append(removed, info.ID)
		case !errors.Is(err, ErrInUse) && !errors.Is(err, ErrNotFound):
			errs = append(errs, err)
		}
	}
	names, err := s.names()
	errs = append(errs, err)
	for _, name := range names {
		if strings.HasPrefix(name, building) && !s.beingMade(name) || strings.HasPrefix(name, removing) {
			errs = append(errs, s.runs.RemoveAll(name))
		}
	}
	return removed, errors.Join(errs...)
}

func (s *Store) beingMade(name string) bool {
	root, err := openIn(s.runs, name)
	if err != nil {
		return errors.Is(err, fs.ErrNotExist)
	}
	defer root.Close()
	if l := shareLock(root); l != nil {
		l.release()
	} else if _, err := root.Lstat("lock"); err == nil {
		return true
	}
	info, err := root.Stat(".")
	return err != nil || time.Since(info.ModTime()) < abandoned
}
