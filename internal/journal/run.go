package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Run is the record of a run that is under way. Commit, End and Close are for
// one goroutine; what was Printed may be said by others.
type Run struct {
	id      string
	begin   time.Time
	jobs    []JobInfo
	unsure  bool // the last COMMIT failed, and may have come to the disk
	store   *Store
	root    *os.Root
	outs    *os.Root
	lock    *lock
	db      *database
	outputs *Outputs

	inserts  [1 << groupCount][2]*prepared // by groups: of one row, and of many
	attempt  *prepared
	segment  *prepared
	commit   *prepared
	begun    *prepared
	sources  map[*source]*attached
	attached []*attached // those that are attached now, the last one last
	closed   bool
}

// rowsAtOnce is how many rows a statement inserts. More make it no faster.
const rowsAtOnce = 32

// Create makes the folder of a run and takes its lock. Nothing of an earlier run
// is touched. It takes a few milliseconds, for the disk.
func (s *Store) Create(info Info) (run *Run, err error) {
	if err := checkID(info.ID); err != nil {
		return nil, err
	}
	if info.Quota < 0 {
		return nil, fmt.Errorf("run %s: a quota of %d bytes", info.ID, info.Quota)
	}
	r := &Run{id: info.ID, begin: info.Begin.Round(0), jobs: info.Jobs, store: s, sources: map[*source]*attached{}}
	// The folder gets its name with the lock taken, so that nobody ever sees one
	// that is being made, and takes it for one that was left behind.
	building := building + info.ID
	if err := s.runs.Mkdir(building, 0o700); err != nil {
		return nil, fmt.Errorf("run %s: %w", info.ID, err)
	}
	named, giveUp := false, func() {}
	defer func() {
		if err == nil {
			return
		}
		giveUp()
		r.Close()
		s.runs.RemoveAll(building)
		if named {
			s.runs.RemoveAll(info.ID)
		}
	}()
	if r.root, err = openIn(s.runs, building); err != nil {
		return nil, err
	}
	if r.lock, err = lockRun(r.root, info.ID, forRun, patience); err != nil {
		return nil, err
	}
	if r.outs, err = makeIn(r.root, "outputs"); err != nil {
		return nil, err
	}
	if _, err := s.runs.Lstat(info.ID); !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("run %s: %w", info.ID, fs.ErrExist)
	}
	if err := s.runs.Rename(building, info.ID); err != nil {
		return nil, fmt.Errorf("run %s: %w", info.ID, err)
	}
	named = true
	if info.Locked != nil {
		giveUp = info.Locked(r.lock.file)
	}
	if r.db, err = s.database(r.root, info.ID, toWrite); err != nil {
		return nil, err
	}
	if err := migrate(r.db.conn, info.ID, s.steps); err != nil {
		return nil, r.db.explain(err)
	}
	if err := r.describe(&info); err != nil {
		return nil, err
	}
	if err := r.prepare(); err != nil {
		return nil, err
	}
	if err := errors.Join(syncFolder(r.root), syncFolder(s.runs)); err != nil {
		return nil, fmt.Errorf("run %s: %w", info.ID, err)
	}
	r.outputs = newOutputs(folderShelf{r.outs}, info.Quota, true)
	return r, nil
}

func (r *Run) describe(info *Info) error {
	argv, err := encodeArgv(info.Argv)
	if err != nil {
		return err
	}
	if err := r.db.exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	err = r.db.exec(`INSERT INTO run(id,name,identity,file,dir,argv,begin_us,workers,parent,version) VALUES(?,?,?,?,?,?,?,?,?,?)`,
		info.ID, textOrNull(info.Name), textOrNull(info.Identity), textOrNull(info.File), textOrNull(info.Dir), argv,
		info.Begin.UnixMicro(), info.Workers, textOrNull(info.Parent), textOrNull(info.Version))
	if err == nil {
		err = r.describeJobs(info.Jobs)
	}
	if err != nil {
		r.db.exec("ROLLBACK")
		return err
	}
	return r.db.exec("COMMIT")
}

func (r *Run) describeJobs(jobs []JobInfo) error {
	p, err := r.db.prepare("INSERT INTO job(number,id,kind,program) VALUES(?,?,?,?)")
	if err != nil {
		return err
	}
	defer p.close()
	for i, j := range jobs {
		p.bind(int64(i))
		p.bind(j.ID)
		p.bind(textOrNull(j.Kind))
		p.bind(textOrNull(j.Program))
		if err := p.exec(); err != nil {
			return err
		}
	}
	return nil
}

func (r *Run) prepare() error {
	for _, s := range []struct {
		into  **prepared
		query string
	}{
		{&r.begun, "BEGIN IMMEDIATE"},
		{&r.commit, "COMMIT"},
		{&r.attempt, `INSERT OR REPLACE INTO attempt(job,idx,attempt,outcome,which,exit_code,signal,worker,pid,start_us,wall_us,evidence,limit_value,observed,enforced_by)
			VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?,?,?)`},
		{&r.segment, "INSERT OR REPLACE INTO segment(number,file,bytes,state,origin) VALUES(?,?,?,?,?)"},
	} {
		p, err := r.db.prepare(s.query)
		if err != nil {
			return err
		}
		*s.into = p
	}
	return nil
}

// ID is the run's.
func (r *Run) ID() string { return r.id }

// Dir is the absolute path of the run's folder.
func (r *Run) Dir() string { return filepath.Join(r.store.dir, "runs", r.id) }

// LockFile is the open file whose lock says that the run is alive. A process that
// inherits it keeps the run alive until it ends or closes it.
func (r *Run) LockFile() *os.File { return r.lock.file }

// Outputs is where the run's outputs are.
func (r *Run) Outputs() *Outputs { return r.outputs }

// Printed says that an output has been printed: it may go when its room is
// needed.
func (r *Run) Printed(ref Ref) { r.outputs.Printed(ref) }

// PrintedBatch is Printed for all outputs of a batch that was committed.
func (r *Run) PrintedBatch(b *Batch) {
	r.outputs.mu.Lock()
	defer r.outputs.mu.Unlock()
	for i := range b.rows {
		r.outputs.printed(b.rows[i].ref)
	}
}

// End records the end of the run.
func (r *Run) End(end End) error {
	if r.closed {
		return ErrClosed
	}
	var totals any
	if len(end.Totals) > 0 {
		totals = string(end.Totals)
	}
	return r.transaction(func() error {
		return r.db.exec("UPDATE run SET end_us=?, exit_code=?, totals=?", micros(end.Time), end.ExitCode, totals)
	})
}

// Close closes the record and gives the lock back, unless somebody else holds it
// too. It does not end the run: one without an End is shown as killed.
func (r *Run) Close() error {
	if r.closed {
		return nil
	}
	r.closed = true
	var errs []error
	if r.outputs != nil {
		errs = append(errs, r.outputs.Close())
	}
	if r.db != nil {
		for i := range r.inserts {
			r.inserts[i][0].close()
			r.inserts[i][1].close()
		}
		for _, p := range []*prepared{r.attempt, r.segment, r.commit, r.begun} {
			p.close()
		}
		for _, a := range r.attached {
			a.forget()
		}
		errs = append(errs, r.db.close())
	}
	errs = append(errs, r.lock.release())
	for _, root := range []*os.Root{r.outs, r.root} {
		if root != nil {
			errs = append(errs, root.Close())
		}
	}
	return errors.Join(errs...)
}
